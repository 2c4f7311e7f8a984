import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Amounts, Labels, NodeInfo, PodInfo, Taint } from './framework.ts';
import { amounts } from './resources.ts';

interface NodeRow extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[] };
  status?: {
    allocatable?: Record<string, string>;
    images?: { names?: string[]; sizeBytes?: number | bigint }[];
    declaredFeatures?: string[];
  };
}

/** A node without its pods. */
export function nodeInfoOf(row: Row): NodeInfo {
  const node = row.data as unknown as NodeRow;
  const images = new Map<string, number>();
  for (const { names, sizeBytes } of node.status?.images ?? [])
    for (const name of names ?? []) images.set(name, Number(sizeBytes ?? 0));
  return {
    name: parseKey(row.key).name,
    labels: row.labels,
    taints: node.spec?.taints ?? [],
    unschedulable: node.spec?.unschedulable ?? false,
    allocatable: amounts(node.status?.allocatable),
    images,
    declared: node.status?.declaredFeatures ?? [],
    requested: { cpu: 0, memory: 0 },
    nonZero: { cpu: 0, memory: 0 },
    pods: new Map(),
    ports: new Map(),
  };
}

export const sameLabels = (a: { labels: Labels }, b: { labels: Labels }): boolean =>
  equalJson(a.labels as JsonObject, b.labels as JsonObject);

/** Counts a pod in on a node. */
export function place(node: NodeInfo, pod: PodInfo): void {
  change(node.requested, pod.counted, 1);
  change(node.nonZero, pod.nonZero, 1);
  node.pods.set(pod.key, pod);
  for (const port of pod.ports) node.ports.set(port, (node.ports.get(port) ?? 0) + 1);
}
/** Takes it out again. */
export function displace(node: NodeInfo, pod: PodInfo): void {
  change(node.requested, pod.counted, -1);
  change(node.nonZero, pod.nonZero, -1);
  node.pods.delete(pod.key);
  for (const port of pod.ports) {
    const n = (node.ports.get(port) ?? 0) - 1;
    if (n > 0) node.ports.set(port, n);
    else node.ports.delete(port);
  }
}
function change(sums: Amounts, by: Amounts, sign: 1 | -1): void {
  for (const name in by) {
    const n = (sums[name] ?? 0) + sign * (by[name] ?? 0);
    // Those two are always there: whoever asks for them finds objects of one shape.
    if (n === 0 && name !== 'cpu' && name !== 'memory') delete sums[name];
    else sums[name] = n;
  }
}

/** A node of its own, for what-if. */
export const copyOf = (node: NodeInfo): NodeInfo => ({
  ...node,
  requested: { ...node.requested },
  nonZero: { ...node.nonZero },
  pods: new Map(node.pods),
  ports: new Map(node.ports),
});
