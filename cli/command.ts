/** One command of `coracle`: an entry of the table in main.ts. */
export interface Command {
  name: string;
  /** One line for the list. */
  summary: string;
  /** Printed by --help after the summary. */
  usage: string | (() => Promise<string>);
  /** Arguments after the command's name. Throws CommandError with a one-line reason. Resolves to the exit code. */
  run(args: string[]): Promise<number>;
}

/** A failure that the user can act on; printed as one line, exit code 1 (2 for a wrong call). */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
