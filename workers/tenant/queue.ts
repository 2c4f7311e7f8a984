import type { Env } from '../../kube/meta/env.ts';
import { isPut } from '../../kube/store/limits.ts';
import { type Commit, type CommitOptions, type Op, type Stale, StoreError } from '../../kube/store/store.ts';
import { Gathering } from './gather.ts';

/** A commit that waits for a transaction. */
export interface Waiting {
  ops: Op[];
  options: CommitOptions;
  /** Its bodies, in UTF-16 units. */
  units: number;
  resolve(answer: Commit | Stale): void;
  reject(error: unknown): void;
  /** Its group met a damaged row: it has a transaction of its own. */
  alone?: true;
}

/** Commits waiting at most: a second of work. Beyond it clients are told to come back. */
const QUEUE_MAX = 2_000;
/** Bodies waiting at most, in UTF-16 units: an object has 128 MB for everything. */
const QUEUE_UNITS = 32 * 1024 * 1024;
/** Commits of one transaction: 6 ms of the thread, which it holds. */
const GROUP_MAX = 64;
/** Bodies of one transaction, in UTF-16 units, or one larger commit: some milliseconds too. */
const GROUP_UNITS = 512 * 1024;

/** Commits in the order in which they came. */
export class CommitQueue {
  #waiting: Waiting[] = [];
  #units = 0;
  readonly #gathering: Gathering;

  constructor(env: Pick<Env, 'now' | 'after'>) {
    this.#gathering = new Gathering(env, () => this.length);
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Throws StoreError 'overloaded' when there is no room. */
  push(w: Omit<Waiting, 'units'>): void {
    const units = w.ops.reduce((sum, op) => sum + (isPut(op) ? (op.value?.text.length ?? 0) : 0), 0);
    if (this.#waiting.length >= QUEUE_MAX || this.#units + units > QUEUE_UNITS)
      throw new StoreError('overloaded', 'too many writes are waiting');
    this.#units += units;
    this.#waiting.push({ ...w, units });
    this.#gathering.came();
  }

  /** Between two transactions, after a flush that began then and answered so many commits: a moment for those who were answered. */
  company(flushMs: number, answered: number): Promise<void> {
    return this.#gathering.company(flushMs, answered);
  }

  /** Takes those of the next transaction; who is to be alone is before all others. */
  next(): Waiting[] {
    const alone = this.#waiting[0]?.alone === true;
    let count = 0;
    let units = 0;
    for (const w of this.#waiting) {
      if (count > 0 && (alone || count === GROUP_MAX || units + w.units > GROUP_UNITS)) break;
      count++;
      units += w.units;
    }
    this.#units -= units;
    return this.#waiting.splice(0, count);
  }

  /** Puts a group back, to be tried one by one. */
  again(group: readonly Waiting[]): void {
    for (const w of group) this.#units += w.units;
    this.#waiting.unshift(...group.map((w): Waiting => ({ ...w, alone: true })));
  }

  rejectAll(error: unknown): void {
    this.#units = 0;
    for (const w of this.#waiting.splice(0)) w.reject(error);
  }
}
