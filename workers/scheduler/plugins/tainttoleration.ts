import { tolerates } from '../../../kube/kinds/podspec/fit.ts';
import { equalJson } from '../../../kube/meta/json.ts';
import type { NodeInfo, SchedulerPlugin, Taint, Toleration } from '../framework.ts';

const tolerated = (tolerations: readonly Toleration[], taint: Taint) => tolerations.some((t) => tolerates(t, taint));

/** Whether a taint that isn't tolerated keeps pods off a node. */
export const repels = (node: NodeInfo, tolerations: readonly Toleration[]): boolean =>
  node.taints.some((t) => (t.effect === 'NoSchedule' || t.effect === 'NoExecute') && !tolerated(tolerations, t));
const NONE: readonly Toleration[] = [];

export const tainttoleration: SchedulerPlugin<readonly Toleration[], readonly Toleration[]> = {
  name: 'TaintToleration',
  retryOn: {
    node(pod, before, after) {
      const own = pod.pod.spec.tolerations ?? NONE;
      return after !== undefined && (before === undefined || repels(before, own)) && !repels(after, own);
    },
    target: (before, after) => !equalJson(before.pod.spec.tolerations, after.pod.spec.tolerations),
  },
  prepare: ({ pod }) => pod.spec.tolerations ?? NONE,
  filter: (tolerations, node) =>
    node.taints.length > 0 && repels(node, tolerations)
      ? { reasons: ['node(s) had untolerated taint(s)'], final: true }
      : undefined,
  weight: 3,
  normalize: 'reverse',
  // Without soft taints all nodes score the same.
  prepareScore: ({ pod }, nodes) =>
    nodes.some((n) => n.taints.some((t) => t.effect === 'PreferNoSchedule'))
      ? (pod.spec.tolerations ?? NONE).filter((t) => !t.effect || t.effect === 'PreferNoSchedule')
      : null,
  score: (soft, node) => node.taints.filter((t) => t.effect === 'PreferNoSchedule' && !tolerated(soft, t)).length,
};
