import { tolerates } from '../../../kube/kinds/podspec/fit.ts';
import { parseQuantity, wholeValue } from '../../../kube/meta/quantity.ts';
import { selects } from '../../../kube/meta/selectors.ts';
import type { Pod, PodAffinityTerm, SpreadConstraint, Taint } from '../framework.ts';

// What a scheduler must not do, said as plainly as possible: everything is looked at each time.

export interface NaiveNode {
  name: string;
  labels: Record<string, string>;
  taints: Taint[];
  cpu: number;
}
export interface Naive {
  nodes: NaiveNode[];
  /** Pods that have a node. */
  pods: Pod[];
  namespaces: Record<string, Record<string, string>>;
}
const cpuOf = (p: Pod): number => {
  const q = parseQuantity(p.spec.containers[0]?.resources?.requests?.cpu ?? '0');
  return q ? wholeValue(q) : 0;
};
const portsOf = (p: Pod) => (p.spec.containers[0]?.ports ?? []).map((c) => c.hostPort);
const labelsOf = (p: Pod) => p.metadata.labels ?? {};

function means(w: Naive, owner: Pod, t: PodAffinityTerm, other: Pod): boolean {
  const namespace = other.metadata.namespace ?? '';
  const own = t.namespaces === undefined && t.namespaceSelector === undefined;
  const there =
    (own && namespace === owner.metadata.namespace) ||
    t.namespaces?.includes(namespace) ||
    (t.namespaceSelector !== undefined && selects(t.namespaceSelector, w.namespaces[namespace]));
  return there === true && selects(t.labelSelector, labelsOf(other));
}
const hard = (p: Pod, kind: 'podAffinity' | 'podAntiAffinity') =>
  p.spec.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
const samePlace = (key: string, a: NaiveNode | undefined, b: NaiveNode | undefined) =>
  a?.labels[key] !== undefined && a.labels[key] === b?.labels[key];

/** Whether a pod may go to a node as things stand. */
export function mayGo(w: Naive, pod: Pod, node: NaiveNode): boolean {
  const at = (p: Pod) => w.nodes.find((n) => n.name === p.spec.nodeName);
  const here = w.pods.filter((p) => p.spec.nodeName === node.name);
  if (cpuOf(pod) > 0 && here.reduce((sum, p) => sum + cpuOf(p), cpuOf(pod)) > node.cpu) return false;
  if (here.some((p) => portsOf(p).some((port) => portsOf(pod).includes(port)))) return false;
  if (node.taints.some((t) => !(pod.spec.tolerations ?? []).some((x) => tolerates(x, t)))) return false;
  if (Object.entries(pod.spec.nodeSelector ?? {}).some(([k, v]) => node.labels[k] !== v)) return false;
  for (const t of hard(pod, 'podAntiAffinity'))
    if (w.pods.some((p) => means(w, pod, t, p) && samePlace(t.topologyKey, at(p), node))) return false;
  for (const p of w.pods)
    for (const t of hard(p, 'podAntiAffinity'))
      if (means(w, p, t, pod) && samePlace(t.topologyKey, at(p), node)) return false;
  return meetsAffinity(w, pod, node) && (pod.spec.topologySpreadConstraints ?? []).every((c) => even(w, pod, node, c));
}

function meetsAffinity(w: Naive, pod: Pod, node: NaiveNode): boolean {
  const terms = hard(pod, 'podAffinity');
  if (terms.length === 0) return true;
  if (terms.some((t) => node.labels[t.topologyKey] === undefined)) return false;
  const company = w.pods.filter((p) => terms.every((t) => means(w, pod, t, p)));
  const at = (p: Pod) => w.nodes.find((n) => n.name === p.spec.nodeName);
  if (terms.every((t) => company.some((p) => samePlace(t.topologyKey, at(p), node)))) return true;
  const anywhere = company.some((p) => terms.some((t) => at(p)?.labels[t.topologyKey] !== undefined));
  return !anywhere && terms.every((t) => means(w, pod, t, pod));
}

function even(w: Naive, pod: Pod, node: NaiveNode, c: SpreadConstraint): boolean {
  const keys = (pod.spec.topologySpreadConstraints ?? []).map((x) => x.topologyKey);
  if (node.labels[c.topologyKey] === undefined) return false;
  const suits = (n: NaiveNode) =>
    keys.every((k) => n.labels[k] !== undefined) &&
    Object.entries(pod.spec.nodeSelector ?? {}).every(([k, v]) => n.labels[k] === v);
  const counted = w.nodes.filter(suits);
  const count = (place: string | undefined) =>
    w.pods.filter(
      (p) =>
        p.metadata.namespace === pod.metadata.namespace &&
        p.metadata.deletionTimestamp === undefined &&
        selects(c.labelSelector, labelsOf(p)) &&
        counted.some((n) => n.name === p.spec.nodeName && n.labels[c.topologyKey] === place),
    ).length;
  const places = [...new Set(counted.map((n) => n.labels[c.topologyKey]))];
  const fewest = places.length < (c.minDomains ?? 1) ? 0 : Math.min(...places.map(count));
  const self = selects(c.labelSelector, labelsOf(pod)) ? 1 : 0;
  return count(node.labels[c.topologyKey]) + self - fewest <= c.maxSkew;
}
