import { termMatches } from '../../../kube/kinds/podspec/fit.ts';
import type { NodeInfo, NodeSelectorTerm, Only, Pod, SchedulerPlugin } from '../framework.ts';

interface State {
  selector: [string, string][];
  required: NodeSelectorTerm[] | undefined;
}
type Preferred = readonly { weight: number; preference: NodeSelectorTerm }[];

function stateOf(pod: Pod): State {
  const affinity = pod.spec.affinity?.nodeAffinity;
  return {
    selector: Object.entries(pod.spec.nodeSelector ?? {}),
    required: affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
  };
}
const fits = (s: State, node: NodeInfo): boolean =>
  s.selector.every(([k, v]) => node.labels[k] === v) &&
  (s.required === undefined || s.required.some((t) => termMatches(t, node)));

/** Whether a node meets spec.nodeSelector and the required node affinity. */
export function nodeSuits(pod: Pod): (node: NodeInfo) => boolean {
  const s = stateOf(pod);
  return s.selector.length === 0 && s.required === undefined ? () => true : (node) => fits(s, node);
}

/** Nodes that the terms name: undefined where one of them names none. */
function namedBy(terms: readonly NodeSelectorTerm[]): Set<string> | undefined {
  let all = new Set<string>();
  for (const t of terms) {
    let names: Set<string> | undefined;
    for (const f of t.matchFields ?? []) {
      if (f.key !== 'metadata.name' || f.operator !== 'In') continue;
      const values = new Set(f.values);
      names = names ? names.intersection(values) : values;
    }
    if (names === undefined) return undefined;
    all = all.union(names);
  }
  return all;
}

/** spec.nodeSelector and spec.affinity.nodeAffinity. */
export const nodeaffinity: SchedulerPlugin<State, Preferred> = {
  name: 'NodeAffinity',
  retryOn: {
    node(pod, before, after) {
      const suits = nodeSuits(pod.pod);
      return after !== undefined && suits(after) && (before === undefined || !suits(before));
    },
  },
  prepare({ pod }): State | (State & Only) | { reasons: string[]; final: true } | null {
    const state = stateOf(pod);
    if (state.selector.length === 0 && state.required === undefined) return null;
    const only = state.required?.length ? namedBy(state.required) : undefined;
    if (only === undefined) return state;
    return only.size === 0 ? { reasons: ['pod affinity terms conflict'], final: true } : { ...state, only };
  },
  filter: (s, node) =>
    fits(s, node) ? undefined : { reasons: ["node(s) didn't match Pod's node affinity/selector"], final: true },
  weight: 2,
  normalize: 'scale',
  prepareScore: ({ pod }) => pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? null,
  score: (preferred, node) => preferred.reduce((sum, p) => (termMatches(p.preference, node) ? sum + p.weight : sum), 0),
};
