import { kindByStorage } from '../../kube/kinds/index.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';

// For controllers that see to every namespace.

export const namespaces = needKind(kindByStorage, 'namespaces');

/** The namespace that a row is in: whose turn it is when the row changes. */
export const namespaceOf = (row: Row): Key[] => [keyOf('', 'namespaces', '', parseKey(row.key).namespace)];

/** It is there, and nobody deletes it. */
export const isActive = (namespace: KubeObject | undefined): boolean =>
  namespace !== undefined && !namespace.metadata.deletionTimestamp && at(namespace, 'status.phase') !== 'Terminating';
