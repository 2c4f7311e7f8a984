import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { type LabelRequirement, matchesLabels, selectorRequirements } from '../../kube/meta/selectors.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import {
  adopt,
  controllerRef,
  creation,
  deletion,
  EVENTS,
  generatedName,
  orphans,
  podOf,
  release,
  requirementsOf,
} from './owning.ts';
import { active, available, nextAvailability, type Pod, type PodRow, pod, projectPod } from './podrow.ts';
import { ACTIVE } from './pods.ts';

/** Upstream's burstReplicas: creations and deletions of one sync. */
const BURST = 500;
interface ReplicaSet extends KubeObject {
  spec: JsonObject & { replicas?: number; minReadySeconds?: number; selector: JsonObject; template?: JsonObject };
}

/** ReplicaSet and ReplicationController differ in kind and selector, and in that one tells how many pods end: upstream runs one code for both. */
export function replicaController(o: {
  name: string;
  kind: Kind;
  tellsTerminating: boolean;
  requirements(set: KubeObject): readonly LabelRequirement[] | undefined;
}): Controller {
  const pods = needKind(kindByStorage, 'pods');
  const served = o.kind.served[0];
  const resource = keyOf(served?.group ?? '', o.kind.plural, '', '').slice(0, -1);

  /** getIndirectlyRelatedPods, counted by node: active pods that sets of the same controller have or would take. */
  function relatedPods(set: ReplicaSet, view: View): Map<string, number> {
    const perNode = new Map<string, number>();
    const owner = set.metadata.ownerReferences?.find((r) => r.controller === true)?.uid;
    if (owner === undefined) return perNode;
    const namespace = set.metadata.namespace ?? '';
    const sets = view.owned(resource, owner).filter((row) => parseKey(row.key).namespace === namespace);
    const loose = view.orphans('pods', namespace);
    const related = new Set<Row>();
    for (const row of sets) {
      const requirements = o.requirements(row.data as unknown as KubeObject);
      if (requirements === undefined) continue;
      for (const p of [...view.owned('pods', row.uid), ...loose])
        if (active(pod(p)) && matchesLabels(requirements, p.labels)) related.add(p);
    }
    for (const { data } of related) {
      const { node } = data as PodRow;
      perNode.set(node, (perNode.get(node) ?? 0) + 1);
    }
    return perNode;
  }

  function reconcile(key: Key, object: KubeObject | undefined, view: View): Plan {
    if (object === undefined) return { writes: [] };
    const set = object as ReplicaSet;
    const requirements = o.requirements(set);
    if (requirements === undefined) return { writes: [] };
    const { namespace } = parseKey(key);
    const uid = set.metadata.uid ?? '';
    const matches = (row: Row) => matchesLabels(requirements, row.labels);
    const mine = view.owned('pods', uid).filter((row) => parseKey(row.key).namespace === namespace);
    const adopted = set.metadata.deletionTimestamp
      ? []
      : view.orphans('pods', namespace).filter(matches).map(pod).filter(active);
    const active_ = mine.map(pod).filter(active);
    const claimed = active_.filter((p) => matches(p.row));
    // A set that goes away leaves its pods to the garbage collector.
    const released = set.metadata.deletionTimestamp ? [] : active_.filter((p) => !matches(p.row));
    const writes: Write[] = [
      ...released.map((p) => release(p.row, uid)),
      ...adopted.map((p) => adopt(p.row, controllerRef(o.kind, set))),
    ];
    const all = [...claimed, ...adopted];
    const diff = all.length - (set.spec.replicas ?? 1);
    if (set.metadata.deletionTimestamp === undefined) {
      if (diff < 0) writes.push(...creations(set, key, Math.min(-diff, BURST), o.kind, view));
      if (diff > 0)
        writes.push(
          ...doomed(all, relatedPods(set, view), Math.min(diff, BURST), view.now).map(
            (p): Write => deletion(p.row, key),
          ),
        );
    }
    const terminating = mine.map(pod).filter((p) => p.data.deleting && matches(p.row)).length;
    const status = statusOf(set, all, o.tellsTerminating ? terminating : undefined, diff, view);
    // The status goes first: it must tell of a failure that keeps the rest from being written.
    if (!equalJson(status, (set.status ?? {}) as Json))
      writes.unshift({ do: 'update', object: { ...set, status }, subresource: 'status' });
    const again = nextAvailability(all, set.spec.minReadySeconds ?? 0, view.now);
    return { writes, ...(again === undefined ? {} : { again }) };
  }

  return {
    name: o.name,
    rules: [
      { apiGroups: [served?.group ?? ''], resources: [o.kind.plural], verbs: ['get', 'list', 'watch', 'update'] },
      {
        apiGroups: [served?.group ?? ''],
        resources: [`${o.kind.plural}/status`, `${o.kind.plural}/finalizers`],
        verbs: ['update'],
      },
      { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'list', 'patch', 'watch'] },
      EVENTS,
    ],
    for: o.kind,
    owns: [pods],
    project: { pods: projectPod },
    // An orphan may belong to any set of its namespace whose selector takes it; one that has ended is nobody's any more.
    watches: [orphans(pods, o.kind, { fields: ACTIVE }, o.requirements)],
    reconcile,
  };
}

