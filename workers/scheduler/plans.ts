import type { JsonObject } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Plan, Write } from '../../kube/reconcile/controller.ts';
import type { Key } from '../../kube/store/store.ts';
import { SCHEDULER } from './cluster.ts';
import type { NodeInfo, Pod, PodInfo } from './framework.ts';
import { PREEMPTION_REASON, statusOf } from './preemption.ts';

// What is written of a decision.

/** The longest note of an Event, and what upstream ends a longer one with. */
const NOTE_MAX = 1024;
const CUT = ' ...';
const cut = (text: string) => (text.length <= NOTE_MAX ? text : text.slice(0, NOTE_MAX - CUT.length) + CUT);

export function bind({ key, namespace, name, uid }: PodInfo, node: string): Plan {
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid },
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

/** A condition as upstream's UpdatePodCondition leaves it: the time of transition moves with the status alone. */
function condition(
  pod: Pod,
  now: number,
  c: { type: string; status: string; reason: string; message: string },
): JsonObject {
  const before = statusOf(pod).conditions?.find((b) => b.type === c.type);
  return {
    ...c,
    lastProbeTime: null,
    lastTransitionTime:
      before?.status === c.status && before.lastTransitionTime ? before.lastTransitionTime : formatTime(now),
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
}

/** What becomes of a pod that fits nowhere, and of those that make room for it. */
export interface Refusal {
  message: string;
  victims: readonly PodInfo[];
  /** Where room is made. */
  node: NodeInfo | undefined;
  /** What status.nominatedNodeName becomes. */
  nomination: string | undefined;
  /** Less important pods for which room was kept there. */
  displaced: readonly PodInfo[];
  /** No node was found wanting: deciding itself failed. */
  broken?: true;
}

/** In place of a message: nothing is wrong, it only takes time. */
export const TOLD_NOTHING = '';

/** Whether a pod has heard of its last refusal. */
export const isTold = (pod: Pod, message: string, nomination: string | undefined): boolean => {
  if (message === TOLD_NOTHING) return statusOf(pod).nominatedNodeName === nomination;
  const c = statusOf(pod).conditions?.find((b) => b.type === 'PodScheduled');
  return (
    c?.status === 'False' && c.message === message && (statusOf(pod).nominatedNodeName || undefined) === nomination
  );
};

export function refuse(info: PodInfo, r: Refusal, now: number): Pick<Plan, 'writes' | 'notes'> {
  const { pod, key, uid } = info;
  const evicted = r.victims.filter((v) => !v.terminating);
  const others = [...r.displaced.map(freed), ...evicted.flatMap((v) => eviction(v, now))];
  // The same news needs no write: a cluster that is full stays quiet.
  if (others.length === 0 && isTold(pod, r.message, r.nomination)) return { writes: [] };
  const scheduled = condition(pod, now, {
    type: 'PodScheduled',
    status: 'False',
    reason: r.broken ? 'SchedulerError' : 'Unschedulable',
    message: r.message,
  });
  const was = statusOf(pod).nominatedNodeName || undefined;
  const status = {
    conditions: [scheduled],
    ...(was === r.nomination ? {} : { nominatedNodeName: r.nomination ?? null }),
  };
  return {
    writes: [...others, { do: 'patch', key, type: 'strategic', subresource: 'status', patch: { status } }],
    notes: [
      ...evicted.map((v) => ({
        on: v.key,
        type: 'Normal' as const,
        reason: 'Preempted',
        message: `Preempted by pod ${uid} on node ${r.node?.name ?? ''}`,
        action: 'Preempting',
      })),
      { on: key, type: 'Warning', reason: 'FailedScheduling', message: cut(r.message), action: 'Scheduling' },
    ],
  };
}

/** Volumes are made where the pod goes: it is bound when they are there. */
export function prepareVolumes({ pod, key }: PodInfo, node: string, volumes: readonly Write[]): Pick<Plan, 'writes'> {
  const known = statusOf(pod).nominatedNodeName === node;
  return { writes: known ? volumes : [...volumes, nominated(key, node)] };
}
const nominated = (key: Key, nominatedNodeName: string | null): Write => ({
  do: 'patch',
  key,
  type: 'strategic',
  subresource: 'status',
  patch: { status: { nominatedNodeName } },
});

/** Room is kept for it no longer: it may find another place before this one is free. */
const freed = ({ key }: PodInfo): Write => nominated(key, null);

/** framework/preemption executor.go: the victim is told why, then deleted with its own grace period. */
function eviction({ pod, key, uid }: PodInfo, now: number): Write[] {
  const told = condition(pod, now, {
    type: 'DisruptionTarget',
    status: 'True',
    reason: PREEMPTION_REASON,
    message: `${SCHEDULER}: preempting to accommodate a higher priority pod`,
  });
  const patch = { metadata: { uid }, status: { conditions: [told] } };
  return [
    { do: 'patch', key, type: 'strategic', subresource: 'status', patch },
    { do: 'delete', key, uid },
  ];
}
