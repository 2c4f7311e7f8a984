import { isPut } from '../../kube/store/limits.ts';
import { type Op, StoreError } from '../../kube/store/store.ts';

/** What waits at most: a second of work. Beyond it clients are told to come back. */
const WAITING_MAX = 2_000;
/** Bodies waiting at most, in UTF-16 units: an object has 128 MB for everything. */
const WAITING_UNITS = 32 * 1024 * 1024;

/** A text of so many UTF-16 units takes milliseconds to be read, written or sent: others have their turn before and after. */
export const LARGE_UNITS = 256 * 1024;

/** The bodies of a commit, in UTF-16 units. */
export const unitsOf = (ops: readonly Op[]): number =>
  ops.reduce((sum, op) => sum + (isPut(op) ? (op.value?.text.length ?? 0) : 0), 0);

/** What waits for the store, in the order in which it came; both what waits and what is taken at once are bounded, by number and by bodies. */
export class WaitingList<T extends { units: number }> {
  readonly #what: string;
  readonly #waiting: T[] = [];
  #units = 0;

  /** `what` waits, in the words of an error. */
  constructor(what: string) {
    this.#what = what;
  }

  get length(): number {
    return this.#waiting.length;
  }
  get first(): T | undefined {
    return this.#waiting[0];
  }

  /** Throws StoreError 'overloaded' when there is no room. */
  push(w: T): void {
    if (this.#waiting.length >= WAITING_MAX || this.#units + w.units > WAITING_UNITS)
      throw new StoreError('overloaded', `too many ${this.#what} are waiting`);
    this.#units += w.units;
    this.#waiting.push(w);
  }

  /** Puts what was taken back, before all others. */
  again(group: readonly T[]): void {
    for (const w of group) this.#units += w.units;
    this.#waiting.unshift(...group);
  }

  /** Takes the first ones: as many as fit, one at least. */
  take(countMax: number, unitsMax: number): T[] {
    let count = 0;
    let units = 0;
    for (const w of this.#waiting) {
      if (count > 0 && (count === countMax || units + w.units > unitsMax)) break;
      count++;
      units += w.units;
    }
    this.#units -= units;
    return this.#waiting.splice(0, count);
  }

  /** Takes one out, if it still waits. */
  remove(w: T): void {
    const i = this.#waiting.indexOf(w);
    if (i < 0) return;
    this.#units -= w.units;
    this.#waiting.splice(i, 1);
  }
}
