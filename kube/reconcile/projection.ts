import { parseKey } from '../store/key.ts';
import type { Key, Revision } from '../store/store.ts';
import type { EffectResult, Row } from './controller.ts';

/** A key that waits to be reconciled. */
export interface QueueItem {
  controller: string;
  key: Key;
  /** Milliseconds since the epoch; not before. */
  due: number;
  /** Failures in a row. */
  attempts: number;
  /** Not before the cursor has reached this revision: the View must cover the last commit for this key. */
  hold: Revision;
}

/**
 * What a loop keeps between wake-ups: rows, queue, cursor, effect results. MemoryProjection is the model; workers/loops/projection.ts keeps
 * the same in the loop object's memory and SQLite. Both pass projectionSuite(). Synchronous: it is the loop's own memory.
 */
export interface Projection {
  /** Everything up to this revision of the store is in the rows; 0 = nothing read yet. */
  cursor(): Revision;
  setCursor(revision: Revision): void;
  get(key: Key): Row | undefined;
  /** Of all rows. */
  keys(): Iterable<Key>;
  /** Rows of a resource in key order. */
  list(resource: string, namespace?: string): Iterable<Row>;
  /** Namespaces that hold rows of a resource, in order. */
  namespaces(resource: string): string[];
  /** Rows of a resource with that owner; '' owns nothing. */
  owned(resource: string, ownerUid: string): Row[];
  /** Rows of a resource in a namespace that have no owner, in key order. */
  orphans(resource: string, namespace: string): Row[];
  /** The row with that uid, of any resource. */
  byUid(uid: string): Row | undefined;
  put(row: Row): void;
  remove(key: Key): void;
  /** Forgets all rows and the cursor; the queue stays. */
  reset(): void;
  /** Adds, or brings an earlier `due` and a later `hold`; attempts as given, or kept. */
  enqueue(item: { controller: string; key: Key; due: number; hold?: Revision; attempts?: number }): void;
  /** What is due by now and not held, oldest first. It stays queued until it is settled, so that a crash in between loses nothing. */
  take(now: number, limit: number): QueueItem[];
  /** Ends an item that was taken: out of the queue, or in it at another time. */
  settle(item: QueueItem, next?: { due: number; hold?: Revision; attempts?: number }): void;
  /** The earliest due time of any item, undefined when the queue is empty. */
  nextDue(): number | undefined;
  results(controller: string, key: Key): Map<string, EffectResult>;
  setResults(controller: string, key: Key, results: Map<string, EffectResult>): void;
  /** What the loop keeps of itself, by name. */
  meta(name: string): string | undefined;
  setMeta(name: string, value: string): void;
  /** Runs f so that an error that it throws leaves all of its changes or none. */
  transaction<T>(f: () => T): T;
  /** Keeps everything: a crash leaves what the last persist() kept, all of one time. To be called before the loop says that it has seen a revision. */
  persist(): void;
  /** Keys of a resource's rows that came, changed or went since `who` asked last in this life; undefined: it hasn't, or the rows are others. */
  moved(who: string, resource: string): ReadonlySet<Key> | undefined;
}

const id = (controller: string, key: Key) => `${controller}\0${key}`;

/** The model of a Projection: nothing outlives the process, and everything may have moved. */
export class MemoryProjection implements Projection {
  #cursor = 0;
  #rows = new Map<Key, Row>();
  #queue = new Map<string, QueueItem>();
  #results = new Map<string, Map<string, EffectResult>>();
  #meta = new Map<string, string>();

  cursor(): Revision {
    return this.#cursor;
  }
  setCursor(revision: Revision): void {
    this.#cursor = revision;
  }
  get(key: Key): Row | undefined {
    return this.#rows.get(key);
  }
  list(resource: string, namespace?: string): Iterable<Row> {
    const prefix = namespace ? `${resource}/${namespace}/` : `${resource}/`;
    return [...this.#rows.values()].filter((r) => r.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1));
  }
  namespaces(resource: string): string[] {
    const rows = [...this.list(resource)].map((r) => parseKey(r.key).namespace);
    return [...new Set(rows)].filter((n) => n !== '');
  }
  owned(resource: string, ownerUid: string): Row[] {
    return ownerUid === '' ? [] : [...this.list(resource)].filter((r) => r.owner === ownerUid);
  }
  orphans(resource: string, namespace: string): Row[] {
    return [...this.list(resource, namespace)].filter((r) => r.owner === '');
  }
  byUid(uid: string): Row | undefined {
    for (const r of this.#rows.values()) if (r.uid === uid) return r;
    return undefined;
  }
  keys(): Iterable<Key> {
    return [...this.#rows.keys()];
  }
  put(row: Row): void {
    this.#rows.set(row.key, row);
  }
  remove(key: Key): void {
    this.#rows.delete(key);
  }
  reset(): void {
    this.#rows.clear();
    this.#cursor = 0;
  }
  enqueue(item: { controller: string; key: Key; due: number; hold?: Revision; attempts?: number }): void {
    const old = this.#queue.get(id(item.controller, item.key));
    this.#queue.set(id(item.controller, item.key), {
      controller: item.controller,
      key: item.key,
      due: Math.min(item.due, old?.due ?? item.due),
      attempts: item.attempts ?? old?.attempts ?? 0,
      hold: Math.max(item.hold ?? 0, old?.hold ?? 0),
    });
  }
  take(now: number, limit: number): QueueItem[] {
    const due = [...this.#queue.values()].filter((i) => i.due <= now && i.hold <= this.#cursor);
    due.sort(
      (a, b) => a.due - b.due || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.controller < b.controller ? -1 : 1),
    );
    return due.slice(0, limit);
  }
  settle(item: QueueItem, next?: { due: number; hold?: Revision; attempts?: number }): void {
    const { controller, key } = item;
    if (next === undefined) this.#queue.delete(id(controller, key));
    else this.#queue.set(id(controller, key), { controller, key, hold: 0, attempts: 0, ...next });
  }
  nextDue(): number | undefined {
    let min: number | undefined;
    for (const i of this.#queue.values()) if (min === undefined || i.due < min) min = i.due;
    return min;
  }
  results(controller: string, key: Key): Map<string, EffectResult> {
    return this.#results.get(id(controller, key)) ?? new Map();
  }
  setResults(controller: string, key: Key, results: Map<string, EffectResult>): void {
    if (results.size === 0) this.#results.delete(id(controller, key));
    else this.#results.set(id(controller, key), results);
  }
  meta(name: string): string | undefined {
    return this.#meta.get(name);
  }
  setMeta(name: string, value: string): void {
    this.#meta.set(name, value);
  }
  persist(): void {}
  moved(): undefined {}
  transaction<T>(f: () => T): T {
    const before = [
      this.#cursor,
      new Map(this.#rows),
      new Map(this.#queue),
      new Map(this.#results),
      new Map(this.#meta),
    ] as const;
    try {
      return f();
    } catch (error) {
      [this.#cursor, this.#rows, this.#queue, this.#results, this.#meta] = before;
      throw error;
    }
  }
}
