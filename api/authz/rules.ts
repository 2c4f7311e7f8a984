import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { RequestInfo } from '../attributes.ts';

/** rbac/v1 PolicyRule with every list present. */
export interface Rule {
  verbs: readonly string[];
  apiGroups: readonly string[];
  resources: readonly string[];
  resourceNames: readonly string[];
  nonResourceURLs: readonly string[];
}

/** Rules of a role as stored; what isn't a rule is left out. */
export function readRules(rules: Json | undefined): Rule[] {
  return Array.isArray(rules) ? rules.filter(isObject).map(readRule) : [];
}
const readRule = (r: JsonObject): Rule => ({
  verbs: texts(r.verbs),
  apiGroups: texts(r.apiGroups),
  resources: texts(r.resources),
  resourceNames: texts(r.resourceNames),
  nonResourceURLs: texts(r.nonResourceURLs),
});
const texts = (v: Json | undefined): string[] => (Array.isArray(v) ? v.filter((t) => typeof t === 'string') : []);

/** A rule whose verbs and groups are sets; null stands for '*'. */
interface Compiled {
  verbs: ReadonlySet<string> | null;
  groups: ReadonlySet<string> | null;
  names: ReadonlySet<string> | null;
}
/** A role's rules, found by what is asked for instead of read one by one. */
export interface RuleSet {
  rules: readonly Rule[];
  /** By `pods`, `pods/log`, `*` + `/scale`. */
  byResource: ReadonlyMap<string, readonly Compiled[]>;
  anyResource: readonly Compiled[];
  /** Rules with nonResourceURLs, in order. */
  urls: readonly Rule[];
}

export function compileRules(rules: readonly Rule[]): RuleSet {
  const byResource = new Map<string, Compiled[]>();
  const anyResource: Compiled[] = [];
  for (const r of rules) {
    if (r.resources.length === 0) continue;
    const c: Compiled = {
      verbs: r.verbs.includes('*') ? null : new Set(r.verbs),
      groups: r.apiGroups.includes('*') ? null : new Set(r.apiGroups),
      names: r.resourceNames.length === 0 ? null : new Set(r.resourceNames),
    };
    if (r.resources.includes('*')) anyResource.push(c);
    else {
      for (const resource of r.resources) {
        const list = byResource.get(resource);
        if (list) list.push(c);
        else byResource.set(resource, [c]);
      }
    }
  }
  return { rules, byResource, anyResource, urls: rules.filter((r) => r.nonResourceURLs.length > 0) };
}

/** True when a role allows it: rbac.go RuleAllows over all of its rules. */
export function rulesAllow(set: RuleSet, a: RequestInfo): boolean {
  if (!a.isResource) return set.urls.some((r) => allowsUrl(r, a.verb, a.path));
  if (a.subresource === '') return some(set.byResource.get(a.resource), a) || some(set.anyResource, a);
  return (
    some(set.byResource.get(`${a.resource}/${a.subresource}`), a) ||
    some(set.byResource.get(`*/${a.subresource}`), a) ||
    some(set.anyResource, a)
  );
}

function some(list: readonly Compiled[] | undefined, a: RequestInfo): boolean {
  if (list === undefined) return false;
  for (const r of list) {
    if (
      (r.verbs === null || r.verbs.has(a.verb)) &&
      (r.groups === null || r.groups.has(a.group)) &&
      (r.names === null || r.names.has(a.name))
    ) {
      return true;
    }
  }
  return false;
}

function allowsUrl(r: Rule, verb: string, path: string): boolean {
  if (!r.verbs.includes('*') && !r.verbs.includes(verb)) return false;
  return r.nonResourceURLs.some((url) => url === '*' || urlCovers(url, path));
}

/** True when one URL pattern holds another path or pattern: equal, or a prefix before trailing stars. */
export function urlCovers(owner: string, path: string): boolean {
  if (owner === path) return true;
  return owner.endsWith('*') && path.startsWith(owner.replace(/\*+$/, ''));
}
