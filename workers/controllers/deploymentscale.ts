import type { Note, View, Write } from '../../kube/reconcile/controller.ts';
import type { Key } from '../../kube/store/store.ts';
import {
  availableIn,
  byCreation,
  bySetRevision,
  bySizeNewer,
  bySizeOlder,
  type Condition,
  type Deployment,
  hasHistoryLimit,
  isActive,
  isRolling,
  isSaturated,
  maxSurge,
  maxUnavailable,
  newSize,
  noteSize,
  type PlannedSet,
  proportion,
  replicasOf,
  sum,
  wanted,
} from './deploymentsets.ts';
import { ended, pod } from './podrow.ts';

// How a Deployment's ReplicaSets grow and shrink: scale() of sync.go, rolling.go, recreate.go of pkg/controller/deployment.

/** A Deployment while its plan is made. Everything happens to it in memory first: one write for each object comes of it. */
export interface Sync {
  key: Key;
  d: Deployment;
  view: View;
  /** Every ReplicaSet of the Deployment but the new one. */
  old: PlannedSet[];
  /** The one of the present template, once there is one. */
  newSet: PlannedSet | undefined;
  annotations: Record<string, string>;
  conditions: Condition[];
  notes: Note[];
  deletes: Write[];
}
export const allSets = (s: Sync): PlannedSet[] => (s.newSet ? [...s.old, s.newSet] : s.old);

/** scaleReplicaSet: whether its size changed. `always`: also what it notes of the Deployment's size is brought up to date. */
function resize(s: Sync, set: PlannedSet, replicas: number, always = false): boolean {
  const differs = set.replicas !== replicas;
  if (!differs && !always) return false;
  set.replicas = replicas;
  noteSize(set, s.d);
  return differs;
}

/** Brings the ReplicaSets to the Deployment's size outside a rollout: each that has pods gets its part. */
export function scale(s: Sync): void {
  const { d } = s;
  const active = allSets(s).filter(isActive);
  const latest = s.newSet ?? [...s.old].sort((a, b) => byCreation(b, a))[0];
  const only = active.length > 1 ? undefined : (active[0] ?? latest);
  if (only) {
    resize(s, only, replicasOf(d));
    return;
  }
  if (isSaturated(d, s.newSet)) {
    for (const set of s.old.filter(isActive)) resize(s, set, 0);
    return;
  }
  if (isRolling(d)) scaleInProportion(s, active);
}
function scaleInProportion(s: Sync, active: PlannedSet[]): void {
  const { d } = s;
  const room = replicasOf(d) > 0 ? replicasOf(d) + maxSurge(d) : 0;
  const toAdd = room - sum(active, wanted);
  if (toAdd !== 0) active.sort(toAdd > 0 ? bySizeNewer : bySizeOlder);
  let added = 0;
  const sizes = active.map((set) => {
    const part = proportion(set, d, toAdd, added);
    added += part;
    return set.replicas + part;
  });
  active.forEach((set, i) => {
    // What rounding left over falls to the largest.
    const size = (sizes[i] ?? 0) + (i === 0 ? toAdd - added : 0);
    resize(s, set, i === 0 ? Math.max(0, size) : size, true);
  });
}

/** rolloutRolling: grows the new ReplicaSet, or shrinks the old ones. False where neither is to be done. */
export function roll(s: Sync, newSet: PlannedSet): boolean {
  return growNew(s, newSet) || shrinkOld(s, newSet);
}
function growNew(s: Sync, newSet: PlannedSet): boolean {
  const target = replicasOf(s.d);
  if (newSet.replicas === target) return false;
  return resize(s, newSet, newSet.replicas > target ? target : newSize(s.d, allSets(s), newSet));
}
function shrinkOld(s: Sync, newSet: PlannedSet): boolean {
  const old = s.old.filter(isActive);
  if (old.length === 0) return false;
  const least = replicasOf(s.d) - maxUnavailable(s.d);
  const allowed = sum(allSets(s), wanted) - least - (newSet.replicas - availableIn(newSet));
  if (allowed <= 0) return false;
  old.sort(byCreation);
  const unhealthy = shrinkUnhealthy(s, old, allowed);
  return unhealthy !== undefined && unhealthy + shrinkAvailable(s, old, newSet, least) > 0;
}
/** cleanupUnhealthyReplicas: what isn't available goes first, and costs nothing. Undefined where a ReplicaSet still has more than it is to have. */
function shrinkUnhealthy(s: Sync, old: readonly PlannedSet[], allowed: number): number | undefined {
  let gone = 0;
  for (const set of old) {
    if (gone >= allowed) break;
    if (set.replicas === 0) continue;
    const count = Math.min(allowed - gone, set.replicas - availableIn(set));
    if (count < 0) return undefined;
    resize(s, set, set.replicas - count);
    gone += count;
  }
  return gone;
}
/** scaleDownOldReplicaSetsForRollingUpdate. */
function shrinkAvailable(s: Sync, old: readonly PlannedSet[], newSet: PlannedSet, least: number): number {
  const spare = sum([...old, newSet], availableIn) - least;
  let gone = 0;
  for (const set of old) {
    if (gone >= spare) break;
    const count = Math.min(set.replicas, spare - gone);
    if (set.replicas === 0) continue;
    resize(s, set, set.replicas - count);
    gone += count;
  }
  return gone;
}

/** Recreate: takes all pods of the old ReplicaSets away. Whether there were any. */
export function emptyOld(s: Sync): boolean {
  let any = false;
  for (const set of s.old.filter(isActive)) any = resize(s, set, 0) || any;
  return any;
}
/** oldPodsRunning: pods that haven't ended, of any ReplicaSet but the new one. */
export const oldPodsRun = (s: Sync): boolean =>
  sum(s.old, (set) => set.is.status?.replicas ?? 0) > 0 ||
  s.old.some((set) => s.view.owned('pods', set.is.metadata.uid ?? '').some((row) => !ended(pod(row))));
export const fillNew = (s: Sync, newSet: PlannedSet): boolean => resize(s, newSet, replicasOf(s.d));

/** cleanupDeployment: ReplicaSets beyond the history limit go, oldest first, where they have no pods. */
export function forgetOld(s: Sync): void {
  if (!hasHistoryLimit(s.d)) return;
  const alive = s.old.filter((set) => set.is.metadata.deletionTimestamp === undefined).sort(bySetRevision);
  const excess = alive.length - (s.d.spec.revisionHistoryLimit ?? 0);
  for (const set of alive.slice(0, Math.max(0, excess))) {
    const { status, metadata } = set.is;
    const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
    if ((status?.replicas ?? 0) !== 0 || set.replicas !== 0 || !seen) continue;
    s.deletes.push({ do: 'delete', key: set.key, ...(metadata.uid ? { uid: metadata.uid } : {}) });
  }
}
