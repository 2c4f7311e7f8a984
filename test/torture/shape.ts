import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { colourOf, type Kind, padOf, type Seen } from './history.ts';

/** Namespaces that the clients work in; deletions of collections have one of their own. */
export const NAMESPACES = ['t-0', 't-1', 't-2'] as const;
export const SWEPT = 't-swept';

const API: Record<Kind, { path: string; apiVersion: string; kind: string }> = {
  configmaps: { path: '/api/v1', apiVersion: 'v1', kind: 'ConfigMap' },
  leases: { path: '/apis/coordination.k8s.io/v1', apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
};

/** Path of a collection below the cluster's; '' is all namespaces. */
export const collectionPath = (kind: Kind, ns: string): string =>
  `${API[kind].path}${ns === '' ? '' : `/namespaces/${ns}`}/${kind}`;

export const objectPath = (kind: Kind, key: string): string => {
  const [ns = '', name = ''] = key.split('/');
  return `${collectionPath(kind, ns)}/${name}`;
};

/** The object that a create or update of this id writes. */
export function bodyOf(kind: Kind, key: string, id: string, expect?: number): JsonObject {
  const { apiVersion, kind: name } = API[kind];
  return {
    apiVersion,
    kind: name,
    metadata: {
      name: key.slice(key.indexOf('/') + 1),
      labels: { colour: colourOf(id) },
      annotations: { w: id, v: id, pad: padOf(id) },
      ...(expect === undefined ? {} : { resourceVersion: String(expect) }),
    },
    ...(kind === 'configmaps' ? { data: { v: id } } : { spec: { holderIdentity: id } }),
  };
}

/** The merge patch of this id: it leaves the contents alone. */
export const patchOf = (id: string, expect?: number): JsonObject => ({
  metadata: { annotations: { w: id, p: id }, ...(expect === undefined ? {} : { resourceVersion: String(expect) }) },
});

const record = (x: Json | undefined): JsonObject => (typeof x === 'object' && x !== null && !Array.isArray(x) ? x : {});
const text = (x: Json | undefined): string => (typeof x === 'string' ? x : '');

/** What an answer or event shows; null for an object that isn't the clients', a text says what is torn. */
export function seenOf(kind: Kind, object: Json | undefined): [key: string, seen: Seen] | null | string {
  const o = record(object);
  const meta = record(o.metadata);
  const notes = record(meta.annotations);
  const key = `${text(meta.namespace)}/${text(meta.name)}`;
  if (!key.startsWith('t-') || notes.w === undefined) return null;
  const seen: Seen = {
    rev: Number(text(meta.resourceVersion)),
    w: text(notes.w),
    v: text(notes.v),
    p: text(notes.p),
  };
  const contents = kind === 'configmaps' ? record(o.data).v : record(o.spec).holderIdentity;
  const whole = contents === seen.v && notes.pad === padOf(seen.v) && record(meta.labels).colour === colourOf(seen.v);
  return whole && seen.rev > 0 ? [key, seen] : `${key} at ${seen.rev} is torn: by ${seen.w}, contents ${seen.v}`;
}

/** A list's revision and items, or what is wrong with it. */
export function listOf(kind: Kind, list: Json): { rev: number; next: string; items: [string, Seen][] } | string {
  const { metadata, items } = record(list);
  const rev = Number(text(record(metadata).resourceVersion));
  if (!Array.isArray(items) || !(rev > 0)) return 'a list without items or revision';
  const out: [string, Seen][] = [];
  for (const item of items) {
    const seen = seenOf(kind, item);
    if (typeof seen === 'string') return seen;
    if (seen) out.push(seen);
  }
  return { rev, next: text(record(metadata).continue), items: out };
}

/** Code, reason and message of a Status. */
export function statusOf(body: Json): { reason: string; message: string; kind: string } {
  const o = record(body);
  return { reason: text(o.reason), message: text(o.message), kind: text(record(o.details).kind) };
}
