import type { Row, Write } from '../../kube/reconcile/controller.ts';
import { countIndexes, hasIndex, type Indexes, parseIndexes, withIndexes } from './jobindexes.ts';
import { isActive, isTerminating, type JobPod, type Mine, mineOf, NO_INDEX } from './jobpods.ts';
import { judge, type Verdict } from './jobpolicy.ts';
import type { Job } from './jobstatus.ts';

/** The pods a Job has, and what makes them its own. */
export interface Claimed {
  owned: readonly Row[];
  /** Patched in this plan: they count from now on. */
  adopted: readonly Row[];
  writes: readonly Write[];
}

/** What one look at a Job and its pods gives: upstream's syncJobCtx. */
export interface Sync {
  job: Job;
  isIndexed: boolean;
  completions: number;
  pods: readonly Mine[];
  active: readonly Mine[];
  terminating: number;
  /** Counted already and not yet let go of. */
  uncounted: { succeeded: ReadonlySet<string>; failed: ReadonlySet<string> };
  /** With those that aren't counted yet. */
  succeeded: number;
  failed: number;
  /** By status, and with what has ended since. */
  prevSucceeded: Indexes;
  doneIndexes: Indexes;
  /** With spec.backoffLimitPerIndex alone. */
  failedIndexes: Indexes | undefined;
  /** By index the failed pod that stays until there is another in its place. */
  delayed: ReadonlyMap<number, Mine>;
  isFailed(pod: JobPod): boolean;
  verdict(mine: Mine): Verdict;
}

export const isSuspended = (job: Job): boolean => job.spec.suspend === true;
export const replacesFailedOnly = (job: Job): boolean => job.spec.podReplacementPolicy === 'Failed';

export function syncOf(job: Job, claimed: Claimed, _now: number): Sync {
  const { spec, status = {} } = job;
  const isIndexed = spec.completionMode === 'Indexed';
  const completions = spec.completions ?? 0;
  const pods = [
    ...claimed.owned.flatMap((row) => mineOf(row) ?? []),
    ...claimed.adopted.flatMap((row) => {
      const mine = mineOf(row);
      return mine ? [{ row, pod: { ...mine.pod, tracked: true } }] : [];
    }),
  ];
  const active = pods.filter(isActive);
  const u = status.uncountedTerminatedPods ?? {};
  const uncounted = { succeeded: new Set(u.succeeded ?? []), failed: new Set(u.failed ?? []) };
  // A deleted pod that never gets to Failed counts as such, unless the Job waits for it to get there.
  const isFailed = (pod: JobPod) =>
    pod.phase === 'Failed' || (!replacesFailedOnly(job) && pod.deleting && pod.phase !== 'Succeeded');
  const verdict = (mine: Mine) => judge(spec.podFailurePolicy, mine.pod, mine.row.key.slice('pods/'.length));
  const isValid = (m: Mine) => !isIndexed || (m.pod.index !== NO_INDEX && m.pod.index < completions);
  const fresh = (of: ReadonlySet<string>, test: (m: Mine) => boolean) =>
    pods.filter((m) => m.pod.tracked && !of.has(m.row.uid) && isValid(m) && test(m));
  const newSucceeded = fresh(uncounted.succeeded, (m) => m.pod.phase === 'Succeeded');
  const newFailed = fresh(uncounted.failed, (m) => isFailed(m.pod) && verdict(m).counts);
  const s: Sync = {
    job,
    isIndexed,
    completions,
    pods,
    active,
    terminating: pods.filter(isTerminating).length,
    uncounted,
    succeeded: (status.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.size,
    failed: (status.failed ?? 0) + newFailed.length + uncounted.failed.size,
    prevSucceeded: [],
    doneIndexes: [],
    failedIndexes: undefined,
    delayed: new Map(),
    isFailed,
    verdict,
  };
  return isIndexed ? indexed(s) : s;
}

/** With what an Indexed Job knows of its indexes. */
function indexed(s: Sync): Sync {
  const { job, completions } = s;
  const { spec, status = {} } = job;
  const prevSucceeded = parseIndexes(status.completedIndexes, completions);
  const valid = s.pods.filter(({ pod }) => pod.index !== NO_INDEX && pod.index < completions && pod.tracked);
  const done = valid.filter(({ pod }) => pod.phase === 'Succeeded').map(({ pod }) => pod.index);
  const doneIndexes = withIndexes(prevSucceeded, done);
  const next: Sync = { ...s, prevSucceeded, doneIndexes, succeeded: countIndexes(doneIndexes) };
  const limit = spec.backoffLimitPerIndex;
  if (limit === undefined) return next;
  const lost = valid.filter((m) => {
    if (!s.isFailed(m.pod)) return false;
    const { counts, action } = s.verdict(m);
    return action === 'FailIndex' || (counts && m.pod.failures >= limit);
  });
  next.failedIndexes = withIndexes(
    parseIndexes(status.failedIndexes, completions),
    lost.map(({ pod }) => pod.index),
  );
  next.delayed = delayedOf(next, valid);
  return next;
}

/** getPodsWithDelayedDeletionPerIndex: the last failed pod of each index that is to be tried again. */
function delayedOf(s: Sync, valid: readonly Mine[]): Map<number, Mine> {
  const active = new Set(s.active.map(({ pod }) => pod.index));
  const found = new Map<number, Mine>();
  for (const m of valid) {
    const { index } = m.pod;
    if (!s.isFailed(m.pod) || active.has(index)) continue;
    if (hasIndex(s.doneIndexes, index) || hasIndex(s.failedIndexes ?? [], index)) continue;
    const before = found.get(index);
    const isLater =
      before === undefined || (failuresOf(before) <= failuresOf(m) && m.pod.finished >= before.pod.finished);
    if (isLater) found.set(index, m);
  }
  return found;
}
/** All failures of an index before this pod, counted or not. */
export const failuresOf = ({ pod }: Mine): number => pod.failures + pod.ignored;
