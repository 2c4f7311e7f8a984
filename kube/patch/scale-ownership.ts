import type { ManagedFieldsEntry } from '../meta/object.ts';
import { difference, type FieldSet, hasPath, isEmptySet, setOf } from './fieldset.ts';
import { decodeManaged, encodeManaged, type Managed, noneManaged } from './managed-entries.ts';
import type { PathElement } from './path-element.ts';

// Ownership of spec.replicas between a workload and its Scale: apimachinery managedfields.ScaleHandler.

/**
 * Where a version of the main resource keeps its replicas, e.g. `{ 'apps/v1': ['spec', 'replicas'] }`; null for a version without a
 * scale subresource.
 */
export type ReplicasPaths = Readonly<Record<string, readonly string[] | null>>;

const SCALE_VERSION = 'autoscaling/v1';
const SCALE_REPLICAS: readonly PathElement[] = ['f:spec', 'f:replicas'];

const elements = (path: readonly string[]): PathElement[] => path.map((name) => `f:${name}`);

/**
 * The managedFields of a Scale, of those of its main resource: who owns the replicas. A string is why the entries can't be read.
 */
export function scaleEntries(
  parent: ManagedFieldsEntry[] | undefined,
  paths: ReplicasPaths,
): ManagedFieldsEntry[] | string {
  const managed = decodeManaged(parent);
  if (typeof managed === 'string') return managed;
  const out = noneManaged();
  for (const [id, owned] of managed.owners) {
    const path = paths[owned.apiVersion];
    if (path === undefined || path === null || !hasPath(owned.set, elements(path))) continue;
    out.owners.set(id, { ...owned, set: setOf([SCALE_REPLICAS]), apiVersion: SCALE_VERSION });
    out.times.set(id, managed.times.get(id));
  }
  return encodeManaged(out) ?? [];
}

/**
 * The managedFields of the main resource at `apiVersion` after a write to its Scale, whose entries are `scale`. Who no longer owns the
 * Scale's replicas loses them here too. A string is why entries can't be read.
 */
export function parentEntries(
  parent: ManagedFieldsEntry[] | undefined,
  scale: ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  paths: ReplicasPaths,
): ManagedFieldsEntry[] | string {
  const managed = decodeManaged(parent);
  const scaled = decodeManaged(scale);
  if (typeof managed === 'string') return managed;
  if (typeof scaled === 'string') return scaled;
  const out = keptOwners(managed, scaled, paths);
  const path = paths[apiVersion] ?? [];
  for (const [id, owned] of scaled.owners) {
    if (!hasPath(owned.set, SCALE_REPLICAS)) continue;
    out.owners.set(id, { ...owned, set: setOf([elements(path)]), apiVersion });
    out.times.set(id, managed.times.get(id));
  }
  return encodeManaged(out) ?? [];
}

/** The main resource's managers; takes those that still own the replicas out of `scaled`. */
function keptOwners(managed: Managed, scaled: Managed, paths: ReplicasPaths): Managed {
  const out = noneManaged();
  for (const [id, owned] of managed.owners) {
    const path = paths[owned.apiVersion];
    if (path === undefined) continue;
    let set: FieldSet = owned.set;
    if (path !== null && hasPath(set, elements(path)) && !scaled.owners.delete(id)) {
      set = difference(set, setOf([elements(path)]));
      if (isEmptySet(set)) continue;
    }
    out.owners.set(id, { ...owned, set });
    out.times.set(id, managed.times.get(id));
  }
  return out;
}
