import { allowedConditions, DISRUPTION_ALLOWED, SYNC_FAILED, saysAllowed } from '../../kube/kinds/disruption.ts';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { setCondition } from '../../kube/meta/condition.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { matchesLabels } from '../../kube/meta/selectors.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Note, Plan, Row, View, Watch } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { type Expected, expectedScale } from './disruptionscale.ts';
import { needKind } from './kind.ts';
import { EVENTS, requirementsOf, scaled } from './owning.ts';
import { type PodState, podState } from './podrow.ts';

const budgets = needKind(kindByStorage, 'poddisruptionbudgets.policy');
const BUDGETS = 'poddisruptionbudgets.policy';
const pods = needKind(kindByStorage, 'pods');
/** Upstream's DeletionTimeout: how long an evicted pod may take until its deletion is seen. */
const DELETION_MS = 120_000;
/** Upstream's stalePodDisruptionTimeout: then a pod that was to be disrupted, and isn't deleted, says so no longer. */
const STALE_MS = 120_000;

interface Budget extends KubeObject {
  spec?: JsonObject & { minAvailable?: number | string; maxUnavailable?: number | string; selector?: JsonObject };
  status?: JsonObject & { disruptedPods?: Record<string, string>; observedGeneration?: number };
}
/** What is known of a pod for its budgets. */
export interface BudgetPod extends PodState {
  /** apiVersion, kind and name of its controller, where that is of a kind whose rows aren't looked at. */
  by?: string;
  /** Since when it is to be disrupted, where somebody but the kubelet says so. */
  disrupted?: string;
  generation: number;
}
const ROWS: ReadonlySet<string> = new Set(['apps/v1 ReplicaSet', 'apps/v1 StatefulSet', 'v1 ReplicationController']);

function projectBudgetPod(o: KubeObject): BudgetPod {
  const owner = o.metadata.ownerReferences?.find((r) => r.controller === true);
  const kind = `${owner?.apiVersion} ${owner?.kind}`;
  const conditions = (at(o, 'status.conditions') ?? []) as (JsonObject & { type: string })[];
  const target = conditions.find((c) => c.type === 'DisruptionTarget');
  const disrupted = target?.status === 'True' && target.reason !== 'TerminationByKubelet';
  return {
    ...podState(o),
    ...(owner === undefined || ROWS.has(kind) ? {} : { by: `${kind} ${owner.name}` }),
    ...(disrupted ? { disrupted: String(target.lastTransitionTime ?? '') } : {}),
    generation: o.metadata.generation ?? 0,
  };
}
const podOf = (row: Row) => row.data as BudgetPod;

/** What a budget reads and isn't woken by: upstream neither. */
const read = (storage: string): Watch => ({
  kind: needKind(kindByStorage, storage),
  where: { wakes: 'never' },
  map: () => [],
});

