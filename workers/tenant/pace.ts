/** A slice of upkeep takes about this long: with its flush, under the 10 ms that no step may pass. */
const AIM_MS = 4;
/** Below this a slice does so little that its transaction is all it costs. */
const ROWS_MIN = 10;

/** How many rows the next slice takes, by how long the last ones took. Where the clock stands still while code runs, as on Cloudflare, it stays at `most`. */
export class Pace {
  rows: number;
  readonly #most: number;
  readonly #now: () => number;

  constructor(now: () => number, most: number) {
    this.#now = now;
    this.#most = most;
    this.rows = most;
  }

  /** Runs one slice. */
  run<T>(slice: (rows: number) => T): T {
    const began = this.#now();
    const result = slice(this.rows);
    const ms = this.#now() - began;
    if (ms > AIM_MS) this.rows = Math.max(ROWS_MIN, Math.floor((this.rows * AIM_MS) / ms));
    else if (ms < AIM_MS / 2) this.rows = Math.min(this.#most, Math.ceil(this.rows * 1.25));
    return result;
  }
}
