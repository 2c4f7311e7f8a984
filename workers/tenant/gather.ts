import type { Env } from '../../kube/meta/env.ts';

/** A flush that is shorter is cheaper than waiting for company. */
const FLUSH_MS_MIN = 4;
/** Of the flush before: how long the next waits at most for those whom it answered. */
const SHARE = 0.5;
const WAIT_MS_MAX = 30;

/**
 * Where a flush takes long (a bucket, a busy disk), clients that were answered would come back while the next flush is under way: two take turns for ever, each
 * with a flush of its own. So the next one waits a moment for them, and all go together.
 */
export class Gathering {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #waiting: () => number;
  #enough = Number.POSITIVE_INFINITY;
  #go: (() => void) | null = null;

  /** `waiting`: commits in the queue. */
  constructor(env: Pick<Env, 'now' | 'after'>, waiting: () => number) {
    this.#env = env;
    this.#waiting = waiting;
  }

  /** After a flush that began then and answered so many: resolves once as many wait as there are writers, and at once where there is one. */
  async company(beganMs: number, answered: number): Promise<void> {
    const tookMs = this.#env.now() - beganMs;
    this.#enough = this.#waiting() + answered;
    if (this.#enough < 2 || !(tookMs >= FLUSH_MS_MIN)) return;
    await new Promise<void>((go) => {
      const stop = this.#env.after(Math.min(tookMs * SHARE, WAIT_MS_MAX), go);
      this.#go = () => {
        stop();
        go();
      };
    });
    this.#go = null;
  }

  /** A commit has come. */
  came(): void {
    if (this.#go !== null && this.#waiting() >= this.#enough) this.#go();
  }
}
