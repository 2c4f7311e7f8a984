import { fstatSync, ftruncateSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Env, pause } from '../kube/meta/env.ts';

/** How often is looked; a collection takes some 30 ms. */
const LOOK_MS = 5_000;
/** Collected when so much more is resident than after the last time. */
const GROWN_BYTES = 16 * 1024 * 1024;
/** What gave back so much may have come amid the burst: it is done once more. */
const FREED_BYTES = 4 * 1024 * 1024;

/** Lines of an agent whose output is a file, not a journal: begun anew past this. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Empties a log that has grown too long. The file is one that is appended to, so that what comes next is at its beginning. */
export function trimLog(fd: number): void {
  const about = fstatSync(fd);
  if (about.isFile() && about.size > LOG_BYTES_MAX) ftruncateSync(fd, 0);
}

/**
 * Gives back, until `signal` aborts, what a burst (many pods started at once) has left behind: V8 collects its old generation as it allocates, which an agent with
 * nothing to do doesn't.
 */
export async function keepSmall(env: Env, signal: AbortSignal): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (o: { type: 'major'; execution: 'async' }) => Promise<void>;
  let settled = 0;
  for (let goesOn = false; !signal.aborted; ) {
    await pause(env, LOOK_MS, signal);
    trimLog(process.stdout.fd);
    const before = process.memoryUsage.rss();
    if (signal.aborted || (!goesOn && before - settled < GROWN_BYTES)) continue;
    await collect({ type: 'major', execution: 'async' });
    settled = process.memoryUsage.rss();
    goesOn = before - settled >= FREED_BYTES;
  }
}
