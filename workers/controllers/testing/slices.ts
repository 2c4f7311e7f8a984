import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Plan } from '../../../kube/reconcile/controller.ts';
import type { Slice } from '../slicepacking.ts';
import { ago, type Given } from './view.ts';

// Cases of k8s.io/endpointslice reconciler_test.go and utils_test.go.

export const NAME = 'kubernetes.io/service-name';
export const MANAGED = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS = 'service.kubernetes.io/headless';
export const OWNER = {
  apiVersion: 'v1',
  kind: 'Service',
  name: 'foo',
  uid: 'svc',
  controller: true,
  blockOwnerDeletion: true,
};

export const service = (spec: JsonObject = {}, metadata: JsonObject = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'foo', namespace: 'test', uid: 'svc', creationTimestamp: ago(500), ...metadata },
  spec: {
    ports: [{ name: 'port', port: 80, protocol: 'TCP', targetPort: 80 }],
    selector: { foo: 'bar' },
    ipFamilies: ['IPv4'],
    ...spec,
  },
});
export const node = (name = 'node-1', zone?: string): Given => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...(zone ? { labels: { 'topology.kubernetes.io/zone': zone } } : {}) },
});
export interface PodIn {
  ready?: boolean;
  terminating?: boolean;
  spec?: JsonObject;
  ips?: string[];
  labels?: Record<string, string>;
  phase?: string;
  node?: string;
}
export const pod = (n: number, o: PodIn = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `pod${n}`,
    namespace: 'test',
    uid: `p${n}`,
    labels: o.labels ?? { foo: 'bar' },
    ...(o.terminating ? { deletionTimestamp: ago(1) } : {}),
  },
  spec: { nodeName: o.node ?? 'node-1', containers: [], ...o.spec },
  status: {
    phase: o.phase ?? 'Running',
    podIPs: (o.ips ?? [`1.2.${Math.floor(n / 250)}.${(n % 250) + 1}`]).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True', lastTransitionTime: ago(50) }],
  },
});
export const pods = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => pod(from + i, { ready: (from + i) % 3 !== 0 }));

export const endpoint = (n: number, more: JsonObject = {}): JsonObject => {
  const ready = n % 3 !== 0;
  return {
    addresses: [`1.2.${Math.floor(n / 250)}.${(n % 250) + 1}`],
    conditions: { ready, serving: ready, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'test', name: `pod${n}`, uid: `p${n}` },
    nodeName: 'node-1',
    ...more,
  };
};
export const slice = (name: string, endpoints: JsonObject[], more: JsonObject = {}, metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'test',
      uid: name,
      labels: { [NAME]: 'foo', [MANAGED]: 'endpointslice-controller.k8s.io', [HEADLESS]: '' },
      ownerReferences: [OWNER],
      ...metadata,
    },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'port', port: 80, protocol: 'TCP' }],
    ...more,
  }) as Given;
export const numbers = (from: number, to: number, by = 1) =>
  Array.from({ length: Math.ceil((to - from) / by) }, (_, i) => from + i * by);

export const written = (plan: Plan): Slice[] =>
  plan.writes.flatMap((w) => (w.do === 'create' || w.do === 'update' ? [w.object as Slice] : []));
export const verbs = (plan: Plan) => plan.writes.map((w) => w.do);
export const lengths = (plan: Plan) => written(plan).map((s) => s.endpoints.length);
