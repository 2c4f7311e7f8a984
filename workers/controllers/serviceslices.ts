import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { generatedName } from './owning.ts';
import type { Slice } from './slicepacking.ts';

// EndpointSlices as the rows of whoever keeps them.

export const SLICES = 'endpointslices.discovery.k8s.io';
export const slices = needKind(kindByStorage, SLICES);
export const SERVICE_NAME = 'kubernetes.io/service-name';
/** Label: who keeps a slice. */
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

/** The Service that a slice of a manager names, and the one that it named before. */
export function sliceRoot(manager: string): (row: Row, view: View, before?: Row) => Key[] {
  const of = (row: Row): Key[] => {
    const name = row.labels[SERVICE_NAME];
    if (!name || row.labels[MANAGED_BY] !== manager) return [];
    return [keyOf('', 'services', parseKey(row.key).namespace, name)];
  };
  return (row, _, before) => [...new Set([...of(row), ...(before ? of(before) : [])])];
}

/** A slice written over one that would go: its name, at the revision that was read. */
export function over(old: Slice, slice: Slice): Slice {
  const { name = '', resourceVersion = '' } = old.metadata;
  return { ...slice, metadata: { ...slice.metadata, name, resourceVersion } };
}
export const creation = (s: Slice, view: View): Write => ({
  do: 'create',
  object: { ...s, metadata: { ...s.metadata, name: generatedName(s.metadata.generateName ?? '', view) } },
});
export const removal = (s: Slice): Write => ({
  do: 'delete',
  key: keyOf('discovery.k8s.io', 'endpointslices', s.metadata.namespace ?? '', s.metadata.name ?? ''),
  ...(s.metadata.uid ? { uid: s.metadata.uid } : {}),
});
