import {
  isAvailable,
  isTerminating,
  isUnavailable,
  maxUnavailableOf,
  type Replica,
  type StatefulSet,
} from './statefulpods.ts';

/**
 * updateStatefulSetAfterInvariantEstablished: the pods that a rolling update deletes next, highest ordinal first. Pods below the partition stay as they
 * are; never are more than maxUnavailable away, but in parallel those that don't work anyway go too.
 */
export function updateStep(set: StatefulSet, replicas: readonly Replica[], update: string, now: number): Replica[] {
  const parallel = set.spec.podManagementPolicy === 'Parallel';
  const away = replicas.filter((r) => isUnavailable(r, set, now));
  const isOld = (r: Replica) => r.revision !== update;
  const budget = maxUnavailableOf(set) - away.length;
  if (budget <= 0 && !(parallel && away.some((r) => isOld(r) && !isTerminating(r)))) return [];
  const from = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const old = replicas
    .slice(from)
    .toReversed()
    .filter((r) => isOld(r) && !isTerminating(r) && r.pod !== undefined);
  if (!parallel) return old.slice(0, Math.max(0, budget));
  const working = old.filter((r) => isAvailable(r, set, now));
  return [...old.filter((r) => !isAvailable(r, set, now)), ...working.slice(0, Math.max(0, budget))];
}
