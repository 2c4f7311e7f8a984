import type { NodeInfo, NodeSelectorTerm, SchedulerPlugin } from '../framework.ts';

/** component-helpers nodeaffinity: all expressions and fields of a term; an empty term matches nothing. */
export function termMatches(term: NodeSelectorTerm, node: NodeInfo): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((e) => holds(node.labels[e.key], e.operator, e.values ?? [])) &&
    fields.every((f) => f.key === 'metadata.name' && holds(node.name, f.operator, f.values ?? []))
  );
}

function holds(value: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'Lt':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0] ?? '0');
    default:
      return false;
  }
}

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
