import type { Change } from '../../kube/store/fanout.ts';
import type { Entry, Revision } from '../../kube/store/store.ts';
import { SCRUB_MS } from '../../kube/store/window.ts';
import { writeRow } from './apply.ts';
import { forget, forgettable, forgettableFrom, SWEEP_ROWS, scrub, sweep } from './history.ts';
import { Pace } from './pace.ts';
import { getRow } from './rows.ts';
import { setMeta } from './schema.ts';
import { cell, isCorrupt } from './sql.ts';
import type { Changed, State } from './state.ts';
import { nextExpiry, type Timer, Timers } from './timers.ts';

/** Between two tries to tell siblings a policy revision. */
const PUSH_AGAIN_MS = 1_000;
/** An alarm looks after a restore this long after it began, and again if it fails. */
const RESTORE_AGAIN_MS = 1_000;
/** Rows that one alarm lets expire, at most: some 5 ms. The alarm comes again at once for more. */
const EXPIRE_ROWS = 100;
/** What can't be done because the tables are damaged is tried again after this. */
const DAMAGED_AGAIN_MS = 600_000;
/** Between two compactions: a busy store writes some 100 MB in it. */
const COMPACT_EVERY_MS = 600_000;

/** What the store does beside requests, in slices, driven by one alarm. */
export class Maintenance {
  readonly #state: State;
  readonly #timers: Timers;
  readonly #travelMs: number;
  readonly #expiring: Pace;
  readonly #sweeping: Pace;

  constructor(state: State, schedule: (atMs: number) => void, travelMs: number) {
    this.#state = state;
    this.#travelMs = travelMs;
    this.#timers = new Timers(state.sql, schedule);
    const now = () => state.env.now();
    this.#expiring = new Pace(now, EXPIRE_ROWS);
    this.#sweeping = new Pace(now, SWEEP_ROWS);
  }

  /** In a commit's transaction: arms what the changes make necessary. */
  after(changes: readonly Change[]): void {
    const s = this.#state;
    const now = s.env.now();
    if (changes.length > 0) this.#timers.set('compact', now + COMPACT_EVERY_MS);
    if (changes.some((c) => c.next === null && c.key.startsWith('secrets/'))) this.#timers.set('scrub', now + SCRUB_MS);
    if (s.hasTtl) this.#armTtl();
    s.requests.keep(now);
  }

  /** When the next wake-up of a loop is due; undefined: none. */
  wakeAgain(atMs: number | undefined): void {
    if (atMs === undefined) this.#timers.clear('outbox');
    else this.#timers.set('outbox', atMs);
  }

  /** A restore has begun: the alarm sees to its end. */
  restoreLater(): void {
    this.#timers.set('restore', this.#state.env.now() + RESTORE_AGAIN_MS);
  }

  /** A restore is done: what it left to do later. */
  restored(): void {
    const s = this.#state;
    this.#timers.clear('restore');
    this.#timers.set('compact', s.env.now() + COMPACT_EVERY_MS);
    const scrub = cell(s.sql, 'SELECT MIN(at) FROM scrub');
    if (typeof scrub === 'number') this.#timers.set('scrub', scrub);
    if (s.hasTtl) this.#armTtl();
  }

  pushAgain(): void {
    this.#timers.set('policy', this.#state.env.now() + PUSH_AGAIN_MS);
  }

  /** The restore under way failed: nothing else can be done before it. */
  restoreAgain(): void {
    this.#timers.rearm(this.#state.env.now() + RESTORE_AGAIN_MS);
  }

  rearm(): void {
    this.#timers.rearm();
  }

  /** Runs what is due. What rows expired is added to `changed`, and `mark` is called in the same transaction. */
  run(changed: Changed, mark: () => void): Timer[] {
    const s = this.#state;
    const due = s.sql.transaction(() => {
      const names = this.#timers.due(s.env.now());
      if (names.includes('ttl')) {
        this.#expiring.run((rows) => this.#expire(changed, rows));
        mark();
        this.after(changed.changes);
      }
      return names;
    });
    if (due.includes('compact')) this.#compact();
    if (due.includes('scrub')) this.#scrub();
    return due;
  }

  /** The tables are damaged: the alarm must not come again at once, for ever. */
  damaged(): void {
    this.#timers.later(this.#state.env.now() + DAMAGED_AGAIN_MS);
  }

  #expire(changed: Changed, rows: number): void {
    const s = this.#state;
    const now = s.env.now();
    for (const [key] of s.sql.all('SELECT key FROM ttl WHERE at <= ? ORDER BY at LIMIT ?', now, rows)) {
      const op = { key: String(key), expect: undefined, value: null };
      const prev = readable(s, op.key);
      // A damaged row stays, to be found; nobody is served it.
      if (prev === undefined) s.sql.run('DELETE FROM ttl WHERE key = ?', op.key);
      else writeRow(s, op, prev, { now, by: null }, changed);
    }
  }

  #armTtl(): void {
    const at = nextExpiry(this.#state.sql);
    if (at === null) this.#state.hasTtl = false;
    else this.#timers.set('ttl', at);
  }

  #compact(): void {
    const s = this.#state;
    const target: Revision = forgettable(s, this.#travelMs);
    if (target > s.compacted) forget(s, target);
    const now = s.env.now();
    setMeta(s.sql, 'past_bytes', s.pastBytes);
    if (this.#sweeping.run((rows) => sweep(s, rows)) || forgettable(s, this.#travelMs) > s.compacted) {
      this.#timers.set('compact', now);
      return;
    }
    // Nothing that time alone makes forgettable: the store sleeps until the next commit.
    const next = forgettableFrom(s, this.#travelMs);
    if (next !== null) this.#timers.set('compact', Math.max(next, now + COMPACT_EVERY_MS));
  }

  #scrub(): void {
    const s = this.#state;
    const more = scrub(s);
    const next = cell(s.sql, 'SELECT MIN(at) FROM scrub');
    if (more) this.#timers.set('scrub', s.env.now());
    else if (typeof next === 'number') this.#timers.set('scrub', next);
  }
}

/** The row that stands at a key; undefined where it's damaged. */
function readable(s: State, key: string): Entry | null | undefined {
  try {
    return getRow(s, key);
  } catch (e) {
    if (isCorrupt(e)) return undefined;
    throw e;
  }
}
