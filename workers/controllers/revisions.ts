import type { Kind } from '../../kube/kinds/kind.ts';
import { fnv1a } from '../../kube/meta/hash.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { SUFFIX_ALPHABET } from '../../kube/meta/names.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row, Write } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import { controllerRef } from './owning.ts';

// Hashes of pod templates, and the ControllerRevisions in which DaemonSets and StatefulSets keep their past (pkg/controller/history).

export const REVISIONS = 'controllerrevisions.apps';
/** Label of a pod that names the revision of its template. */
export const REVISION_HASH = 'controller-revision-hash';
/** Upstream's limit of a revision's name before its hash. */
const NAME_BASE_MAX = 223;

/** A JSON text as Go's encoder writes a map: keys in order, and what HTML could mistake escaped. */
export function goJson(v: Json | undefined): string {
  if (Array.isArray(v)) return `[${v.map(goJson).join(',')}]`;
  if (isObject(v)) {
    const keys = Object.keys(v).filter((k) => v[k] !== undefined);
    return `{${keys
      .sort()
      .map((k) => `${goJson(k)}:${goJson(v[k])}`)
      .join(',')}}`;
  }
  if (typeof v === 'bigint') return String(v);
  const text = JSON.stringify(v ?? null);
  return typeof v === 'string' ? text.replace(/[<>&\u2028\u2029]/g, escaped) : text;
}
const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** apimachinery rand.SafeEncodeString: no vowels, so no words. */
const safe = (n: number): string =>
  [...String(n)].map((c) => SUFFIX_ALPHABET[c.charCodeAt(0) % SUFFIX_ALPHABET.length]).join('');

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** FNV-1 of bytes, 0..2^32-1. */
function fnv1(bytes: Uint8Array): number {
  let h = OFFSET;
  for (const b of bytes) h = Math.imul(h, PRIME) ^ b;
  return h >>> 0;
}

/** history.HashControllerRevision: what upstream hashes of the same data. `probe`: how often a name was taken. */
export const revisionHash = (data: JsonObject, probe: number): string =>
  safe(fnv1(new TextEncoder().encode(`${goJson(data)}${probe}`)));

/**
 * A hash of a pod template and of how often its name was taken, as controller.ComputeHash gives one. Upstream hashes a dump of its Go structs, which differs from
 * release to release; nobody compares it with a template, so ours is one of the template's JSON.
 */
export function templateHash(template: Json | undefined, collisions: number | undefined): string {
  const h = fnv1a(goJson(template));
  if (collisions === undefined) return safe(h);
  const bytes = [0, 8, 16, 24].map((shift) => (collisions >>> shift) & 0xff);
  return safe(fnv1a(String.fromCharCode(...bytes, 0, 0, 0, 0), h));
}

/** A ControllerRevision that stands. */
export interface Revision {
  row: Row;
  name: string;
  revision: number;
  data: JsonObject;
  created: string;
}
export function revisionOf(row: Row): Revision {
  const o = row.data as { revision?: number; data?: JsonObject; metadata?: { creationTimestamp?: string } };
  return {
    row,
    name: parseKey(row.key).name,
    revision: o.revision ?? 0,
    data: o.data ?? {},
    created: o.metadata?.creationTimestamp ?? '',
  };
}
/** Oldest first. */
export const byRevision = (a: Revision, b: Revision): number =>
  a.revision - b.revision || compare(a.created, b.created) || compare(a.name, b.name);
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What a revision keeps: a patch that brings the template back. */
export const templatePatch = (template: JsonObject | undefined): JsonObject => ({
  spec: { template: { ...template, $patch: 'replace' } },
});

export const revisionName = (prefix: string, hash: string): string => `${prefix.slice(0, NAME_BASE_MAX)}-${hash}`;

/** The object of a revision of an owner's present template. */
export function newRevision(
  kind: Kind,
  owner: KubeObject,
  o: { name: string; labels: Record<string, string>; data: JsonObject; revision: number },
): KubeObject {
  const { namespace = '', annotations } = owner.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: o.name,
      namespace,
      labels: o.labels,
      ...(annotations ? { annotations } : {}),
      ownerReferences: [controllerRef(kind, owner)],
    },
    data: o.data,
    revision: o.revision,
  } as KubeObject;
}

/** Counts an older revision as the newest again. */
export const renumber = (r: Revision, revision: number): Write => ({
  do: 'patch',
  key: r.row.key,
  type: 'merge',
  patch: { metadata: { uid: r.row.uid }, revision },
});
export const forget = (r: Revision): Write => ({ do: 'delete', key: r.row.key, uid: r.row.uid });
