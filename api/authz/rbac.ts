import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { matchesLabels, selectorRequirements } from '../../kube/meta/selectors.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Authorizer, Decision, PolicyView, RequestInfo, User } from '../attributes.ts';
import { serviceAccountName } from '../authn/users.ts';
import { compileRules, type Rule, type RuleSet, readRules, rulesAllow } from './rules.ts';

const API_GROUP = 'rbac.authorization.k8s.io';
const CLUSTER_ROLES = `clusterroles.${API_GROUP}`;
const ROLES = `roles.${API_GROUP}`;
const ROLE_BINDINGS = `rolebindings.${API_GROUP}`;
const CLUSTER_ROLE_BINDINGS = `clusterrolebindings.${API_GROUP}`;

/** A role given to a subject by one binding. */
interface Grant {
  key: string;
  ref: RoleRef;
  subject: JsonObject;
  namespace: string;
}
export interface RoleRef {
  kind: string;
  name: string;
}
/** By subject: `u` + user name, `g` + group name. ServiceAccounts are users by their full name. */
type BySubject = Map<string, Grant[]>;
interface Index {
  cluster: BySubject;
  /** Indexed when a request first names the namespace. */
  namespaces: Map<string, BySubject>;
  /** Roles are compiled when first asked for. */
  roles: Map<string, RuleSet | null>;
}

/** Indexes by the list that they're made of: a View keeps a list until one of its rows changes, and shares the base layer's with other clusters. */
const indexedLists = new WeakMap<object, BySubject>();
/** Compiled rules by the row's data: rows of the base layer, and with them this, are shared by all clusters of an isolate. */
const compiledRows = new WeakMap<JsonObject, RuleSet>();

/** RBAC, as kube-apiserver's: bindings are additive, order doesn't matter; a denial names the roles that bindings point to in vain. */
export const rbac: Authorizer = {
  name: 'RBAC',
  authorize(user: User, a: RequestInfo, view: PolicyView): Decision {
    const index = indexOf(view);
    const missing: string[] = [];
    const found = find(index.cluster, user, a, view, missing);
    if (found !== null) return found;
    const local = a.namespace === '' ? undefined : inNamespaceOf(index, a.namespace, view);
    const inNamespace = local === undefined ? null : find(local, user, a, view, missing);
    if (inNamespace !== null) return inNamespace;
    return { allow: false, reason: missing.length === 0 ? '' : `RBAC: ${aggregate(missing)}` };
  },
};

function find(
  by: BySubject,
  user: User,
  a: RequestInfo,
  view: PolicyView,
  missing: string[],
): { allow: true; reason: string } | null {
  const hit = firstAllowing(by.get(`u${user.name}`), a, view, missing);
  if (hit !== null) return allowed(hit);
  for (const g of user.groups) {
    const grant = firstAllowing(by.get(`g${g}`), a, view, missing);
    if (grant !== null) return allowed(grant);
  }
  return null;
}

function firstAllowing(list: Grant[] | undefined, a: RequestInfo, view: PolicyView, missing: string[]): Grant | null {
  if (list === undefined) return null;
  for (const grant of list) {
    const rules = rulesOf(grant.ref, grant.namespace, view);
    if (rules === null) missing.push(absent(grant.ref));
    else if (rulesAllow(rules, a)) return grant;
  }
  return null;
}

const allowed = (g: Grant): { allow: true; reason: string } => ({
  allow: true,
  get reason() {
    return `RBAC: allowed by ${describe(g)}`;
  },
});

/** Every rule that applies to a user in a namespace ('' = cluster-wide only), and the roles that don't exist. */
export function rulesFor(user: User, namespace: string, view: PolicyView): { rules: Rule[]; errors: string[] } {
  const index = indexOf(view);
  const rules: Rule[] = [];
  const errors: string[] = [];
  const scopes = [index.cluster, namespace === '' ? undefined : inNamespaceOf(index, namespace, view)];
  const seen = new Set<string>();
  for (const by of scopes) {
    for (const subject of [`u${user.name}`, ...user.groups.map((g) => `g${g}`)]) {
      for (const grant of by?.get(subject) ?? []) {
        if (seen.has(grant.key)) continue;
        seen.add(grant.key);
        const set = rulesOf(grant.ref, grant.namespace, view);
        if (set === null) errors.push(absent(grant.ref));
        else rules.push(...set.rules);
      }
    }
  }
  return { rules, errors };
}

/** Upstream's words for a role that a binding names but that isn't there. */
export function absent(ref: RoleRef): string {
  const kind = ref.kind === 'ClusterRole' ? 'clusterrole' : 'role';
  return ref.kind === 'ClusterRole' || ref.kind === 'Role'
    ? `${kind}.${API_GROUP} ${JSON.stringify(ref.name)} not found`
    : `unsupported role reference kind: ${JSON.stringify(ref.kind)}`;
}

