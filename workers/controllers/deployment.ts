import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { objectOf } from '../../kube/reconcile/row.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { rollBack, rollbackTo } from './deploymentrollback.ts';
import { allSets, emptyOld, fillNew, forgetOld, oldPodsRun, roll, type Sync, scale } from './deploymentscale.ts';
import {
  annotate,
  byCreation,
  condition,
  type Deployment,
  type DeploymentStatus,
  desiredIn,
  HASH_LABEL,
  hasDeadline,
  isActive,
  isRolling,
  maxRevision,
  newSize,
  type PlannedSet,
  planned,
  REVISION,
  type ReplicaSet,
  replicasOf,
  sameTemplate,
  withCondition,
  written,
} from './deploymentsets.ts';
import { isComplete, nextCheck, PAUSED, rolloutStatus, statusOf, TIMED_OUT } from './deploymentstatus.ts';
import { needKind } from './kind.ts';
import { claim, controllerRef, EVENTS, orphans, requirementsOf } from './owning.ts';
import { projectPod } from './podrow.ts';
import { templateHash } from './revisions.ts';

const deployments = needKind(kindByStorage, 'deployments.apps');
const replicasets = needKind(kindByStorage, 'replicasets.apps');
const SETS = groupResource('apps', 'replicasets');
/** Upstream's limit of a ReplicaSet's name: a DNS subdomain. */
const NAME_MAX = 253;
const CREATE_ERROR = 'ReplicaSetCreateError';

function reconcile(key: Key, object: KubeObject | undefined, view: View): Plan {
  if (object === undefined) return { writes: [] };
  const d = object as Deployment;
  const requirements = requirementsOf(d);
  if (requirements === undefined) return { writes: [] };
  if (requirements.length === 0) return selectsAll(key, d);
  const { rows, adopts, releases } = claim(view, SETS, deployments, d, requirements);
  // What is taken comes back with the next look, as it is then.
  if (adopts.length + releases.length > 0) return { writes: [...releases, ...adopts] };
  const s = begin(key, d, rows, view);
  if (d.metadata.deletionTimestamp !== undefined) return syncNewSet(s, false) ?? planOf(s, plainStatus(s));
  noticePause(s);
  const asked = rollbackTo(d);
  if (!d.spec.paused && asked !== undefined) return syncNewSet(s, true) ?? planOf(s, undefined, rollBack(s, asked));
  const stuck = syncNewSet(s, false);
  if (stuck) return stuck;
  const resized = allSets(s).some((set) => isActive(set) && (desiredIn(set) ?? replicasOf(d)) !== replicasOf(d));
  if (d.spec.paused || resized) return steady(s);
  return isRolling(d) ? rollout(s) : recreation(s);
}

function selectsAll(key: Key, d: Deployment): Plan {
  const message = 'This deployment is selecting all pods. A non-empty selector is required.';
  const { generation = 0 } = d.metadata;
  const status = { ...d.status, observedGeneration: generation };
  const seen = (d.status?.observedGeneration ?? 0) >= generation;
  return {
    writes: seen ? [] : [{ do: 'update', object: { ...d, status }, subresource: 'status' }],
    notes: [{ on: key, type: 'Warning', reason: 'SelectingAll', message }],
  };
}

function begin(key: Key, d: Deployment, rows: readonly Row[], view: View): Sync {
  const sets = rows.map((row) => planned(row.key, objectOf(row, replicasets) as ReplicaSet)).sort(byCreation);
  // Should several have the template, the oldest is it.
  const newSet = sets.find((set) => sameTemplate(set.is.spec.template, d.spec.template));
  return {
    key,
    d,
    view,
    old: sets.filter((set) => set !== newSet),
    newSet,
    annotations: { ...d.metadata.annotations },
    conditions: d.status?.conditions ?? [],
    notes: [],
    deletes: [],
  };
}

