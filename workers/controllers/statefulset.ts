import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Note, Plan, Row, View, Write, WrittenNote } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { claim, EVENTS, orphans, requirementsOf } from './owning.ts';
import { ended, nextAvailability, type Pod, pod, projectPod } from './podrow.ts';
import { claimIsStale, claimKind, claimNames, claimOwners, missingClaims, projectClaim } from './statefulclaims.ts';
import {
  claimVolumes,
  getsCurrent,
  isAvailable,
  isReady,
  isTerminating,
  isUnavailable,
  newPod,
  ordinalOf,
  POD_INDEX,
  POD_NAME,
  parseName,
  type Replica,
  rangeOf,
  replicaOf,
  type StatefulSet,
  storageMatches,
} from './statefulpods.ts';
import { forgetOld, type Revisions, revisionsOf } from './statefulrevisions.ts';
import { updateStep } from './statefulupdate.ts';

const statefulsets = needKind(kindByStorage, 'statefulsets.apps');
const revisions = needKind(kindByStorage, 'controllerrevisions.apps');
const pods = needKind(kindByStorage, 'pods');

/** A StatefulSet while its plan is made. */
interface Sync {
  key: Key;
  set: StatefulSet;
  view: View;
  revisions: Revisions;
  /** One at a time, each waits for those before it. */
  ordered: boolean;
  /** By ordinal, from the first. */
  replicas: Replica[];
  /** Beyond the range, highest ordinal first. */
  condemned: Replica[];
  writes: Write[];
  notes: Note[];
}

function reconcile(key: Key, object: KubeObject | undefined, view: View): Plan {
  if (object === undefined) return { writes: [] };
  const set = object as StatefulSet;
  const requirements = requirementsOf(set);
  if (requirements === undefined) return { writes: [] };
  const { name = '', deletionTimestamp } = set.metadata;
  const member = (row: Row) => parseName(parseKey(row.key).name).parent === name;
  const mine = claim(view, 'pods', statefulsets, set, requirements, member);
  const all = mine.rows.map(pod);
  const history = revisionsOf(set, requirements, view);
  const s = begin(key, set, all, history, view);
  const status = countsOf(s, all);
  // Nothing is done about a set that goes away but to say how it is.
  // What goes may be of neither revision; upstream's status is refused then, but comes after the deletion.
  if (deletionTimestamp === undefined) status.currentReplicas = Math.max(0, status.currentReplicas - act(s));
  const shown = statusOf(s, status);
  // A revision made now would be collected, and made again: the set waits for all that it owns.
  const revised = deletionTimestamp === undefined ? history.writes : [];
  const writes: Write[] = [...revised, ...mine.releases, ...mine.adopts];
  // Before the pods: it must tell of what it saw, whatever keeps the rest from being written.
  if (isNews(set, shown)) writes.push({ do: 'update', object: { ...set, status: shown }, subresource: 'status' });
  writes.push(...s.writes, ...forgetOld(set, history, new Set(all.map((p) => replicaOf(p).revision))));
  const again = nextAvailability(all, set.spec.minReadySeconds ?? 0, view.now);
  return {
    writes,
    ...(s.notes.length > 0 ? { notes: s.notes } : {}),
    ...(again === undefined ? {} : { again }),
  };
}

function begin(key: Key, set: StatefulSet, all: readonly Pod[], history: Revisions, view: View): Sync {
  const [start, end] = rangeOf(set);
  const there = new Map(all.map((p) => [ordinalOf(p), replicaOf(p)]));
  const replicas: Replica[] = [];
  for (let ordinal = start; ordinal < end; ordinal++)
    replicas.push(there.get(ordinal) ?? placeOf(set, ordinal, history));
  const condemned = [...there.values()].filter((r) => r.ordinal >= 0 && (r.ordinal < start || r.ordinal >= end));
  return {
    key,
    set,
    view,
    revisions: history,
    ordered: set.spec.podManagementPolicy !== 'Parallel',
    replicas,
    condemned: condemned.sort((a, b) => b.ordinal - a.ordinal),
    writes: [],
    notes: [],
  };
}
const placeOf = (set: StatefulSet, ordinal: number, history: Revisions): Replica => ({
  ordinal,
  name: `${set.metadata.name}-${ordinal}`,
  pod: undefined,
  revision: (getsCurrent(set, ordinal) ? history.current : history.update).name,
});

