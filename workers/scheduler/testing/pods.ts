import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Row } from '../../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../../kube/store/key.ts';
import type { Key } from '../../../kube/store/store.ts';
import { Cluster } from '../cluster.ts';
import type { Labels, NodeInfo, Pod, PodInfo, Reject, SchedulerPlugin, Snapshot, Taint } from '../framework.ts';
import { isReject } from '../framework.ts';
import { nodeInfoOf, place } from '../nodeinfo.ts';
import { podInfo } from '../podinfo.ts';

type PodSpecIn = Partial<Pod['spec']> & {
  requests?: Record<string, string>;
  ports?: number[];
  hostIP?: string;
  protocol?: string;
  image?: string;
  labels?: Record<string, string>;
  namespace?: string;
};
/** A pod with one container; `requests`, `ports` and `image` are the container's, `labels` and `namespace` the pod's. */
export function pod(name: string, o: PodSpecIn = {}): Pod {
  const { requests, ports, hostIP, protocol, image, labels, namespace, ...spec } = o;
  const hostPorts = ports?.map((hostPort) => ({
    hostPort,
    ...(hostIP ? { hostIP } : {}),
    ...(protocol ? { protocol } : {}),
  }));
  const container = {
    name: 'c',
    ...(image ? { image } : {}),
    ...(requests ? { resources: { requests } } : {}),
    ...(hostPorts ? { ports: hostPorts } : {}),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: namespace ?? 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(labels ? { labels } : {}),
    },
    spec: { containers: [container], ...spec },
  };
}

interface NodeIn {
  labels?: Record<string, string>;
  taints?: Taint[];
  unschedulable?: boolean;
  allocatable?: Record<string, string>;
  images?: Record<string, number>;
  declared?: string[];
  on?: Pod[];
}
/** A node's row with room for 110 pods, 4 cpus and 8 Gi unless told otherwise. */
export function nodeRow(name: string, o: NodeIn = {}): Row {
  const images = Object.entries(o.images ?? {}).map(([image, sizeBytes]) => ({ names: [image], sizeBytes }));
  const data = {
    spec: { ...(o.taints ? { taints: o.taints } : {}), ...(o.unschedulable ? { unschedulable: true } : {}) },
    status: {
      allocatable: { pods: '110', cpu: '4', memory: '8Gi', ...o.allocatable },
      images,
      ...(o.declared ? { declaredFeatures: o.declared } : {}),
    },
  };
  return rowOf(keyOf('', 'nodes', '', name), data as unknown as JsonObject, o.labels);
}
export const rowOf = (key: Key, data: JsonObject, labels: Labels = {}): Row => ({
  key,
  revision: 1,
  uid: `uid-${key}`,
  labels,
  owner: '',
  data,
});
/** The same as plugins see it, with the pods that are on it. */
export function node(name: string, o: NodeIn = {}): NodeInfo {
  const info = nodeInfoOf(nodeRow(name, o));
  for (const p of o.on ?? []) place(info, podInfo(p));
  return info;
}

interface World {
  /** Labels of namespaces. */
  namespaces?: Record<string, Labels>;
  /** Services, workloads, claims, volumes, budgets: by key. */
  rows?: Record<Key, JsonObject>;
  /** Labels of them. */
  labels?: Record<Key, Labels>;
}
/** A cluster with these nodes, what is on them, and what there is beside. */
export function snapshotOf(nodes: readonly NodeInfo[], world: World = {}): Cluster {
  const rows = new Map<Key, Row>();
  for (const [name, labels] of Object.entries(world.namespaces ?? {}))
    rows.set(`namespaces/${name}`, rowOf(`namespaces/${name}`, {}, labels));
  for (const [key, data] of Object.entries(world.rows ?? {})) rows.set(key, rowOf(key, data, world.labels?.[key]));
  const cluster = new Cluster(
    {
      get: (key) => rows.get(key),
      list: (resource, namespace) =>
        [...rows.values()].filter((r) => {
          const at = parseKey(r.key);
          return at.resource === resource && (namespace === undefined || at.namespace === namespace);
        }),
    },
    [],
  );
  for (const n of nodes) {
    const { pods } = n;
    const images = [...n.images].map(([image, sizeBytes]) => ({ names: [image], sizeBytes }));
    const allocatable = Object.fromEntries(
      Object.entries(n.allocatable).map(([k, v]) => [k, k === 'cpu' ? `${v}m` : `${v}`]),
    );
    const data = {
      spec: { taints: n.taints, unschedulable: n.unschedulable },
      status: { allocatable, images, declaredFeatures: n.declared },
    };
    const key = keyOf('', 'nodes', '', n.name);
    cluster.takeNode(key, rowOf(key, data as unknown as JsonObject, n.labels));
    for (const p of pods.values()) {
      const placed = { ...p.pod, spec: { ...p.pod.spec, nodeName: n.name } };
      cluster.takePod(p.key, { ...rowOf(p.key, placed as unknown as JsonObject, p.labels), uid: p.uid });
    }
  }
  return cluster;
}
/** The nodes in the order in which they were given, for a plugin looks at them one by one. */
const nodeOf = (snapshot: Snapshot, n: NodeInfo) => snapshot.node(n.name) as NodeInfo;

/** What one plugin says of a pod on a node: undefined where it has nothing against it. `among` other nodes. */
export function filtered<S, T>(
  plugin: SchedulerPlugin<S, T>,
  of: Pod,
  on: NodeInfo,
  among: readonly NodeInfo[] = [on],
  world: World = {},
): Reject | undefined {
  const snapshot = snapshotOf(among, world);
  const info = podInfo(of);
  const s = plugin.prepare?.(info, snapshot) ?? null;
  if (s === null) return undefined;
  return isReject(s) ? s : plugin.filter?.(s as S, nodeOf(snapshot, on), info);
}
/** Its scores of nodes as they count, before weights; undefined where the plugin is skipped. */
export function scores<S, T>(
  plugin: SchedulerPlugin<S, T>,
  of: Pod | PodInfo,
  nodes: readonly NodeInfo[],
  world: World = {},
  looked: readonly NodeInfo[] = nodes,
): number[] | undefined {
  const snapshot = snapshotOf(nodes, world);
  const at = looked.map((n) => nodeOf(snapshot, n));
  const s = plugin.prepareScore?.('pod' in of ? (of as PodInfo) : podInfo(of as Pod), at, snapshot) ?? null;
  if (s === null) return undefined;
  const raw = at.map((n) => plugin.score?.(s as T, n) ?? 0);
  return plugin.normalized?.(s as T, raw, at) ?? raw;
}
/** Its score of one node before it is scaled; undefined where the plugin is skipped. */
export const scored = <S, T>(plugin: SchedulerPlugin<S, T>, of: Pod, on: NodeInfo): number | undefined =>
  scores({ ...plugin, normalized: undefined as never }, of, [on])?.[0];
