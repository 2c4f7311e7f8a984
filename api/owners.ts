import { equalJson, type Json } from '../kube/meta/json.ts';
import { type KubeObject, type OwnerReference, parseApiVersion } from '../kube/meta/object.ts';
import { garbage, shadow } from '../kube/store/garbage.ts';
import { keyOf } from '../kube/store/key.ts';
import { placement } from '../kube/store/placement.ts';
import type { Op } from '../kube/store/store.ts';
import { type Call, commit } from './call.ts';
import type { Resource } from './parts.ts';

// What the garbage collector is told of an object's owners by whoever writes it.

/** References that the object has now and didn't have before. */
function cameToOwn(object: KubeObject, prev: KubeObject | null): OwnerReference[] {
  const refs = object.metadata.ownerReferences;
  if (refs === undefined || refs.length === 0) return [];
  const had = prev?.metadata.ownerReferences;
  if (had !== undefined && equalJson(refs as Json, had as Json)) return [];
  return refs.filter((r) => !had?.some((h) => h.uid === r.uid));
}

/** Where one of the owners that it comes to have isn't there: also what a loop makes, whose owner may have gone since it looked. */
export function danglingOps(call: Call, resource: Resource, object: KubeObject, prev: KubeObject | null): Op[] {
  return placement(resource.key, '') === 'main' ? dangling(call, resource, object, prev) : [];
}
function dangling(call: Call, resource: Resource, object: KubeObject, prev: KubeObject | null): Op[] {
  const { namespace = '', name = '', uid = '' } = object.metadata;
  const absent = cameToOwn(object, prev).flatMap((ref) => {
    const gv = parseApiVersion(ref.apiVersion);
    const owner = gv && call.resources.ofKind(call.cluster.view, gv.group, gv.version, ref.kind);
    if (!owner || placement(owner.key, '') !== 'main') return [];
    const within = owner.kind.scope === 'Namespaced' ? namespace : '';
    return [{ key: keyOf(owner.stored.group, owner.kind.plural, within, ref.name), uid: ref.uid }];
  });
  if (absent.length === 0) return [];
  const key = keyOf(resource.stored.group, resource.kind.plural, namespace, name);
  return [garbage(key, uid, resource.storedVersion, { absent })];
}

/** A kind whose rows are in another store than its owners', and may be owned: Leases. Nobody collects Events. */
export const isApart = (resource: Resource): boolean => placement(resource.key, '') === 'leases';
const NODE = 'Node';

/**
 * Around the write of an object in another store: before it the main store gets a row that has its owners, so that their end is told of; after it is told of owners that
 * aren't there. A node's end is always told of: the Leases that nodes have cost nothing.
 */
export async function aroundApart<T>(
  call: Call,
  resource: Resource,
  object: KubeObject,
  prev: KubeObject | null,
  write: () => Promise<T>,
): Promise<T> {
  const refs = cameToOwn(object, prev).filter((r) => r.kind !== NODE);
  if (refs.length === 0) return write();
  const main = call.cluster.store('namespaces', '');
  const { namespace = '', name = '', ownerReferences = [] } = object.metadata;
  await commit(call, main, [
    shadow(
      `${namespace}/${name}`,
      ownerReferences.map((r) => r.uid),
    ),
  ]);
  const done = await write();
  const ops = dangling(call, resource, object, prev);
  if (ops.length > 0) await commit(call, main, ops);
  return done;
}