/** updateStatefulSet: first the replicas, then those that are too many, then the update. Gives how many pods of the current revision it takes away. */
function act(s: Sync): number {
  const { set, view } = s;
  const { type } = set.spec.updateStrategy ?? {};
  if (type === 'Recreate') {
    const where = `${set.metadata.namespace}/${set.metadata.name}`;
    const message = `statefulset ${where} uses Recreate strategy but feature gate StatefulSetRecreateStrategy is disabled`;
    s.notes.push({ on: s.key, type: 'Warning', reason: 'UnknownStrategy', message });
    return 0;
  }
  if (forAll(s, s.replicas, (r) => keep(s, r))) return 0;
  for (const r of s.condemned) setOwners(s, r);
  const sick = [...s.replicas, ...s.condemned.toReversed()].find((r) => isUnavailable(r, set, view.now));
  if (forAll(s, s.condemned, (r) => condemn(s, r, sick))) return 0;
  if (type === 'OnDelete') return 0;
  const doomed = updateStep(set, s.replicas, s.revisions.update.name, view.now);
  for (const r of doomed) remove(s, r);
  return doomed.length;
}

/** What a step says: go on, stop here where replicas are taken in order, or stop in any case. */
type Said = 'on' | 'wait' | 'stop';
/** Whether nothing more may be done now. */
function forAll(s: Sync, replicas: readonly Replica[], f: (r: Replica) => Said): boolean {
  let stopped = false;
  for (const r of replicas) {
    const said = f(r);
    if (said !== 'on' && s.ordered) return true;
    stopped ||= said === 'stop';
  }
  return stopped;
}

/** processReplica. */
function keep(s: Sync, r: Replica): Said {
  const { set, view } = s;
  if (r.pod === undefined) return make(s, r);
  if (ended(r.pod)) {
    // Its place is taken once it is gone.
    if (!r.pod.data.deleting) remove(s, r);
    return 'wait';
  }
  if (r.pod.data.phase === 'Pending') {
    const { writes, deleting } = missingClaims(set, r.name, r.ordinal, s.key, view);
    s.writes.push(...writes);
    if (deleting !== undefined) return 'stop';
    setOwners(s, r);
  }
  if (s.ordered && (isTerminating(r) || !isReady(r.pod) || !isAvailable(r, set, view.now))) return 'wait';
  repair(s, r, r.pod);
  return 'on';
}

function make(s: Sync, r: Replica): Said {
  const { set, view, key } = s;
  const claimant = claimantOf(s, r);
  if (claimIsStale(set, claimant, r.ordinal, view)) return 'wait';
  const { writes, deleting } = missingClaims(set, r.name, r.ordinal, key, view);
  s.writes.push(...writes);
  if (deleting !== undefined) {
    const message = `${told('Create', set, r)} failed error: pvc ${deleting} is being deleted`;
    s.notes.push({ on: key, type: 'Warning', reason: 'FailedCreate', message });
    return 'stop';
  }
  const { template } = getsCurrent(set, r.ordinal) ? s.revisions.current : s.revisions.update;
  const note = noteOf(s, 'Create', r);
  // Nobody is told that another's pod has the name.
  const { failed: _, ...quiet } = note;
  const taken = view.get(keyOf('', 'pods', set.metadata.namespace ?? '', r.name)) !== undefined;
  s.writes.push({ do: 'create', object: newPod(statefulsets, set, template, r), note: taken ? quiet : note });
  setOwners(s, r);
  return 'wait';
}

const told = (verb: string, set: StatefulSet, r: Replica) =>
  `${verb} Pod ${r.name} in StatefulSet ${set.metadata.name}`;
const noteOf = ({ key, set }: Sync, verb: string, r: Replica): WrittenNote => ({
  on: key,
  reason: `Successful${verb}`,
  message: `${told(verb, set, r)} successful`,
  failed: `Failed${verb}`,
  refused: `${told(verb, set, r)} failed error: `,
});
function remove(s: Sync, r: Replica): void {
  if (r.pod === undefined) return;
  s.writes.push({ do: 'delete', key: r.pod.row.key, uid: r.pod.row.uid, note: noteOf(s, 'Delete', r) });
}

