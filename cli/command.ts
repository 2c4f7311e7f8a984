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

/** Prints why a command failed, as one line where its user can act on it; gives the exit code. */
export function tell(error: unknown): number {
  const wrongCall = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const known = error instanceof CommandError || wrongCall;
  const said = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  console.error(`coracle: ${said}`);
  return error instanceof CommandError ? error.exitCode : wrongCall ? 2 : 1;
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
