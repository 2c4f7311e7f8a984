import { flowControlObjects } from './flowcontrol.ts';
import { HASH } from './generated/hash.ts';
import { RBAC } from './generated/rbac.ts';
import { type BaseObject, type BaseRow, baseRow } from './object.ts';
import { rbacObject } from './rbac.ts';

export type { BaseRow } from './object.ts';

/** What every cluster begins with; immutable, in the bundle, found by its content's hash. */
export interface BaseLayer {
  /** SHA-256 of the rows, 32 hex digits. */
  hash: string;
  /** In key order. */
  rows: readonly BaseRow[];
}

/** Namespaces that exist from the start; NamespaceLifecycle lets nobody delete the first three. */
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** pkg/apis/scheduling: 2,000,000,000 is SystemCriticalPriority. */
const PRIORITIES = [
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'For pods that a node needs; they stay on their node.',
  },
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description: 'For pods that the cluster needs; they may move to another node.',
  },
];

let layer: BaseLayer | undefined;

/** Bootstrap roles and bindings, namespaces, priority classes and flow control of Kubernetes 1.37. Built on first use, then shared. */
export function baseLayer(): BaseLayer {
  layer ??= { hash: HASH, rows: build() };
  return layer;
}

/** What the hash is of: for tools/bootstrap/generate.ts and the test that compares. */
export function layerText(): string {
  return JSON.stringify(build());
}

function build(): BaseRow[] {
  const objects = [
    ...NAMESPACES.map(namespace),
    ...PRIORITIES.map(priority),
    ...flowControlObjects(),
    ...RBAC.map(rbacObject),
  ];
  return objects.map(baseRow).sort((a, b) => (a.key < b.key ? -1 : 1));
}

const namespace = (name: string): BaseObject => ({
  group: '',
  version: 'v1',
  plural: 'namespaces',
  namespace: '',
  name,
  labels: { 'kubernetes.io/metadata.name': name },
  body: { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } },
  fields: { 'status.phase': 'Active', name },
});

const priority = ({ name, value, description }: (typeof PRIORITIES)[number]): BaseObject => ({
  group: 'scheduling.k8s.io',
  version: 'v1',
  plural: 'priorityclasses',
  namespace: '',
  name,
  generation: 1,
  body: { value, description, preemptionPolicy: 'PreemptLowerPriority' },
});
