import { parseJson } from '../kube/codec/json.ts';
import { isObject, type JsonObject } from '../kube/meta/json.ts';
import { parseKey } from '../kube/store/key.ts';
import type { Key, Revision, Stale } from '../kube/store/store.ts';
import type { PolicyView } from './attributes.ts';

/** A row of the base layer. */
export interface PolicyRow {
  key: Key;
  uid: string;
  /** Facts.policy. */
  text: string;
}
interface Held {
  key: Key;
  uid: string;
  data: JsonObject;
}
/** Enough digits to be outside of ±2^53; a match inside of a text costs only the slower reader. */
const LONG_NUMBER = /\d{16}/;
/** Only text until somebody asks: most rows of a cluster are never looked at in an isolate. */
class Row implements Held {
  readonly key: Key;
  readonly uid: string;
  readonly text: string;
  #data: JsonObject | undefined;
  constructor(key: Key, uid: string, text: string) {
    this.key = key;
    this.uid = uid;
    this.text = text;
  }
  get data(): JsonObject {
    if (this.#data === undefined) {
      // Only a schema's limits have numbers that JSON.parse would round.
      const parsed: unknown = LONG_NUMBER.test(this.text) ? parseJson(this.text) : JSON.parse(this.text);
      this.#data = isObject(parsed) ? parsed : {};
    }
    return this.#data;
  }
}
/** Rows that many clusters have alike (the base layer): parsed and compiled once per isolate. */
export type SharedRows = ReadonlyMap<Key, Row>;
/** Rows of a resource, or of one namespace of it; `sorted` is made on the first listing after a change. */
interface Bucket {
  rows: Map<Key, Row>;
  sorted: Row[] | undefined;
}
interface Slot {
  value: unknown;
  /** Resources that `make` read: only their changes drop the slot. */
  reads: Set<string>;
}

/** Turns the base layer into rows once per isolate; pass the result to every createPolicyView. */
export function sharedRows(rows: Iterable<PolicyRow>): SharedRows {
  const shared = new Map<Key, Row>();
  for (const r of rows) shared.set(r.key, new Row(r.key, r.uid, r.text));
  return shared;
}

/**
 * An empty View at revision 0; the first Stale fills it, and one that is `whole` starts it anew. Rows that are as in `shared` are
 * shared with it, so that an isolate with a thousand clusters holds the bootstrap roles once.
 */
export function createPolicyView(shared: SharedRows = new Map()): PolicyView {
  return new View(shared);
}

class View implements PolicyView {
  revision: Revision = 0;
  readonly #shared: SharedRows;
  #rows = new Map<Key, Row>();
  #buckets = new Map<string, Bucket>();
  #slots = new Map<string, Slot>();
  /** Read sets of the slots being made, innermost last. */
  #reading: Set<string>[] = [];

  constructor(shared: SharedRows) {
    this.#shared = shared;
  }

  get(key: Key): Held | undefined {
    if (this.#reading.length > 0) this.#note(key.slice(0, key.indexOf('/')));
    return this.#rows.get(key);
  }

  list(resource: string, namespace?: string): Iterable<Held> {
    if (this.#reading.length > 0) this.#note(resource);
    const bucket = this.#buckets.get(namespace ? `${resource}/${namespace}` : resource);
    if (bucket === undefined) return [];
    bucket.sorted ??= [...bucket.rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return bucket.sorted;
  }

  apply(stale: Stale): void {
    if (stale.whole) {
      this.#rows.clear();
      this.#buckets.clear();
      this.#slots.clear();
    }
    const touched = new Set<string>();
    for (const c of stale.changes) {
      if (c.policy === null) this.#remove(c.key);
      else this.#put(this.#row(c.key, c.uid, c.policy));
      touched.add(c.key.slice(0, c.key.indexOf('/')));
    }
    this.revision = stale.policy;
    for (const [name, slot] of this.#slots) {
      for (const r of touched) {
        if (slot.reads.has(r)) {
          this.#slots.delete(name);
          break;
        }
      }
    }
  }

  compiled<T>(name: string, make: (view: PolicyView) => T): T {
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      const reads = new Set<string>();
      this.#reading.push(reads);
      try {
        slot = { value: make(this), reads };
      } finally {
        this.#reading.pop();
      }
      this.#slots.set(name, slot);
    }
    // A slot made inside another one depends on what the inner one read.
    if (this.#reading.length > 0) for (const r of slot.reads) this.#note(r);
    return slot.value as T;
  }

  #note(resource: string): void {
    for (const reads of this.#reading) reads.add(resource);
  }

  #row(key: Key, uid: string, text: string): Row {
    const shared = this.#shared.get(key);
    return shared?.text === text && shared.uid === uid ? shared : new Row(key, uid, text);
  }

  #put(row: Row): void {
    this.#rows.set(row.key, row);
    for (const name of bucketNames(row.key)) {
      let b = this.#buckets.get(name);
      if (b === undefined) {
        b = { rows: new Map(), sorted: undefined };
        this.#buckets.set(name, b);
      }
      b.rows.set(row.key, row);
      b.sorted = undefined;
    }
  }

  #remove(key: Key): void {
    if (!this.#rows.delete(key)) return;
    for (const name of bucketNames(key)) {
      const b = this.#buckets.get(name);
      if (b === undefined) continue;
      b.rows.delete(key);
      b.sorted = undefined;
      if (b.rows.size === 0) this.#buckets.delete(name);
    }
  }
}

function bucketNames(key: Key): string[] {
  const { resource, namespace } = parseKey(key);
  return namespace === '' ? [resource] : [resource, `${resource}/${namespace}`];
}
