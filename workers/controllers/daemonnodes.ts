import {
  NOT_READY,
  type NodeTerm,
  type Taint,
  type Toleration,
  termMatches,
  tolerates,
  UNREACHABLE,
} from '../../kube/kinds/podspec/fit.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row, View } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import type { PodRow } from './podrow.ts';

// Which nodes a DaemonSet is for: the predicates of pkg/controller/daemon, and the pods that it makes for one node.

export interface PodTemplate extends JsonObject {
  metadata?: JsonObject & { labels?: Record<string, string> };
  spec?: JsonObject & {
    nodeName?: string;
    nodeSelector?: Record<string, string>;
    hostNetwork?: boolean;
    tolerations?: (Toleration & JsonObject)[];
    affinity?: JsonObject & { nodeAffinity?: NodeAffinity };
  };
}
type NodeAffinity = JsonObject & {
  requiredDuringSchedulingIgnoredDuringExecution?: JsonObject & { nodeSelectorTerms?: NodeTerm[] };
};
export interface DaemonSet extends KubeObject {
  spec: JsonObject & {
    selector: JsonObject;
    template: PodTemplate;
    updateStrategy?: {
      type?: string;
      rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string };
    };
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
  };
  status?: JsonObject & { collisionCount?: number; numberMisscheduled?: number; observedGeneration?: number };
}

/** Taints that no daemon pod minds: AddOrUpdateDaemonPodTolerations. */
const TOLERATED: readonly (readonly [key: string, effect: string])[] = [
  [NOT_READY, 'NoExecute'],
  [UNREACHABLE, 'NoExecute'],
  ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
  ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
  ['node.kubernetes.io/unschedulable', 'NoSchedule'],
];
const NO_NETWORK = ['node.kubernetes.io/network-unavailable', 'NoSchedule'] as const;

/** The tolerations of a daemon pod: the template's, and those that each has. */
export function tolerationsOf(template: PodTemplate): (Toleration & JsonObject)[] {
  let all = template.spec?.tolerations ?? [];
  for (const [key, effect] of template.spec?.hostNetwork ? [...TOLERATED, NO_NETWORK] : TOLERATED) {
    const own = { key, operator: 'Exists', effect };
    const same = (t: Toleration) =>
      t.key === key && t.effect === effect && t.operator === 'Exists' && (t.value ?? '') === '';
    all = all.some(same) ? all.map((t) => (same(t) ? own : t)) : [...all, own];
  }
  return all;
}

/** Whether a pod should be made for a node, and whether one that is there may stay: nodeShouldRunDaemonPod. */
export type Fit = (node: Row) => { runs: boolean; stays: boolean };

/** How a template fits nodes. What doesn't depend on the node is worked out once. */
export function fitOf(template: PodTemplate): Fit {
  const spec = template.spec ?? {};
  const tolerations = tolerationsOf(template);
  const selector = Object.entries(spec.nodeSelector ?? {});
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return (node) => {
    const { name } = parseKey(node.key);
    const named = spec.nodeName === undefined || spec.nodeName === '' || spec.nodeName === name;
    const chosen =
      named &&
      selector.every(([k, v]) => node.labels[k] === v) &&
      (terms === undefined || terms.some((t) => termMatches(t, { name, labels: node.labels })));
    if (!chosen) return { runs: false, stays: false };
    const minded = taintsOf(node).filter((t) => !tolerations.some((own) => tolerates(own, t)));
    const stays = !minded.some((t) => t.effect === 'NoExecute');
    return { runs: stays && !minded.some((t) => t.effect === 'NoSchedule'), stays };
  };
}
const taintsOf = (node: Row): Taint[] => (node.data.spec as { taints?: Taint[] } | undefined)?.taints ?? [];

/** What is kept of a node where nobody needs more. */
export const projectNode = (o: KubeObject): JsonObject => ({
  spec: { taints: (o.spec as JsonObject | undefined)?.taints ?? [] },
});

/** The template of the pod for one node: the scheduler is told the node by an affinity that can't be missed. */
export function templateFor(template: PodTemplate, node: string, labels: Record<string, string>): PodTemplate {
  const { affinity } = template.spec ?? {};
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }];
  return {
    ...template,
    metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...labels } },
    spec: {
      ...template.spec,
      tolerations: tolerationsOf(template),
      affinity: {
        ...affinity,
        nodeAffinity: {
          ...affinity?.nodeAffinity,
          requiredDuringSchedulingIgnoredDuringExecution: { ...required, nodeSelectorTerms: terms },
        },
      },
    },
  } as PodTemplate;
}

/** Name of the labels and taints of nodes as they were looked at last, in the controller's memory. */
const SEEN = 'nodes';
interface Seen {
  labels: Row['labels'];
  taints: Taint[];
}

/**
 * syncNodeUpdate: the DaemonSets that a node's change is for. Of a node whose labels and taints stay nobody hears; one that is gone
 * concerns all, for it counted.
 */
export function daemonsOf(node: Row, sets: Iterable<Row>, view: View): Key[] {
  const seen = (view.memory.get(SEEN) ?? new Map<Key, Seen>()) as Map<Key, Seen>;
  view.memory.set(SEEN, seen);
  if (view.get(node.key) === undefined) {
    seen.delete(node.key);
    return [...sets].map((s) => s.key);
  }
  const all = [...sets];
  // Nobody to compare for; whoever comes later looks at all nodes anyway.
  if (all.length === 0) return [];
  const now: Seen = { labels: node.labels, taints: taintsOf(node) };
  const before = seen.get(node.key);
  if (before && equalJson(before as unknown as JsonObject, now as unknown as JsonObject)) return [];
  seen.set(node.key, now);
  const { name } = parseKey(node.key);
  return all.filter((s) => concerns(s, node, name, view)).map((s) => s.key);
}
function concerns(row: Row, node: Row, name: string, view: View): boolean {
  const set = row.data as unknown as DaemonSet;
  const { runs, stays } = fitOf(set.spec.template)(node);
  const there = view.owned('pods', row.uid).some((p) => (p.data as PodRow).node === name);
  if (!there) return runs;
  return !stays || (set.status?.numberMisscheduled ?? 0) > 0;
}
