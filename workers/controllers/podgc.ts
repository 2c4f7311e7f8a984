import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Controller, Effect, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { NODE_MOVES } from './nodelifecycle.ts';
import { BOUND, UNBOUND } from './pods.ts';

const pods = needKind(kindByStorage, 'pods');
const nodes = needKind(kindByStorage, 'nodes');
/** Upstream's --terminated-pod-gc-threshold: so many pods that ended are kept. */
const KEPT_MAX = 12_500;
/** Of these one plan deletes at most so many. */
const BURST = 500;
/** How long a node must be away until its pods go: upstream's quarantine. */
const QUARANTINE_MS = 40_000;
/** How often pods of a node out of service are looked at: upstream's gcCheckPeriod. */
const OUT_OF_SERVICE_MS = 20_000;
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
/** What is reconciled for the pods that ended: all of them, as one key. */
const ENDED: Key = 'ended/';

interface GarbagePod extends JsonObject {
  phase: string;
  node: string;
  deleting: boolean;
  created: string;
  evicted: boolean;
  generation: number;
}
/** Members that other controllers keep too (PodRow) mean the same. */
const projectGarbagePod = (o: KubeObject): GarbagePod => ({
  phase: String(at(o, 'status.phase') ?? 'Pending'),
  node: String(at(o, 'spec.nodeName') ?? ''),
  deleting: o.metadata.deletionTimestamp !== undefined,
  created: o.metadata.creationTimestamp ?? '',
  evicted: at(o, 'status.reason') === 'Evicted',
  generation: o.metadata.generation ?? 0,
});
const podOf = (row: Row) => row.data as GarbagePod;
const hasEnded = (pod: GarbagePod) => pod.phase !== 'Pending' && pod.phase !== 'Running' && pod.phase !== 'Unknown';

/** Deletes pods that nobody else will: kubernetes pkg/controller/podgc. Nodes that change, and pods that end, make it look; it has no clock. */
export const podgc: Controller = {
  name: 'pod-garbage-collector',
  rules: [
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'delete'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch'] },
  ],
  for: nodes,
  roots: NODE_MOVES,
  project: { pods: projectGarbagePod },
  watches: [
    // One that goes is no root any more.
    { kind: nodes, where: NODE_MOVES, map: (row, view) => (view.get(row.key) === undefined ? [row.key] : []) },
    { kind: pods, where: { fields: BOUND, wakes: 'never' }, map: concerns },
    // The map above is asked for these too. Most go with the deletion itself: nobody is woken for one that a finalizer holds.
    { kind: pods, where: { fields: UNBOUND, terminating: true, wakes: 'never' }, map: () => [] },
  ],
  reconcile(key, object, view): Plan {
    if (key === ENDED) return { writes: surplus(view).map((row) => deletion(row)) };
    if (key.startsWith('pods/')) {
      const row = view.get(key);
      return { writes: row && isUnscheduled(row) ? failAndDelete(row, view.now) : [] };
    }
    const { name } = parseKey(key);
    if (object === undefined) return ofMissingNode(name, view);
    if (!isOutOfService(object)) return { writes: [] };
    const ending = onNode(name, view).filter((row) => podOf(row).deleting);
    const writes = ending.sort(byAge).flatMap((row) => failAndDelete(row, view.now));
    return { writes, again: OUT_OF_SERVICE_MS };
  },
};

const isUnscheduled = (row: Row) => podOf(row).deleting && podOf(row).node === '';
const onNode = (name: string, view: View) => [...view.list('pods')].filter((row) => podOf(row).node === name);

/** What a pod's change makes it look at. */
function concerns(row: Row, view: View, before?: Row): Key[] {
  const pod = podOf(row);
  const found: Key[] = [];
  if (isUnscheduled(row)) found.push(row.key);
  const node = keyOf('', 'nodes', '', pod.node);
  const standing = pod.node === '' ? undefined : view.get(node);
  if (pod.node !== '' && standing === undefined) found.push(node);
  if (standing && pod.deleting && isOutOfService(standing.data as unknown as KubeObject)) found.push(node);
  if (hasEnded(pod) && !(before && hasEnded(podOf(before)))) found.push(ENDED);
  return found;
}

function isOutOfService(node: KubeObject): boolean {
  const taints = (at(node, 'spec.taints') ?? []) as { key: string }[];
  const conditions = (at(node, 'status.conditions') ?? []) as { type: string; status: string }[];
  const ready = conditions.some((c) => c.type === 'Ready' && c.status === 'True');
  return !ready && taints.some((t) => t.key === OUT_OF_SERVICE);
}

/** Pods of a node that isn't there go when it has been away for a while. */
function ofMissingNode(name: string, view: View): Plan {
  const left = onNode(name, view);
  if (left.length === 0) return { writes: [] };
  const since: Effect = { id: 'missing', name: 'clock', input: {} };
  const first = view.results.get(since.id);
  if (first === undefined) return { writes: [], effects: [since] };
  const due = first.ok ? Number(first.value.at) + QUARANTINE_MS - view.now : 0;
  if (due > 0) return { writes: [], effects: [since], again: due };
  const gone = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
  };
  return { writes: left.flatMap((row) => failAndDelete(row, view.now, gone)) };
}

/** The pods that ended and are too many; evicted ones first, then the oldest. */
function surplus(view: View): Row[] {
  const ended = endedOf(view);
  const over = ended.size - KEPT_MAX;
  if (over <= 0) return [];
  const rows = [...ended].flatMap((key) => view.get(key) ?? []);
  return rows.sort(byAge).slice(0, Math.min(over, BURST));
}
/** Keys of pods that ended: found once, then kept up with what moves. */
function endedOf(view: View): Set<Key> {
  const moved = view.moved('pods');
  const known = view.memory.get('ended') as Set<Key> | undefined;
  if (moved === undefined || known === undefined) {
    const all = new Set<Key>();
    for (const row of view.list('pods')) if (hasEnded(podOf(row))) all.add(row.key);
    view.memory.set('ended', all);
    return all;
  }
  for (const key of moved) {
    const row = view.get(key);
    if (row && hasEnded(podOf(row))) known.add(key);
    else known.delete(key);
  }
  return known;
}
function byAge(a: Row, b: Row): number {
  const [p, q] = [podOf(a), podOf(b)];
  if (p.evicted !== q.evicted) return p.evicted ? -1 : 1;
  if (p.created !== q.created) return p.created < q.created ? -1 : 1;
  return parseKey(a.key).name < parseKey(b.key).name ? -1 : 1;
}

const deletion = (row: Row): Write => ({ do: 'delete', key: row.key, uid: row.uid, graceSeconds: 0, apart: true });

/** markFailedAndDeletePod: nobody else will say that it has failed. */
function failAndDelete(row: Row, now: number, condition?: JsonObject): Write[] {
  const { phase, generation } = podOf(row);
  if (phase === 'Succeeded' || phase === 'Failed') return [deletion(row)];
  const observed = generation > 0 ? { observedGeneration: generation } : {};
  const conditions: Json[] = condition ? [{ ...condition, ...observed, lastTransitionTime: formatTime(now) }] : [];
  const status = { phase: 'Failed', ...observed, ...(conditions.length > 0 ? { conditions } : {}) };
  const patch = { metadata: { uid: row.uid }, status };
  return [{ do: 'patch', key: row.key, type: 'strategic', subresource: 'status', patch, apart: true }, deletion(row)];
}
