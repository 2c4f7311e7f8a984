import { quote } from '../../kube/meta/issues.ts';
import { equalJson, isObject, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { forbidden, notFound } from '../../kube/meta/status.ts';
import type { PolicyView, RequestInfo, User } from '../attributes.ts';
import { GROUPS } from '../authn/users.ts';
import type { Verdict } from './authorize.ts';
import { aggregate, rulesFor, rulesOf } from './rbac.ts';
import { type Rule, readRules, urlCovers } from './rules.ts';

const GROUP = 'rbac.authorization.k8s.io';
const NONE: Rule = { verbs: [], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
const EVERYTHING: readonly Rule[] = [
  { ...NONE, verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { ...NONE, verbs: ['*'], nonResourceURLs: ['*'] },
];

export interface Escalation extends RequestInfo {
  user: User;
  object: KubeObject | null;
  oldObject: KubeObject | null;
}
type Ask = (user: User, a: RequestInfo) => Verdict | Promise<Verdict>;

/**
 * Nobody grants what they don't hold: checks a write of a Role, ClusterRole, RoleBinding or ClusterRoleBinding (other resources pass) after
 * mutation and before the commit. Throws upstream's 403, or 404 for a bound role that doesn't exist. Verbs escalate and bind lift it.
 */
export async function checkEscalation(a: Escalation, view: PolicyView, ask: Ask): Promise<void> {
  if (a.group !== GROUP || a.object === null || a.subresource !== '') return;
  if (a.user.groups.includes(GROUPS.masters)) return;
  const isRole = a.resource === 'roles' || a.resource === 'clusterroles';
  const isBinding = a.resource === 'rolebindings' || a.resource === 'clusterrolebindings';
  if (!isRole && !isBinding) return;
  if (a.oldObject !== null && onlyForCollector(a.object, a.oldObject)) return;
  if (isRole) await checkRole(a, a.object, view, ask);
  else await checkBinding(a, a.object, view, ask);
}

async function checkRole(a: Escalation, role: KubeObject, view: PolicyView, ask: Ask): Promise<void> {
  if ((await ask(a.user, { ...a, verb: 'escalate' })).allow) return;
  const refuse = (why: string) => forbidden({ group: GROUP, resource: a.resource }, role.metadata.name ?? '', why);
  const missing = missingRules(a.user, a.namespace, readRules(role.rules), view);
  if (missing !== '') throw refuse(missing);
  if (a.resource !== 'clusterroles' || !(hasAggregation(role) || hasAggregation(a.oldObject))) return;
  if (missingRules(a.user, '', EVERYTHING, view) !== '') {
    throw refuse('must have cluster-admin privileges to use the aggregationRule');
  }
}

async function checkBinding(a: Escalation, binding: KubeObject, view: PolicyView, ask: Ask): Promise<void> {
  const ref: JsonObject = isObject(binding.roleRef) ? binding.roleRef : {};
  const kind = typeof ref.kind === 'string' ? ref.kind : '';
  const name = typeof ref.name === 'string' ? ref.name : '';
  const resource = kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (kind === 'ClusterRole' || kind === 'Role') {
    const group = typeof ref.apiGroup === 'string' ? ref.apiGroup : '';
    if ((await ask(a.user, { ...a, verb: 'bind', group, version: '*', resource, subresource: '', name })).allow) return;
  }
  const set = rulesOf({ kind, name }, a.namespace, view);
  if (set === null) throw notFound({ group: GROUP, resource }, name);
  const missing = missingRules(a.user, a.namespace, set.rules, view);
  if (missing !== '') throw forbidden({ group: GROUP, resource: a.resource }, binding.metadata.name ?? '', missing);
}

const hasAggregation = (o: KubeObject | null): boolean =>
  isObject(o?.aggregationRule) &&
  Array.isArray(o.aggregationRule.clusterRoleSelectors) &&
  o.aggregationRule.clusterRoleSelectors.length > 0;

/** Only finalizers and owner references (and what every write moves) differ: pkg/registry/rbac/helpers.go. */
function onlyForCollector(next: KubeObject, prev: KubeObject): boolean {
  const bare = (o: KubeObject): JsonObject => {
    const { ownerReferences, finalizers, managedFields, resourceVersion, generation, ...metadata } = o.metadata;
    return { ...o, kind: undefined, apiVersion: undefined, metadata };
  };
  return equalJson(bare(next), bare(prev));
}

/** '' when the user holds all of it in that namespace; else upstream's text with what is missing. */
function missingRules(user: User, namespace: string, wanted: readonly Rule[], view: PolicyView): string {
  const { rules, errors } = rulesFor(user, namespace, view);
  const missing = wanted.flatMap(breakDown).filter((one) => !rules.some((r) => covers(r, one)));
  if (missing.length === 0) return '';
  const lines = [...new Set(compact(missing).map(print))].sort();
  const who = `user ${quote(user.name)} (groups=${printList(user.groups)})`;
  const text = `${who} is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}`;
  return errors.length === 0 ? text : `${text}; resolution errors: [${aggregate(errors)}]`;
}

/** A rule as rules of at most one verb, group, resource and name each. */
function breakDown(r: Rule): Rule[] {
  const out: Rule[] = [];
  for (const group of r.apiGroups) {
    for (const resource of r.resources) {
      for (const verb of r.verbs) {
        const one = { ...NONE, apiGroups: [group], resources: [resource], verbs: [verb] };
        if (r.resourceNames.length === 0) out.push(one);
        else for (const name of r.resourceNames) out.push({ ...one, resourceNames: [name] });
      }
    }
  }
  for (const url of r.nonResourceURLs) {
    for (const verb of r.verbs) out.push({ ...NONE, nonResourceURLs: [url], verbs: [verb] });
  }
  return out;
}

/** Does an owner's rule hold one broken-down rule? component-helpers auth/rbac/validation/policy_comparator.go. */
function covers(owner: Rule, one: Rule): boolean {
  const all = (have: readonly string[], want: readonly string[]) =>
    have.includes('*') || want.every((w) => have.includes(w));
  return (
    all(owner.verbs, one.verbs) &&
    all(owner.apiGroups, one.apiGroups) &&
    one.resources.every((r) => coversResource(owner.resources, r)) &&
    (owner.resourceNames.length === 0 ||
      (one.resourceNames.length > 0 && one.resourceNames.every((n) => owner.resourceNames.includes(n)))) &&
    one.nonResourceURLs.every((u) => owner.nonResourceURLs.some((o) => urlCovers(o, u)))
  );
}

function coversResource(have: readonly string[], resource: string): boolean {
  if (have.includes('*') || have.includes(resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && have.includes(`*/${resource.slice(slash + 1)}`);
}

/** Joins rules that differ only in verbs. */
function compact(rules: readonly Rule[]): Rule[] {
  const joined = new Map<string, Rule>();
  for (const r of rules) {
    const key = r.nonResourceURLs.length > 0 ? JSON.stringify(r) : JSON.stringify({ ...r, verbs: [] });
    const same = joined.get(key);
    joined.set(key, same && r.nonResourceURLs.length === 0 ? { ...same, verbs: [...same.verbs, ...r.verbs] } : r);
  }
  return [...joined.values()];
}

function print(r: Rule): string {
  const parts: [string, readonly string[]][] = [
    ['APIGroups', r.apiGroups],
    ['Resources', r.resources],
    ['NonResourceURLs', r.nonResourceURLs],
    ['ResourceNames', r.resourceNames],
    ['Verbs', r.verbs],
  ];
  return `{${parts
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => `${name}:${printList(list)}`)
    .join(', ')}}`;
}
const printList = (list: readonly string[]) => `[${list.map(quote).join(' ')}]`;
