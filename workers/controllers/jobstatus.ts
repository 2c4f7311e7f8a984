import { kindByStorage } from '../../kube/kinds/index.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { FailurePolicy, SuccessPolicy } from './jobpolicy.ts';
import { needKind } from './kind.ts';

export const jobs = needKind(kindByStorage, 'jobs.batch');

export interface JobCondition extends JsonObject {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastProbeTime?: string;
  lastTransitionTime?: string;
}
export interface Uncounted extends JsonObject {
  succeeded?: string[];
  failed?: string[];
}
export interface JobStatus extends JsonObject {
  conditions?: JobCondition[];
  startTime?: string;
  completionTime?: string;
  active?: number;
  succeeded?: number;
  failed?: number;
  terminating?: number;
  ready?: number;
  completedIndexes?: string;
  failedIndexes?: string;
  uncountedTerminatedPods?: Uncounted;
}
export interface JobSpec extends JsonObject {
  parallelism?: number;
  completions?: number;
  completionMode?: string;
  activeDeadlineSeconds?: number;
  backoffLimit?: number;
  backoffLimitPerIndex?: number;
  maxFailedIndexes?: number;
  podFailurePolicy?: FailurePolicy;
  successPolicy?: SuccessPolicy;
  podReplacementPolicy?: string;
  suspend?: boolean;
  managedBy?: string;
  selector?: JsonObject;
  ttlSecondsAfterFinished?: number;
  template: JsonObject;
}
export interface Job extends KubeObject {
  spec: JobSpec;
  status?: JobStatus;
}

export const hasCondition = (job: Job, type: string): JobCondition | undefined =>
  job.status?.conditions?.find((c) => c.type === type && c.status === 'True');
/** The condition that says that a Job is over: Complete or Failed. */
export const finishedOf = (job: Job): JobCondition | undefined =>
  job.status?.conditions?.find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');

export function condition(type: string, status: string, reason: string, message: string, now: number): JobCondition {
  const at = formatTime(now);
  return { type, status, lastProbeTime: at, lastTransitionTime: at, reason, message };
}

/** The list with that condition; itself where it has it, or would have it as False without having had it. */
export function withCondition(list: readonly JobCondition[], c: JobCondition): readonly JobCondition[] {
  const old = list.find((x) => x.type === c.type);
  if (old === undefined) return c.status === 'False' ? list : [...list, c];
  if (old.status === c.status && (old.reason ?? '') === c.reason && (old.message ?? '') === c.message) return list;
  return list.map((x) => (x === old ? c : x));
}
