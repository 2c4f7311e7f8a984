import type { Env } from '../../../kube/meta/env.ts';

/** An Env whose time moves only when told, with a counter for randomness: the same calls give the same run. */
export interface VirtualClock extends Env {
  /** Runs what falls due within the next `ms`, in order of time, letting promises settle between. */
  advance(ms: number): Promise<void>;
}

interface Timer {
  at: number;
  f: () => void;
}

/** Lets every promise that can settle without time passing settle. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export function virtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start;
  let count = 0;
  const timers = new Set<Timer>();
  const next = (until: number) => {
    let first: Timer | undefined;
    for (const t of timers) if (t.at <= until && (!first || t.at < first.at)) first = t;
    return first;
  };
  return {
    now: () => now,
    random: () => ((++count * 0x9e3779b1) % 0x100000000) / 0x100000000,
    uuid: () => {
      const hex = (++count).toString(16).padStart(12, '0');
      return `00000000-0000-4000-8000-${hex}`;
    },
    after(ms, f) {
      const t = { at: now + Math.max(0, ms), f };
      timers.add(t);
      return () => timers.delete(t);
    },
    log: () => undefined,
    async advance(ms) {
      const until = now + ms;
      await settled();
      for (let t = next(until); t; t = next(until)) {
        timers.delete(t);
        now = Math.max(now, t.at);
        t.f();
        await settled();
      }
      now = until;
    },
  };
}
