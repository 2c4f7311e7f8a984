import type { JsonObject } from '../../kube/meta/json.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import {
  availableIn,
  type Condition,
  condition,
  type Deployment,
  type DeploymentStatus,
  hasDeadline,
  maxUnavailable,
  type PlannedSet,
  replicasOf,
  sum,
  wanted,
  withCondition,
  without,
} from './deploymentsets.ts';

// The status of a Deployment: sync.go and progress.go of pkg/controller/deployment.

export const TIMED_OUT = 'ProgressDeadlineExceeded';
export const PAUSED = 'DeploymentPaused';
const ALL_AVAILABLE = 'NewReplicaSetAvailable';
/** Upstream looks a second later than the deadline, for times are of whole seconds. */
const SKEW_MS = 1000;

const actual = (s: PlannedSet) => s.is.status?.replicas ?? 0;
const progressing = (all: readonly Condition[]) => all.find((c) => c.type === 'Progressing');

/** calculateStatus; `conditions` are those that the plan has set so far. */
export function statusOf(
  d: Deployment,
  all: readonly PlannedSet[],
  newSet: PlannedSet | undefined,
  conditions: readonly Condition[],
  now: number,
): DeploymentStatus {
  const available = sum(all, availableIn);
  const counts: Record<string, number> = {
    observedGeneration: d.metadata.generation ?? 0,
    replicas: sum(all, actual),
    updatedReplicas: newSet ? actual(newSet) : 0,
    readyReplicas: sum(all, (s) => s.is.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, wanted) - available),
  };
  const terminating = terminatingOf(all);
  const enough = available >= replicasOf(d) - maxUnavailable(d);
  const shown = withCondition(
    conditions,
    enough
      ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', now)
      : condition(
          'Available',
          'False',
          'MinimumReplicasUnavailable',
          'Deployment does not have minimum availability.',
          now,
        ),
  );
  return {
    ...Object.fromEntries(Object.entries(counts).filter(([, n]) => n !== 0)),
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating }),
    ...(d.status?.collisionCount === undefined ? {} : { collisionCount: d.status.collisionCount }),
    conditions: shown,
  };
}
/** Undefined while a ReplicaSet that was looked at doesn't tell. */
function terminatingOf(all: readonly PlannedSet[]): number | undefined {
  let n = 0;
  for (const { is } of all) {
    const own = is.status?.terminatingReplicas;
    if (own === undefined && (is.status?.observedGeneration ?? 0) !== 0) return undefined;
    n += own ?? 0;
  }
  return n;
}

/** DeploymentComplete: everything is new, there and available, and nothing old is left. */
export const isComplete = (d: Deployment, status: DeploymentStatus | undefined): boolean =>
  (status?.updatedReplicas ?? 0) === replicasOf(d) &&
  (status?.replicas ?? 0) === replicasOf(d) &&
  (status?.availableReplicas ?? 0) === replicasOf(d) &&
  (status?.observedGeneration ?? 0) >= (d.metadata.generation ?? 0);

/** DeploymentProgressing: more new, ready or available, or less old, than the status before told. */
export function hasProgressed(before: DeploymentStatus, next: DeploymentStatus): boolean {
  const n = (s: DeploymentStatus, name: string) => (s[name] as number | undefined) ?? 0;
  const old = (s: DeploymentStatus) => n(s, 'replicas') - n(s, 'updatedReplicas');
  return (
    ['updatedReplicas', 'readyReplicas', 'availableReplicas'].some((name) => n(next, name) > n(before, name)) ||
    old(next) < old(before)
  );
}
/** DeploymentTimedOut: nothing has moved for progressDeadlineSeconds. */
export function hasTimedOut(d: Deployment, conditions: readonly Condition[], now: number): boolean {
  const c = progressing(conditions);
  if (!hasDeadline(d) || c === undefined || c.reason === ALL_AVAILABLE) return false;
  return c.reason === TIMED_OUT || timeToMillis(c.lastUpdateTime) + deadlineMs(d) < now;
}
const deadlineMs = (d: Deployment) => (d.spec.progressDeadlineSeconds ?? 0) * 1000;

/** syncRolloutStatus: the status with what can be said of the rollout's progress. */
export function rolloutStatus(
  d: Deployment,
  all: readonly PlannedSet[],
  newSet: PlannedSet | undefined,
  conditions: readonly Condition[],
  now: number,
): DeploymentStatus {
  const status = statusOf(d, all, newSet, conditions, now);
  let shown = status.conditions ?? [];
  const current = progressing(conditions);
  if (!hasDeadline(d)) shown = without(shown, 'Progressing');
  const done = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === ALL_AVAILABLE;
  if (hasDeadline(d) && !done) {
    const what = newSet ? `ReplicaSet "${newSet.is.metadata.name}"` : `Deployment "${d.metadata.name}"`;
    const say = (state: string, reason: string, how: string) =>
      condition('Progressing', state, reason, `${what} ${how}.`, now);
    if (isComplete(d, status)) {
      shown = withCondition(shown, say('True', ALL_AVAILABLE, 'has successfully progressed'));
    } else if (hasProgressed(d.status ?? {}, status)) {
      const c = say('True', 'ReplicaSetUpdated', 'is progressing');
      // Its time of update moves with each step, though status and reason stay.
      const since = current?.status === 'True' ? current.lastTransitionTime : undefined;
      shown = [...without(shown, 'Progressing'), { ...c, ...(since ? { lastTransitionTime: since } : {}) }];
    } else if (hasTimedOut(d, shown, now)) {
      shown = withCondition(shown, say('False', TIMED_OUT, 'has timed out progressing'));
    }
  }
  const failure = failureOf(all, newSet);
  shown = failure ? withCondition(shown, failure) : without(shown, 'ReplicaFailure');
  return { ...status, conditions: shown };
}

/** getReplicaFailures: the new ReplicaSet's failure before any other's. */
function failureOf(all: readonly PlannedSet[], newSet: PlannedSet | undefined): Condition | undefined {
  const of = (s: PlannedSet) => s.is.status?.conditions?.find((c) => c.type === 'ReplicaFailure');
  const found = (newSet && of(newSet)) ?? all.map(of).find((c) => c !== undefined);
  if (!found) return undefined;
  const { type, status, lastTransitionTime, reason, message } = found;
  const time = lastTransitionTime === undefined ? {} : { lastUpdateTime: lastTransitionTime, lastTransitionTime };
  const said: JsonObject = { ...(reason ? { reason } : {}), ...(message ? { message } : {}) };
  return { type, status, ...time, ...said };
}

/** requeueStuckDeployment: milliseconds until it is to be seen whether the deadline has passed; undefined where nothing is waited for. */
export function nextCheck(d: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const c = progressing(d.status?.conditions ?? []);
  if (!hasDeadline(d) || c === undefined || isComplete(d, status) || c.reason === TIMED_OUT) return undefined;
  return Math.max(0, timeToMillis(c.lastUpdateTime) + deadlineMs(d) - now) + SKEW_MS;
}
