import type { Env } from '../../kube/meta/env.ts';
import type { Commit, CommitOptions, Op, Stale } from '../../kube/store/store.ts';
import { Gathering } from './gather.ts';
import { LARGE_UNITS, unitsOf, WaitingList } from './waiting.ts';

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

/** What its transaction says of one that waited. */
export interface Outcome {
  waiting: Waiting;
  answer: Commit | Stale;
  movedPolicy: boolean;
}

/** Commits of one transaction: 6 ms of the thread, which it holds. */
const GROUP_MAX = 64;
/** Bodies of one transaction, in UTF-16 units, or one larger commit: some milliseconds too. */
const GROUP_UNITS = 512 * 1024;

/** Commits in the order in which they came. */
export class CommitQueue {
  readonly #waiting = new WaitingList<Waiting>('writes');
  readonly #gathering: Gathering;
  readonly #turn: (() => Promise<void>) | undefined;

  /** `turn` lets everybody else have theirs; absent: nobody else is there. */
  constructor(env: Pick<Env, 'now' | 'after'>, turn?: () => Promise<void>) {
    this.#turn = turn;
    this.#gathering = new Gathering(env, () => this.length);
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Throws StoreError 'overloaded' when there is no room. */
  push(w: Omit<Waiting, 'units'>): void {
    this.#waiting.push({ ...w, units: unitsOf(w.ops) });
    this.#gathering.came();
  }

  /** Between two transactions, after a flush that began then and answered so many commits: a moment for those who were answered. */
  company(flushMs: number, answered: number): Promise<void> {
    return this.#gathering.company(flushMs, answered);
  }

  /** Takes those of the next transaction, with all who commit in the same turn; who is to be alone is before all others. Everybody else's turn is before a large one. */
  async next(): Promise<Waiting[]> {
    await ((this.#waiting.first?.units ?? 0) < LARGE_UNITS ? undefined : this.#turn?.());
    return this.#waiting.take(this.#waiting.first?.alone ? 1 : GROUP_MAX, GROUP_UNITS);
  }

  /** Puts a group back, to be tried one by one. */
  again(group: readonly Waiting[]): void {
    this.#waiting.again(group.map((w): Waiting => ({ ...w, alone: true })));
  }

  rejectAll(error: unknown): void {
    for (const w of this.#waiting.take(this.length, Number.POSITIVE_INFINITY)) w.reject(error);
  }
}
