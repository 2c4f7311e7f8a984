import { kindByStorage } from '../../kube/kinds/index.ts';
import { fnv1a } from '../../kube/meta/hash.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from '../controllers/kind.ts';
import { NODE_MOVES } from '../controllers/nodelifecycle.ts';
import { ACTIVE, BOUND, UNBOUND } from '../controllers/pods.ts';
import { type Cluster, clusterOf, over, podOf, type Room, SCHEDULER, waits } from './cluster.ts';
import type { Pod } from './framework.ts';
import { plugins } from './plugins/index.ts';
import { isPreempted, PREEMPTION_REASON, type Preemption, priorityOf, statusOf } from './preemption.ts';
import { projectNode, projectPod } from './project.ts';
import { schedule } from './schedule.ts';

const pods = needKind(kindByStorage, 'pods');
const nodes = needKind(kindByStorage, 'nodes');

/** A text's place in [0, 1): ties among nodes fall by it, the same each time a plan is made again. */
const tieOf = (text: string): number => fnv1a(text) / 2 ** 32;

/** kube-scheduler: one snapshot a round, pods by priority and age, each placement assumed for those after it. */
export const scheduler: Controller = {
  name: 'kube-scheduler',
  rules: [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['bindings', 'pods/binding'], verbs: ['create'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
  ],
  for: pods,
  roots: { fields: [...UNBOUND, { field: 'spec.schedulerName', op: '=', value: SCHEDULER }, ...ACTIVE] },
  watches: [
    // A node that came or changed, and a pod that left its node or has ended on it, may make room for pods that wait.
    {
      kind: nodes,
      where: NODE_MOVES,
      map: (row, view) => (view.get(row.key) ? clusterOf(view).hopeful('node', view, row) : promised(row, view)),
    },
    {
      kind: pods,
      // What takes room. Its status moves often, and means nothing to the scheduler.
      where: {
        fields: [...BOUND, ...ACTIVE],
        of: ['labels', 'generation', 'terminating', 'status.phase'],
        wakes: 'end',
      },
      map: (row, view) =>
        podOf(row).spec.nodeName && (over(podOf(row)) || view.get(row.key) === undefined)
          ? clusterOf(view).hopeful('pod-deleted', view)
          : [],
    },
  ],
  project: { pods: projectPod, nodes: projectNode },
  reconcile: () => ({ writes: [] }),
  reconcileAll(keys, view) {
    const plans = new Map<Key, Plan>();
    const due = waitingOf(keys, view);
    if (due.length === 0) return plans;
    const cluster = clusterOf(view);
    const snap = cluster.room();
    const now = new Set(due.map((d) => d.key));
    const order = [...due, ...nominated(cluster, view).filter((d) => !now.has(d.key))].sort(byTurn);
    for (const { key, row, pod } of order) {
      if ((pod.spec.schedulingGates ?? []).length > 0) continue;
      // Not due, but the room that was made for it is its own.
      if (!now.has(key)) {
        hold(cluster, snap, pod, statusOf(pod).nominatedNodeName);
        continue;
      }
      const decision = schedule(pod, snap, plugins, tieOf(row.uid));
      if ('node' in decision) {
        cluster.assume(decision.node, pod);
        plans.set(key, bind(key, row, decision.node.name));
      } else {
        cluster.blame(key, decision.plugins);
        plans.set(key, refuse(key, row, pod, decision.message, decision.preemption, view.now));
        hold(cluster, snap, pod, nominationOf(pod, decision.preemption));
      }
    }
    return plans;
  },
};

interface Waiting {
  key: Key;
  row: Row;
  pod: Pod;
}
/** The more important first, then the older. */
const byTurn = (a: Waiting, b: Waiting) =>
  priorityOf(b.pod) - priorityOf(a.pod) ||
  timeToMillis(a.pod.metadata.creationTimestamp) - timeToMillis(b.pod.metadata.creationTimestamp);

const waitingOf = (keys: Iterable<Key>, view: View): Waiting[] =>
  [...keys].flatMap((key) => {
    const row = view.get(key);
    return row && waits(podOf(row)) ? [{ key, row, pod: podOf(row) }] : [];
  });

/** Pods that wait for victims to leave. */
const nominated = (cluster: Cluster, view: View): Waiting[] => waitingOf(cluster.nominated, view);

/** Pods for which room was made on a node that is gone. */
function promised(node: Row, view: View): Key[] {
  const { name } = parseKey(node.key);
  return nominated(clusterOf(view), view)
    .filter(({ pod }) => statusOf(pod).nominatedNodeName === name)
    .map(({ key }) => key);
}

/** Less important pods don't take the room that was made for this one. */
function hold(cluster: Cluster, room: Room, pod: Pod, node: string | undefined): void {
  const info = node ? room.byName.get(node) : undefined;
  if (info) cluster.assume(info, pod);
}

/** What status.nominatedNodeName becomes. */
function nominationOf(pod: Pod, p: Preemption | undefined): string | undefined {
  if (p && 'node' in p) return p.node.name;
  return p === undefined || p.keepsNomination ? statusOf(pod).nominatedNodeName : undefined;
}

function bind(key: Key, row: Row, node: string): Plan {
  const { namespace, name } = parseKey(key);
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid: row.uid },
    target: { apiVersion: 'v1', kind: 'Node', name: node },
  };
  return {
    writes: [{ do: 'post', key, subresource: 'binding', body }],
    notes: [
      {
        on: key,
        type: 'Normal',
        reason: 'Scheduled',
        message: `Successfully assigned ${namespace}/${name} to ${node}`,
        action: 'Binding',
      },
    ],
  };
}

