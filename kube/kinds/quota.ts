import type { Json, JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import {
  addQuantities,
  compareQuantities,
  type Quantity,
  quantity,
  subtractQuantities,
  ZERO,
} from '../meta/quantity.ts';
import { list, obj, objs, str } from './access.ts';
import type { Resources } from './podspec/totals.ts';
import { overlapsQuota, podConstraint, podInScope, podUsage } from './quotapods.ts';
import { CLAIM_NAMES, claimInScope, claimUsage, serviceUsage, storageClassName } from './quotastorage.ts';

// What a ResourceQuota counts of an object, and which quotas count it: kubernetes pkg/quota/v1/evaluator, apiserver pkg/quota/v1.

export type { Resources };

/** `count/pods`, `count/deployments.apps`. */
const countName = (resource: string) => `count/${resource}`;
/** Resources whose objects are counted by their bare name too. */
const LEGACY: ReadonlySet<string> = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);
const SERVICE_NAMES: ReadonlySet<string> = new Set(['services', 'services.nodeports', 'services.loadbalancers']);

/** Which of a quota's names objects of a resource count for. */
export function countedNames(resource: string, names: Iterable<string>): string[] {
  return [...names].filter((name) => {
    if (name === countName(resource)) return true;
    if (resource === 'pods') return overlapsQuota(name);
    if (resource === 'services') return SERVICE_NAMES.has(name);
    if (resource === 'persistentvolumeclaims') return CLAIM_NAMES.has(name) || storageClassName(name);
    return LEGACY.has(resource) && name === resource;
  });
}

/** What an object uses. `now`: milliseconds since 1970; a pod whose deletion is overdue uses nothing but its place. */
export function usageOf(resource: string, object: KubeObject, now: number): Resources {
  const used: Resources = new Map([[countName(resource), quantity('1')]]);
  if (resource === 'pods') podUsage(object, now, used);
  else if (resource === 'services') serviceUsage(object, used);
  else if (resource === 'persistentvolumeclaims') claimUsage(object, used);
  else if (LEGACY.has(resource)) used.set(resource, quantity('1'));
  return used;
}

/** A scope of a quota's spec, with what it asks for. */
export interface Scope {
  name: string;
  operator: string;
  values: string[];
}
export function scopesOf(quotaSpec: JsonObject): Scope[] {
  const plain = list(quotaSpec.scopes).map((s) => ({ name: str(s), operator: 'Exists', values: [] }));
  const selected = objs(obj(quotaSpec.scopeSelector).matchExpressions).map((e) => ({
    name: str(e.scopeName),
    operator: str(e.operator),
    values: list(e.values).map(str),
  }));
  return [...plain, ...selected];
}
/** Whether an object is in all scopes of a quota; only pods and claims can be in one. */
export function isInScope(resource: string, quotaSpec: JsonObject, object: KubeObject): boolean {
  return scopesOf(quotaSpec).every((s) =>
    resource === 'pods'
      ? podInScope(s, object)
      : resource === 'persistentvolumeclaims'
        ? claimInScope(s, object)
        : false,
  );
}
/** What a quota asks of an object beside its room; undefined where it has it. */
export const constraintOf = (resource: string, names: readonly string[], object: KubeObject): string | undefined =>
  resource === 'pods' ? podConstraint(names, object) : undefined;

/** Quantities of a status or spec. */
export function resourcesOf(v: Json | undefined): Resources {
  const map: Resources = new Map();
  for (const [name, text] of Object.entries(obj(v))) map.set(name, quantity(text));
  return map;
}
export const textsOf = (r: Resources): Record<string, string> =>
  Object.fromEntries([...r].map(([name, q]) => [name, q.text]));

export function add(sum: Resources, more: Resources): Resources {
  const next: Resources = new Map(sum);
  for (const [name, q] of more) {
    const held = next.get(name);
    next.set(name, held === undefined ? q : addQuantities(held, q));
  }
  return next;
}
/** What more of each is used now than before: nothing where it is less. */
export function growth(now: Resources, before: Resources): Resources {
  const grown: Resources = new Map();
  for (const [name, q] of now) {
    const left = subtractQuantities(q, before.get(name) ?? ZERO);
    if (compareQuantities(left, ZERO) > 0) grown.set(name, left);
  }
  return grown;
}
export const masked = (r: Resources, names: Iterable<string>): Resources => {
  const next: Resources = new Map();
  for (const name of names) {
    const q = r.get(name);
    if (q !== undefined) next.set(name, q);
  }
  return next;
};
export const isZero = (q: Quantity): boolean => compareQuantities(q, ZERO) === 0;
export const equal = (a: Resources, b: Resources): boolean =>
  a.size === b.size &&
  [...a].every(([name, q]) => {
    const other = b.get(name);
    return other !== undefined && compareQuantities(q, other) === 0;
  });
/** `cpu=1,pods=2`. */
export const printed = (r: Resources): string =>
  [...r.keys()]
    .sort()
    .map((name) => `${name}=${r.get(name)?.text}`)
    .join();
