import { invalid, key, required } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, obj, objs, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { IMMUTABLE } from './objectmeta.ts';
import { COMPUTE, COUNTED, resourceName, resourceQuantity } from './podspec/resources.ts';

const POD_SCOPES = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const SCOPES = [...POD_SCOPES, 'PriorityClass', 'VolumeAttributesClass'];
const STANDARD = new Set([...COMPUTE, ...COUNTED, 'requests.storage']);
const OBJECT_COUNT = /^(count\/|requests\.hugepages-|hugepages-)/;

export const RESOURCEQUOTA: Behaviour = {
  validate(next, prev) {
    const spec = obj(next.spec);
    const issues = [...hard('spec.hard', spec.hard), ...scopes(spec), ...selector(spec)];
    if (!prev) return issues;
    const set = (v: Json | undefined) => [...new Set(list(v).map(str))].sort().join();
    if (set(spec.scopes) !== set(obj(prev.spec).scopes)) {
      issues.push(invalid('spec.scopes', spec.scopes ?? null, IMMUTABLE));
    }
    return issues;
  },
  subresources: {
    status: statusOf('Namespaced', {
      validate: (next) => [
        ...hard('status.hard', obj(next.status).hard),
        ...hard('status.used', obj(next.status).used),
      ],
    }),
  },
};
function hard(path: string, v: Json | undefined): Issue[] {
  const values = texts(v);
  return Object.keys(values)
    .sort()
    .flatMap((k) => {
      const at = key(path, k);
      const issues = resourceName(at, k);
      if (!k.includes('/') && !STANDARD.has(k) && !OBJECT_COUNT.test(k)) {
        issues.push(invalid(at, k, 'must be a standard resource for quota'));
      }
      return [...issues, ...resourceQuantity(at, k, values[k])];
    });
}
/** BestEffort pods use no compute, and every pod scope is about pods. */
function fits(scope: string, resource: string): boolean {
  if (!STANDARD.has(resource)) return true;
  if (scope === 'BestEffort') return resource === 'pods';
  if (scope === 'VolumeAttributesClass')
    return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
  return resource === 'pods' || COMPUTE.has(resource);
}
const PAIRS = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];
function scopes(spec: JsonObject): Issue[] {
  const given = list(spec.scopes).map(str);
  const at = 'spec.scopes';
  const issues: Issue[] = [];
  for (const s of given) {
    if (!SCOPES.includes(s)) issues.push(invalid(at, spec.scopes, 'unsupported scope'));
    for (const k of Object.keys(texts(spec.hard)).sort()) {
      if (!fits(s, k)) issues.push(invalid(at, spec.scopes, 'unsupported scope applied to resource'));
    }
  }
  for (const pair of PAIRS) {
    if (pair.every((s) => given.includes(s))) issues.push(invalid(at, spec.scopes, 'conflicting scopes'));
  }
  return issues;
}
function selector(spec: JsonObject): Issue[] {
  if (!has(spec.scopeSelector)) return [];
  const at = 'spec.scopeSelector.matchExpressions';
  const requirements = objs(obj(spec.scopeSelector).matchExpressions);
  const issues: Issue[] = [];
  for (const r of requirements) {
    const scope = str(r.scopeName);
    const operator = str(r.operator);
    const n = list(r.values).length;
    if (!SCOPES.includes(scope)) issues.push(invalid(`${at}.scopeName`, scope, 'unsupported scope'));
    for (const k of Object.keys(texts(spec.hard)).sort()) {
      if (!fits(scope, k)) issues.push(invalid(at, spec.scopeSelector, 'unsupported scope applied to resource'));
    }
    if (POD_SCOPES.includes(scope) && operator !== 'Exists') {
      issues.push(
        invalid(
          `${at}.operator`,
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      );
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (n === 0) {
        const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        issues.push(required(`${at}.values`, text));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (n > 0) {
        const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        issues.push(invalid(`${at}.values`, r.values, text));
      }
    } else issues.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'));
  }
  const given = requirements.map((r) => str(r.scopeName));
  for (const pair of PAIRS) {
    if (pair.every((s) => given.includes(s)))
      issues.push(invalid('spec.scopeSelector', spec.scopes ?? null, 'conflicting scopes'));
  }
  return issues;
}
