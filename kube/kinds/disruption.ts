import { type Condition, conditionOf, setCondition } from '../meta/condition.ts';
import type { Json, JsonObject } from '../meta/json.ts';

// What the eviction subresource and the disruption controller say alike of a PodDisruptionBudget.

export const DISRUPTION_ALLOWED = 'DisruptionAllowed';
export const SYNC_FAILED = 'SyncFailed';

const says = (allowed: number) =>
  allowed > 0 ? { status: 'True', reason: 'SufficientPods' } : { status: 'False', reason: 'InsufficientPods' };

/** status.conditions as status.disruptionsAllowed has them: UpdateDisruptionAllowedCondition. `now`: RFC 3339. */
export function allowedConditions(status: JsonObject, now: string): Json[] {
  const observedGeneration = Number(status.observedGeneration ?? 0);
  const condition: Condition = {
    type: DISRUPTION_ALLOWED,
    ...says(Number(status.disruptionsAllowed ?? 0)),
    ...(observedGeneration > 0 ? { observedGeneration } : {}),
    message: '',
  };
  return setCondition(status.conditions, condition, now);
}
/** Whether the condition says what status.disruptionsAllowed does: ConditionsAreUpToDate. */
export function saysAllowed(status: JsonObject): boolean {
  const c = conditionOf(status.conditions, DISRUPTION_ALLOWED);
  const wanted = says(Number(status.disruptionsAllowed ?? 0));
  return c?.status === wanted.status && c.reason === wanted.reason;
}
