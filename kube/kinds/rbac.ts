import { index, invalid, notSupported, required } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { nameIsDnsSubdomain, nameIsPathSegment, pathSegmentName, validateLabelSelector } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, obj, objs, orElse, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { internalIssue, internalText } from './internal.ts';
import { IMMUTABLE, validateObjectMeta } from './objectmeta.ts';
import { each, named } from './podspec/checks.ts';

const GROUP = 'rbac.authorization.k8s.io';
const KINDS = ['ServiceAccount', 'User', 'Group'];

function rule(path: string, r: JsonObject, namespaced: boolean): Issue[] {
  const issues: Issue[] = [];
  const n = (m: string) => list(r[m]).length;
  if (n('verbs') === 0) issues.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (n('nonResourceURLs') > 0) {
    const at = `${path}.nonResourceURLs`;
    if (namespaced) issues.push(invalid(at, r.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (n('apiGroups') + n('resources') + n('resourceNames') > 0) {
      issues.push(invalid(at, r.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return issues;
  }
  if (n('apiGroups') === 0) {
    issues.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  }
  if (n('resources') === 0) {
    issues.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  }
  return issues;
}
const role = (namespaced: boolean): Behaviour => ({
  name: nameIsPathSegment,
  createOnUpdate: true,
  prepare(next) {
    // An empty slice is nil after upstream's storage, and rules are always written.
    if (list(next.rules).length === 0) next.rules = null;
  },
  validate(next, prev) {
    const issues = objs(next.rules).flatMap((r, i) => rule(index('rules', i), r, namespaced));
    if (has(next.aggregationRule)) issues.push(...aggregation(obj(next.aggregationRule)));
    return prev ? [...validateObjectMeta(next.metadata, namespaced, nameIsPathSegment), ...issues] : issues;
  },
});
function aggregation(a: JsonObject): Issue[] {
  const at = 'aggregationRule.clusterRoleSelectors';
  const selectors = objs(a.clusterRoleSelectors);
  if (selectors.length === 0) {
    return [required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  }
  return selectors.flatMap((s, i) => validateLabelSelector(index(at, i), s));
}
function subject(path: string, s: JsonObject, namespaced: boolean): Issue[] {
  const issues: Issue[] = [];
  const name = str(s.name);
  if (name === '') issues.push(required(`${path}.name`));
  if (s.kind === 'ServiceAccount') {
    if (name !== '') issues.push(...named(`${path}.name`, name, nameIsDnsSubdomain));
    if (str(s.apiGroup) !== '') issues.push(notSupported(`${path}.apiGroup`, str(s.apiGroup), ['']));
    if (!namespaced && str(s.namespace) === '') issues.push(required(`${path}.namespace`));
  } else if (s.kind === 'User' || s.kind === 'Group') {
    if (s.apiGroup !== GROUP) issues.push(notSupported(`${path}.apiGroup`, str(s.apiGroup), [GROUP]));
  } else issues.push(notSupported(`${path}.kind`, str(s.kind), KINDS));
  return issues;
}
function bindingIssues(o: KubeObject, namespaced: boolean): Issue[] {
  const ref = obj(o.roleRef);
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const issues: Issue[] = [];
  if (ref.apiGroup !== GROUP) issues.push(notSupported('roleRef.apiGroup', str(ref.apiGroup), [GROUP]));
  if (!kinds.includes(str(ref.kind))) issues.push(notSupported('roleRef.kind', str(ref.kind), kinds));
  const name = str(ref.name);
  if (name === '') issues.push(required('roleRef.name'));
  else issues.push(...each('roleRef.name', name, pathSegmentName(name)));
  return [...issues, ...objs(o.subjects).flatMap((s, i) => subject(index('subjects', i), s, namespaced))];
}
const REF = [
  ['apiGroup', '""', 'APIGroup'],
  ['kind', '""'],
  ['name', '""'],
] as const;
const changedRef = (ref: JsonObject): Issue =>
  internalIssue('FieldValueInvalid', 'Invalid value', 'roleRef', internalText(ref, REF), IMMUTABLE);
const binding = (namespaced: boolean): Behaviour => ({
  name: nameIsPathSegment,
  createOnUpdate: true,
  default(o) {
    const ref = obj(o.roleRef);
    if (has(o.roleRef) && str(ref.apiGroup) === '') ref.apiGroup = GROUP;
    for (const s of objs(o.subjects)) {
      if (s.kind === 'User' || s.kind === 'Group') orElse(s, 'apiGroup', GROUP);
      if (s.apiGroup === '' && s.kind !== 'ServiceAccount') s.apiGroup = GROUP;
    }
  },
  validate(next, prev) {
    const issues = bindingIssues(next, namespaced);
    if (!prev) return issues;
    return [
      ...validateObjectMeta(next.metadata, namespaced, nameIsPathSegment),
      ...issues,
      ...(equalJson(next.roleRef, prev.roleRef) ? [] : [changedRef(obj(next.roleRef))]),
    ];
  },
});
export const ROLE = role(true);
export const CLUSTERROLE = role(false);
export const ROLEBINDING = binding(true);
export const CLUSTERROLEBINDING = binding(false);
