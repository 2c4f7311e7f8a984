import type { Env } from '../../kube/meta/env.ts';

/** More timers than that between two looks, and somebody goes round in circles. */
const TIMERS_MAX = 300_000;
/** 2023-11-14T22:00:00Z. */
const START_MS = 1_699_999_200_000;

interface Timer {
  at: number;
  seq: number;
  f: () => void;
}

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
export function numbers(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets everything that can go on without time go on. */
const turn = () => new Promise<void>((next) => setImmediate(next));

/** A clock that moves when nobody has anything left to do; what comes due at the same time runs in the order in which it was asked for. */
export class SimClock {
  nowMs = START_MS;
  /** Counts calls and timers: as long as it moves, somebody is at work. */
  activity = 0;
  #timers: Timer[] = [];
  #seq = 0;
  readonly random: () => number;

  constructor(seed: number) {
    this.random = numbers(seed);
  }

  readonly after = (ms: number, f: () => void): (() => void) => {
    this.activity++;
    const timer = { at: this.nowMs + Math.max(0, ms), seq: this.#seq++, f };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  };
  readonly sleep = (ms: number): Promise<void> => new Promise((next) => void this.after(ms, next));

  env(log: Env['log'] = () => undefined): Env {
    const hex = (digits: number) =>
      Array.from({ length: digits }, () => Math.floor(this.random() * 16).toString(16)).join('');
    return {
      now: () => this.nowMs,
      random: this.random,
      uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
      after: this.after,
      log,
    };
  }

  async drain(): Promise<void> {
    for (let before = -1; before !== this.activity; ) {
      before = this.activity;
      await turn();
    }
  }

  /** Moves on by `ms`. */
  async run(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    for (let fired = 0; ; fired++) {
      await this.drain();
      let next: Timer | undefined;
      for (const t of this.#timers)
        if (t.at <= end && (!next || t.at < next.at || (t.at === next.at && t.seq < next.seq))) next = t;
      if (!next) break;
      if (fired > TIMERS_MAX) throw new Error(`more than ${TIMERS_MAX} timers in ${ms} ms`);
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.at);
      next.f();
    }
    this.nowMs = end;
  }
  /** The time jumps, as on a machine that slept: all that came due meanwhile comes due at once. */
  jump(ms: number): void {
    this.nowMs += ms;
  }
}

/** One of them. */
export const pick = <T>(random: () => number, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
