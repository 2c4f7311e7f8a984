import { cell, type Sql } from './sql.ts';

/** What the store does later. An object has one alarm; this table stands behind it. */
export type Timer = 'ttl' | 'compact' | 'scrub' | 'outbox' | 'policy' | 'restore';

/** Timers by name, durable; `schedule` is told the earliest. */
export class Timers {
  readonly #sql: Sql;
  readonly #schedule: (atMs: number) => void;
  readonly #at = new Map<Timer, number>();
  #scheduled = Number.POSITIVE_INFINITY;

  constructor(sql: Sql, schedule: (atMs: number) => void) {
    this.#sql = sql;
    this.#schedule = schedule;
    for (const [name, at] of sql.all('SELECT name, at FROM timers')) this.#at.set(name as Timer, Number(at));
    this.#scheduled = this.#earliest();
  }

  /** Makes a timer due at `atMs`, unless it is due earlier already. */
  set(name: Timer, atMs: number): void {
    const set = this.#at.get(name);
    if (set !== undefined && set <= atMs) return;
    this.#at.set(name, atMs);
    this.#sql.run(
      'INSERT INTO timers (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at',
      name,
      atMs,
    );
    this.#arm();
  }

  /** Nothing is to be done any more. An alarm that was set for it is put off to the next timer, so that it doesn't wake the object for nothing. */
  clear(name: Timer): void {
    if (!this.#at.delete(name)) return;
    this.#sql.run('DELETE FROM timers WHERE name = ?', name);
    const at = this.#earliest();
    if (at <= this.#scheduled || at === Number.POSITIVE_INFINITY) return;
    this.#scheduled = at;
    this.#schedule(at);
  }

  /** Takes the timers that are due. */
  due(nowMs: number): Timer[] {
    const due = [...this.#at].filter(([, at]) => at <= nowMs).map(([name]) => name);
    for (const name of due) {
      this.#at.delete(name);
      this.#sql.run('DELETE FROM timers WHERE name = ?', name);
    }
    return due;
  }

  /** Reads the table again after a transaction that failed, and puts off what is due before `atMs`. */
  later(atMs: number): void {
    this.#at.clear();
    for (const [name, at] of this.#sql.all('SELECT name, at FROM timers'))
      this.#at.set(name as Timer, Math.max(Number(at), atMs));
  }

  /** After the alarm has fired: asks for the next one, if any, not before a time. */
  rearm(notBeforeMs = 0): void {
    this.#scheduled = Number.POSITIVE_INFINITY;
    this.#arm(notBeforeMs);
  }

  #arm(notBeforeMs = 0): void {
    const at = Math.max(this.#earliest(), notBeforeMs);
    if (at >= this.#scheduled) return;
    this.#scheduled = at;
    this.#schedule(at);
  }

  #earliest(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const at of this.#at.values()) first = Math.min(first, at);
    return first;
  }
}

/** When the next row outlives its time. */
export function nextExpiry(sql: Sql): number | null {
  const at = cell(sql, 'SELECT MIN(at) FROM ttl');
  return typeof at === 'number' ? at : null;
}
