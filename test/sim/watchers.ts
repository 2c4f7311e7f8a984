import { EVERYTHING } from '../../kube/store/key.ts';
import type { Batch, Key, Revision } from '../../kube/store/store.ts';
import type { SimCluster } from './cluster.ts';

/** Events kept, to tell what led to a failure. */
const KEPT = 5_000;

export interface Seen {
  atMs: number;
  revision: Revision;
  type: string;
  key: Key;
  value: string;
}

/** Watches everything of the main store, is cut off now and then, and comes back after what it saw. */
export class Watcher {
  readonly kept: Seen[] = [];
  /** The newest version of each row by what was told. */
  readonly rows = new Map<Key, Revision>();
  /** What was wrong with what it was told. */
  readonly wrong: string[] = [];
  seen = 0;
  #revision: Revision;
  #batches: AsyncIterator<Batch> | undefined;
  readonly #c: SimCluster;

  /** `begin`: what stands at a revision. */
  constructor(c: SimCluster, begin: { revision: Revision; entries: readonly { key: Key; revision: Revision }[] }) {
    this.#c = c;
    this.#revision = begin.revision;
    for (const e of begin.entries) this.rows.set(e.key, e.revision);
    void this.#follow();
  }

  /** Ends the stream: the next begins after what was seen. */
  async cut(): Promise<void> {
    const batches = this.#batches;
    this.#batches = undefined;
    await batches?.return?.();
    void this.#follow();
  }

  async #follow(): Promise<void> {
    const batches = this.#c.main.watch(EVERYTHING, this.#revision)[Symbol.asyncIterator]();
    this.#batches = batches;
    for (;;) {
      const next = await batches.next();
      if (next.done || this.#batches !== batches) return;
      this.#c.clock.activity++;
      for (const e of next.value.events) this.#take(e);
      if (next.value.revision < this.#revision) this.wrong.push(`progress fell to ${next.value.revision}`);
      this.#revision = Math.max(this.#revision, next.value.revision);
    }
  }

  #take(e: Batch['events'][number]): void {
    if (e.revision <= this.#revision)
      this.wrong.push(`${e.type} ${e.key} at ${e.revision} came after ${this.#revision}`);
    const known = this.rows.has(e.key);
    if (e.type === 'ADDED' && known) this.wrong.push(`${e.key} was added twice, at ${e.revision}`);
    if (e.type !== 'ADDED' && !known && e.revision > 0) this.wrong.push(`${e.type} ${e.key} without ADDED`);
    if (e.type === 'DELETED') this.rows.delete(e.key);
    else this.rows.set(e.key, e.revision);
    this.#revision = e.revision;
    this.seen++;
    this.kept.push({ atMs: this.#c.clock.nowMs, revision: e.revision, type: e.type, key: e.key, value: e.value });
    if (this.kept.length > KEPT) this.kept.splice(0, KEPT / 2);
  }
}
