import { kindByStorage } from '../../kube/kinds/index.ts';
import { fnv1a } from '../../kube/meta/hash.ts';
import { attempt } from '../../kube/reconcile/attempt.ts';
import { type Controller, LATER, type Plan, type Row, type View, type Watch } from '../../kube/reconcile/controller.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from '../controllers/kind.ts';
import { NODE_MOVES } from '../controllers/nodelifecycle.ts';
import { ACTIVE, BOUND, UNBOUND } from '../controllers/pods.ts';
import { type Cluster, clusterOf, SCHEDULER } from './cluster.ts';
import type { PodInfo } from './framework.ts';
import { bind, isTold, prepareVolumes, refuse, TOLD_NOTHING } from './plans.ts';
import { plugins } from './plugins/index.ts';
import { volumebinding, volumeWrites } from './plugins/volumebinding.ts';
import { statusOf } from './preemption.ts';
import {
  projectBudget,
  projectCapacity,
  projectClaim,
  projectClass,
  projectNode,
  projectNothing,
  projectPod,
  projectSelector,
  projectSpec,
  projectVolume,
} from './project.ts';
import { type Decision, schedule } from './schedule.ts';
import { type Entry, FLUSH_MS, firstOf } from './waiting.ts';

const pods = needKind(kindByStorage, 'pods');
const nodes = needKind(kindByStorage, 'nodes');

/** Pods of one plan, and nodes that are looked at for them: then others have their turn. */
const BATCH = 64;
const BATCH_LOOKS = 8_000;
/** What a node costs on which pods are put out and let in again to see what then. */
const DRY_RUN_LOOKS = 20;

const OURS = { field: 'spec.schedulerName', op: '=', value: SCHEDULER } as const;

/** A text's place in [0, 1): ties among nodes fall by it, the same each time a plan is made again. */
const tieOf = (text: string): number => fnv1a(text) / 2 ** 32;

/** Whatever moved, the cluster knows whom it gives hope. */
const woken = (_: Row, view: View): Key[] => clusterOf(view, plugins).waiting.takeWoken();
/** Read when the scheduler looks, and no reason to. */
const quiet = (resource: string, of?: readonly string[]): Watch => ({
  kind: needKind(kindByStorage, resource),
  where: { wakes: 'never', ...(of ? { of } : {}) },
  map: woken,
});

const loud = (resource: string): Watch => ({ kind: needKind(kindByStorage, resource), map: woken });