/** checkPausedConditions: a pause and its end begin the deadline anew. */
function noticePause(s: Sync): void {
  const current = s.conditions.find((c) => c.type === 'Progressing');
  if (!hasDeadline(s.d) || current?.reason === TIMED_OUT) return;
  const known = current?.reason === PAUSED;
  if (known === (s.d.spec.paused === true)) return;
  if (known) setProgress(s, 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
  else setProgress(s, 'Unknown', PAUSED, 'Deployment is paused');
}
function setProgress(s: Sync, status: string, reason: string, message: string): void {
  s.conditions = withCondition(s.conditions, condition('Progressing', status, reason, message, s.view.now));
}

/** getNewReplicaSet: brings what the new ReplicaSet notes up to date, or makes one. A plan, where that is all that can be done now. */
function syncNewSet(s: Sync, make: boolean): Plan | undefined {
  const revision = maxRevision(s.old) + 1;
  if (s.newSet === undefined) return make ? makeNewSet(s, revision) : undefined;
  const { newSet, d } = s;
  if (newSet.isNew) return undefined;
  annotate(newSet, d, s.annotations, revision);
  newSet.minReadySeconds = d.spec.minReadySeconds ?? 0;
  s.annotations[REVISION] = newSet.annotations[REVISION] ?? '';
  if (hasDeadline(d) && !s.conditions.some((c) => c.type === 'Progressing'))
    setProgress(s, 'True', 'FoundNewReplicaSet', `Found new replica set "${newSet.is.metadata.name}"`);
  return undefined;
}

function makeNewSet(s: Sync, revision: number): Plan | undefined {
  const { d, view } = s;
  const { namespace = '' } = d.metadata;
  const hash = templateHash(d.spec.template, d.status?.collisionCount);
  const name = `${(d.metadata.name ?? '').slice(0, NAME_MAX - 1 - hash.length)}-${hash}`;
  const key = keyOf('apps', 'replicasets', namespace, name);
  // Whoever has the name isn't the new one, else it had been found.
  if (view.get(key)) {
    const status = { ...d.status, conditions: s.conditions, collisionCount: (d.status?.collisionCount ?? 0) + 1 };
    return { writes: [{ do: 'update', object: { ...d, status }, subresource: 'status' }] };
  }
  if (view.failure !== undefined && hasDeadline(d)) {
    const before = s.conditions;
    setProgress(s, 'False', CREATE_ERROR, `Failed to create new replica set "${name}": ${view.failure}`);
    const status = { ...d.status, conditions: s.conditions };
    if (!equalJson(before as Json, s.conditions as Json))
      return { writes: [{ do: 'update', object: { ...d, status }, subresource: 'status' }] };
  }
  const newSet = planned(key, newObject(d, name, hash), true);
  s.newSet = newSet;
  newSet.replicas = newSize(d, allSets(s), newSet);
  annotate(newSet, d, s.annotations, revision);
  s.annotations[REVISION] = String(revision);
  if (hasDeadline(d)) setProgress(s, 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
  return undefined;
}
function newObject(d: Deployment, name: string, hash: string): ReplicaSet {
  const { template, selector, minReadySeconds } = d.spec;
  const labels = { ...(template.metadata?.labels as Record<string, string> | undefined), [HASH_LABEL]: hash };
  const matchLabels = { ...(selector.matchLabels as JsonObject | undefined), [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: d.metadata.namespace ?? '',
      labels,
      ownerReferences: [controllerRef(deployments, d)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

const plainStatus = (s: Sync): DeploymentStatus => statusOf(s.d, allSets(s), s.newSet, s.conditions, s.view.now);

/** sync(): while it is paused, or when it was resized, nothing is rolled out. */
function steady(s: Sync): Plan {
  scale(s);
  if (s.d.spec.paused && rollbackTo(s.d) === undefined) forgetOld(s);
  return planOf(s, plainStatus(s));
}

function rollout(s: Sync): Plan {
  const stuck = syncNewSet(s, true);
  if (stuck || s.newSet === undefined) return stuck ?? { writes: [] };
  if (!roll(s, s.newSet) && isComplete(s.d, s.d.status)) forgetOld(s);
  return progress(s);
}

/** rolloutRecreate: nothing new comes before everything old is gone. */
function recreation(s: Sync): Plan {
  if (emptyOld(s) || oldPodsRun(s)) return progress(s);
  const stuck = syncNewSet(s, true);
  if (stuck || s.newSet === undefined) return stuck ?? { writes: [] };
  fillNew(s, s.newSet);
  if (isComplete(s.d, s.d.status)) forgetOld(s);
  return progress(s);
}

function progress(s: Sync): Plan {
  const status = rolloutStatus(s.d, allSets(s), s.newSet, s.conditions, s.view.now);
  const plan = planOf(s, status);
  const again = nextCheck(s.d, status, s.view.now);
  return again === undefined || plan.writes.length > 0 ? plan : { ...plan, again };
}

/** One write for each object that changed: ReplicaSets, then the Deployment's status, or the Deployment itself. */
function planOf(s: Sync, status: DeploymentStatus | undefined, whole?: Deployment): Plan {
  const writes: Write[] = [];
  for (const x of s.newSet ? [s.newSet, ...s.old] : s.old) {
    const object = written(x);
    if (object) writes.push(x.isNew ? creation(s, x, object) : update(s, x, object));
  }
  writes.push(...s.deletes);
  if (whole) writes.push({ do: 'update', object: whole });
  else if (
    status &&
    !(equalJson(status, s.d.status ?? {}) && equalJson(s.annotations, s.d.metadata.annotations ?? {}))
  ) {
    const object = { ...s.d, metadata: { ...s.d.metadata, annotations: s.annotations }, status };
    writes.push({ do: 'update', object, subresource: 'status' });
  }
  return { writes, ...(s.notes.length > 0 ? { notes: s.notes } : {}) };
}
const SCALING = 'ScalingReplicaSet';
function creation(s: Sync, x: PlannedSet, object: ReplicaSet): Write {
  const { name } = x.is.metadata;
  return {
    do: 'create',
    object,
    note: {
      on: s.key,
      reason: SCALING,
      ...(x.replicas > 0 ? { message: `Scaled up replica set ${name} from 0 to ${x.replicas}` } : {}),
      failed: CREATE_ERROR,
      refused: `Failed to create new replica set "${name}": `,
    },
  };
}
function update(s: Sync, x: PlannedSet, object: ReplicaSet): Write {
  const before = x.is.spec.replicas ?? 1;
  if (before === x.replicas) return { do: 'update', object };
  const way = before < x.replicas ? 'up' : 'down';
  const message = `Scaled ${way} replica set ${x.is.metadata.name} from ${before} to ${x.replicas}`;
  return { do: 'update', object, note: { on: s.key, reason: SCALING, message } };
}

const groups = ['apps', 'extensions'];

/** apps/v1 Deployment: rolls its template out over ReplicaSets. */
export const deployment: Controller = {
  name: 'deployment-controller',
  rules: [
    { apiGroups: groups, resources: ['deployments'], verbs: ['get', 'list', 'update', 'watch'] },
    { apiGroups: groups, resources: ['deployments/status'], verbs: ['update'] },
    { apiGroups: groups, resources: ['deployments/finalizers'], verbs: ['update'] },
    {
      apiGroups: groups,
      resources: ['replicasets'],
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'update', 'watch'] },
    EVENTS,
  ],
  for: deployments,
  owns: [replicasets],
  project: { pods: projectPod },
  watches: [
    orphans(replicasets, deployments),
    // Recreate asks for them. When one has gone, its ReplicaSet's status says so and wakes the Deployment.
    { kind: needKind(kindByStorage, 'pods'), where: { owned: true }, map: () => [] },
  ],
  reconcile,
};
