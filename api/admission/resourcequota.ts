import { obj } from '../../kube/kinds/access.ts';
import {
  add,
  constraintOf,
  countedNames,
  growth,
  isInScope,
  isZero,
  masked,
  printed,
  type Resources,
  resourcesOf,
  textsOf,
  usageOf,
} from '../../kube/kinds/quota.ts';
import { isTerminating } from '../../kube/kinds/quotapods.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import { compareQuantities, ZERO } from '../../kube/meta/quantity.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Admission, Attributes } from '../attributes.ts';
import { refuse } from './refuse.ts';

// apiserver pkg/admission/plugin/resourcequota. What is used goes into the quotas' status in the commit that writes the object: neither without the other.

/** What a quota counts changes with an update of these. */
const UPDATED: ReadonlySet<string> = new Set(['services', 'persistentvolumeclaims']);

/** Charges what is created, and what grows, to the quotas of its namespace, or refuses it. */
export const resourceQuota: Admission = {
  name: 'ResourceQuota',
  handles(a) {
    if (a.namespace === '' || a.object === null || a.kind?.scope !== 'Namespaced') return false;
    if (placement(groupResource(a.group, a.resource), '') !== 'main' || a.kind.verbs.length === 1) return false;
    if (a.operation === 'CREATE') return a.subresource === '';
    if (a.operation !== 'UPDATE' || a.group !== '') return false;
    if (a.resource === 'pods') return a.subresource === '' || a.subresource === 'resize';
    const isStatus = a.resource === 'persistentvolumeclaims' && a.subresource === 'status';
    return UPDATED.has(a.resource) && (a.subresource === '' || isStatus);
  },
  async validate(a, c) {
    const resource = groupResource(a.group, a.resource);
    const counts = (quota: { data: JsonObject }) =>
      countedNames(resource, Object.keys(obj(obj(quota.data.spec).hard))).length > 0;
    // Most namespaces have no quota, and most quotas count few resources: nothing is read for them.
    if (!Array.from(c.view.list('resourcequotas', a.namespace)).some(counts)) return undefined;
    if (a.operation === 'UPDATE' && a.resource === 'pods' && a.subresource === '' && !moves(a)) return undefined;
    await c.charge?.((quotas) => charged(a, resource, quotas, c.cluster.env.now()));
    return undefined;
  },
};
/** A pod has come into a scope that it wasn't in. */
const moves = (a: Attributes): boolean =>
  a.object !== null && a.oldObject !== null && isTerminating(a.object) !== isTerminating(a.oldObject);

/** CheckRequest: the quotas that change. Throws why not. */
export function charged(a: Attributes, resource: string, quotas: readonly KubeObject[], now: number): KubeObject[] {
  const object = a.object as KubeObject;
  const used = usageOf(resource, object, now);
  const negative = [...used].filter(([, q]) => compareQuantities(q, ZERO) < 0).map(([name]) => name);
  const prev = a.operation === 'UPDATE' ? a.oldObject : null;
  const grown = prev ? growth(used, usageOf(resource, prev, now)) : used;
  const changed: KubeObject[] = [];
  const interesting: KubeObject[] = [];
  for (const quota of quotas) {
    const { name = '' } = quota.metadata;
    const [hard, had] = [resourcesOf(obj(quota.status).hard), resourcesOf(obj(quota.status).used)];
    const names = countedNames(resource, hard.keys());
    // Its controller counts just now: it must not miss this object.
    if (names.length === 0 && isCounting(resource, quota)) changed.push(quota);
    if (names.length === 0 || !isInScope(resource, obj(quota.spec), object)) continue;
    const lacks = constraintOf(resource, names, object);
    if (lacks !== undefined) throw refuse(a, `failed quota: ${name}: ${lacks}`);
    if (names.some((n) => !had.has(n)))
      throw refuse(a, `status unknown for quota: ${name}, resources: ${[...names].sort().join()}`);
    interesting.push(quota);
  }
  if (interesting.length > 0 && negative.length > 0)
    throw refuse(a, `quota usage is negative for resource(s): ${negative.sort().join()}`);
  for (const quota of interesting) {
    const wasCounted = prev !== null && isInScope(resource, obj(quota.spec), prev);
    const next = chargedTo(a, quota, wasCounted ? grown : used);
    if (next !== undefined) changed.push(next);
  }
  return changed;
}

const isCounting = (resource: string, quota: KubeObject): boolean =>
  countedNames(resource, Object.keys(obj(obj(quota.spec).hard))).length > 0;

/** The quota with so much more used; undefined where nothing of it is counted. */
function chargedTo(a: Attributes, quota: KubeObject, delta: Resources): KubeObject | undefined {
  const status = obj(quota.status);
  const [hard, had] = [resourcesOf(status.hard), resourcesOf(status.used)];
  const asked = masked(new Map([...delta].filter(([, q]) => !isZero(q))), hard.keys());
  if (asked.size === 0) return undefined;
  const next = add(had, asked);
  const over = [...asked.keys()].filter((name) => {
    const [most, will] = [hard.get(name), next.get(name)];
    return most !== undefined && will !== undefined && compareQuantities(will, most) > 0;
  });
  if (over.length > 0 && a.subresource !== 'status') {
    const [what, used, limited] = [asked, had, hard].map((r) => printed(masked(r, over)));
    throw refuse(a, `exceeded quota: ${quota.metadata.name}, requested: ${what}, used: ${used}, limited: ${limited}`);
  }
  return { ...quota, status: { ...status, used: textsOf(next) } };
}
