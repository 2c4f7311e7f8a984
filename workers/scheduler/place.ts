import type { NodeInfo, Pod } from './framework.ts';
import { hostPorts } from './plugins/nodeports.ts';
import { add, podRequests } from './resources.ts';

/** Counts a pod in on a node: what is there already, or what this round has just placed. */
export function place(node: NodeInfo, pod: Pod): void {
  node.requested = add(node.requested, podRequests(pod));
  node.nonZero = add(node.nonZero, podRequests(pod, true));
  node.pods++;
  node.placed.push(pod);
  for (const port of hostPorts(pod)) node.ports.add(port);
}
