import { tolerates } from '../../../kube/kinds/podspec/fit.ts';
import type { SchedulerPlugin } from '../framework.ts';

/** spec.nodeName set by the creator: only that node. */
export const nodename: SchedulerPlugin<string> = {
  name: 'NodeName',
  retryOn: ['node'],
  prepare: (pod) => pod.spec.nodeName || null,
  filter: (name, node) =>
    name === node.name ? undefined : { reasons: ["node(s) didn't match the requested node name"], final: true },
};

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
/** spec.unschedulable, unless its taint is tolerated. */
export const nodeunschedulable: SchedulerPlugin<boolean> = {
  name: 'NodeUnschedulable',
  retryOn: ['node', 'pod-updated'],
  prepare: (pod) => (pod.spec.tolerations ?? []).some((t) => tolerates(t, TAINT)),
  filter: (tolerant, node) =>
    node.unschedulable && !tolerant ? { reasons: ['node(s) were unschedulable'], final: true } : undefined,
};
