import type { Interest } from '../store/interest.ts';
import type { Entry, Key, Revision } from '../store/store.ts';

/** Changed rows of some interests after a revision, in revision order; each key once, at its newest state. Null: gone, or of no more interest. */
export interface Changes {
  /** The cursor after these. */
  revision: Revision;
  rows: { key: Key; revision: Revision; entry: Entry | null }[];
  more: boolean;
  /** The cursor was too old: these are a whole snapshot, and what isn't among them is gone. */
  restart?: boolean;
}
/** Where a loop reads what changed. */
export interface ChangeSource {
  changes(after: Revision, interests: readonly Interest[], limit: number): Promise<Changes>;
  /** The loop is woken for these from now on, and for nothing else. */
  register(interests: readonly Interest[]): Promise<void>;
  /** What stands of an interest now. */
  snapshot(interest: Interest): Promise<{ revision: Revision; entries: Entry[] }>;
}

/** Rows of a snapshot that are taken in at once: some 5 ms of pods. */
const SNAPSHOT_STEP = 64;
export function* inSteps<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += SNAPSHOT_STEP) yield all.slice(at, at + SNAPSHOT_STEP);
}
