/** One verb of `coracle cluster`: an entry of the table in ../cluster.ts. */
export interface Verb {
  name: string;
  /** Its lines in the command's help: the call, and what it does. */
  usage: string;
  /** Arguments after the verb. Throws CommandError with a one-line reason. Resolves to the exit code. */
  run(args: string[]): Promise<number>;
}
