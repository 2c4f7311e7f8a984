import type { ByValue } from '../counts.ts';
import {
  type NodeInfo,
  type PodInfo,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
  type Term,
} from '../framework.ts';
import { sameLabels } from '../nodeinfo.ts';
import { allMean, goesByNamespaces, means, type NamespaceLabels } from '../terms.ts';

/** How many pods are in which places, and what is different in a what-if. */
interface Tally {
  term: Term;
  values: ByValue;
  more: Map<string, number>;
}
interface State {
  pod: PodInfo;
  of: NamespaceLabels;
  /** Anti-affinity terms of pods that are there which mean this pod. */
  existing: Tally[];
  affinity: Tally[];
  anti: Tally[];
}
interface Score {
  parts: { key: string; values: ByValue; weight: number }[];
}

const tally = (term: Term, values: ByValue): Tally => ({ term, values, more: new Map() });
const countAt = (t: Tally, value: string): number => (t.values.get(value) ?? 0) + (t.more.get(value) ?? 0);
/** How many are where the node is; 0 where the node is in no such place. */
function countOn(t: Tally, node: NodeInfo): number {
  const value = node.labels[t.term.topologyKey];
  return value === undefined ? 0 : countAt(t, value);
}
function add(t: Tally, node: NodeInfo, by: number): void {
  const value = node.labels[t.term.topologyKey];
  if (value !== undefined) t.more.set(value, (t.more.get(value) ?? 0) + by);
}
const isEmpty = (t: Tally): boolean => {
  if (t.more.size === 0) return t.values.size === 0;
  for (const value of new Set([...t.values.keys(), ...t.more.keys()])) if (countAt(t, value) !== 0) return false;
  return true;
};
const copied = (tallies: readonly Tally[]): Tally[] => tallies.map((t) => ({ ...t, more: new Map(t.more) }));

/** Where pods are that all these terms mean. */
function placesOf(terms: readonly Term[], snapshot: Snapshot, of: NamespaceLabels) {
  const id = `affinity ${terms.map((t) => t.id).join(' ')}`;
  const selector = terms[0]?.selector ?? null;
  return snapshot.matching({
    id,
    selector,
    test: (p) => allMean(terms, p, of),
    byNamespaceLabels: terms.some(goesByNamespaces),
  });
}

/** A term of an existing pod that isn't in the tallies yet. */
function meet(s: State, term: Term): Tally {
  const known = s.existing.find((t) => t.term === term);
  if (known) return known;
  const made = tally(term, NONE);
  s.existing.push(made);
  return made;
}
const NONE: ByValue = new Map();

const AFFINITY = ["node(s) didn't match pod affinity rules"];
const ANTI = ["node(s) didn't match pod anti-affinity rules"];
const EXISTING = ["node(s) didn't satisfy existing pods anti-affinity rules"];

/** spec.affinity.podAffinity and podAntiAffinity, and what pods that are there have against the pod. */
export const interpodaffinity: SchedulerPlugin<State, Score> = {
  name: 'InterPodAffinity',
  retryOn: {
    pod(pod, before, after, snapshot) {
      const of = namespacesOf(snapshot);
      const { required, requiredAnti } = pod.terms;
      const hates = (p: PodInfo) => requiredAnti.some((t) => means(t, p, of));
      if (before && after)
        return (!allMean(required, before, of) && allMean(required, after, of)) || (hates(before) && !hates(after));
      if (after) return allMean(required, after, of);
      return before !== undefined && (hates(before) || before.terms.requiredAnti.some((t) => means(t, pod, of)));
    },
    target: (before, after) => !sameLabels(before, after),
    node(pod, before, after) {
      if (after === undefined) return false;
      const { required, requiredAnti } = pod.terms;
      if (before === undefined)
        return requiredAnti.length > 0 || required.some((t) => after.labels[t.topologyKey] !== undefined);
      // Upstream looks at the topology keys of the pod's own terms alone; a node that moves may also leave others behind that want to avoid the pod.
      return !sameLabels(before, after);
    },
  },
  prepare(pod, snapshot) {
    const of = namespacesOf(snapshot);
    const { required, requiredAnti } = pod.terms;
    const existing: Tally[] = [];
    for (const { term, use, values } of snapshot.terms.all())
      if (use === 'anti' && means(term, pod, of)) existing.push(tally(term, values));
    if (existing.length === 0 && required.length === 0 && requiredAnti.length === 0) return null;
    const all = required.length === 0 ? undefined : placesOf(required, snapshot, of);
    return {
      pod,
      of,
      existing,
      affinity: required.map((t) => tally(t, all?.by(t.topologyKey) ?? NONE)),
      anti: requiredAnti.map((t) => tally(t, placesOf([t], snapshot, of).by(t.topologyKey))),
    };
  },
  copy: (s) => ({ ...s, existing: copied(s.existing), affinity: copied(s.affinity), anti: copied(s.anti) }),
  changed(s, other, node, by) {
    for (const t of other.terms.requiredAnti) if (means(t, s.pod, s.of)) add(meet(s, t), node, by);
    if (allMean(s.pod.terms.required, other, s.of)) for (const t of s.affinity) add(t, node, by);
    for (const t of s.anti) if (means(t.term, other, s.of)) add(t, node, by);
  },
  filter(s, node) {
    if (s.affinity.length > 0 && !meetsAffinity(s, node)) return { reasons: AFFINITY, final: true };
    if (s.anti.some((t) => countOn(t, node) > 0)) return { reasons: ANTI };
    if (s.existing.some((t) => countOn(t, node) > 0)) return { reasons: EXISTING };
    return undefined;
  },
  weight: 2,
  prepareScore(pod, _, snapshot) {
    const of = namespacesOf(snapshot);
    const parts: Score['parts'] = [];
    for (const { term, weight } of pod.terms.preferred)
      parts.push({ key: term.topologyKey, values: placesOf([term], snapshot, of).by(term.topologyKey), weight });
    for (const { term, weight } of pod.terms.preferredAnti)
      parts.push({
        key: term.topologyKey,
        values: placesOf([term], snapshot, of).by(term.topologyKey),
        weight: -weight,
      });
    for (const { term, use, weight, values } of snapshot.terms.all())
      if (use !== 'anti' && means(term, pod, of)) parts.push({ key: term.topologyKey, values, weight });
    const some = parts.filter((p) => p.values.size > 0);
    return some.length === 0 ? null : { parts: some };
  },
  score({ parts }, node) {
    let sum = 0;
    for (const { key, values, weight } of parts) {
      const value = node.labels[key];
      if (value !== undefined) sum += weight * (values.get(value) ?? 0);
    }
    return sum;
  },
  normalized(_, scores) {
    const [min, max] = [Math.min(...scores), Math.max(...scores)];
    return scores.map((s) => (max > min ? Math.trunc(SCORE_MAX * ((s - min) / (max - min))) : 0));
  },
};

const namespacesOf =
  (snapshot: Snapshot): NamespaceLabels =>
  (namespace) =>
    snapshot.namespaceLabels(namespace);

/** In each place that the terms name is a pod that all of them mean; the first of pods that want each other's company may go anywhere. */
function meetsAffinity(s: State, node: NodeInfo): boolean {
  if (s.affinity.some((t) => node.labels[t.term.topologyKey] === undefined)) return false;
  if (s.affinity.every((t) => countOn(t, node) > 0)) return true;
  return s.affinity.every(isEmpty) && allMean(s.pod.terms.required, s.pod, s.of);
}
