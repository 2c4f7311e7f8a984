import { StatusError } from '../kube/meta/status.ts';
import type { Entry, Key } from '../kube/store/store.ts';
import type { Call } from './call.ts';

/**
 * Tries a write on the row as this process last saw it, which saves the read: what `attempt` commits, the store compares with the revision. Undefined
 * where nothing was committed (a refusal, or nothing to change): that may rest on a row that is over, so it is decided again on a fresh one.
 */
export async function fromKnown<T>(
  call: Call,
  key: Key,
  attempt: (row: Entry) => Promise<T | undefined>,
): Promise<T | undefined> {
  const row = call.cluster.rows?.get(key);
  if (row === undefined) return undefined;
  const assumed = call.exist.length;
  try {
    const done = await attempt(row);
    if (done !== undefined) return done;
  } catch (e) {
    if (!(e instanceof StatusError)) throw e;
  }
  call.cluster.rows?.drop(key);
  // What the attempt assumed may have followed from the old row.
  call.exist.length = assumed;
  return undefined;
}
