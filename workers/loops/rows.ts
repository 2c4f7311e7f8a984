import { parseJson } from '../../kube/codec/json.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { lowerBound, parseKey, rangeUnder, resourceOfKey } from '../../kube/store/key.ts';
import type { Key, Range } from '../../kube/store/store.ts';

/** A row as SQLite has it: parsed when somebody looks at it. */
export interface StoredRow {
  key: Key;
  revision: number;
  uid: string;
  labels: string;
  owner: string;
  data: string;
}
/** A row in memory, before or after it was parsed. */
type Held = Row | StoredRow;

interface Table {
  rows: Map<Key, Held>;
  /** In byte order. */
  keys: Key[];
  owners: Map<string, Set<Key>>;
}

/** The rows of a loop's projection in memory, with their indexes. Rows are never changed in place: who keeps one may compare it by identity. */
export class RowMemory {
  readonly #tables = new Map<string, Table>();
  readonly #uids = new Map<string, Key>();

  /** The row as it is held, to be put back. */
  held(key: Key): Held | undefined {
    return this.#table(key)?.rows.get(key);
  }
  *keys(): Iterable<Key> {
    for (const table of this.#tables.values()) yield* table.keys;
  }
  get(key: Key): Row | undefined {
    const table = this.#table(key);
    return table && parsed(table, key);
  }
  byUid(uid: string): Row | undefined {
    const key = this.#uids.get(uid);
    return key === undefined ? undefined : this.get(key);
  }
  list(resource: string, namespace = ''): Row[] {
    const table = this.#tables.get(resource);
    if (table === undefined) return [];
    const { keys } = table;
    const part = namespace === '' ? keys : keys.slice(...placeOf(keys, rangeUnder(`${resource}/${namespace}`)));
    return part.flatMap((key) => parsed(table, key) ?? []);
  }
  namespaces(resource: string): string[] {
    const keys = this.#tables.get(resource)?.keys ?? [];
    const found: string[] = [];
    // From namespace to namespace: few, however many rows they hold.
    for (let at = 0; at < keys.length; ) {
      const { namespace } = parseKey(keys[at] ?? '');
      if (namespace === '') break;
      found.push(namespace);
      at = lowerBound(keys, rangeUnder(`${resource}/${namespace}`).to);
    }
    return found;
  }
  owned(resource: string, owner: string): Row[] {
    const table = this.#tables.get(resource);
    if (table === undefined || owner === '') return [];
    return [...(table.owners.get(owner) ?? [])].sort().flatMap((key) => parsed(table, key) ?? []);
  }

  /** Rows of a namespace without an owner. */
  orphans(resource: string, namespace: string): Row[] {
    return this.owned(resource, nobodyOf(namespace));
  }

  put(row: Held): void {
    const { key } = row;
    const resource = resourceOfKey(key);
    const table: Table = this.#tables.get(resource) ?? { rows: new Map(), keys: [], owners: new Map() };
    this.#tables.set(resource, table);
    const old = table.rows.get(key);
    if (old) this.#forget(table, old);
    else if (key > (table.keys.at(-1) ?? '')) table.keys.push(key);
    else table.keys.splice(lowerBound(table.keys, key), 0, key);
    table.rows.set(key, row);
    if (row.uid !== '') this.#uids.set(row.uid, key);
    const owner = ownerOf(row);
    const owned = table.owners.get(owner);
    if (owned) owned.add(key);
    else table.owners.set(owner, new Set([key]));
  }
  remove(key: Key): void {
    const table = this.#table(key);
    const old = table?.rows.get(key);
    if (!table || !old) return;
    this.#forget(table, old);
    table.rows.delete(key);
    table.keys.splice(lowerBound(table.keys, key), 1);
  }

  #table(key: Key): Table | undefined {
    return this.#tables.get(resourceOfKey(key));
  }
  #forget(table: Table, held: Held): void {
    const { key, uid } = held;
    if (this.#uids.get(uid) === key) this.#uids.delete(uid);
    const owner = ownerOf(held);
    const owned = table.owners.get(owner);
    owned?.delete(key);
    if (owned?.size === 0) table.owners.delete(owner);
  }
}

/** Who has no owner is indexed as its namespace's; no uid begins so. */
const nobodyOf = (namespace: string): string => `\0${namespace}`;
const ownerOf = ({ owner, key }: Held): string => owner || nobodyOf(parseKey(key).namespace);

const isStored = (row: Held): row is StoredRow => typeof row.data === 'string';

function parsed(table: Table, key: Key): Row | undefined {
  const row = table.rows.get(key);
  if (row === undefined || !isStored(row)) return row;
  const { revision, uid, owner } = row;
  const labels = JSON.parse(row.labels) as Record<string, string>;
  const full: Row = { key, revision, uid, labels, owner, data: parseJson(row.data) as JsonObject };
  table.rows.set(key, full);
  return full;
}

/** Where the keys of a range stand. */
const placeOf = (keys: readonly Key[], { from, to }: Range): [number, number] => [
  lowerBound(keys, from),
  lowerBound(keys, to),
];
