import { policyOf } from '../../kinds/policy.ts';
import type { Facts } from '../../meta/facts.ts';
import { fnv1aLane } from '../../meta/hash.ts';
import type { JsonObject } from '../../meta/json.ts';
import { apiVersionOf, groupResource } from '../../meta/object.ts';
import { keyOf } from '../key.ts';
import type { Key, Value } from '../store.ts';

/** An object of the base layer, before it is a row. */
export interface BaseObject {
  group: string;
  version: string;
  plural: string;
  namespace: string;
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  generation?: number;
  /** Everything but metadata. */
  body: JsonObject;
  /** Selectable fields. */
  fields?: Record<string, string>;
}
/** A row of the base layer in its stored form. */
export interface BaseRow extends Pick<Value, 'text' | 'version'> {
  key: Key;
  schema?: string;
  facts: Facts;
}

/** An immutable layer can't hold the moment at which a cluster is created; all of its objects are from this one. */
export const BASE_CREATED = '2026-01-01T00:00:00Z';

/** The stored form of an object: metadata first, no kind, no apiVersion, uid from the key. */
export function baseRow(o: BaseObject): BaseRow {
  const key = keyOf(o.group, o.plural, o.namespace, o.name);
  const uid = uidOf(key);
  const metadata = {
    name: o.name,
    ...(o.namespace === '' ? {} : { namespace: o.namespace }),
    uid,
    ...(o.generation === undefined ? {} : { generation: o.generation }),
    creationTimestamp: BASE_CREATED,
    ...(o.labels ? { labels: o.labels } : {}),
    ...(o.annotations ? { annotations: o.annotations } : {}),
  };
  const object = { metadata, ...o.body };
  const policy = policyOf(groupResource(o.group, o.plural), object);
  return {
    key,
    text: JSON.stringify(object),
    version: apiVersionOf(o),
    facts: {
      uid,
      ...(o.labels ? { labels: o.labels } : {}),
      ...(o.fields ? { fields: o.fields } : {}),
      ...(policy === undefined ? {} : { policy }),
    },
  };
}

/** A UUID (RFC 9562, version 8) made of the key alone, so that every cluster's layer has the same text. Unlike keys collide with odds of 2^-122 at best of FNV: the layer's test looks. */
function uidOf(key: Key): string {
  let hex = '';
  for (let lane = 0; lane < 4; lane++) {
    let h = fnv1aLane(key, Math.imul(lane + 1, 0x9e3779b1));
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h ^= h >>> 13;
    hex += (h >>> 0).toString(16).padStart(8, '0');
  }
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
