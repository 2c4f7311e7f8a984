import { giveBack } from '../../kube/codec/giveback.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { Page, Stale } from '../../kube/store/store.ts';

/** Pages of less aren't worth a timer. */
const BYTES_MIN = 256 * 1024;

/**
 * Bytes of pages that an object has answered. The platform copies what a method returns before the turn ends, so the next call or timer finds them sent, and gives their
 * memory back. Both are needed: while calls come one after another no timer fires, and a last call has no next one.
 */
export class Sending {
  readonly #env: Pick<Env, 'after'>;
  readonly #parts: Uint8Array[] = [];

  constructor(env: Pick<Env, 'after'>) {
    this.#env = env;
  }

  /** To be called at the beginning of a call, before anything is awaited. */
  end(): void {
    giveBack(this.#parts.splice(0));
  }

  /** An answer, as it is. */
  of(page: Page | Stale): Page | Stale {
    if (!page.ok || !page.items?.some((i) => i.length >= BYTES_MIN)) return page;
    if (this.#parts.length === 0) this.#env.after(0, () => this.end());
    this.#parts.push(...page.items);
    return page;
  }
}
