import { equalJson } from '../../../kube/meta/json.ts';
import type { PodInfo, SchedulerPlugin } from '../framework.ts';

/** What a pod needs of its node's kubelet, by the names in status.declaredFeatures. Told when a pod is taken in (project.ts). */
const requiredBy = ({ pod }: PodInfo): readonly string[] => (pod.spec.requires ?? []) as string[];

/** Features of kubelets that only some nodes have (component-helpers nodedeclaredfeatures). */
export const nodedeclaredfeatures: SchedulerPlugin<readonly string[]> = {
  name: 'NodeDeclaredFeatures',
  retryOn: {
    node: (_, before, after) =>
      after !== undefined && (before === undefined || !equalJson([...before.declared], [...after.declared])),
    target: (before, after) => !equalJson([...requiredBy(before)], [...requiredBy(after)]),
  },
  prepare(pod) {
    const required = requiredBy(pod);
    return required.length === 0 ? null : required;
  },
  filter: (required, node) =>
    required.every((f) => node.declared.includes(f))
      ? undefined
      : { reasons: ["node(s) didn't match Pod's required features"], final: true },
};
