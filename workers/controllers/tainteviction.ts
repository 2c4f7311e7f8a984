import { kindByStorage } from '../../kube/kinds/index.ts';
import { NOT_READY, type Taint, type Toleration, tolerates, UNREACHABLE } from '../../kube/kinds/podspec/fit.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Effect, Note, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { NODE_MOVES } from './nodelifecycle.ts';
import { EVENTS } from './owning.ts';
import { BOUND } from './pods.ts';

const NO_EXECUTE = 'NoExecute';

interface EvictablePod extends JsonObject {
  node: string;
  deleting: boolean;
  /** When it got its node. */
  bound: string;
  /** Those that may be of taints that evict, but the usual ones. */
  tolerations: JsonObject[];
  /** It has the two that admission gives every pod. */
  usual: boolean;
  generation: number;
}
/** DefaultTolerationSeconds: nearly every pod has these, and no row needs to say so at length. */
const USUAL: readonly JsonObject[] = [NOT_READY, UNREACHABLE].map((key) => ({
  key,
  operator: 'Exists',
  effect: NO_EXECUTE,
  tolerationSeconds: 300,
}));

/** Members that other controllers keep too (PodRow) mean the same. */
function projectEvictablePod(o: KubeObject): EvictablePod {
  const tolerations = (at(o, 'spec.tolerations') ?? []) as (JsonObject & { effect?: string })[];
  const conditions = (at(o, 'status.conditions') ?? []) as { type: string; lastTransitionTime?: string }[];
  const scheduled = conditions.find((c) => c.type === 'PodScheduled')?.lastTransitionTime;
  const isUsual = (t: JsonObject) => USUAL.some((u) => equalJson(t, u));
  const usual = tolerations.filter(isUsual).length === USUAL.length;
  return {
    usual,
    node: String(at(o, 'spec.nodeName') ?? ''),
    deleting: o.metadata.deletionTimestamp !== undefined,
    bound: scheduled ?? o.metadata.creationTimestamp ?? '',
    tolerations: tolerations.filter((t) => (!t.effect || t.effect === NO_EXECUTE) && !(usual && isUsual(t))),
    generation: o.metadata.generation ?? 0,
  };
}
const podOf = (row: Row) => row.data as EvictablePod;

/** Deletes pods from nodes whose NoExecute taints they don't tolerate, or no longer: kubernetes pkg/controller/tainteviction. */
export const tainteviction: Controller = {
  // Upstream gives it the account of the node controller.
  name: 'taint-eviction-controller',
  rules: [
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch'] },
    EVENTS,
  ],
  for: needKind(kindByStorage, 'nodes'),
  roots: NODE_MOVES,
  project: { pods: projectEvictablePod },
  // Read when a node makes it look; a pod that comes to a tainted node, or gets tolerations there, makes it look at the node.
  watches: [
    {
      kind: needKind(kindByStorage, 'pods'),
      where: { fields: BOUND, wakes: 'never' },
      map(row, view, before) {
        const pod = podOf(row);
        const node = keyOf('', 'nodes', '', pod.node);
        const standing = pod.node === '' ? undefined : view.get(node);
        if (standing === undefined || taintsOf(standing.data as unknown as KubeObject).length === 0) return [];
        const was = before && podOf(before);
        const same =
          was?.node === pod.node &&
          was.usual === pod.usual &&
          equalJson(was.tolerations as Json, pod.tolerations as Json);
        return same ? [] : [node];
      },
    },
  ],
  reconcile(key, node, view): Plan {
    const taints = node ? taintsOf(node) : [];
    if (taints.length === 0) return { writes: [] };
    const since = sinceOf(taints, view);
    if (since === undefined) return { writes: [], effects: [clockOf(taints)] };
    const effects = taints.every((t) => t.timeAdded !== undefined) ? [] : [clockOf(taints)];
    const writes: Write[] = [];
    const notes: Note[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const row of view.list('pods')) {
      const pod = podOf(row);
      if (pod.node !== parseKey(key).name || pod.deleting) continue;
      const due = dueAt(pod, taints, since);
      if (due > view.now) next = Math.min(next, due);
      else evict(row, view, writes, notes);
    }
    return { writes, notes, effects, ...(Number.isFinite(next) ? { again: next - view.now } : {}) };
  },
};

interface NodeTaint extends Taint {
  timeAdded?: string;
}
const taintsOf = (node: KubeObject): NodeTaint[] =>
  ((at(node, 'spec.taints') ?? []) as unknown as NodeTaint[]).filter((t) => t.effect === NO_EXECUTE);

/** Of taints that don't say when they came, the time is asked once, and anew when they are others. */
const clockOf = (taints: readonly NodeTaint[]): Effect => ({
  id: `since/${taints.map((t) => `${t.key}=${t.value ?? ''}`).join()}`,
  name: 'clock',
  input: {},
});
/** Since when the taints are there; undefined where that isn't known yet. */
function sinceOf(taints: readonly NodeTaint[], view: View): number | undefined {
  const times = taints.flatMap((t) => (t.timeAdded === undefined ? [] : [timeToMillis(t.timeAdded)]));
  if (times.length === taints.length) return Math.max(...times);
  const asked = view.results.get(clockOf(taints).id);
  if (asked === undefined) return undefined;
  return asked.ok ? Number(asked.value.at) : view.now;
}

/** When a pod must go: at once (0), never (infinity), or when the shortest of its tolerations ends. */
function dueAt(pod: EvictablePod, taints: readonly NodeTaint[], since: number): number {
  const all = pod.usual ? [...pod.tolerations, ...USUAL] : pod.tolerations;
  const tolerations = all as unknown as (Toleration & { tolerationSeconds?: number })[];
  let seconds = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const used = tolerations.find((t) => tolerates(t, taint));
    if (used === undefined) return 0;
    if (used.tolerationSeconds !== undefined) seconds = Math.min(seconds, Math.max(0, Number(used.tolerationSeconds)));
  }
  if (seconds === 0) return 0;
  const start = pod.bound === '' ? since : Math.max(since, timeToMillis(pod.bound));
  return start + seconds * 1000;
}

/** addConditionAndDeletePod. */
function evict(row: Row, view: View, writes: Write[], notes: Note[]): void {
  const { generation } = podOf(row);
  const condition = {
    type: 'DisruptionTarget',
    ...(generation > 0 ? { observedGeneration: generation } : {}),
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: formatTime(view.now),
  };
  const patch = { metadata: { uid: row.uid }, status: { conditions: [condition] } };
  writes.push(
    { do: 'patch', key: row.key, type: 'strategic', subresource: 'status', patch, apart: true },
    { do: 'delete', key: row.key, uid: row.uid, apart: true },
  );
  const { namespace, name } = parseKey(row.key);
  const message = `Marking for deletion Pod ${namespace}/${name}`;
  notes.push({ on: row.key, type: 'Normal', reason: 'TaintManagerEviction', message });
}
