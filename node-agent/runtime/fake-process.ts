import type { Env } from '../../kube/meta/env.ts';
import type { Program } from './fake-program.ts';

/** Receives container logs: one line in CRI format with its end of line, and the order to start the file anew. */
export interface LogSink {
  write(path: string, line: string): void;
  reopen(path: string): void;
}

/** `<time> <stream> F <text>`: CRI's log format; the time as Go's RFC3339Nano prints it. */
export function criLogLine(ms: number, stream: 'stdout' | 'stderr', text: string): string {
  const time = new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z');
  return `${time} ${stream} F ${text}\n`;
}

/** One pretended process: writes and sleeps as its program says, until it exits or is made to. */
export class FakeProcess {
  readonly program: Program;
  /** Its exit code, once. */
  readonly exited: Promise<number>;
  readonly output = { stdout: '', stderr: '' };
  readonly #env: Env;
  readonly #log: { sink?: LogSink | undefined; path?: string };
  #done: (code: number) => void = () => undefined;
  #over = false;
  #cancel: () => void = () => undefined;

  constructor(env: Env, program: Program, log: { sink?: LogSink | undefined; path?: string }) {
    this.#env = env;
    this.program = program;
    this.#log = log;
    this.exited = new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  start(from = 0): void {
    const { steps, exitCode } = this.program;
    for (let i = from; i < steps.length; i++) {
      const step = steps[i];
      if (!step) break;
      if ('sleepMs' in step) {
        this.#cancel = this.#env.after(step.sleepMs, () => this.start(i + 1));
        return;
      }
      this.#write(step.write, step.text);
    }
    this.exit(exitCode);
  }

  #write(stream: 'stdout' | 'stderr', text: string): void {
    const { sink, path } = this.#log;
    if (!sink || !path) {
      this.output[stream] += text; // an exec: its caller reads it
      return;
    }
    for (const line of text.split('\n').slice(0, -1)) sink.write(path, criLogLine(this.#env.now(), stream, line));
  }

  reopen(): void {
    if (this.#log.path) this.#log.sink?.reopen(this.#log.path);
  }

  /** Ends it with this code; nothing when it ended before. */
  exit(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel();
    this.#done(code);
  }
}
