import type { JsonObject } from '../../../kube/meta/json.ts';
import type { KubeObject } from '../../../kube/meta/object.ts';
import type { Plan } from '../../../kube/reconcile/controller.ts';
import { daemonset } from '../daemonset.ts';
import { template } from './deployments.ts';
import { ago, type Given, planFor, printed } from './view.ts';

// DaemonSets, their nodes, pods and revisions in a few words; what a plan makes of them.

export const labels = { app: 'foo' };
export const HASH = 'present';
export const data = (version: string) => ({ spec: { template: { ...template(version), $patch: 'replace' } } });
export const revision = (name: string, version: string, n: number, more: JsonObject = {}): Given =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `ds-${name}`,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { ...labels, 'controller-revision-hash': name },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ds', uid: 'ds', controller: true }],
      ...more,
    },
    data: data(version),
    revision: n,
  }) as unknown as Given;
/** The revision of the present template. */
export const present = revision(HASH, 'v1', 2);

export interface SetIn {
  pod?: JsonObject;
  spec?: JsonObject;
  metadata?: JsonObject;
  status?: JsonObject;
}
export function set(o: SetIn = {}): Given {
  const t = template('v1');
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ds', namespace: 'default', uid: 'ds', generation: 1, ...o.metadata },
    spec: {
      selector: { matchLabels: labels },
      template: { ...t, spec: { ...(t.spec as JsonObject), ...o.pod } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
      ...o.spec,
    },
    ...(o.status ? { status: o.status } : {}),
  } as unknown as Given;
}
export const node = (name: string, o: { labels?: JsonObject; taints?: JsonObject[] } = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: o.labels ?? {} },
    spec: { taints: o.taints ?? [] },
  }) as unknown as Given;
export interface PodIn {
  on?: string;
  target?: string;
  ready?: boolean | number;
  phase?: string;
  hash?: string;
  age?: number;
  deleting?: boolean;
  owner?: string | null;
  labels?: JsonObject;
}
export function pod(name: string, o: PodIn = {}): Given {
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [o.target] }] }];
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } };
  const since = typeof o.ready === 'number' ? o.ready : 100;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: ago(o.age ?? 100),
      labels: o.labels ?? { ...labels, 'controller-revision-hash': o.hash ?? HASH },
      ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
      ownerReferences:
        o.owner === null ? [] : [{ kind: 'DaemonSet', name: 'ds', uid: o.owner ?? 'ds', controller: true }],
    },
    spec: { ...(o.on ? { nodeName: o.on } : {}), ...(o.target ? { affinity } : {}) },
    status: {
      phase: o.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: (o.ready ?? true) ? 'True' : 'False', lastTransitionTime: ago(since) }],
    },
  } as unknown as Given;
}
export const plan = (first: Given, ...others: Given[]) => planFor(daemonset, [first, ...others]);
export const made = (p: Plan): KubeObject[] =>
  p.writes.flatMap((w) => (w.do === 'create' && w.object.kind === 'Pod' ? [w.object] : []));
export const targets = (p: Plan) =>
  made(p).map((o) => JSON.stringify((o.spec as JsonObject).affinity).match(/(?<="values":\[")[^"]+/)?.[0]);
export const deleted = (p: Plan) =>
  printed(p).flatMap((t) => (t.startsWith('delete pods/') ? [t.slice('delete pods/default/'.length)] : []));
export const status = (p: Plan) => {
  const w = p.writes.find((x) => x.do === 'update' && x.subresource === 'status');
  return w?.do === 'update' ? (w.object.status as Record<string, number>) : undefined;
};

export const taint = (key: string, effect: string): JsonObject => ({ key, effect });