/** Rules of a role, aggregation resolved; null when it doesn't exist. `namespace` is the binding's. */
export function rulesOf(ref: RoleRef, namespace: string, view: PolicyView): RuleSet | null {
  const key = ref.kind === 'ClusterRole' ? `${CLUSTER_ROLES}/${ref.name}` : `${ROLES}/${namespace}/${ref.name}`;
  const { roles } = indexOf(view);
  let set = roles.get(key);
  if (set === undefined) {
    const known = ref.kind === 'ClusterRole' || ref.kind === 'Role';
    const row = known ? view.get(key) : undefined;
    set = row === undefined ? null : isObject(row.data.aggregationRule) ? aggregated(key, view) : compiledRow(row.data);
    roles.set(key, set);
  }
  return set;
}

function compiledRow(data: JsonObject): RuleSet {
  let set = compiledRows.get(data);
  if (set === undefined) {
    set = compileRules(readRules(data.rules));
    compiledRows.set(data, set);
  }
  return set;
}

/** What the aggregation controller would write: the rules of all selected ClusterRoles by name, without doubles. */
function aggregated(key: string, view: PolicyView): RuleSet {
  const seen = new Set<string>();
  const rules = new Map<string, Rule>();
  const visit = (k: string) => {
    if (seen.has(k)) return;
    seen.add(k);
    const data = view.get(k)?.data;
    if (data === undefined) return;
    const selectors = isObject(data.aggregationRule) ? data.aggregationRule.clusterRoleSelectors : undefined;
    if (!Array.isArray(selectors)) {
      for (const r of compiledRow(data).rules) rules.set(JSON.stringify(r), r);
      return;
    }
    const wanted = selectors.map((s) => selectorRequirements(s));
    for (const other of view.list(CLUSTER_ROLES)) {
      const labels = isObject(other.data.labels) ? (other.data.labels as Record<string, string>) : {};
      if (wanted.some((w) => w?.ok && matchesLabels(w.requirements, labels))) visit(other.key);
    }
  };
  visit(key);
  return compileRules([...rules.values()]);
}

function indexOf(view: PolicyView): Index {
  return view.compiled('rbac', buildIndex);
}

function buildIndex(view: PolicyView): Index {
  // Named here, though read when first asked for, so that their changes drop this slot.
  for (const resource of [ROLE_BINDINGS, CLUSTER_ROLES, ROLES]) view.list(resource);
  return { cluster: indexList(view.list(CLUSTER_ROLE_BINDINGS)), namespaces: new Map(), roles: new Map() };
}

function inNamespaceOf(index: Index, namespace: string, view: PolicyView): BySubject {
  let by = index.namespaces.get(namespace);
  if (by === undefined) {
    by = indexList(view.list(ROLE_BINDINGS, namespace));
    index.namespaces.set(namespace, by);
  }
  return by;
}

function indexList(bindings: Iterable<{ key: string; data: JsonObject }>): BySubject {
  let by = indexedLists.get(bindings);
  if (by === undefined) {
    by = new Map();
    for (const b of bindings) add(by, b.key, parseKey(b.key).namespace, b.data);
    indexedLists.set(bindings, by);
  }
  return by;
}

function add(by: BySubject, key: string, namespace: string, data: JsonObject): void {
  const ref = isObject(data.roleRef) ? data.roleRef : {};
  const roleRef = { kind: text(ref.kind), name: text(ref.name) };
  const subjects = new Set<string>();
  for (const s of Array.isArray(data.subjects) ? data.subjects : []) {
    const name = isObject(s) ? subjectKey(s, namespace) : null;
    // The first subject of a binding that applies is the one that reasons name.
    if (!isObject(s) || name === null || subjects.has(name)) continue;
    subjects.add(name);
    const grant = { key, ref: roleRef, subject: s, namespace };
    const list = by.get(name);
    if (list) list.push(grant);
    else by.set(name, [grant]);
  }
}

function subjectKey(s: JsonObject, namespace: string): string | null {
  const name = text(s.name);
  if (s.kind === 'User') return `u${name}`;
  if (s.kind === 'Group') return `g${name}`;
  if (s.kind !== 'ServiceAccount') return null;
  const home = text(s.namespace) || namespace;
  return home === '' ? null : `u${serviceAccountName(home, name)}`;
}

function describe(g: Grant): string {
  const { name, namespace } = parseKey(g.key);
  const q = JSON.stringify;
  const subject =
    g.subject.kind === 'ServiceAccount'
      ? `ServiceAccount ${q(`${text(g.subject.name)}/${text(g.subject.namespace) || g.namespace}`)}`
      : `${text(g.subject.kind)} ${q(text(g.subject.name))}`;
  const binding = namespace === '' ? `ClusterRoleBinding ${q(name)}` : `RoleBinding ${q(`${name}/${namespace}`)}`;
  return `${binding} of ${g.ref.kind} ${q(g.ref.name)} to ${subject}`;
}

/** Several errors in one text: apimachinery pkg/util/errors Aggregate. */
export function aggregate(errors: readonly string[]): string {
  const distinct = [...new Set(errors)];
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`;
}
const text = (v: Json | undefined): string => (typeof v === 'string' ? v : '');
