import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SimClock } from './clock.ts';

/** The storage of one object: it outlives the object's lives. */
export class ObjectStorage {
  readonly #db = new DatabaseSync(':memory:');
  readonly #statements = new Map<string, StatementSync>();
  readonly #clock: SimClock;
  /** When its alarm rings. */
  #alarm: { at: number; cancel: () => void } | undefined;
  /** The alarm rings: whoever lives in it now hears it. */
  onAlarm: () => void = () => undefined;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  /** What a life of the object is given; once `dead()` it may touch nothing. */
  of(dead: () => boolean): unknown {
    const alive = <A extends unknown[], T>(f: (...a: A) => T) => {
      return (...a: A): T => {
        if (dead()) throw new Error('the object has ended');
        return f(...a);
      };
    };
    return {
      sql: { exec: alive((query: string, ...a: (string | number | null)[]) => this.#prepare(query).all(...a)) },
      transactionSync: alive(<T>(f: () => T) => this.#transaction(f)),
      getAlarm: alive(async () => this.#alarm?.at ?? null),
      setAlarm: alive(async (at: number) => this.#set(at)),
      deleteAlarm: alive(async () => this.#alarm?.cancel()),
      deleteAll: alive(async () => undefined),
      sync: alive(async () => undefined),
    };
  }

  #set(at: number): void {
    this.#alarm?.cancel();
    const cancel = this.#clock.after(at - this.#clock.nowMs, () => {
      this.#alarm = undefined;
      this.onAlarm();
    });
    this.#alarm = { at, cancel };
  }
  #prepare(query: string): StatementSync {
    const known = this.#statements.get(query) ?? this.#db.prepare(query);
    this.#statements.set(query, known);
    return known;
  }
  #transaction<T>(f: () => T): T {
    this.#db.exec('BEGIN');
    try {
      const result = f();
      this.#db.exec('COMMIT');
      return result;
    } catch (e) {
      this.#db.exec('ROLLBACK');
      throw e;
    }
  }
  close(): void {
    this.#db.close();
  }
}
