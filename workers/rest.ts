import { type Env, passed, sleep } from '../kube/meta/env.ts';

/** Requests after which a collection is worth its while: what the platform keeps for each of them goes in 5 us. */
const WORTH = 1_000;
/** Nobody has come for so long: most likely nobody comes in the next moments. */
const QUIET_MS = 1_000;
/** Who has not looked for so long is gone, with the request that it came with. */
const LOOK_MS_MAX = 5_000;

/**
 * Has garbage collected while nobody comes. The platform's own part of a request (its headers, streams, handles) stays until the heap is collected as a whole, in
 * one step: 5 us for each request since the last time. Without `collect`, as on a hosted platform, it does nothing.
 */
export class Rest {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #collect: (() => void) | undefined;
  /** Requests since the last collection. */
  #came = 0;
  #lookedMs = 0;

  constructor(env: Pick<Env, 'now' | 'after'>, collect: (() => void) | undefined) {
    this.#env = env;
    this.#collect = collect;
  }

  /** A request has come. Whoever gets a promise has to keep it going. */
  came(): Promise<void> | undefined {
    if (++this.#came < WORTH || this.#collect === undefined) return undefined;
    const now = this.#env.now();
    return passed(now, this.#lookedMs) < LOOK_MS_MAX ? undefined : this.#look(now);
  }

  /** Until it has been quiet: there may be no next request to look. */
  async #look(now: number): Promise<void> {
    this.#lookedMs = now;
    for (let came = -1; came !== this.#came; ) {
      came = this.#came;
      await sleep(this.#env, QUIET_MS);
      this.#lookedMs = this.#env.now();
      // Somebody else has.
      if (this.#came < WORTH) return;
    }
    this.#lookedMs = 0;
    this.#came = 0;
    this.#collect?.();
  }
}
