import { parseJson } from '../kube/codec/json.ts';
import { isObject, type JsonObject } from '../kube/meta/json.ts';
import { parseKey, resourceOfKey } from '../kube/store/key.ts';
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
/** Rows that many clusters have alike (the base layer), parsed, listed and compiled once per isolate. */
export interface SharedRows {
  rows: ReadonlyMap<Key, Row>;
  /** By resource, and by `resource/namespace`: in key order. */
  lists: ReadonlyMap<string, readonly Row[]>;
}
interface Slot {
  value: unknown;
  /** Resources that `make` read: only their changes drop the slot. */
  reads: Set<string>;
}
const NOTHING: readonly Row[] = [];

/** Turns the base layer into rows once per isolate; pass the result to every createPolicyView. */
export function sharedRows(rows: Iterable<PolicyRow>): SharedRows {
  const byKey = new Map<Key, Row>();
  const lists = new Map<string, Row[]>();
  for (const r of rows) byKey.set(r.key, new Row(r.key, r.uid, r.text));
  for (const row of [...byKey.values()].sort(inOrder)) {
    for (const name of listNames(row.key)) {
      const list = lists.get(name);
      if (list) list.push(row);
      else lists.set(name, [row]);
    }
  }
  return { rows: byKey, lists };
}

/**
 * An empty View at revision 0; the first Stale fills it, and one that is `whole` starts it anew. A View holds only what differs from
 * `shared`, so that an isolate with a thousand clusters has the bootstrap roles, and what is compiled of them, once.
 */
export function createPolicyView(shared: SharedRows = { rows: new Map(), lists: new Map() }): PolicyView {
  return new View(shared);
}

class View implements PolicyView {
  revision: Revision = 0;
  readonly #shared: SharedRows;
  /** Set by the first whole Stale: until then the shared rows aren't known to be there. */
  #based = false;
  /** Rows of its own; null hides a shared one. */
  readonly #own = new Map<Key, Row | null>();
  readonly #ownLists = new Map<string, Map<Key, Row | null>>();
  /** Shared and own rows in key order; kept until a row of the list changes, so that others may compile by the list itself. */
  readonly #merged = new Map<string, readonly Row[]>();
  readonly #slots = new Map<string, Slot>();
  /** Read sets of the slots being made, innermost last. */
  readonly #reading: Set<string>[] = [];

  constructor(shared: SharedRows) {
    this.#shared = shared;
  }

  get(key: Key): Held | undefined {
    if (this.#reading.length > 0) this.#note(resourceOfKey(key));
    const own = this.#own.get(key);
    if (own !== undefined) return own ?? undefined;
    return this.#based ? this.#shared.rows.get(key) : undefined;
  }

  list(resource: string, namespace?: string): readonly Held[] {
    if (this.#reading.length > 0) this.#note(resource);
    const name = namespace ? `${resource}/${namespace}` : resource;
    const shared = (this.#based ? this.#shared.lists.get(name) : undefined) ?? NOTHING;
    const own = this.#ownLists.get(name);
    if (own === undefined) return shared;
    let merged = this.#merged.get(name);
    if (merged === undefined) {
      const rows = shared.filter((r) => !own.has(r.key));
      for (const row of own.values()) if (row !== null) rows.push(row);
      merged = rows.sort(inOrder);
      this.#merged.set(name, merged);
    }
    return merged;
  }

  apply(stale: Stale): void {
    if (stale.whole) this.#startAnew(stale.changes);
    const touched = new Set<string>();
    for (const c of stale.changes) {
      this.#set(c.key, c.policy === null ? null : { uid: c.uid, text: c.policy });
      touched.add(resourceOfKey(c.key));
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

  #startAnew(changes: Stale['changes']): void {
    this.#own.clear();
    this.#ownLists.clear();
    this.#merged.clear();
    this.#slots.clear();
    this.#based = true;
    const there = new Set(changes.map((c) => c.key));
    for (const key of this.#shared.rows.keys()) if (!there.has(key)) this.#set(key, null);
  }

  #set(key: Key, value: { uid: string; text: string } | null): void {
    const shared = this.#based ? this.#shared.rows.get(key) : undefined;
    const isShared = value === null ? shared === undefined : shared?.text === value.text && shared.uid === value.uid;
    const row = value === null ? null : new Row(key, value.uid, value.text);
    if (isShared) this.#own.delete(key);
    else this.#own.set(key, row);
    for (const name of listNames(key)) {
      this.#merged.delete(name);
      const list = this.#ownLists.get(name);
      if (!isShared) {
        if (list) list.set(key, row);
        else this.#ownLists.set(name, new Map([[key, row]]));
      } else if (list?.delete(key) && list.size === 0) this.#ownLists.delete(name);
    }
  }
}

const inOrder = (a: Row, b: Row): number => (a.key < b.key ? -1 : 1);

function listNames(key: Key): string[] {
  const { resource, namespace } = parseKey(key);
  return namespace === '' ? [resource] : [resource, `${resource}/${namespace}`];
}
