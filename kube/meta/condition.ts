import { isObject, type Json, type JsonObject } from './json.ts';

/** metav1.Condition; what is absent of reason and message is ''. */
export interface Condition extends JsonObject {
  type: string;
  status: string;
  observedGeneration?: number;
  lastTransitionTime?: string;
  reason: string;
  message: string;
}

/** The condition of a type in a list of them; undefined without one. */
export const conditionOf = (conditions: Json | undefined, type: string): Condition | undefined =>
  (Array.isArray(conditions) ? conditions : []).find((c): c is Condition => isObject(c) && c.type === type);

/** The list with that condition (apimachinery meta.SetStatusCondition): its time moves with its status only. `now`: RFC 3339. */
export function setCondition(conditions: Json | undefined, c: Condition, now: string): Json[] {
  const list = Array.isArray(conditions) ? conditions : [];
  const old = conditionOf(list, c.type);
  const lastTransitionTime = old?.status === c.status ? (old.lastTransitionTime ?? now) : now;
  const next = { ...c, lastTransitionTime };
  return old ? list.map((x) => (x === old ? next : x)) : [...list, next];
}
