import type { Env } from '../kube/meta/env.ts';

/** The machine's clock and randomness, with this log. */
export const machineEnv = (log: Env['log']): Env => ({
  now: () => Date.now(),
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  after(ms, f) {
    const t = setTimeout(f, ms);
    return () => clearTimeout(t);
  },
  log,
});
