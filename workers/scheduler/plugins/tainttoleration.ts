import { tolerates } from '../../../kube/kinds/podspec/fit.ts';
import type { SchedulerPlugin, Taint, Toleration } from '../framework.ts';

const tolerated = (tolerations: readonly Toleration[], taint: Taint) => tolerations.some((t) => tolerates(t, taint));

export const tainttoleration: SchedulerPlugin<readonly Toleration[]> = {
  name: 'TaintToleration',
  weight: 3,
  retryOn: ['node', 'pod-updated'],
  normalize: 'reverse',
  prepare: (pod) => pod.spec.tolerations ?? [],
  filter(tolerations, node) {
    const bad = node.taints.find(
      (t) => (t.effect === 'NoSchedule' || t.effect === 'NoExecute') && !tolerated(tolerations, t),
    );
    return bad ? { reasons: ['node(s) had untolerated taint(s)'], final: true } : undefined;
  },
  score(tolerations, node) {
    const soft = tolerations.filter((t) => !t.effect || t.effect === 'PreferNoSchedule');
    return node.taints.filter((t) => t.effect === 'PreferNoSchedule' && !tolerated(soft, t)).length;
  },
};
