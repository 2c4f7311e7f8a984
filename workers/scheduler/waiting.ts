import { timeToMillis } from '../../kube/meta/time.ts';
import type { Key } from '../../kube/store/store.ts';
import type { NodeInfo, PodInfo, RetryOn, SchedulerPlugin, Snapshot } from './framework.ts';

// Upstream's scheduling queue: who is to be tried, who was rejected and by whom, and what brings them back.

/** After a rejection a pod isn't tried again for so long, doubling: podInitialBackoffSeconds, podMaxBackoffSeconds. */
const BACKOFF_MS = 1_000;
const BACKOFF_MS_MAX = 10_000;
/** Who was rejected is tried again after so long even if nothing happened: podMaxInUnschedulablePodsDuration. */
export const FLUSH_MS = 5 * 60_000;

/** A pod that wants a node. */
export interface Entry {
  info: PodInfo;
  /** Since when it waits: it came, or was last tried. */
  sinceMs: number;
  /** Rejected, and nothing has happened since that could change that. */
  parked: boolean;
  /** Rejections in a row. */
  attempts: number;
  triedMs: number;
  blamed: readonly string[];
  /** What it was told. */
  message: string;
  nominated: string | undefined;
}

/** Pods that wait, by key. */
export class Waiting {
  readonly #plugins: readonly SchedulerPlugin[];
  readonly #entries = new Map<Key, Entry>();
  readonly #woken = new Set<Key>();

  constructor(plugins: readonly SchedulerPlugin[]) {
    this.#plugins = plugins;
  }
  get(key: Key): Entry | undefined {
    return this.#entries.get(key);
  }
  keys(): Iterable<Key> {
    return this.#entries.keys();
  }
  get size(): number {
    return this.#entries.size;
  }

  /** A pod that wants a node came, or is another now. */
  take(info: PodInfo): void {
    const old = this.#entries.get(info.key);
    if (old === undefined || old.info.uid !== info.uid) {
      this.#entries.set(info.key, {
        info,
        sinceMs: timeToMillis(info.pod.metadata.creationTimestamp),
        parked: false,
        attempts: 0,
        triedMs: 0,
        blamed: [],
        message: '',
        nominated: undefined,
      });
      this.#woken.add(info.key);
      return;
    }
    const before = old.info;
    old.info = info;
    // Where there is no node it doesn't matter what it asks for.
    if (old.parked && old.blamed.length > 0 && this.#any(old, (r) => r.target?.(before, info))) this.#wake(old);
  }
  leave(key: Key): void {
    this.#entries.delete(key);
    this.#woken.delete(key);
  }

  /** It was tried in vain. */
  park(key: Key, now: number, blamed: readonly string[], message: string, nominated: string | undefined): void {
    const e = this.#entries.get(key);
    if (e)
      Object.assign(e, {
        parked: true,
        attempts: e.attempts + 1,
        triedMs: now,
        sinceMs: now,
        blamed,
        message,
        nominated,
      });
  }
  readyMs(e: Entry): number {
    return e.attempts === 0 ? 0 : e.triedMs + Math.min(BACKOFF_MS * 2 ** (e.attempts - 1), BACKOFF_MS_MAX);
  }
  /** Whatever rejected it, it is tried again. */
  wake(key: Key): void {
    const e = this.#entries.get(key);
    if (e?.parked) this.#wake(e);
  }

  node(before: NodeInfo | undefined, after: NodeInfo | undefined): void {
    for (const e of this.#entries.values())
      if (e.parked && this.#any(e, (r) => r.node?.(e.info, before, after))) this.#wake(e);
  }
  pod(before: PodInfo | undefined, after: PodInfo | undefined, snapshot: Snapshot): void {
    for (const e of this.#entries.values())
      if (e.parked && this.#any(e, (r) => r.pod?.(e.info, before, after, snapshot))) this.#wake(e);
  }
  storage(key: Key): void {
    for (const e of this.#entries.values())
      if (e.parked && this.#any(e, (r) => r.storage?.(e.info, key))) this.#wake(e);
  }
  /** Keys that have come or been woken since this was asked last. */
  takeWoken(): Key[] {
    if (this.#woken.size === 0) return [];
    const keys = [...this.#woken];
    this.#woken.clear();
    return keys;
  }

  #wake(e: Entry): void {
    e.parked = false;
    this.#woken.add(e.info.key);
  }
  /** Whether a plugin that rejected it may change its mind. Who was rejected by none, for there was no node, hopes for everything. */
  #any(e: Entry, says: (r: RetryOn) => boolean | undefined): boolean {
    if (e.blamed.length === 0) return true;
    return this.#plugins.some((p) => e.blamed.includes(p.name) && says(p.retryOn) === true);
  }
}

/** The more important first, then who waits longer (plugins/queuesort). */
const byTurn = (a: Entry, b: Entry) => b.info.priority - a.info.priority || a.sinceMs - b.sinceMs;

/** Those whose turn it is, in order: at most n of them. */
export function firstOf(due: readonly Entry[], n: number): Entry[] {
  if (due.length <= n) return due.toSorted(byTurn);
  const first = due.slice(0, n).sort(byTurn);
  for (const e of due.slice(n)) {
    if (byTurn(e, first[n - 1] as Entry) >= 0) continue;
    let [low, high] = [0, n - 1];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (byTurn(e, first[mid] as Entry) < 0) high = mid;
      else low = mid + 1;
    }
    first.splice(low, 0, e);
    first.pop();
  }
  return first;
}
