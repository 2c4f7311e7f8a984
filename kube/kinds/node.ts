import { duplicate, forbidden, index, invalid } from '../meta/issues.ts';
import { equalJson, isObject, type JsonObject } from '../meta/json.ts';
import { labelValue, nameIsDnsSubdomain } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { copy, has, list, make, obj, objs, str, texts } from './access.ts';
import { type Behaviour, keepStatus, onlyStatus, statusOf } from './behaviour.ts';
import { internalText } from './internal.ts';
import { validateObjectMeta } from './objectmeta.ts';
import { qualified } from './podspec/checks.ts';
import { roundResources } from './podspec/defaults.ts';
import { validateLegacyCIDR } from './podspec/ip.ts';
import { resourceQuantity } from './podspec/resources.ts';
import { taintEffect } from './podspec/scheduling.ts';

export const NODE: Behaviour = {
  name: nameIsDnsSubdomain,
  dropsStatus: false,
  default(o) {
    const status = o.status;
    if (!isObject(status)) return;
    if (!has(status.allocatable) && has(status.capacity)) status.allocatable = copy(status.capacity);
    roundResources(status.capacity);
    roundResources(status.allocatable);
  },
  prepare(next, prev) {
    if (prev) keepStatus(next, prev);
    delete make(next, 'spec').configSource;
    if (!prev && isObject(next.status)) delete next.status.config;
  },
  validate(next, prev) {
    const whole = validateNode(next);
    if (!prev) return whole;
    return [...validateObjectMeta(next.metadata, false, nameIsDnsSubdomain), ...whole, ...validateUpdate(next, prev)];
  },
  fields: { 'spec.unschedulable': (o) => String(obj(o.spec).unschedulable === true) },
  facts: (o) => ({ node: str(o.metadata.name), standing: standingOf(o) }),
  subresources: {
    status: statusOf('Cluster', {
      prepare(next, prev) {
        onlyStatus(next, prev);
        if (isObject(next.status) && !has(obj(prev.status).config)) delete next.status.config;
      },
      validate: validateUpdate,
    }),
  },
};
/** What schedulers and controllers go by. A report that only says that the node lives leaves it as it was, and wakes nobody. */
function standingOf(node: KubeObject): string {
  const spec = obj(node.spec);
  const status = obj(node.status);
  const conditions = objs(status.conditions).map((c) => [str(c.type), str(c.status)]);
  return JSON.stringify([spec.unschedulable === true, spec.taints ?? [], status.allocatable ?? {}, conditions]);
}
function validateNode(node: KubeObject): Issue[] {
  const cidrs = list(obj(node.spec).podCIDRs).map(str);
  const issues = [
    ...taints(objs(obj(node.spec).taints)),
    ...resources(obj(node.status)),
    ...features(list(obj(node.status).declaredFeatures).map(str)),
    ...cidrs.flatMap((c, i) => validateLegacyCIDR(index('spec.podCIDRs', i), c)),
  ];
  const [a = '', b = ''] = cidrs;
  if (cidrs.length > 1 && (cidrs.length > 2 || a.includes(':') === b.includes(':'))) {
    issues.push(invalid('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'));
  }
  return issues;
}
function validateUpdate(node: KubeObject, prev: KubeObject): Issue[] {
  const status = obj(node.status);
  const issues = [...resources(status), ...features(list(status.declaredFeatures).map(str))];
  const seen: JsonObject[] = [];
  for (const [i, a] of objs(status.addresses).entries()) {
    if (seen.some((s) => equalJson(s, a))) issues.push(duplicate(index('status.addresses', i), a));
    seen.push(a);
  }
  const spec = obj(node.spec);
  const old = obj(prev.spec);
  const fixed = forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  const was = list(old.podCIDRs);
  const now = list(spec.podCIDRs);
  if (was.length > 0 && was.length !== now.length) issues.push(fixed);
  else issues.push(...was.flatMap((c, i) => (c === now[i] ? [] : [fixed])));
  const provider = str(old.providerID);
  if (provider !== '' && str(spec.providerID) !== provider) {
    const what = str(spec.providerID) === '' ? 'cleared' : 'modified';
    issues.push(invalid('spec.providerID', str(spec.providerID), `field cannot be ${what} once set`));
  }
  issues.push(...taints(objs(spec.taints)));
  if (str(spec.externalID) !== str(old.externalID)) issues.push(forbidden('spec.externalID', 'may not be updated'));
  return issues;
}
function resources(status: JsonObject): Issue[] {
  return ['capacity', 'allocatable'].flatMap((m) => {
    const values = texts(status[m]);
    return Object.keys(values)
      .sort()
      .flatMap((r) => resourceQuantity(`status.${m}.${r}`, r, values[r]));
  });
}
const TAINT = [
  ['key', '""'],
  ['value', '""'],
  ['effect', '""'],
  ['timeAdded', 'null'],
] as const;
function taints(items: readonly JsonObject[]): Issue[] {
  const seen = new Set<string>();
  return items.flatMap((t, i) => {
    const at = index('metadata.taints', i);
    const value = str(t.value);
    const problems = labelValue(value);
    const issues = [
      ...qualified(`${at}.key`, str(t.key)),
      ...(problems.length > 0 ? [invalid(`${at}.value`, value, problems.join(';'))] : []),
      ...taintEffect(`${at}.effect`, t.effect),
    ];
    const key = `${str(t.effect)}\0${str(t.key)}`;
    if (seen.has(key)) {
      issues.push({
        type: 'FieldValueDuplicate',
        field: at,
        message: `Duplicate value: ${internalText(t, TAINT)}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(key);
    return issues;
  });
}
const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z0-9]+)*$/;
function features(names: readonly string[]): Issue[] {
  return names.flatMap((f, i) => {
    const at = 'status.declaredFeatures';
    const issues: Issue[] = [];
    if (!FEATURE.test(f)) {
      issues.push(
        invalid(
          index(at, i),
          f,
          `invalid feature name ${JSON.stringify(f)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`,
        ),
      );
    }
    const next = names[i + 1];
    if (next === f) issues.push(duplicate(index(at, i + 1), f));
    else if (next !== undefined && f > next) {
      issues.push(invalid(index(at, i + 1), next, 'list must be sorted alphabetically'));
    }
    return issues;
  });
}
