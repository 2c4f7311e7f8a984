import { termMatches } from '../../../kube/kinds/podspec/fit.ts';
import type { NodeSelectorTerm, SchedulerPlugin } from '../framework.ts';

interface State {
  selector: [string, string][];
  required: NodeSelectorTerm[] | undefined;
  preferred: { weight: number; preference: NodeSelectorTerm }[];
}

/** spec.nodeSelector and spec.affinity.nodeAffinity. */
export const nodeaffinity: SchedulerPlugin<State> = {
  name: 'NodeAffinity',
  weight: 2,
  retryOn: ['node', 'pod-updated'],
  normalize: 'scale',
  prepare(pod) {
    const affinity = pod.spec.affinity?.nodeAffinity;
    const state: State = {
      selector: Object.entries(pod.spec.nodeSelector ?? {}),
      required: affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
      preferred: affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
    };
    return state.selector.length === 0 && state.required === undefined && state.preferred.length === 0 ? null : state;
  },
  filter(s, node) {
    const fits =
      s.selector.every(([k, v]) => node.labels[k] === v) &&
      (s.required === undefined || s.required.some((t) => termMatches(t, node)));
    return fits ? undefined : { reasons: ["node(s) didn't match Pod's node affinity/selector"], final: true };
  },
  score: (s, node) => s.preferred.reduce((sum, p) => (termMatches(p.preference, node) ? sum + p.weight : sum), 0),
};
