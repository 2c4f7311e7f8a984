import type { ActualContainer } from './actions.ts';
import type { Container } from './pod.ts';

/** Back-off of restarts: kubelet's 10 s doubling up to 5 min, forgotten after 10 min of running. */
export const BACKOFF_MS = 10_000;
export const BACKOFF_MS_MAX = 300_000;
const BACKOFF_RESET_MS = 2 * BACKOFF_MS_MAX;

/** What podActions asks about restarts. */
export interface Waits {
  /** How long a container waits after a run that ended, in milliseconds; 0: it doesn't. */
  waitMs(c: Container, ended: ActualContainer): number;
}

interface Entry {
  ms: number;
  /** When it was last doubled: at the last start. */
  atMs: number;
}

/**
 * The back-off of one pod's containers, each by its name, image and resources, so that a changed one begins anew: client-go's flowcontrol.Backoff.
 * What has been started before this agent began counts by how often it was.
 */
export class RestartBackoff implements Waits {
  readonly #entries = new Map<string, Entry>();
  /** Names of containers that this agent has started. */
  readonly #begun = new Set<string>();

  waitMs(c: Container, ended: ActualContainer): number {
    const e = this.#of(c, ended);
    return e === undefined || ended.finishedMs - e.atMs > BACKOFF_RESET_MS ? 0 : e.ms;
  }

  /** A container is started; `ended`: the run that it is started after. */
  started(c: Container, ended: ActualContainer | undefined, now: number): void {
    const e = ended && this.#of(c, ended);
    this.#begun.add(c.name);
    if (!ended) return;
    const fresh = e === undefined || ended.finishedMs - e.atMs > BACKOFF_RESET_MS;
    this.#entries.set(keyOf(c), { ms: fresh ? BACKOFF_MS : Math.min(e.ms * 2, BACKOFF_MS_MAX), atMs: now });
  }

  #of(c: Container, ended: ActualContainer): Entry | undefined {
    const known = this.#entries.get(keyOf(c));
    if (known || ended.attempt === 0 || this.#begun.has(c.name)) return known;
    return { ms: Math.min(BACKOFF_MS * 2 ** (ended.attempt - 1), BACKOFF_MS_MAX), atMs: ended.startedMs };
  }
}

const keyOf = (c: Container): string => `${c.name}/${c.image}/${JSON.stringify(c.resources ?? {})}`;
