// Whether a node suits a pod, as scheduler and kubelet both have to judge it: component-helpers scheduling/corev1.

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
}
export interface Taint {
  key: string;
  value?: string;
  effect: string;
}
interface Requirement {
  key: string;
  operator: string;
  values?: readonly string[];
}
/** core/v1 NodeSelectorTerm. */
export interface NodeTerm {
  matchExpressions?: readonly Requirement[];
  matchFields?: readonly Requirement[];
}

/** Taints of nodes whose kubelet says that it isn't ready, or says nothing. */
export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';

/** core/v1 Toleration.ToleratesTaint; the operators Lt and Gt tolerate nothing (TaintTolerationComparisonOperators is off in 1.37). */
export function tolerates(t: Toleration, taint: Taint): boolean {
  if (t.effect && t.effect !== taint.effect) return false;
  if (t.key && t.key !== taint.key) return false;
  switch (t.operator ?? 'Equal') {
    case '':
    case 'Equal':
      return (t.value ?? '') === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

/** All expressions and fields of a term; an empty term matches nothing. */
export function termMatches(term: NodeTerm, node: { name: string; labels: Readonly<Record<string, string>> }): boolean {
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