function claimantOf(s: Sync, r: Replica) {
  const [start, end] = rangeOf(s.set);
  return { name: r.name, uid: r.pod?.row.uid ?? '', inRange: r.ordinal >= start && r.ordinal < end };
}
/** UpdatePodClaimForRetentionPolicy. Whether there was anything to do. */
function setOwners(s: Sync, r: Replica): boolean {
  const { writes, conflicts } = claimOwners(s.set, claimantOf(s, r), r.ordinal, s.view);
  // One claim isn't replaced twice on one View.
  const fresh = writes.filter((w) => !s.writes.some((x) => x.do === 'update' && same(x, w)));
  if (fresh.length === 0) return writes.length > 0;
  for (const claim of conflicts) {
    const message = `PersistentVolumeClaim ${claim} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
    s.notes.push({ on: s.key, type: 'Warning', reason: 'ConflictingController', message });
  }
  s.writes.push(...fresh);
  return true;
}
const same = (a: Write, b: Write) =>
  a.do === 'update' && b.do === 'update' && a.object.metadata.uid === b.object.metadata.uid;

/** UpdateStatefulPod: its labels, its volumes, its claims' owners. */
function repair(s: Sync, r: Replica, p: Pod): void {
  const { set, view } = s;
  const note = noteOf(s, 'Update', r);
  const metadata: JsonObject = { uid: p.row.uid };
  const spec: JsonObject = {};
  if (p.row.labels[POD_NAME] !== r.name) metadata.labels = { [POD_NAME]: r.name, [POD_INDEX]: String(r.ordinal) };
  if (!storageMatches(set, p)) {
    s.writes.push(...missingClaims(set, r.name, r.ordinal, s.key, view).writes);
    spec.volumes = claimVolumes(claimNames(set, r.ordinal)) as Json[];
  }
  setOwners(s, r);
  if (metadata.labels === undefined && spec.volumes === undefined) return;
  s.writes.push({ do: 'patch', key: p.row.key, type: 'strategic', patch: { metadata, spec }, note });
}

/** processCondemned: `sick` is the first pod that isn't available; it may go though it isn't ready. */
function condemn(s: Sync, r: Replica, sick: Replica | undefined): Said {
  const { set, view } = s;
  if (isTerminating(r)) return 'wait';
  if (s.ordered && r !== sick && (!isReady(r.pod) || !isAvailable(r, set, view.now))) return 'wait';
  remove(s, r);
  return 'wait';
}

interface Counts {
  replicas: number;
  readyReplicas: number;
  availableReplicas: number;
  currentReplicas: number;
  updatedReplicas: number;
}
function countsOf(s: Sync, all: readonly Pod[]): Counts {
  const counted = all.map(replicaOf);
  const ready = counted.filter((r) => isReady(r.pod));
  const of = (revision: string) => counted.filter((r) => !isTerminating(r) && r.revision === revision).length;
  return {
    replicas: counted.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((r) => isAvailable(r, s.set, s.view.now)).length,
    currentReplicas: of(s.revisions.current.name),
    updatedReplicas: of(s.revisions.update.name),
  };
}

/** The status; an update that is complete makes its revision the current one. */
function statusOf(s: Sync, counts: Counts): JsonObject {
  const { set, revisions: r } = s;
  const wanted = set.spec.replicas ?? 1;
  const done = [counts.updatedReplicas, counts.readyReplicas, counts.replicas].every((n) => n === wanted);
  const current = done ? counts.updatedReplicas : counts.currentReplicas;
  const { conditions } = set.status ?? {};
  const some = (name: string, n: number) => (n === 0 ? {} : { [name]: n });
  return {
    ...some('observedGeneration', set.metadata.generation ?? 0),
    replicas: counts.replicas,
    ...some('readyReplicas', counts.readyReplicas),
    ...some('currentReplicas', current),
    ...some('updatedReplicas', counts.updatedReplicas),
    currentRevision: (done ? r.update : r.current).name,
    updateRevision: r.update.name,
    collisionCount: r.collisions,
    ...(conditions && conditions.length > 0 ? { conditions } : {}),
    availableReplicas: counts.availableReplicas,
  };
}
/** inconsistentStatus: a count of collisions alone isn't worth a write, nor is a generation seen before. */
function isNews(set: StatefulSet, shown: JsonObject): boolean {
  const { collisionCount: _, observedGeneration: seen, ...told } = shown;
  const { collisionCount: __, observedGeneration: before, ...known } = set.status ?? {};
  return Number(seen ?? 0) > Number(before ?? 0) || !equalJson(told, known);
}

/** A claim that is gone lets its pod's place be filled; how it was in between is nobody's business here. */
function waiting(row: Row, view: View): Key[] {
  if (view.get(row.key) !== undefined) return [];
  const { namespace, name } = parseKey(row.key);
  const found: Key[] = [];
  for (const s of view.list('statefulsets.apps', namespace)) {
    const set = s.data as unknown as StatefulSet;
    const { ordinal } = parseName(name);
    if (ordinal >= 0 && [...claimNames(set, ordinal).values()].includes(name)) found.push(s.key);
  }
  return found;
}

/** apps/v1 StatefulSet: pods with names and storage of their own. */
export const statefulset: Controller = {
  name: 'statefulset-controller',
  rules: [
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
    { apiGroups: ['apps'], resources: ['statefulsets'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['apps'], resources: ['statefulsets/status'], verbs: ['update'] },
    { apiGroups: ['apps'], resources: ['statefulsets/finalizers'], verbs: ['update'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    {
      apiGroups: ['apps'],
      resources: ['controllerrevisions'],
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    },
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['create', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['delete', 'update'] },
    { apiGroups: [''], resources: ['pods/finalizers'], verbs: ['update'] },
    EVENTS,
  ],
  for: statefulsets,
  owns: [pods, revisions],
  project: { pods: projectPod, persistentvolumeclaims: projectClaim },
  watches: [
    orphans(pods, statefulsets),
    orphans(revisions, statefulsets),
    { kind: claimKind, beside: true, where: { wakes: 'end' }, map: waiting },
  ],
  reconcile,
};