/** kube-scheduler: one snapshot a round, pods by priority and age, each placement assumed for those after it. */
export const scheduler: Controller = {
  name: 'kube-scheduler',
  rules: [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['bindings', 'pods/binding'], verbs: ['create'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: [''], resources: ['persistentvolumeclaims', 'persistentvolumes'], verbs: ['get', 'patch', 'update'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
  ],
  for: pods,
  // Its status is mostly the scheduler's own writing.
  roots: {
    fields: [...UNBOUND, OURS, ...ACTIVE],
    of: ['labels', 'generation', 'terminating', 'status.nominatedNodeName'],
  },
  watches: [
    // A node that came or changed may suit pods that wait. What else it reports, of images above all, is heard of when the scheduler looks.
    { kind: nodes, where: NODE_MOVES, map: woken },
    quiet('nodes'),
    // What takes room. Its status moves often, and means nothing to the scheduler but at its end; its labels count for others.
    {
      kind: pods,
      where: {
        fields: [...BOUND, ...ACTIVE],
        of: ['labels', 'generation', 'terminating', 'status.phase'],
        wakes: 'end',
      },
      map: woken,
    },
    { kind: pods, where: { fields: [...BOUND, ...ACTIVE], of: ['labels'] }, map: woken },
    // What pods that wait were told, so that it isn't told twice.
    { kind: pods, where: { fields: [...UNBOUND, OURS, ...ACTIVE], wakes: 'never' }, map: woken },
    quiet('namespaces', ['labels']),
    // By whose selectors pods belong together. Those of workloads in apps/v1 never change.
    quiet('services'),
    quiet('replicationcontrollers', ['generation']),
    quiet('replicasets.apps', []),
    quiet('statefulsets.apps', []),
    quiet('poddisruptionbudgets.policy'),
    // What pods with claims wait for.
    loud('persistentvolumeclaims'),
    loud('persistentvolumes'),
    loud('storageclasses.storage.k8s.io'),
    loud('csinodes.storage.k8s.io'),
    quiet('csidrivers.storage.k8s.io'),
    quiet('csistoragecapacities.storage.k8s.io'),
    quiet('volumeattachments.storage.k8s.io'),
  ],
  project: {
    pods: projectPod,
    nodes: projectNode,
    namespaces: projectNothing,
    services: projectSelector,
    replicationcontrollers: projectSelector,
    'replicasets.apps': projectSelector,
    'statefulsets.apps': projectSelector,
    'poddisruptionbudgets.policy': projectBudget,
    persistentvolumeclaims: projectClaim,
    persistentvolumes: projectVolume,
    'storageclasses.storage.k8s.io': projectClass,
    'csinodes.storage.k8s.io': projectSpec,
    'csidrivers.storage.k8s.io': projectSpec,
    'csistoragecapacities.storage.k8s.io': projectCapacity,
    'volumeattachments.storage.k8s.io': projectSpec,
  },
  takesAll: true,
  reconcile: () => ({ writes: [] }),
  reconcileAll(keys, view) {
    const cluster = clusterOf(view, plugins);
    const plans = new Map<Key, Plan | typeof LATER>();
    const due = dueOf(keys, cluster, view, plans);
    for (const { info } of due) plans.set(info.key, LATER);
    let looked = 0;
    for (const { info } of firstOf(due, BATCH)) {
      if (looked >= BATCH_LOOKS) break;
      const chance = { start: cluster.start, tie: tieOf(info.uid) };
      const decision = attempt(() => schedule(info, cluster, plugins, chance));
      if (decision instanceof Error) {
        plans.set(info.key, broken(info, decision, cluster, view.now));
        continue;
      }
      looked += decision.looked + DRY_RUN_LOOKS * (decision.dryRuns ?? 0);
      cluster.start = (cluster.start + decision.looked) % Math.max(cluster.nodes.length, 1);
      // Those of this turn come last, in order.
      plans.delete(info.key);
      plans.set(info.key, planOf(decision, info, cluster, view.now));
    }
    return plans;
  },
};

/** Who is to be tried now; the others have their plans. */
function dueOf(keys: Iterable<Key>, cluster: Cluster, view: View, plans: Map<Key, Plan | typeof LATER>): Entry[] {
  const due: Entry[] = [];
  const resting: Entry[] = [];
  for (const key of keys) {
    const e = cluster.waiting.get(key);
    if (e === undefined || (e.info.pod.spec.schedulingGates ?? []).length > 0) continue;
    if (e.parked) {
      const left = e.triedMs + FLUSH_MS - view.now;
      // Not told: the write was refused, or the pod is another now.
      if (left > 0 && isTold(e.info.pod, e.message, e.nominated)) plans.set(key, { writes: [], again: left });
      else due.push(e);
    } else if (cluster.waiting.readyMs(e) > view.now) resting.push(e);
    else due.push(e);
  }
  // With nothing else to do there is no need to wait, as long as they are few.
  if (due.length === 0 && resting.length <= BATCH) return resting;
  for (const e of resting) plans.set(e.info.key, { writes: [], again: cluster.waiting.readyMs(e) - view.now });
  return due;
}

/** One pod that can't be decided on must not stop the others. */
function broken(info: PodInfo, error: Error, cluster: Cluster, now: number): Plan {
  const { message } = error;
  cluster.waiting.park(info.key, now, [], message, undefined);
  cluster.nominate(undefined, info.key, undefined);
  const refusal = {
    message,
    victims: [],
    node: undefined,
    nomination: undefined,
    displaced: [],
    broken: true,
  } as const;
  return { ...refuse(info, refusal, now), again: FLUSH_MS };
}

function planOf(decision: Decision, info: PodInfo, cluster: Cluster, now: number): Plan {
  if ('node' in decision) {
    const { node } = decision;
    const volumes = volumeWrites(info, node, cluster);
    if (volumes === undefined) {
      cluster.assume(info, node);
      return bind(info, node.name);
    }
    // Room is kept until the volumes are there, of which the claims tell.
    cluster.waiting.park(info.key, now, [volumebinding.name], TOLD_NOTHING, node.name);
    cluster.nominate(info, info.key, node.name);
    return { ...prepareVolumes(info, node.name, volumes), again: FLUSH_MS };
  }
  const { message, preemption } = decision;
  const chosen = preemption && 'node' in preemption ? preemption : undefined;
  const keeps = preemption && 'message' in preemption && preemption.keepsNomination;
  const nomination = chosen?.node.name ?? (keeps ? statusOf(info.pod).nominatedNodeName : undefined) ?? undefined;
  const displaced = chosen
    ? cluster.nominated(chosen.node.name).filter((p) => p.priority < info.priority && p.uid !== info.uid)
    : [];
  for (const p of displaced) {
    cluster.nominate(undefined, p.key, undefined);
    cluster.waiting.wake(p.key);
  }
  const victims = (chosen?.victims ?? []).filter((v) => !cluster.isEvicted(v));
  for (const v of victims) cluster.evict(v);
  cluster.waiting.park(info.key, now, decision.plugins, message, nomination);
  cluster.nominate(nomination ? info : undefined, info.key, nomination);
  const plan = refuse(info, { message, victims, node: chosen?.node, nomination, displaced }, now);
  return { ...plan, again: FLUSH_MS };
}
