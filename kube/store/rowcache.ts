import type { Entry, Key } from './store.ts';

/**
 * Rows as they were last seen, the least recently used leaving first. Never an answer by itself: what is made of a row counts only once a commit
 * that expects its revision has succeeded, as upstream's updates start from the watch cache.
 */
export class RowCache {
  readonly #rows = new Map<string, Entry>();
  #units = 0;
  /** UTF-16 units of bodies, keys included, that it holds at most. */
  unitsMax: number;

  constructor(unitsMax: number) {
    this.unitsMax = unitsMax;
  }

  /** The rows of one store: `scope` is a name that no other store has. */
  of(scope: string): Rows {
    const prefix = `${scope}\n`;
    return {
      get: (key) => this.#get(prefix + key),
      put: (row) => this.#put(prefix + row.key, row),
      drop: (key) => this.#drop(prefix + key),
    };
  }

  #get(key: string): Entry | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    this.#rows.delete(key);
    this.#rows.set(key, row);
    return row;
  }

  #put(key: string, row: Entry): void {
    const units = unitsOf(key, row);
    this.#drop(key);
    // One body must not push out all others.
    if (units > this.unitsMax / 16) return;
    this.#rows.set(key, row);
    this.#units += units;
    for (const [oldest] of this.#rows) {
      if (this.#units <= this.unitsMax) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#units -= unitsOf(key, row);
  }
}

/** The rows of one store in a RowCache. */
export interface Rows {
  get(key: Key): Entry | undefined;
  put(row: Entry): void;
  drop(key: Key): void;
}

/** What an entry takes beside its body: facts, the objects themselves. */
const ROW_UNITS = 512;
const unitsOf = (key: string, row: Entry): number => key.length + row.value.length + ROW_UNITS;
