import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import { countIndexes } from './jobindexes.ts';
import { successOf } from './jobpolicy.ts';
import { condition, hasCondition, type JobCondition, type JobStatus } from './jobstatus.ts';
import { isSuspended, type Sync } from './jobsync.ts';

/**
 * Whether a Job ends, and how, in upstream's order: what was decided before, what its policy says of a pod, limits, indexes, and its policy of
 * success. `condition` is SuccessCriteriaMet, FailureTarget, or Failed where that target stands already. `again`: when its deadline comes.
 */
export function decide(
  s: Sync,
  status: JobStatus,
  now: number,
): { condition: JobCondition | undefined; again?: number } {
  const { spec } = s.job;
  const met = hasCondition(s.job, 'SuccessCriteriaMet');
  if (met) return { condition: met };
  const target = hasCondition(s.job, 'FailureTarget');
  if (target) return { condition: condition('Failed', 'True', target.reason ?? '', target.message ?? '', now) };
  const fails = (reason: string, message: string) => ({
    condition: condition('FailureTarget', 'True', reason, message, now),
  });
  const message = failureByPolicy(s);
  if (message !== undefined) return fails('PodFailurePolicy', message);
  if (s.failed > (spec.backoffLimit ?? 6) || restartedTooOften(s))
    return fails('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  let again: number | undefined;
  if (spec.activeDeadlineSeconds !== undefined && !isSuspended(s.job)) {
    again = timeToMillis(status.startTime ?? formatTime(now)) + spec.activeDeadlineSeconds * 1000 - now;
    if (again <= 0) return fails('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  const waits = again === undefined ? {} : { again };
  if (!s.isIndexed) return { condition: undefined, ...waits };
  if (s.failedIndexes) {
    const [failed, done] = [countIndexes(s.failedIndexes), countIndexes(s.doneIndexes)];
    if (spec.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes)
      return fails('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
    if (failed > 0 && failed + done >= s.completions) return fails('FailedIndexes', 'Job has failed indexes');
  }
  const success = successOf(spec.successPolicy, s.completions, s.doneIndexes);
  if (success === undefined) return { condition: undefined, ...waits };
  return { condition: condition('SuccessCriteriaMet', 'True', 'SuccessPolicy', success, now) };
}

function failureByPolicy(s: Sync): string | undefined {
  if (s.job.spec.podFailurePolicy === undefined) return undefined;
  for (const m of s.pods) {
    const message = s.isFailed(m.pod) ? s.verdict(m).message : undefined;
    if (message !== undefined) return message;
  }
  return undefined;
}

/** pastBackoffLimitOnFailure: restarts in place count where pods restart on failure. */
function restartedTooOften({ job, pods }: Sync): boolean {
  const { restartPolicy } = (job.spec.template.spec ?? {}) as { restartPolicy?: string };
  if (restartPolicy !== 'OnFailure') return false;
  const limit = job.spec.backoffLimit ?? 6;
  const restarts = pods
    .filter(({ pod }) => pod.phase === 'Running' || pod.phase === 'Pending')
    .reduce((n, { pod }) => n + pod.allRestarts, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}
