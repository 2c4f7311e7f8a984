import type { Row } from '../../kube/reconcile/controller.ts';
import { countIndexes, hasIndex, printIndexes, withIndexes } from './jobindexes.ts';
import { type Mine, NO_INDEX } from './jobpods.ts';
import {
  condition,
  hasCondition,
  type JobCondition,
  type JobStatus,
  type Uncounted,
  withCondition,
} from './jobstatus.ts';
import type { Sync } from './jobsync.ts';

/** Uids that status.uncountedTerminatedPods may hold: some 20 KB. */
const UNCOUNTED_MAX = 500;

interface Tracked {
  status: JobStatus;
  /** Pods that are counted by this status: their finalizer may go once it stands. */
  untracked: Row[];
  /** Events of the Job's end. */
  reasons: { type: 'Normal' | 'Warning'; reason: string; message: string }[];
}

/**
 * trackJobStatusAndRemoveFinalizers: pods that ended are noted by uid, let go of, then counted; so each counts once, whatever ends in between.
 * `finished`: how the Job ends.
 */
export function track(
  s: Sync,
  before: JobStatus,
  finished: JobCondition | undefined,
  counts: { active: number; ready: number; terminating: number },
  now: number,
): Tracked {
  const status: JobStatus = { ...before, ...counts };
  count(s, status);
  const { untracked, indexes, full } = note(s, status, finished);
  if (s.isIndexed) {
    const done = withIndexes(s.doneIndexes, indexes);
    status.succeeded = countIndexes(done);
    status.completedIndexes = printIndexes(done);
    if (s.failedIndexes) status.failedIndexes = printIndexes(s.failedIndexes);
    else delete status.failedIndexes;
  }
  const last = final(s, status, finished, now);
  const reasons: Tracked['reasons'] = [];
  // Those whose finalizer goes with this plan are counted by the next, which sees them without.
  if (last && !full && isSettled(status) && untracked.length === 0) {
    status.conditions = [...withCondition(status.conditions ?? [], last)];
    if (last.type === 'Complete') {
      if (last.lastTransitionTime !== undefined) status.completionTime = last.lastTransitionTime;
      const { completions } = s.job.spec;
      if (completions !== undefined && (status.succeeded ?? 0) > completions)
        reasons.push({ type: 'Warning', reason: 'TooManySucceededPods', message: TOO_MANY });
      reasons.push({ type: 'Normal', reason: 'Completed', message: 'Job completed' });
    } else reasons.push({ type: 'Warning', reason: last.reason ?? '', message: last.message ?? '' });
  }
  return { status, untracked, reasons };
}
const TOO_MANY = 'Too many succeeded pods running after completion count reached';

/** Nobody is left to be counted, and nothing ends any more. */
function isSettled(status: JobStatus): boolean {
  const u = status.uncountedTerminatedPods ?? {};
  return (u.succeeded?.length ?? 0) + (u.failed?.length ?? 0) === 0 && (status.terminating ?? 0) === 0;
}

/** cleanUncountedPodsWithoutFinalizers: what was noted and let go of is counted. */
function count(s: Sync, status: JobStatus): void {
  const held = new Set(s.pods.filter(({ pod }) => pod.tracked).map(({ row }) => row.uid));
  const u = status.uncountedTerminatedPods ?? {};
  const left: Uncounted = {};
  for (const member of ['succeeded', 'failed'] as const) {
    const uids = u[member] ?? [];
    const kept = uids.filter((uid) => held.has(uid));
    status[member] = (status[member] ?? 0) + uids.length - kept.length;
    left[member] = kept;
  }
  status.uncountedTerminatedPods = left;
}

/** Notes pods that ended and aren't noted yet. */
function note(s: Sync, status: JobStatus, finished: JobCondition | undefined) {
  const u = status.uncountedTerminatedPods ?? {};
  const succeeded = [...(u.succeeded ?? [])];
  const failed = [...(u.failed ?? [])];
  const indexes: number[] = [];
  const untracked: Row[] = [];
  let full = false;
  const pods = s.isIndexed ? [...s.pods].sort((a, b) => a.pod.index - b.pod.index) : s.pods;
  for (const m of pods) {
    if (!m.pod.tracked || !mayGo(s, m, finished)) continue;
    const { row, pod } = m;
    untracked.push(row);
    const isValid = pod.index !== NO_INDEX && pod.index < s.completions;
    if (pod.phase === 'Succeeded' && !s.uncounted.failed.has(row.uid)) {
      if (!s.isIndexed) {
        if (!s.uncounted.succeeded.has(row.uid)) succeeded.push(row.uid);
      } else if (isValid && !hasIndex(s.prevSucceeded, pod.index)) indexes.push(pod.index);
    } else if (s.isFailed(pod) || (finished && finished.type !== 'SuccessCriteriaMet')) {
      const isNew = !s.uncounted.failed.has(row.uid) && (!s.isIndexed || isValid);
      if (isNew && s.verdict(m).counts) failed.push(row.uid);
    }
    full = indexes.length + succeeded.length + failed.length >= UNCOUNTED_MAX;
    if (full) break;
  }
  status.uncountedTerminatedPods = { succeeded, failed };
  return { untracked, indexes, full };
}

/** canRemoveFinalizer. */
function mayGo(s: Sync, m: Mine, finished: JobCondition | undefined): boolean {
  if (s.job.metadata.deletionTimestamp || finished || m.pod.phase === 'Succeeded') return true;
  if (!s.isFailed(m.pod)) return false;
  return s.delayed.get(m.pod.index)?.row.uid !== m.row.uid;
}

/** What the Job's end is in the end; the target goes into the conditions first. */
function final(s: Sync, status: JobStatus, finished: JobCondition | undefined, now: number): JobCondition | undefined {
  if (finished === undefined) return undefined;
  const { type, reason = '', message = '' } = finished;
  if (type === 'Failed') return finished;
  if (hasCondition(s.job, type) === undefined) status.conditions = [...(status.conditions ?? []), finished];
  return condition(type === 'FailureTarget' ? 'Failed' : 'Complete', 'True', reason, message, now);
}
