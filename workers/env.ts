import { type Env, sleep } from '../kube/meta/env.ts';

/** The world of the Worker and of its objects; the one place in workers/ where the platform's clock and randomness are touched. */
export const world: Env = {
  now: () => Date.now(),
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  after(ms, f) {
    const t = setTimeout(f, ms);
    return () => clearTimeout(t);
  },
  log(level, event, fields) {
    if (level !== 'debug') console[level](JSON.stringify({ event, ...fields }));
  },
};

/**
 * Gives up the thread until what came over the network meanwhile has had its turn: the platform looks for that only when nothing else is left to run, and awaiting what
 * is ready leaves nothing. A timer: 15 us.
 */
export const turn = (ms = 0): Promise<void> => sleep(world, ms);