/** Says how many pods may be disrupted now: kubernetes pkg/controller/disruption. */
export const disruption: Controller = {
  name: 'disruption-controller',
  rules: [
    {
      apiGroups: ['apps', 'extensions'],
      resources: ['deployments', 'replicasets', 'statefulsets'],
      verbs: ['get', 'list', 'watch'],
    },
    { apiGroups: [''], resources: ['replicationcontrollers', 'pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['policy'], resources: ['poddisruptionbudgets/status'], verbs: ['update'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: ['*'], resources: ['*/scale'], verbs: ['get'] },
    EVENTS,
  ],
  for: budgets,
  project: { pods: projectBudgetPod },
  watches: [
    { kind: pods, beside: true, map: concerns },
    // The map above is asked for these too: pods that were to be disrupted.
    { kind: pods, where: { owned: true }, map: () => [] },
    ...['deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'replicationcontrollers'].map(read),
  ],
  reconcile(key, object, view): Plan {
    if (key.startsWith('pods/')) return unmark(view.get(key), view.now);
    return object === undefined ? { writes: [] } : sync(key, object as Budget, view);
  },
};

/** Budgets that select a pod, or did; and the pod itself where it is to be disrupted. */
function concerns(row: Row, view: View, before?: Row): Key[] {
  const found: Key[] = [];
  for (const b of view.list(BUDGETS, parseKey(row.key).namespace)) {
    const wanted = requirementsOf(b.data as unknown as KubeObject);
    if (wanted && (matchesLabels(wanted, row.labels) || (before && matchesLabels(wanted, before.labels))))
      found.push(b.key);
  }
  if (podOf(row).disrupted !== undefined) found.push(row.key);
  return found;
}

/** syncStalePodDisruption. */
function unmark(row: Row | undefined, now: number): Plan {
  const pod = row && podOf(row);
  if (!row || pod?.disrupted === undefined || pod.deleting || hasEnded(pod)) return { writes: [] };
  const due = timeToMillis(pod.disrupted) + STALE_MS;
  if (due > now) return { writes: [], again: due - now };
  const condition: JsonObject = {
    type: 'DisruptionTarget',
    status: 'False',
    reason: null,
    message: null,
    ...(pod.generation > 0 ? { observedGeneration: pod.generation } : {}),
    lastTransitionTime: formatTime(now),
  };
  const patch = { metadata: { uid: row.uid }, status: { conditions: [condition] } };
  return { writes: [{ do: 'patch', key: row.key, type: 'strategic', subresource: 'status', patch }] };
}
const hasEnded = (pod: BudgetPod) => pod.phase === 'Succeeded' || pod.phase === 'Failed';

function sync(key: Key, budget: Budget, view: View): Plan {
  const { namespace = '' } = budget.metadata;
  const wanted = requirementsOf(budget) ?? [];
  const rows =
    requirementsOf(budget) === undefined
      ? []
      : [...view.list('pods', namespace)].filter((row) => matchesLabels(wanted, row.labels));
  const notes: Note[] = [];
  const tell = (type: Note['type'], reason: string, message: string, on = key) =>
    notes.push({ on, type, reason, message });
  if (rows.length === 0) tell('Normal', 'NoPods', 'No matching pods found');
  const { desired, count, unmanaged, asks, error } = wantedOf(budget, rows, view);
  const effects = asks.length > 0 ? { effects: asks } : {};
  if (asks.some((e) => !view.results.has(e.id))) return { writes: [], ...effects };
  if (error !== undefined) {
    tell('Warning', 'CalculateExpectedPodCountFailed', `Failed to calculate the number of expected pods: ${error}`);
    return { writes: written(budget, failed(budget, error, view.now)), notes, ...effects };
  }
  if (unmanaged.length > 0) tell('Warning', 'UnmanagedPods', unmanagedText(budget.spec?.selector));
  const disrupted = stillDisrupted(budget, rows, view.now, (row) =>
    tell(
      'Warning',
      'NotDeleted',
      `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`,
      row.key,
    ),
  );
  const healthy = rows.filter((row) => {
    const pod = podOf(row);
    return pod.ready && !pod.deleting && !disrupted.has(parseKey(row.key).name);
  }).length;
  const status = statusOf(budget, { count, desired, healthy }, disrupted, view.now);
  const next = Math.min(...[...disrupted.values()].map((since) => timeToMillis(since) + DELETION_MS - view.now));
  return {
    writes: written(budget, status),
    notes,
    ...effects,
    ...(Number.isFinite(next) ? { again: Math.max(0, next) } : {}),
  };
}
const written = (budget: Budget, status: JsonObject): Plan['writes'] =>
  equalJson(status as Json, (budget.status ?? {}) as Json)
    ? []
    : [{ do: 'update', object: { ...budget, status }, subresource: 'status' }];

/** getExpectedPodCount. */
function wantedOf(budget: Budget, rows: readonly Row[], view: View): Expected & { desired: number } {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable === undefined && typeof minAvailable !== 'string')
    return {
      count: minAvailable === undefined ? 0 : rows.length,
      desired: minAvailable ?? 0,
      unmanaged: [],
      asks: [],
    };
  const e = expectedScale(rows, budget.metadata.namespace ?? '', view);
  const desired =
    maxUnavailable === undefined
      ? scaled(minAvailable, e.count, 'up')
      : Math.max(0, e.count - scaled(maxUnavailable, e.count, 'up'));
  return { ...e, desired };
}

/** buildDisruptedPodMap: pods that were evicted and aren't deleted yet, with the time of it; `late` of those that should be long. */
function stillDisrupted(
  budget: Budget,
  rows: readonly Row[],
  now: number,
  late: (row: Row) => void,
): Map<string, string> {
  const left = new Map<string, string>();
  for (const row of rows) {
    const { name } = parseKey(row.key);
    const since = budget.status?.disruptedPods?.[name];
    if (since === undefined || podOf(row).deleting) continue;
    if (timeToMillis(since) + DELETION_MS < now) late(row);
    else left.set(name, since);
  }
  return left;
}

function statusOf(
  budget: Budget,
  { count, desired, healthy }: { count: number; desired: number; healthy: number },
  disrupted: ReadonlyMap<string, string>,
  now: number,
): JsonObject {
  const { conditions } = budget.status ?? {};
  const { generation } = budget.metadata;
  const status: JsonObject = {
    ...(generation ? { observedGeneration: generation } : {}),
    ...(disrupted.size > 0 ? { disruptedPods: Object.fromEntries(disrupted) } : {}),
    disruptionsAllowed: count <= 0 ? 0 : Math.max(0, healthy - desired),
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: count,
    ...(conditions === undefined ? {} : { conditions }),
  };
  const isRight = saysAllowed(status) && budget.status?.observedGeneration === generation;
  return isRight && equalJson(status, (budget.status ?? {}) as Json)
    ? status
    : { ...status, conditions: allowedConditions(status, formatTime(now)) };
}

/** failSafe: as long as nobody knows, nothing may be disrupted. */
function failed(budget: Budget, message: string, now: number): JsonObject {
  const status = budget.status ?? {};
  const { observedGeneration } = status;
  const condition = {
    type: DISRUPTION_ALLOWED,
    status: 'False',
    reason: SYNC_FAILED,
    message,
    ...(observedGeneration ? { observedGeneration } : {}),
  };
  const counts = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, ...status };
  const conditions = setCondition(status.conditions, condition, formatTime(now));
  return { ...counts, disruptionsAllowed: 0, conditions };
}

function unmanagedText(selector: JsonObject | undefined): string {
  const labels = Object.entries((selector?.matchLabels ?? {}) as Record<string, string>).sort();
  const expressions = (selector?.matchExpressions ?? []) as { key: string; operator: string; values?: string[] }[];
  const printed = [
    `MatchLabels:map[string]string{${labels.map(([k, v]) => `${k}: ${v},`).join('')}}`,
    `MatchExpressions:[]LabelSelectorRequirement{${expressions.map((e) => `LabelSelectorRequirement{Key:${e.key},Operator:${e.operator},Values:[${(e.values ?? []).join(' ')}],},`).join('')}}`,
  ];
  return `Pods selected by this PodDisruptionBudget (selector: &LabelSelector{${printed.join(',')},}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
}
