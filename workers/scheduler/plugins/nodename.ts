import { tolerates } from '../../../kube/kinds/podspec/fit.ts';
import type { PodInfo, SchedulerPlugin } from '../framework.ts';

/** spec.nodeName set by the creator: only that node. */
export const nodename: SchedulerPlugin<string> = {
  name: 'NodeName',
  retryOn: { node: (pod, before, after) => before === undefined && after?.name === pod.pod.spec.nodeName },
  prepare: ({ pod }) => pod.spec.nodeName || null,
  filter: (name, node) =>
    name === node.name ? undefined : { reasons: ["node(s) didn't match the requested node name"], final: true },
};

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const tolerant = ({ pod }: PodInfo) => (pod.spec.tolerations ?? []).some((t) => tolerates(t, TAINT));

/** spec.unschedulable, unless its taint is tolerated. */
export const nodeunschedulable: SchedulerPlugin<boolean> = {
  name: 'NodeUnschedulable',
  retryOn: {
    node: (_, before, after) => after?.unschedulable === false && (before === undefined || before.unschedulable),
    target: (_, after) => tolerant(after),
  },
  prepare: tolerant,
  filter: (is, node) =>
    node.unschedulable && !is ? { reasons: ['node(s) were unschedulable'], final: true } : undefined,
};
