import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Note, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { failedPodDelay } from './daemonbackoff.ts';
import { forgetOld, historyOf } from './daemonhistory.ts';
import { type DaemonSet, daemonsOf, type Fit, fitOf, projectNode, templateFor } from './daemonnodes.ts';
import {
  allowsSurge,
  GENERATION_LABEL,
  isUpdated,
  rollingStep,
  type Step,
  templateGeneration,
} from './daemonupdate.ts';
import { needKind } from './kind.ts';
import { NODE_MOVES } from './nodelifecycle.ts';
import {
  claim,
  controllerRef,
  creation,
  deletion,
  EVENTS,
  generatedName,
  orphans,
  podOf,
  requirementsOf,
} from './owning.ts';
import { available, ended, nextAvailability, type Pod, pod, projectPod } from './podrow.ts';
import { compare, REVISION_HASH } from './revisions.ts';

const daemonsets = needKind(kindByStorage, 'daemonsets.apps');
const revisions = needKind(kindByStorage, 'controllerrevisions.apps');
const pods = needKind(kindByStorage, 'pods');
const nodes = needKind(kindByStorage, 'nodes');

/** Upstream's BurstReplicas: creations, and deletions, of one sync. */
const BURST = 250;

/** A DaemonSet while its plan is made. */
interface Sync {
  key: Key;
  ds: DaemonSet;
  view: View;
  hash: string;
  nodes: Row[];
  fit: Fit;
  byNode: Map<string, Pod[]>;
  notes: Note[];
  /** Milliseconds that failed pods are still let be. */
  waits: number[];
}
const nameOf = (row: Row) => parseKey(row.key).name;

function reconcile(key: Key, object: KubeObject | undefined, view: View): Plan {
  if (object === undefined) return { writes: [] };
  const ds = object as DaemonSet;
  const requirements = requirementsOf(ds);
  if (requirements === undefined) return { writes: [] };
  if (requirements.length === 0) {
    const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
    return { writes: [], notes: [{ on: key, type: 'Warning', reason: 'SelectingAll', message }] };
  }
  // What becomes of its history and pods is the garbage collector's business.
  if (ds.metadata.deletionTimestamp !== undefined) return { writes: [] };
  const { rows, adopts, releases } = claim(view, 'pods', daemonsets, ds, requirements);
  const claimed = rows.map(pod);
  const history = historyOf(ds, requirements, claimed, view);
  if (history === 'taken') {
    const status = { ...ds.status, collisionCount: (ds.status?.collisionCount ?? 0) + 1 };
    return { writes: [{ do: 'update', object: { ...ds, status }, subresource: 'status' }] };
  }
  const s: Sync = {
    key,
    ds,
    view,
    hash: history.hash,
    nodes: [...view.list('nodes')],
    fit: fitOf(ds.spec.template),
    byNode: podsByNode(claimed),
    notes: [],
    waits: [],
  };
  const step = nextStep(s);
  const status = statusOf(s);
  const writes: Write[] = [...history.writes, ...releases, ...adopts];
  // Before the pods: it must tell of what it saw, whatever keeps the rest from being written.
  if (!equalJson(status, ds.status ?? {}))
    writes.push({ do: 'update', object: { ...ds, status }, subresource: 'status' });
  writes.push(...stepWrites(s, step), ...forgetOld(ds, history.old, claimed));
  const again = [
    ...s.waits,
    nextAvailability(claimed, ds.spec.minReadySeconds ?? 0, view.now) ?? Number.POSITIVE_INFINITY,
  ];
  const soonest = Math.min(...again);
  return {
    writes,
    ...(s.notes.length > 0 ? { notes: s.notes } : {}),
    ...(Number.isFinite(soonest) ? { again: soonest } : {}),
  };
}

/** getNodesToDaemonPods. One that ended and is being deleted is nobody's any more. */
function podsByNode(claimed: readonly Pod[]): Map<string, Pod[]> {
  const found = new Map<string, Pod[]>();
  for (const p of claimed) {
    const node = p.data.node || p.data.target;
    if (!node || (ended(p) && p.data.deleting)) continue;
    found.set(node, [...(found.get(node) ?? []), p]);
  }
  return found;
}

/** manage(), and where that leaves nothing to do the rolling update. */
function nextStep(s: Sync): Step {
  const step: Step = { deletes: [], nodes: [] };
  for (const node of s.nodes) onNode(s, node, step);
  const known = new Set(s.nodes.map(nameOf));
  // A pod for a node that is gone is never bound, and nobody else deletes it.
  for (const [name, there] of s.byNode)
    if (!known.has(name)) step.deletes.push(...there.filter((p) => p.data.node === ''));
  const rolls = s.ds.spec.updateStrategy?.type === 'RollingUpdate';
  if (step.deletes.length + step.nodes.length > 0 || !rolls) return step;
  return rollingStep(s.ds, s.nodes, nameOf, s.byNode, s.hash, s.view.now);
}

/** podsShouldBeOnNode. */
function onNode(s: Sync, node: Row, step: Step): void {
  const name = nameOf(node);
  const { runs, stays } = s.fit(node);
  const there = s.byNode.get(name);
  if (runs && there === undefined) step.nodes.push(name);
  else if (stays) prune(s, name, runs, there ?? [], step);
  else step.deletes.push(...(there ?? []).filter((p) => !p.data.deleting));
}

