import { type Env, passed, sleep } from '../kube/meta/env.ts';

/** Requests after which a collection is worth its while: what the platform keeps for each of them goes in 5 us. */
const WORTH = 1_000;
/** Nobody has come for so long: most likely nobody comes in the next moments. */
const QUIET_MS = 100;
/** Who looks whether it stays quiet is gone by then, with the request that it came with. */
const LOOK_MS_MAX = 1_000;

/**
 * Has garbage collected while nobody comes. The platform's own part of a request (its headers, streams, handles) stays until the heap is collected as a whole, in
 * one step: 5 us for each request since the last time. Without `collect`, as on a hosted platform, it does nothing.
 */
export class Rest {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #collect: (() => void) | undefined;
  /** Requests since the last collection. */
  #came = 0;
  #looksSinceMs = 0;

  constructor(env: Pick<Env, 'now' | 'after'>, collect: (() => void) | undefined) {
    this.#env = env;
    this.#collect = collect;
  }

  /** A request has come. Whoever gets a promise has to keep it going. */
  came(): Promise<void> | undefined {
    if (++this.#came < WORTH || this.#collect === undefined) return undefined;
    const now = this.#env.now();
    return passed(now, this.#looksSinceMs) < LOOK_MS_MAX ? undefined : this.#look(now);
  }

  async #look(now: number): Promise<void> {
    this.#looksSinceMs = now;
    const came = this.#came;
    await sleep(this.#env, QUIET_MS);
    this.#looksSinceMs = 0;
    if (this.#came !== came) return;
    this.#came = 0;
    this.#collect?.();
  }
}
