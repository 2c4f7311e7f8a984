import type { Facts } from '../../kube/meta/facts.ts';
import { lowerBound } from '../../kube/store/key.ts';
import type { Entry, Key, Range, Revision } from '../../kube/store/store.ts';

/**
 * An immutable layer under every cluster's own rows: bootstrap roles, namespaces, priority classes, flow schemas. It is in the
 * bundle, named by the hash of its content; a cluster keeps the layer that it was created on.
 */
export interface BaseLayer {
  hash: string;
  /** Row i has revision i + 1. Bodies and facts hold BASE_UID and BASE_CREATED where a cluster's own values go. */
  rows: readonly BaseRow[];
}
export interface BaseRow {
  key: Key;
  text: string;
  version: string;
  schema: string;
  facts: Facts;
}

/** Stands for the first 24 characters of each uid, which are the cluster's own: `%cluster-uid-prefix-24-%000000000001`. */
export const BASE_UID = '%cluster-uid-prefix-24-%';
/** Stands for the cluster's creation time. */
export const BASE_CREATED = '%cluster-created%';

interface Index {
  /** Positions in key order. */
  order: number[];
  keys: Key[];
  position: Map<Key, number>;
  /** Revision of the last row that has a policy text. */
  policy: Revision;
}
const indices = new WeakMap<BaseLayer, Index>();

function indexOf(layer: BaseLayer): Index {
  let index = indices.get(layer);
  if (!index) {
    const order = layer.rows.map((_, i) => i);
    const keyAt = (i: number) => layer.rows[i]?.key ?? '';
    order.sort((a, b) => (keyAt(a) < keyAt(b) ? -1 : 1));
    const position = new Map(layer.rows.map((r, i) => [r.key, i]));
    const policy = layer.rows.findLastIndex((r) => r.facts.policy !== undefined) + 1;
    index = { order, keys: order.map(keyAt), position, policy };
    indices.set(layer, index);
  }
  return index;
}

/** A layer as one cluster sees it. The index is shared by all clusters of an isolate; rows are made when they are read. */
export class Base {
  readonly size: number;
  readonly policy: Revision;
  readonly #layer: BaseLayer;
  readonly #index: Index;
  readonly #uidPrefix: string;
  readonly #created: string;

  constructor(layer: BaseLayer, uidPrefix: string, created: string) {
    this.#layer = layer;
    this.#index = indexOf(layer);
    this.size = layer.rows.length;
    this.policy = this.#index.policy;
    this.#uidPrefix = uidPrefix;
    this.#created = created;
  }

  has(key: Key): boolean {
    return this.#index.position.has(key);
  }

  get(key: Key): Entry | undefined {
    const i = this.#index.position.get(key);
    return i === undefined ? undefined : this.at(i + 1);
  }

  /** The row of a revision 1..size. */
  at(revision: Revision): Entry | undefined {
    const row = this.#layer.rows[revision - 1];
    if (!row) return undefined;
    const { key, version, schema } = row;
    return {
      key,
      revision,
      created: revision,
      value: this.#fill(row.text),
      version,
      schema,
      facts: this.#facts(row.facts),
    };
  }

  /** Rows of a range in key order. */
  *range(range: Range): Iterable<Entry> {
    const { keys, order } = this.#index;
    for (let i = lowerBound(keys, range.from); i < keys.length; i++) {
      if ((keys[i] ?? '') >= range.to) return;
      const entry = this.at((order[i] ?? 0) + 1);
      if (entry) yield entry;
    }
  }

  /** True when a range holds any row of the layer. */
  touches(range: Range): boolean {
    const { keys } = this.#index;
    const key = keys[lowerBound(keys, range.from)];
    return key !== undefined && key < range.to;
  }

  #fill(text: string): string {
    return text.replaceAll(BASE_UID, this.#uidPrefix).replaceAll(BASE_CREATED, this.#created);
  }

  #facts(facts: Facts): Facts {
    const filled = { ...facts, uid: this.#fill(facts.uid) };
    if (facts.policy !== undefined) filled.policy = this.#fill(facts.policy);
    return filled;
  }
}