function prune(s: Sync, node: string, runs: boolean, there: readonly Pod[], step: Step): void {
  const running = there.filter((p) => !p.data.deleting && !goes(s, node, p, step)).sort(oldestFirst);
  if (!allowsSurge(s.ds)) {
    step.deletes.push(...running.slice(1));
    return;
  }
  if (running.length === 0 && runs) step.nodes.push(node);
  if (running.length <= 1) return;
  const isNew = (p: Pod) => p.row.labels[REVISION_HASH] === s.hash;
  const fresh = running.find(isNew);
  const old = running.find((p) => !isNew(p));
  step.deletes.push(...running.filter((p) => p !== fresh && p !== old));
  if (fresh && old && (!old.data.ready || available(fresh, s.ds.spec.minReadySeconds ?? 0, s.view.now)))
    step.deletes.push(old);
}

/** A pod that ended makes room for another; one that failed not at once again and again. */
function goes(s: Sync, node: string, p: Pod, step: Step): boolean {
  if (!ended(p)) return false;
  const { namespace, name } = parseKey(p.row.key);
  const where = `${namespace}/${name} on node ${node}`;
  if (p.data.phase === 'Failed') {
    const wait = failedPodDelay(s.view, s.ds, node, p.row.uid);
    if (wait > 0) {
      s.waits.push(wait);
      return true;
    }
    const message = `Found failed daemon pod ${where}, will try to kill it`;
    s.notes.push({ on: s.key, type: 'Warning', reason: 'FailedDaemonPod', message });
  } else {
    const message = `Found succeeded daemon pod ${where}, will try to delete it`;
    s.notes.push({ on: s.key, type: 'Normal', reason: 'SucceededDaemonPod', message });
  }
  step.deletes.push(p);
  return true;
}

/** podByCreationTimestampAndPhase: those with a node first, then the oldest. */
function oldestFirst(a: Pod, b: Pod): number {
  return (
    Number(b.data.node !== '') - Number(a.data.node !== '') ||
    compare(a.data.created, b.data.created) ||
    compare(a.row.key, b.row.key)
  );
}

/** Deletions first: should creations be refused, they are done all the same. */
function stepWrites(s: Sync, step: Step): Write[] {
  const { ds, hash, key, view } = s;
  const generation = templateGeneration(ds);
  const labels = { ...(generation ? { [GENERATION_LABEL]: generation } : {}), [REVISION_HASH]: hash };
  const reference = controllerRef(daemonsets, ds);
  const base = ds.metadata.name ?? '';
  return [
    ...step.deletes.slice(0, BURST).map((p) => deletion(p.row, key)),
    ...step.nodes.slice(0, BURST).map((node) => {
      const template = templateFor(ds.spec.template, node, labels);
      return creation(podOf(template, ds, reference, generatedName(`${base}-`, view)), key);
    }),
  ];
}

/** updateDaemonSetStatus. */
function statusOf(s: Sync): JsonObject {
  const { ds } = s;
  const generation = templateGeneration(ds);
  const n = { desired: 0, current: 0, misplaced: 0, ready: 0, updated: 0, available: 0 };
  for (const node of s.nodes) {
    const there = s.byNode.get(nameOf(node)) ?? [];
    if (!s.fit(node).runs) {
      n.misplaced += there.length > 0 ? 1 : 0;
      continue;
    }
    n.desired++;
    const [p] = [...there].sort(oldestFirst);
    if (p === undefined) continue;
    n.current++;
    n.ready += p.data.ready ? 1 : 0;
    n.available += available(p, ds.spec.minReadySeconds ?? 0, s.view.now) ? 1 : 0;
    n.updated += isUpdated(p, s.hash, generation) ? 1 : 0;
  }
  const { updatedNumberScheduled: _, numberAvailable: __, numberUnavailable: ___, ...others } = ds.status ?? {};
  return {
    ...others,
    currentNumberScheduled: n.current,
    numberMisscheduled: n.misplaced,
    desiredNumberScheduled: n.desired,
    numberReady: n.ready,
    ...(ds.metadata.generation ? { observedGeneration: ds.metadata.generation } : {}),
    ...(n.updated > 0 ? { updatedNumberScheduled: n.updated } : {}),
    ...(n.available > 0 ? { numberAvailable: n.available } : {}),
    ...(n.desired - n.available > 0 ? { numberUnavailable: n.desired - n.available } : {}),
  };
}

const groups = ['apps', 'extensions'];

/** apps/v1 DaemonSet: one pod on each node that it is for. */
export const daemonset: Controller = {
  name: 'daemon-set-controller',
  rules: [
    { apiGroups: groups, resources: ['daemonsets'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: groups, resources: ['daemonsets/status'], verbs: ['update'] },
    { apiGroups: groups, resources: ['daemonsets/finalizers'], verbs: ['update'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'list', 'patch', 'watch'] },
    { apiGroups: [''], resources: ['pods/binding'], verbs: ['create'] },
    {
      apiGroups: ['apps'],
      resources: ['controllerrevisions'],
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    },
    EVENTS,
  ],
  for: daemonsets,
  owns: [pods, revisions],
  project: { pods: projectPod, nodes: projectNode },
  watches: [
    orphans(pods, daemonsets),
    orphans(revisions, daemonsets),
    // A heartbeat is nobody's business.
    { kind: nodes, where: NODE_MOVES, map: (row, view) => daemonsOf(row, view.list('daemonsets.apps'), view) },
  ],
  reconcile,
};
