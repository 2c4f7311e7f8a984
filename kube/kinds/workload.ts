import { forbidden, goJson, invalid, notSupported } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { NOT_NEGATIVE, percent } from '../meta/names.ts';
import { selectorRequirements } from '../meta/selectors.ts';
import type { Issue } from '../meta/status.ts';
import { has, num, obj, orElse, str } from './access.ts';
import { notNegative } from './podspec/checks.ts';
import { validateTemplate } from './podspec/template.ts';
import { templateMatches, validateWorkloadSelector } from './selector.ts';

// What Deployment, ReplicaSet, StatefulSet and DaemonSet share: kubernetes pkg/apis/apps/validation.

/** An int-or-percent: not negative, or `N%`. */
export function intOrPercent(path: string, v: Json | undefined): Issue[] {
  if (typeof v === 'string') return percent(v).map((p) => invalid(path, v, p));
  return num(v) < 0 ? [invalid(path, num(v), NOT_NEGATIVE)] : [];
}
const PERCENT = /^([0-9]+)%$/;
/** The number of an int-or-percent, percent sign aside; 0 for a malformed one. */
export function portion(v: Json | undefined): number {
  if (typeof v !== 'string') return num(v);
  const m = PERCENT.exec(v);
  return m ? Number(m[1]) : /^-?[0-9]+$/.test(v) ? Number(v) : 0;
}
export function atMost100(path: string, v: Json | undefined): Issue[] {
  return typeof v === 'string' && PERCENT.test(v) && portion(v) > 100
    ? [invalid(path, v, 'must not be greater than 100%')]
    : [];
}

/** Template of a workload whose pods always restart. `kind` is how upstream names it when it refuses activeDeadlineSeconds. */
function validateAlwaysTemplate(path: string, template: Json | undefined, kind: string): Issue[] {
  return [...validateTemplate(path, template), ...alwaysRestarts(path, template, kind)];
}
/** restartPolicy Always and no activeDeadlineSeconds. */
export function alwaysRestarts(path: string, template: Json | undefined, kind: string): Issue[] {
  const spec = obj(obj(template).spec);
  const issues: Issue[] = [];
  if (spec.restartPolicy !== 'Always') {
    issues.push(notSupported(`${path}.spec.restartPolicy`, str(spec.restartPolicy), ['Always']));
  }
  if (has(spec.activeDeadlineSeconds)) {
    issues.push(forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
  }
  return issues;
}
/** Selector and template of Deployment and ReplicaSet, which upstream words alike. */
export function validateSelectorAndTemplate(path: string, spec: JsonObject): Issue[] {
  const issues = validateWorkloadSelector(
    `${path}.selector`,
    spec.selector,
    'empty selector is invalid for deployment',
  );
  const parsed = selectorRequirements(spec.selector);
  if (parsed !== null && !parsed.ok) {
    const message = `Invalid value: ${selectorText(spec.selector)}: invalid label selector`;
    return [...issues, { ...invalid(`${path}.selector`, '', ''), message }];
  }
  return [
    ...issues,
    ...templateMatches(`${path}.template`, spec.selector, obj(obj(spec.template).metadata).labels),
    ...validateAlwaysTemplate(`${path}.template`, spec.template, 'ReplicaSet'),
  ];
}
/** Counters of a status: none negative, none above `replicas`. */
export function validateCounters(
  s: JsonObject,
  all: readonly string[],
  bounded: readonly string[],
  ready: string,
): Issue[] {
  const issues = all.flatMap((m) => notNegative(`status.${m}`, s[m]));
  for (const m of bounded) {
    if (num(s[m]) > num(s.replicas))
      issues.push(invalid(`status.${m}`, num(s[m]), 'cannot be greater than status.replicas'));
  }
  if (num(s.availableReplicas) > num(s.readyReplicas)) {
    issues.push(invalid('status.availableReplicas', num(s.availableReplicas), `cannot be greater than ${ready}`));
  }
  return issues;
}
/** The counts of a ReplicaSet's status, which a ReplicationController's has too. */
export const validateReplicas = (status: JsonObject): Issue[] =>
  validateCounters(
    status,
    ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    'readyReplicas',
  );
/** collisionCount only rises. */
export function notDecremented(next: JsonObject, prev: JsonObject): Issue[] {
  return num(next.collisionCount) < num(prev.collisionCount)
    ? [invalid('status.collisionCount', num(next.collisionCount), 'cannot be decremented')]
    : [];
}
/** Defaults of replicas and revisionHistoryLimit. */
export function defaultCounts(spec: JsonObject, history = true): void {
  orElse(spec, 'replicas', 1);
  if (history) orElse(spec, 'revisionHistoryLimit', 10);
}

/** A LabelSelector with its members in Go's order. */
function selectorText(v: Json | undefined): string {
  const selector = obj(v);
  const members = ['matchLabels', 'matchExpressions'].flatMap((name) => {
    const value = selector[name];
    return value === undefined ? [] : [`"${name}":${goJson(value)}`];
  });
  return `{${members.join(',')}}`;
}
