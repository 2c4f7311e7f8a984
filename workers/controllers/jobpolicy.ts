import type { JsonObject } from '../../kube/meta/json.ts';
import { countIndexes, type Indexes, parseIndexes, sharedIndexes } from './jobindexes.ts';
import type { JobPod } from './jobpods.ts';

// spec.podFailurePolicy and spec.successPolicy: kubernetes pkg/controller/job/pod_failure_policy.go, success_policy.go.

export interface FailureRule extends JsonObject {
  action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  onExitCodes?: JsonObject & { containerName?: string; operator: string; values: number[] };
  onPodConditions?: (JsonObject & { type: string; status?: string })[];
}
export interface FailurePolicy extends JsonObject {
  rules: FailureRule[];
}
export interface SuccessPolicy extends JsonObject {
  rules: (JsonObject & { succeededIndexes?: string; succeededCount?: number })[];
}
/** What a policy says of a failed pod. */
export interface Verdict {
  /** The Job fails for this. */
  message?: string;
  /** The failure counts towards the limits. */
  counts: boolean;
  action?: FailureRule['action'];
}

/** The first rule that matches decides; without one a failure counts. `pod`: `namespace/name`. */
export function judge(policy: FailurePolicy | undefined, pod: JobPod, name: string): Verdict {
  for (const [i, rule] of (policy?.rules ?? []).entries()) {
    const why = whyMatches(rule, pod, name);
    if (why === undefined) continue;
    const { action } = rule;
    if (action === 'FailJob') return { message: `${why} matching FailJob rule at index ${i}`, counts: true, action };
    return { counts: action !== 'Ignore', action };
  }
  return { counts: true };
}
function whyMatches(rule: FailureRule, pod: JobPod, name: string): string | undefined {
  if (rule.onExitCodes) {
    const { containerName, operator, values } = rule.onExitCodes;
    const found = pod.codes.find(
      (c) =>
        (containerName === undefined || containerName === c.name) &&
        ((operator === 'In' && values.includes(c.code)) || (operator === 'NotIn' && !values.includes(c.code))),
    );
    return found && `Container ${found.name} for pod ${name} failed with exit code ${found.code}`;
  }
  const wanted = rule.onPodConditions ?? [];
  const found = pod.conditions.find((c) => wanted.some((w) => w.type === c.type && (w.status ?? 'True') === c.status));
  return found && `Pod ${name} has condition ${found.type}`;
}

/** Why a Job has succeeded before all of its indexes have; undefined where it hasn't. */
export function successOf(policy: SuccessPolicy | undefined, completions: number, done: Indexes): string | undefined {
  if (policy === undefined || done.length === 0) return undefined;
  for (const [i, { succeededIndexes, succeededCount }] of policy.rules.entries()) {
    const met = `Matched rules at index ${i}`;
    if (succeededIndexes === undefined) {
      if (succeededCount !== undefined && countIndexes(done) >= succeededCount) return met;
      continue;
    }
    const wanted = parseIndexes(succeededIndexes, completions);
    if (wanted.length === 0) continue;
    const shared = sharedIndexes(wanted, done);
    if (shared === countIndexes(wanted) || (succeededCount !== undefined && shared >= succeededCount)) return met;
  }
  return undefined;
}
