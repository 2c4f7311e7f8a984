import { type LabelRequirement, matchesLabels, selectorRequirements } from '../../kube/meta/selectors.ts';
import type { Labels, Pod, PodAffinityTerm, PodInfo, PodTerms, Term, WeightedTerm } from './framework.ts';

/** Terms known by their text: pods of one template share theirs. Forgotten all at once, when there are more than any cluster works with. */
const TERMS_MAX = 4096;
const known = new Map<string, Term>();

const NOBODY: PodTerms = { required: [], requiredAnti: [], preferred: [], preferredAnti: [] };

/** spec.affinity's terms for other pods. The API has merged matchLabelKeys into the selectors already. */
export function termsOf(pod: Pod): PodTerms {
  const { podAffinity: to, podAntiAffinity: from } = pod.spec.affinity ?? {};
  if (to === undefined && from === undefined) return NOBODY;
  const namespace = pod.metadata.namespace ?? '';
  const hard = (terms: readonly PodAffinityTerm[] | undefined) => (terms ?? []).map((t) => termOf(t, namespace));
  const soft = (terms: readonly { weight: number; podAffinityTerm: PodAffinityTerm }[] | undefined): WeightedTerm[] =>
    (terms ?? []).map((t) => ({ term: termOf(t.podAffinityTerm, namespace), weight: t.weight }));
  return {
    required: hard(to?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: hard(from?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: soft(to?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: soft(from?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

export const hasTerms = (t: PodTerms): boolean =>
  t.required.length + t.requiredAnti.length + t.preferred.length + t.preferredAnti.length > 0;

/** core/v1 PodAffinityTerm: neither namespaces nor a selector of them mean the pod's own. */
function termOf(term: PodAffinityTerm, own: string): Term {
  const { topologyKey, labelSelector, namespaces = [], namespaceSelector } = term;
  const named = namespaces.length === 0 && namespaceSelector === undefined ? [own] : [...namespaces].sort();
  const id = JSON.stringify([topologyKey, named, labelSelector ?? null, namespaceSelector ?? null]);
  const old = known.get(id);
  if (old) return old;
  if (known.size >= TERMS_MAX) known.clear();
  const made: Term = {
    id,
    topologyKey,
    namespaces: new Set(named),
    selector: requirements(labelSelector),
    namespaceSelector: requirements(namespaceSelector),
  };
  known.set(id, made);
  return made;
}

/** A selector's requirements; null where it selects nothing: absent, or malformed. */
export function requirements(selector: Parameters<typeof selectorRequirements>[0]): readonly LabelRequirement[] | null {
  const parsed = selectorRequirements(selector);
  return parsed?.ok ? parsed.requirements : null;
}

/** Labels of a namespace. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Whether a term means a pod. */
export function means(term: Term, pod: Pick<PodInfo, 'namespace' | 'labels'>, of: NamespaceLabels): boolean {
  if (term.selector === null || !matchesLabels(term.selector, pod.labels)) return false;
  if (term.namespaces.has(pod.namespace)) return true;
  const selector = term.namespaceSelector;
  return selector !== null && (selector.length === 0 || matchesLabels(selector, of(pod.namespace)));
}
/** Whether there are terms and all of them mean a pod: it takes one pod that meets all of an affinity. */
export const allMean = (terms: readonly Term[], pod: PodInfo, of: NamespaceLabels): boolean =>
  terms.length > 0 && terms.every((t) => means(t, pod, of));
/** Whether labels of namespaces decide whom it means. */
export const goesByNamespaces = (t: Term): boolean => t.namespaceSelector !== null && t.namespaceSelector.length > 0;