function refuse(key: Key, row: Row, pod: Pod, message: string, preemption: Preemption | undefined, now: number): Plan {
  const victims = preemption && 'node' in preemption ? preemption.victims : [];
  const node = preemption && 'node' in preemption ? preemption.node.name : '';
  const before = statusOf(pod).conditions?.find((c) => c.type === 'PodScheduled');
  const was = statusOf(pod).nominatedNodeName;
  const nomination = nominationOf(pod, preemption);
  const evictions = victims.flatMap((v) => eviction(v, now));
  // The same news needs no write: a cluster that is full stays quiet.
  if (before?.status === 'False' && before.message === message && evictions.length === 0 && was === nomination)
    return { writes: [] };
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastProbeTime: null,
    lastTransitionTime:
      before?.status === 'False' && before.lastTransitionTime ? before.lastTransitionTime : formatTime(now),
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
  const status = { conditions: [condition], ...(was === nomination ? {} : { nominatedNodeName: nomination ?? null }) };
  return {
    writes: [...evictions, { do: 'patch', key, type: 'strategic', subresource: 'status', patch: { status } }],
    notes: [
      ...victims.map((v) => ({
        on: keyOfPod(v),
        type: 'Normal' as const,
        reason: 'Preempted',
        message: `Preempted by pod ${row.uid} on node ${node}`,
        action: 'Preempting',
      })),
      { on: key, type: 'Warning', reason: 'FailedScheduling', message, action: 'Scheduling' },
    ],
  };
}

const keyOfPod = (pod: Pod): Key => keyOf('', 'pods', pod.metadata.namespace ?? '', pod.metadata.name ?? '');

/** framework/preemption executor.go: the victim is told why, then deleted with its own grace period. Nothing is said or done twice. */
function eviction(victim: Pod, now: number): Write[] {
  const [key, uid] = [keyOfPod(victim), victim.metadata.uid ?? ''];
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: PREEMPTION_REASON,
    message: `${SCHEDULER}: preempting to accommodate a higher priority pod`,
    lastProbeTime: null,
    lastTransitionTime: formatTime(now),
    ...(victim.metadata.generation ? { observedGeneration: victim.metadata.generation } : {}),
  };
  const patch = { metadata: { uid }, status: { conditions: [condition] } };
  const told: Write = { do: 'patch', key, type: 'strategic', subresource: 'status', patch };
  const gone: Write = { do: 'delete', key, uid };
  return [...(isPreempted(victim) ? [] : [told]), ...(victim.metadata.deletionTimestamp === undefined ? [gone] : [])];
}
