import type { Env } from '../meta/env.ts';

/** A clock that stands still until it is moved; timers run in order of their time. */
export class VirtualClock {
  nowMs = 1_700_000_000_000;
  #timers: { atMs: number; f: () => void }[] = [];

  readonly env: Pick<Env, 'now' | 'after'> = {
    now: () => this.nowMs,
    after: (ms, f) => {
      const timer = { atMs: this.nowMs + ms, f };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((t) => t !== timer);
      };
    },
  };

  /** Runs what is due now, once, and lets what that started settle. */
  async turn(): Promise<void> {
    const due = this.#timers.filter((t) => t.atMs <= this.nowMs);
    this.#timers = this.#timers.filter((t) => !due.includes(t));
    for (const { f } of due) f();
    for (let i = 0; i < SETTLE_TURNS; i++) await Promise.resolve();
  }

  /** Moves on by `ms`, running what comes due on the way, and lets what that started settle. */
  async advance(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    for (;;) {
      const [first] = this.#timers.filter((t) => t.atMs <= end).sort((a, b) => a.atMs - b.atMs);
      if (!first) break;
      this.#timers = this.#timers.filter((t) => t !== first);
      this.nowMs = Math.max(this.nowMs, first.atMs);
      first.f();
      for (let i = 0; i < SETTLE_TURNS; i++) await Promise.resolve();
    }
    this.nowMs = end;
  }
}

/** Microtask turns after a timer: more than the longest chain of awaits that a timer starts. */
const SETTLE_TURNS = 20;
