import { equalJson } from '../../../kube/meta/json.ts';
import { type LabelRequirement, matchesLabels } from '../../../kube/meta/selectors.ts';
import type { Matches } from '../counts.ts';
import {
  type NodeInfo,
  type PodInfo,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
  type SpreadConstraint,
} from '../framework.ts';
import { requirements } from '../terms.ts';
import { nodeSuits } from './nodeaffinity.ts';
import { repels } from './tainttoleration.ts';

const HOSTNAME = 'kubernetes.io/hostname';
/** What pods without constraints of their own are spread by, where a Service or their controller says which belong together. */
const SYSTEM_DEFAULTS: readonly SpreadConstraint[] = [
  { topologyKey: HOSTNAME, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
];

interface Constraint {
  key: string;
  maxSkew: number;
  minDomains: number;
  /** null: nobody. */
  selector: readonly LabelRequirement[] | null;
  honorsAffinity: boolean;
  honorsTaints: boolean;
}
type When = 'DoNotSchedule' | 'ScheduleAnyway';

function constraintOf(c: SpreadConstraint, pod: PodInfo): Constraint {
  const own = requirements(c.labelSelector);
  const keys = (c.matchLabelKeys ?? []).flatMap((key): LabelRequirement[] => {
    const value = pod.labels[key];
    return value === undefined ? [] : [{ key, op: 'In', values: [value] }];
  });
  return {
    key: c.topologyKey,
    maxSkew: c.maxSkew,
    minDomains: c.minDomains ?? 1,
    selector: own && [...keys, ...own],
    honorsAffinity: (c.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorsTaints: c.nodeTaintsPolicy === 'Honor',
  };
}
function constraintsOf(pod: PodInfo, when: When): Constraint[] {
  const all = pod.pod.spec.topologySpreadConstraints ?? [];
  return all.filter((c) => c.whenUnsatisfiable === when).map((c) => constraintOf(c, pod));
}
function defaultsOf(pod: PodInfo, snapshot: Snapshot): Constraint[] {
  const selector = snapshot.defaultSelector(pod);
  return selector === null ? [] : SYSTEM_DEFAULTS.map((c) => ({ ...constraintOf(c, pod), selector }));
}

const hasAll = (node: NodeInfo, constraints: readonly Constraint[]): boolean =>
  constraints.every((c) => node.labels[c.key] !== undefined);
const selects = (c: Constraint, pod: PodInfo): boolean => c.selector !== null && matchesLabels(c.selector, pod.labels);

/** Which nodes count for a constraint. */
function counting(pod: PodInfo): (c: Constraint, node: NodeInfo) => boolean {
  const suits = nodeSuits(pod.pod);
  const tolerations = pod.pod.spec.tolerations ?? [];
  return (c, node) => (!c.honorsAffinity || suits(node)) && !(c.honorsTaints && repels(node, tolerations));
}
/** Where the pods are that a constraint counts: those of the namespace that aren't going. A selector that is empty counts none. */
function countedBy(c: Constraint, { namespace }: PodInfo, snapshot: Snapshot): Matches | undefined {
  const { selector } = c;
  if (selector === null || selector.length === 0) return undefined;
  const test = (p: PodInfo) => p.namespace === namespace && !p.terminating && matchesLabels(selector, p.labels);
  return snapshot.matching({ id: `spread ${namespace} ${JSON.stringify(selector)}`, selector, test });
}

interface State {
  pod: PodInfo;
  counts: (c: Constraint, node: NodeInfo) => boolean;
  constraints: readonly Constraint[];
  self: readonly (0 | 1)[];
  /** By constraint how many pods each place has, and the fewest of any; undefined where it has to be found anew. */
  places: Map<string, number>[];
  fewest: (number | undefined)[];
}

function fewestOf(s: State, i: number): number {
  const known = s.fewest[i];
  if (known !== undefined) return known;
  const places = s.places[i] ?? new Map<string, number>();
  let min = Number.POSITIVE_INFINITY;
  for (const n of places.values()) if (n < min) min = n;
  if (places.size < (s.constraints[i]?.minDomains ?? 1)) min = 0;
  s.fewest[i] = min;
  return min;
}

interface Score {
  /** Nodes that aren't in all of the places. */
  ignored: ReadonlySet<NodeInfo>;
  parts: { c: Constraint; weight: number; on: (node: NodeInfo, value: string) => number }[];
}

const MISMATCH = "node(s) didn't match pod topology spread constraints";

/** topologySpreadConstraints: as many pods in each place, as far as maxSkew asks. */
export const podtopologyspread: SchedulerPlugin<State, Score> = {
  name: 'PodTopologySpread',
  retryOn: {
    pod(pod, before, after) {
      if ((before ?? after)?.namespace !== pod.namespace) return false;
      const all = constraintsOf(pod, 'DoNotSchedule');
      if (before && after) return relabelled(all, before, after);
      return all.some(
        (c) => (before !== undefined && selects(c, before)) || (after !== undefined && selects(c, after)),
      );
    },
    target(before, after) {
      const all = constraintsOf(after, 'DoNotSchedule');
      const tolerations = !equalJson(before.pod.spec.tolerations, after.pod.spec.tolerations);
      return (tolerations && all.some((c) => c.honorsTaints)) || relabelled(all, before, after);
    },
    node(pod, before, after) {
      const all = constraintsOf(pod, 'DoNotSchedule');
      const [was, is] = [before, after].map((n) => n !== undefined && hasAll(n, all));
      if (before === undefined || after === undefined) return was === true || is === true;
      const moved = all.some((c) => before.labels[c.key] !== after.labels[c.key]);
      return was !== is || (is === true && (moved || !equalJson([...before.taints], [...after.taints])));
    },
  },
  prepare(pod, snapshot) {
    const constraints = constraintsOf(pod, 'DoNotSchedule');
    if (constraints.length === 0) return null;
    const counts = counting(pod);
    const by = constraints.map((c) => countedBy(c, pod, snapshot));
    const places = constraints.map(() => new Map<string, number>());
    for (const node of snapshot.nodes) {
      if (!hasAll(node, constraints)) continue;
      constraints.forEach((c, i) => {
        if (!counts(c, node)) return;
        const value = node.labels[c.key] ?? '';
        places[i]?.set(value, (places[i]?.get(value) ?? 0) + (by[i]?.on(node) ?? 0));
      });
    }
    const self = constraints.map((c) => (selects(c, pod) ? 1 : 0));
    return { pod, counts, constraints, self, places, fewest: constraints.map(() => undefined) };
  },
  copy: (s) => ({ ...s, places: s.places.map((p) => new Map(p)), fewest: [...s.fewest] }),
  changed(s, other, node, by) {
    if (other.namespace !== s.pod.namespace || !hasAll(node, s.constraints)) return;
    s.constraints.forEach((c, i) => {
      if (!selects(c, other) || !s.counts(c, node)) return;
      const value = node.labels[c.key] ?? '';
      s.places[i]?.set(value, (s.places[i]?.get(value) ?? 0) + by);
      s.fewest[i] = undefined;
    });
  },
  filter(s, node) {
    for (const [i, c] of s.constraints.entries()) {
      const value = node.labels[c.key];
      if (value === undefined) return { reasons: [`${MISMATCH} (missing required label)`], final: true };
      const skew = (s.places[i]?.get(value) ?? 0) + (s.self[i] ?? 0) - fewestOf(s, i);
      if (skew > c.maxSkew) return { reasons: [MISMATCH] };
    }
    return undefined;
  },
  weight: 2,
  prepareScore(pod, nodes, snapshot) {
    const own = (pod.pod.spec.topologySpreadConstraints ?? []).length > 0;
    const constraints = own ? constraintsOf(pod, 'ScheduleAnyway') : defaultsOf(pod, snapshot);
    if (constraints.length === 0) return null;
    // Defaults of the system spread over nodes even where there are no zones.
    const ignored = new Set(own ? nodes.filter((n) => !hasAll(n, constraints)) : []);
    const counts = counting(pod);
    const looked = own ? snapshot.nodes.filter((n) => hasAll(n, constraints)) : snapshot.nodes;
    const parts = constraints.map((c): Score['parts'][number] => {
      const by = countedBy(c, pod, snapshot);
      if (c.key === HOSTNAME)
        return { c, weight: weightOf(nodes.length - ignored.size), on: (node) => by?.on(node) ?? 0 };
      const places = new Map<string, number>();
      for (const n of nodes) if (!ignored.has(n)) places.set(n.labels[c.key] ?? '', 0);
      for (const n of looked) {
        const value = n.labels[c.key] ?? '';
        const sum = places.get(value);
        const more = sum === undefined ? 0 : (by?.on(n) ?? 0);
        if (sum !== undefined && more > 0 && counts(c, n)) places.set(value, sum + more);
      }
      return { c, weight: weightOf(places.size), on: (_, value) => places.get(value) ?? 0 };
    });
    return { ignored, parts };
  },
  score({ ignored, parts }, node) {
    if (ignored.has(node)) return 0;
    let score = 0;
    for (const { c, weight, on } of parts) {
      const value = node.labels[c.key];
      if (value !== undefined) score += on(node, value) * weight + (c.maxSkew - 1);
    }
    return Math.round(score);
  },
  normalized({ ignored }, scores, nodes) {
    let [min, max] = [Number.POSITIVE_INFINITY, 0];
    scores.forEach((s, i) => {
      if (ignored.has(nodes[i] as NodeInfo)) return;
      if (s < min) min = s;
      if (s > max) max = s;
    });
    return scores.map((s, i) => {
      if (ignored.has(nodes[i] as NodeInfo)) return 0;
      return max === 0 ? SCORE_MAX : Math.floor((SCORE_MAX * (max + min - s)) / max);
    });
  },
};

/** Many places make the counts of each small: this evens that out. */
const weightOf = (places: number): number => Math.log(places + 2);
/** Whether other labels make a constraint count a pod, or count it no longer. */
const relabelled = (all: readonly Constraint[], before: PodInfo, after: PodInfo): boolean =>
  all.some((c) => selects(c, before) !== selects(c, after));