function creations(set: ReplicaSet, key: Key, count: number, kind: Kind, view: View): Write[] {
  const template = set.spec.template as { metadata?: JsonObject; spec?: JsonObject } | undefined;
  const reference = controllerRef(kind, set);
  const { name } = parseKey(key);
  return Array.from({ length: count }, () =>
    creation(podOf(template, set, reference, generatedName(`${name}-`, view)), key),
  );
}

/** Which pods go first: controller.ActivePodsWithRanks. `perNode`: related pods on each node. */
function doomed(pods: readonly Pod[], perNode: ReadonlyMap<string, number>, count: number, now: number): Pod[] {
  if (count >= pods.length) return [...pods];
  return [...pods].sort((a, b) => before(a, b, perNode, now)).slice(0, count);
}

const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function before(a: Pod, b: Pod, perNode: ReadonlyMap<string, number>, now: number): number {
  const [p, q] = [a.data, b.data];
  const simple =
    Number(p.node !== '') - Number(q.node !== '') ||
    (PHASES[p.phase] ?? 0) - (PHASES[q.phase] ?? 0) ||
    Number(p.ready) - Number(q.ready) ||
    p.cost - q.cost ||
    (perNode.get(q.node) ?? 0) - (perNode.get(p.node) ?? 0);
  if (simple !== 0) return simple;
  const byUid = () => (a.row.uid < b.row.uid ? -1 : a.row.uid > b.row.uid ? 1 : 0);
  if (p.ready && p.readySince !== q.readySince) return younger(p.readySince, q.readySince, now) || byUid();
  const restarts = q.restarts - p.restarts || q.sidecarRestarts - p.sidecarRestarts;
  if (restarts !== 0) return restarts;
  return p.created === q.created ? 0 : younger(p.created, q.created, now) || byUid();
}

/** Negative where the first is younger, by the base-2 logarithm of the ages in nanoseconds: small differences fall to the uid. No time is the youngest. */
function younger(a: string, b: string, now: number): number {
  if (a === '' || b === '') return Number(b === '') - Number(a === '');
  return logAge(a, now) - logAge(b, now);
}
function logAge(since: string, now: number): number {
  const age = (now - timeToMillis(since)) * 1e6;
  return age > 0 ? Math.floor(Math.log2(age)) : -1;
}

function statusOf(
  set: ReplicaSet,
  pods: readonly Pod[],
  terminating: number | undefined,
  diff: number,
  view: View,
): JsonObject {
  const labels = ((set.spec.template as { metadata?: { labels?: Record<string, string> } } | undefined)?.metadata
    ?.labels ?? {}) as Record<string, string>;
  const ready = pods.filter((p) => p.data.ready);
  const usable = ready.filter((p) => available(p, set.spec.minReadySeconds ?? 0, view.now));
  const labelled = pods.filter((p) => Object.entries(labels).every(([k, x]) => p.row.labels[k] === x));
  const old = ((set.status as JsonObject | undefined)?.conditions ?? []) as { type: string }[];
  const others = old.filter((c) => c.type !== 'ReplicaFailure');
  const failed = old.find((c) => c.type === 'ReplicaFailure');
  const failure =
    view.failure === undefined || diff === 0
      ? []
      : [
          failed ?? {
            type: 'ReplicaFailure',
            status: 'True',
            reason: diff < 0 ? 'FailedCreate' : 'FailedDelete',
            message: view.failure,
            lastTransitionTime: formatTime(view.now),
          },
        ];
  const conditions = [...others, ...failure];
  return {
    replicas: pods.length,
    ...(labelled.length > 0 ? { fullyLabeledReplicas: labelled.length } : {}),
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(usable.length > 0 ? { availableReplicas: usable.length } : {}),
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating }),
    ...(set.metadata.generation ? { observedGeneration: set.metadata.generation } : {}),
    ...(conditions.length > 0 ? { conditions: conditions as unknown as Json[] } : {}),
  };
}

/** apps/v1 ReplicaSet: keeps `spec.replicas` active pods that match its selector. */
export const replicaset = replicaController({
  name: 'replicaset-controller',
  kind: needKind(kindByStorage, 'replicasets.apps'),
  tellsTerminating: true,
  requirements: requirementsOf,
});

/** core/v1 ReplicationController: the same by an older kind, whose selector is labels alone. */
export const replicationcontroller = replicaController({
  name: 'replication-controller',
  kind: needKind(kindByStorage, 'replicationcontrollers'),
  tellsTerminating: false,
  requirements(set) {
    const parsed = selectorRequirements({ matchLabels: (set as ReplicaSet).spec.selector } as Json);
    return parsed?.ok ? parsed.requirements : undefined;
  },
});
