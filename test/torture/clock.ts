import { execFile } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The wall clock of the server under test, apart from this machine's. */
export interface Clock {
  /** How it is moved, in a few words. */
  how: string;
  /** Environment for the server. */
  env: Record<string, string>;
  /** Text in front of the server's bundle: '' when the clock moves while the server runs. */
  banner(): string;
  /** Seconds that it is ahead of this machine's. */
  offset(): number;
  /** Moves it by some seconds, also back. */
  jump(seconds: number): void;
}

/**
 * A clock of a process's own: by a preloaded library (clock.c) where a C compiler is found, and then also alarms follow it at once; else by
 * a line in front of the bundle, which takes effect with the server's next start and leaves alarms on the real clock.
 */
export async function makeClock(dir: string): Promise<Clock> {
  let seconds = 0;
  const library = join(dir, 'clock.so');
  const built = await run('cc', ['-O2', '-shared', '-fPIC', '-o', library, join(import.meta.dirname, 'clock.c')]).then(
    () => true,
    () => false,
  );
  if (!built) {
    return {
      how: 'at restarts only (no C compiler)',
      env: {},
      banner: () => `{ const now = Date.now; Date.now = () => now() + ${seconds * 1000}; }\n`,
      offset: () => seconds,
      jump: (by) => {
        seconds += by;
      },
    };
  }
  const file = join(dir, 'clock');
  const fd = openSync(file, 'w+');
  const write = () => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeSync(fd, bytes, 0, 8, 0);
  };
  write();
  process.once('exit', () => closeSync(fd));
  return {
    how: 'while the server runs',
    env: { LD_PRELOAD: library, TORTURE_CLOCK: file },
    banner: () => '',
    offset: () => seconds,
    jump: (by) => {
      seconds += by;
      write();
    },
  };
}
