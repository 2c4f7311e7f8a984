import type { JsonObject } from '../../../kube/meta/json.ts';
import type { KubeObject } from '../../../kube/meta/object.ts';
import type { Plan } from '../../../kube/reconcile/controller.ts';
import { deployment } from '../deployment.ts';
import { type Given, planFor } from './view.ts';

// What a plan for a Deployment writes.

/** Sizes of ReplicaSets that a plan changes or makes. */
export const sizes = (plan: Plan): Record<string, number> =>
  Object.fromEntries(
    plan.writes.flatMap((w) => {
      if ((w.do !== 'update' && w.do !== 'create') || w.object.kind !== 'ReplicaSet') return [];
      return [[w.object.metadata.name ?? '', (w.object.spec as { replicas: number }).replicas]];
    }),
  );
/** The object of that kind that it makes or replaces. */
export function written(plan: Plan, kind: string): KubeObject | undefined {
  const w = plan.writes.find((x) => (x.do === 'update' || x.do === 'create') && x.object.kind === kind);
  return w?.do === 'update' || w?.do === 'create' ? w.object : undefined;
}
export const status = (plan: Plan): JsonObject | undefined =>
  written(plan, 'Deployment')?.status as JsonObject | undefined;
export type Condition = { type: string; status: string; reason: string; message: string } & Record<string, string>;
export const conditionOf = (plan: Plan, type: string): Condition | undefined =>
  (status(plan)?.conditions as unknown as Condition[] | undefined)?.find((c) => c.type === type);
/** The plan for a Deployment beside other objects. */
export const plan = (d: Given, ...others: Given[]): Plan => planFor(deployment, [d, ...others]);
