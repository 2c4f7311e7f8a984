import type { NodeInfo } from './framework.ts';

const REGION = ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'];
const ZONE = ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'];
const labelOf = (node: NodeInfo, names: readonly string[]): string =>
  names.map((name) => node.labels[name] ?? '').find((v) => v !== '') ?? '';

/** Nodes in the order in which they are looked at: by name, one of each zone after another, so that a part of them is a part of each zone (backend/cache/node_tree.go). */
export function inTurns(nodes: readonly NodeInfo[]): NodeInfo[] {
  const sorted = nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const zones = [...Map.groupBy(sorted, (n) => `${labelOf(n, REGION)}:${labelOf(n, ZONE)}`).values()];
  if (zones.length < 2) return sorted;
  const order: NodeInfo[] = [];
  for (let i = 0; order.length < sorted.length; i++)
    for (const zone of zones) {
      const node = zone[i];
      if (node) order.push(node);
    }
  return order;
}
