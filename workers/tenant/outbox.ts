import type { Facts } from '../../kube/meta/facts.ts';
import type { Change } from '../../kube/store/fanout.ts';
import { coarse, type Interest, Interests } from '../../kube/store/interest.ts';
import type { Entry, Key, Revision } from '../../kube/store/store.ts';
import { resumableAfter } from './history.ts';
import { getRow, HEAD_COLUMNS, headFrom } from './rows.ts';
import { getMeta, setMeta } from './schema.ts';
import { kept } from './sql.ts';
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

  /** Of a loop that has seen everything: from which revision on, and to which, nothing came for it that it should look at. */
  readonly #idle = new Map<string, { from: Revision; to: Revision }>();
  /** The newest revision that a loop should look at, whether it woke it or not. */
  readonly #newest = new Map<string, Revision>();
  /** What each loop registered: as one text, and to be asked. */
  readonly #registered = new Map<string, { text: string; wanted: Interests<string> }>();

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
    this.#registered.clear();
    for (const [loop] of sql.all('SELECT DISTINCT loop FROM interest')) this.#load(String(loop));
    // What came after the mark isn't known any more: the loop has to reach the present.
    for (const [loop] of sql.all('SELECT loop FROM dirty')) this.#dirty.set(String(loop), this.#state.revision);
  }

  /** Loops of the release before left no text: their interests are rows. */
  #load(loop: string): void {
    const { sql } = this.#state;
    const rows = () => sql.all('SELECT resource FROM interest WHERE loop = ?', loop).map(([i]) => String(i));
    const text = String(getMeta(sql, interestsMeta(loop)) ?? JSON.stringify(rows()));
    const interests = kept<(Interest | string)[]>(text, 'an interest');
    this.#registered.set(loop, { text, wanted: new Interests(interests.map((i) => [i, loop])) });
    for (const i of interests) this.#loops.add(i, loop);
    // What came before isn't known any more.
    this.#idle.delete(loop);
    this.#newest.set(loop, this.#state.revision);
  }

  /** Sets what a loop watches; '*' is everything. */
  register(loop: string, interests: readonly (Interest | string)[]): void {
    const { sql } = this.#state;
    sql.transaction(() => {
      // For the release before, which knows no conditions.
      sql.run('DELETE FROM interest WHERE loop = ?', loop);
      for (const i of interests) {
        const row = typeof i === 'string' ? i : coarse(i);
        sql.run('INSERT OR IGNORE INTO interest (loop, resource) VALUES (?, ?)', loop, row);
      }
      setMeta(sql, interestsMeta(loop), JSON.stringify(interests));
    });
    this.#loops.remove(loop);
    this.#load(loop);
  }

  /** What a loop has registered, if it is this text. */
  registered(loop: string, interests: string): Interests<string> | undefined {
    const known = this.#registered.get(loop);
    return known?.text === interests ? known.wanted : undefined;
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
    for (const { key, revision, prev, next } of changes) {
      if (!this.#loops.mayWant(key)) continue;
      this.#loops.news(key, prev?.facts ?? null, next?.facts ?? null, (loop, wakes) => {
        const idle = this.#idle.get(loop);
        if (idle) idle.to = Math.min(idle.to, revision - 1);
        this.#newest.set(loop, revision);
        if (wakes) mark(loop, revision);
      });
    }
    return fresh;
  }

  isMarked(loop: string): boolean {
    return this.#dirty.has(loop);
  }

  /** From where on a loop with this cursor has to look: past what came since without being for it. */
  from(loop: string, after: Revision): Revision {
    const idle = this.#idle.get(loop);
    if (!idle || after < idle.from) return after;
    return Math.max(after, Math.min(idle.to, this.#state.revision));
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

  /** The holder of its lease is heard of: it needn't be woken again as soon. */
  isAtWork(loop: string): void {
    const sent = this.#sent.get(loop);
    if (sent) sent.againMs = this.#state.env.now() + WAKE_AGAIN_MS;
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
    if ((this.#newest.get(loop) ?? 0) <= revision)
      this.#idle.set(loop, { from: revision, to: Number.POSITIVE_INFINITY });
    else this.#idle.delete(loop);
    if (this.#dirty.delete(loop)) this.#state.sql.run('DELETE FROM dirty WHERE loop = ?', loop);
    return true;
  }
}

const interestsMeta = (loop: string) => `interests/${loop}`;

/** Rows of one page of changes: a millisecond to read, and as much for the loop that takes them in. */
const CHANGES_ROWS = 32;
/** Their bodies, in UTF-16 units, or one larger one. */
const CHANGES_UNITS = 128 * 1024;
/** Revisions that one page of changes looks at: a millisecond, since the facts of each are parsed. */
const CHANGES_STEP = 200;

/** Rows of some interests that changed after a revision; each key once, as it is now, null where it's gone or of no more interest. */
export function changesOf(s: State, wanted: Interests<unknown>, after: Revision, limit = CHANGES_ROWS): Changes {
  if (after < resumableAfter(s) || after < s.base.size || after > s.revision) {
    return { revision: s.revision, whole: true, more: false, rows: [] };
  }
  const rows = new Map<Key, Changes['rows'][number]>();
  /** The facts of each key's version before, where it was looked at. */
  const before = new Map<Key, Facts | null>();
  let to = Math.min(after + CHANGES_STEP, s.revision);
  let bytes = 0;
  for (const row of s.sql.all(WINDOW, after, to)) {
    const k = String(row[0]);
    if (rows.has(k) || !wanted.mayWant(k)) continue;
    const { revision, prev, value, parsed } = headFrom(row);
    const next = value === null ? null : parsed;
    const told = wanted.tells(k, next, () => (before.has(k) ? (before.get(k) ?? null) : factsAt(s, prev)));
    before.set(k, next);
    if (!told) continue;
    const entry = getRow(s, k);
    const shown = entry && wanted.wants(k, entry.facts) ? entry : null;
    rows.set(k, { key: k, revision: shown?.revision ?? revision, entry: shown });
    bytes += shown?.value.length ?? 0;
    if (rows.size < limit && bytes < CHANGES_UNITS) continue;
    to = revision;
    break;
  }
  return { revision: to, whole: false, more: to < s.revision, rows: [...rows.values()] };
}

const WINDOW = `SELECT ${HEAD_COLUMNS} FROM history h WHERE h.revision > ? AND h.revision <= ? ORDER BY h.revision`;
const ONE = `SELECT ${HEAD_COLUMNS} FROM history h WHERE h.revision = ?`;

/** The facts of a version; null for none (a deletion, or nothing before), undefined where it's forgotten. */
function factsAt(s: State, revision: Revision): Facts | null | undefined {
  if (revision === 0) return null;
  if (revision <= s.base.size) return s.base.at(revision)?.facts;
  const [row] = s.sql.all(ONE, revision);
  if (!row) return undefined;
  const head = headFrom(row);
  return head.value === null ? null : head.parsed;
}
