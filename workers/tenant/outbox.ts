import type { Change } from '../../kube/store/fanout.ts';
import { type Interest, Interests } from '../../kube/store/interest.ts';
import type { Entry, Key, Revision } from '../../kube/store/store.ts';
import { resumableAfter } from './history.ts';
import { getRow } from './rows.ts';
import type { State } from './state.ts';

/** What changed for a loop since its cursor, newest state of each key. */
export interface Changes {
  /** The cursor to ask after next. */
  revision: Revision;
  /** History doesn't reach back to the cursor: read everything anew, then ask after `revision`. */
  whole: boolean;
  /** More follows at once. */
  more: boolean;
  rows: { key: Key; revision: Revision; entry: Entry | null }[];
}

/** How long a loop may take to say that it has seen a mark before it is woken again. */
const WAKE_AGAIN_MS = 5_000;

/**
 * Which loops want to know of which resources, and which have something to do. A mark is written in the transaction of the
 * commit that caused it and stays until the loop says that it has seen that revision, so a wake-up can be lost, work can't.
 */
export class Outbox {
  readonly #state: State;
  readonly #loops = new Interests<string>();
  /** Newest revision that touched a marked loop. */
  readonly #dirty = new Map<string, Revision>();

  /** Of each marked loop: wake-ups sent, and when the next is due if it hasn't cleared its mark by then. */
  readonly #sent = new Map<string, { wakes: number; againMs: number }>();

  constructor(state: State) {
    this.#state = state;
    this.reload();
  }

  reload(): void {
    const { sql } = this.#state;
    this.#loops.clear();
    this.#dirty.clear();
    this.#sent.clear();
    for (const [loop, interest] of sql.all('SELECT loop, resource FROM interest'))
      this.#loops.add(String(interest), String(loop));
    // What came after the mark isn't known any more: the loop has to reach the present.
    for (const [loop] of sql.all('SELECT loop FROM dirty')) this.#dirty.set(String(loop), this.#state.revision);
  }

  /** Sets what a loop watches; '*' is everything. */
  register(loop: string, interests: readonly Interest[]): void {
    const { sql } = this.#state;
    sql.transaction(() => {
      sql.run('DELETE FROM interest WHERE loop = ?', loop);
      for (const i of interests) sql.run('INSERT OR IGNORE INTO interest (loop, resource) VALUES (?, ?)', loop, i);
    });
    this.#loops.remove(loop);
    for (const i of interests) this.#loops.add(i, loop);
  }

  /** Marks, in the commit's transaction, the loops that these changes are for; those that weren't marked before. */
  mark(changes: readonly Change[]): string[] {
    if (this.#loops.size === 0) return [];
    const fresh: string[] = [];
    const mark = (loop: string, revision: Revision) => {
      if (!this.#dirty.has(loop)) {
        fresh.push(loop);
        this.#sent.set(loop, { wakes: 1, againMs: this.#state.env.now() + WAKE_AGAIN_MS });
        this.#state.sql.run('INSERT OR REPLACE INTO dirty (loop, revision) VALUES (?, ?)', loop, revision);
      }
      this.#dirty.set(loop, revision);
    };
    for (const { key, revision } of changes) for (const loop of this.#loops.of(key)) mark(loop, revision);
    return fresh;
  }

  /**
   * Marked loops whose time to clear the mark is over, with the number of this wake-up: 0 for the first, which the commit itself sends. After a
   * restart of the store the count starts anew: the replica that was at work can end its former life at once, another has to wait for its lease.
   */
  overdue(nowMs: number): { loop: string; revision: Revision; attempt: number }[] {
    const due = [];
    for (const [loop, revision] of this.#dirty) {
      const sent = this.#sent.get(loop) ?? { wakes: 0, againMs: 0 };
      if (sent.againMs > nowMs) continue;
      this.#sent.set(loop, { wakes: sent.wakes + 1, againMs: nowMs + WAKE_AGAIN_MS });
      due.push({ loop, revision, attempt: sent.wakes });
    }
    return due;
  }

  /** When the next wake-up of a marked loop is due, undefined without marks. */
  nextWakeMs(): number | undefined {
    let next: number | undefined;
    for (const loop of this.#dirty.keys()) next = Math.min(next ?? Infinity, this.#sent.get(loop)?.againMs ?? 0);
    return next;
  }

  /** A loop has seen everything up to `revision`. False when more has come for it since: it stays marked and should go on. */
  cleared(loop: string, revision: Revision): boolean {
    if ((this.#dirty.get(loop) ?? 0) > revision) return false;
    this.#sent.delete(loop);
    if (this.#dirty.delete(loop)) this.#state.sql.run('DELETE FROM dirty WHERE loop = ?', loop);
    return true;
  }
}

/** Revisions that one page of changes looks at: some 5 ms, since the row of each is read. */
const CHANGES_STEP = 400;

/** Rows of some interests (empty = all) that changed after a revision; each key once, as it is now. */
export function changesOf(s: State, interests: readonly Interest[], after: Revision, limit = CHANGES_STEP): Changes {
  if (after < resumableAfter(s) || after < s.base.size || after > s.revision) {
    return { revision: s.revision, whole: true, more: false, rows: [] };
  }
  const wanted = new Interests<true>();
  for (const i of interests) wanted.add(i, true);
  const to = Math.min(after + limit, s.revision);
  const newest = new Map<Key, Revision>();
  for (const [revision, key] of s.sql.all(
    'SELECT revision, key FROM history WHERE revision > ? AND revision <= ? ORDER BY revision',
    after,
    to,
  )) {
    const k = String(key);
    if (wanted.size === 0 || !wanted.of(k)[Symbol.iterator]().next().done) newest.set(k, Number(revision));
  }
  const rows: Changes['rows'] = [];
  for (const [key, revision] of newest) {
    const entry = getRow(s, key);
    rows.push({ key, revision: entry?.revision ?? revision, entry });
  }
  return { revision: to, whole: false, more: to < s.revision, rows };
}
