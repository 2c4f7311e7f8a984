import { duplicate, forbidden, index, invalid, notSupported, required } from '../../meta/issues.ts';
import { equalJson, type Json, type JsonObject } from '../../meta/json.ts';
import {
  labelValue,
  nameIsDnsLabel,
  nameIsDnsSubdomain,
  qualifiedName,
  validateLabelSelector,
} from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { has, list, num, obj, objs, str, texts } from '../access.ts';
import { each, named, oneOf, positive, qualified } from './checks.ts';

const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** The effect of a taint or a toleration. */
export const taintEffect = (path: string, v: Json | undefined): Issue[] => oneOf(path, v, TAINT_EFFECTS);

export function validateTolerations(path: string, tolerations: readonly JsonObject[]): Issue[] {
  return tolerations.flatMap((t, i) => {
    const at = index(path, i);
    const key = str(t.key);
    const operator = str(t.operator);
    const value = str(t.value);
    const issues = key === '' ? [] : qualified(`${at}.key`, key);
    if (key === '' && operator !== 'Exists') {
      issues.push(
        invalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (has(t.tolerationSeconds) && t.effect !== 'NoExecute') {
      issues.push(invalid(`${at}.effect`, str(t.effect), "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === '' || operator === 'Equal') {
      const problems = labelValue(value);
      if (problems.length > 0) issues.push(invalid(`${at}.operator`, value, problems.join(';')));
    } else if (operator === 'Exists') {
      if (value !== '')
        issues.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else {
      const values = operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists'];
      issues.push(notSupported(`${at}.operator`, operator, values));
    }
    if (str(t.effect) !== '') issues.push(...taintEffect(`${at}.effect`, t.effect));
    return issues;
  });
}

function selectorRequirement(path: string, r: JsonObject, values: boolean): Issue[] {
  const operator = str(r.operator);
  const n = list(r.values).length;
  const issues: Issue[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (n === 0) issues.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (n > 0)
      issues.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (n !== 1)
      issues.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else issues.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  issues.push(...qualified(`${path}.key`, str(r.key)));
  if (values) {
    for (const [i, v] of list(r.values).entries()) {
      issues.push(...each(index(`${path}.values`, i), str(v), labelValue(str(v))));
    }
  }
  return issues;
}
function fieldRequirement(path: string, r: JsonObject): Issue[] {
  const operator = str(r.operator);
  const issues: Issue[] = [];
  if (operator !== 'In' && operator !== 'NotIn') {
    issues.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  } else if (list(r.values).length !== 1) {
    issues.push(
      required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
    );
  }
  if (r.key !== 'metadata.name') {
    issues.push(invalid(`${path}.key`, str(r.key), 'not a valid field selector key'));
  } else {
    for (const [i, v] of list(r.values).entries()) {
      issues.push(...named(index(`${path}.values`, i), str(v), nameIsDnsSubdomain));
    }
  }
  return issues;
}
function nodeSelectorTerm(path: string, t: JsonObject, values: boolean): Issue[] {
  return [
    ...objs(t.matchExpressions).flatMap((r, i) => selectorRequirement(index(`${path}.matchExpressions`, i), r, values)),
    ...objs(t.matchFields).flatMap((r, i) => fieldRequirement(index(`${path}.matchFields`, i), r)),
  ];
}
/** A NodeSelector: at least one term. */
export function validateNodeSelector(path: string, s: JsonObject, values = true): Issue[] {
  const terms = objs(s.nodeSelectorTerms);
  if (terms.length === 0) return [required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')];
  return terms.flatMap((t, i) => nodeSelectorTerm(index(`${path}.nodeSelectorTerms`, i), t, values));
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const weight = (path: string, v: Json | undefined): Issue[] =>
  num(v) <= 0 || num(v) > 100 ? [invalid(`${path}.weight`, num(v), 'must be in the range 1-100')] : [];

function labelKeys(path: string, keys: readonly Json[], selector: Json | undefined): Issue[] {
  if (keys.length === 0) return [];
  if (!has(selector)) return [forbidden(path, 'must not be specified when labelSelector is not set')];
  return keys.flatMap((k, i) => each(index(path, i), str(k), qualifiedName(str(k))));
}
function matchLabelKeys(path: string, t: JsonObject): Issue[] {
  const match = list(t.matchLabelKeys);
  const mismatch = list(t.mismatchLabelKeys);
  const issues = [
    ...labelKeys(`${path}.matchLabelKeys`, match, t.labelSelector),
    ...labelKeys(`${path}.mismatchLabelKeys`, mismatch, t.labelSelector),
  ];
  if (has(t.labelSelector)) {
    const seen = new Set(Object.keys(texts(obj(t.labelSelector).matchLabels)));
    for (const e of objs(obj(t.labelSelector).matchExpressions)) {
      const key = str(e.key);
      const i = match.lastIndexOf(key);
      if (i >= 0 && seen.has(key)) {
        issues.push(invalid(index(path, i), key, 'exists in both matchLabelKeys and labelSelector'));
      }
      seen.add(key);
    }
  }
  for (const [i, k] of match.entries()) {
    if (mismatch.includes(k)) {
      issues.push(
        invalid(index(`${path}.matchLabelKeys`, i), k, 'exists in both matchLabelKeys and mismatchLabelKeys'),
      );
    }
  }
  return issues;
}
function podAffinityTerm(path: string, t: JsonObject): Issue[] {
  const topology = str(t.topologyKey);
  return [
    ...(has(t.labelSelector) ? validateLabelSelector(`${path}.labelSelector`, obj(t.labelSelector)) : []),
    ...(has(t.namespaceSelector) ? validateLabelSelector(`${path}.namespaceSelector`, obj(t.namespaceSelector)) : []),
    ...list(t.namespaces).flatMap((n) => named(`${path}.namespace`, str(n), nameIsDnsLabel)),
    ...matchLabelKeys(path, t),
    ...(topology === '' ? [required(`${path}.topologyKey`, 'can not be empty')] : []),
    ...qualified(`${path}.topologyKey`, topology),
  ];
}
function podAffinity(path: string, a: JsonObject): Issue[] {
  return [
    ...objs(a[REQUIRED]).flatMap((t, i) => podAffinityTerm(index(`${path}.${REQUIRED}`, i), t)),
    ...objs(a[PREFERRED]).flatMap((t, i) => {
      const at = index(`${path}.${PREFERRED}`, i);
      return [...weight(at, t.weight), ...podAffinityTerm(`${at}.podAffinityTerm`, obj(t.podAffinityTerm))];
    }),
  ];
}
export function validateAffinity(path: string, v: Json | undefined): Issue[] {
  if (!has(v)) return [];
  const a = obj(v);
  const node = obj(a.nodeAffinity);
  const at = `${path}.nodeAffinity`;
  return [
    ...(has(node[REQUIRED]) ? validateNodeSelector(`${at}.${REQUIRED}`, obj(node[REQUIRED])) : []),
    ...objs(node[PREFERRED]).flatMap((t, i) => {
      const term = index(`${at}.${PREFERRED}`, i);
      return [...weight(term, t.weight), ...nodeSelectorTerm(`${term}.preference`, obj(t.preference), false)];
    }),
    ...podAffinity(`${path}.podAffinity`, obj(a.podAffinity)),
    ...podAffinity(`${path}.podAntiAffinity`, obj(a.podAntiAffinity)),
  ];
}

const NODE_POLICIES = ['Honor', 'Ignore'];
export function validateSpread(path: string, constraints: readonly JsonObject[]): Issue[] {
  return constraints.flatMap((c, i) => {
    const at = index(path, i);
    const issues = positive(`${at}.maxSkew`, c.maxSkew);
    if (str(c.topologyKey) === '') issues.push(required(`${at}.topologyKey`, 'can not be empty'));
    issues.push(...oneOf(`${at}.whenUnsatisfiable`, c.whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], null));
    const same = (o: JsonObject) => o.topologyKey === c.topologyKey && o.whenUnsatisfiable === c.whenUnsatisfiable;
    if (constraints.slice(i + 1).some(same)) {
      issues.push(
        duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${str(c.topologyKey)}, ${str(c.whenUnsatisfiable)}}`),
      );
    }
    if (has(c.minDomains)) {
      issues.push(...positive(`${at}.minDomains`, c.minDomains));
      if (c.whenUnsatisfiable !== 'DoNotSchedule') {
        issues.push(
          invalid(
            `${at}.minDomains`,
            num(c.minDomains),
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${str(c.whenUnsatisfiable)}`,
          ),
        );
      }
    }
    for (const m of ['nodeAffinityPolicy', 'nodeTaintsPolicy']) {
      if (has(c[m])) issues.push(...oneOf(`${at}.${m}`, c[m], NODE_POLICIES, null));
    }
    issues.push(...matchLabelKeys(at, c));
    if (has(c.labelSelector)) issues.push(...validateLabelSelector(`${at}.labelSelector`, obj(c.labelSelector)));
    return issues;
  });
}

/** Gates by name, each once. */
export function validateSchedulingGates(path: string, gates: readonly JsonObject[]): Issue[] {
  const seen = new Set<string>();
  return gates.flatMap((g, i) => {
    const name = str(g.name);
    const issues = qualified(index(path, i), name);
    if (seen.has(name)) issues.push(duplicate(index(path, i), name));
    seen.add(name);
    return issues;
  });
}

/** An update may add tolerations and change tolerationSeconds of old ones. */
export function onlyAddedTolerations(path: string, next: readonly JsonObject[], prev: readonly JsonObject[]): Issue[] {
  const kept = (old: JsonObject) =>
    next.some((n) => equalJson({ ...old, tolerationSeconds: undefined }, { ...n, tolerationSeconds: undefined }));
  if (!prev.every(kept))
    return [forbidden(path, 'existing toleration can not be modified except its tolerationSeconds')];
  return validateTolerations(path, next);
}
/** An update may only take gates away. */
export function onlyDeletedGates(path: string, next: readonly JsonObject[], prev: readonly JsonObject[]): Issue[] {
  const had = new Set(prev.map((g) => g.name));
  return next.flatMap((g, i) =>
    had.has(g.name)
      ? []
      : [
          forbidden(
            `${index(path, i)}.name`,
            `only deletion is allowed, but found new scheduling gate '${str(g.name)}'`,
          ),
        ],
  );
}
/** A gated pod may get more node selector entries. */
export function onlyAddedSelector(path: string, next: Json | undefined, prev: Json | undefined): Issue[] {
  const now = texts(next);
  const old = texts(prev);
  return Object.keys(old).flatMap((k) =>
    now[k] === old[k]
      ? []
      : [invalid(path, next ?? null, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)')],
  );
}
/** A gated pod's required node affinity may get narrower. */
export function onlyNarrowedAffinity(path: string, next: Json | undefined, prev: Json | undefined): Issue[] {
  const old = obj(obj(prev)[REQUIRED]);
  if (!has(obj(prev)[REQUIRED])) return [];
  const at = `${path}.${REQUIRED}`;
  const now = obj(obj(next)[REQUIRED]);
  const terms = objs(now.nodeSelectorTerms);
  const oldTerms = objs(old.nodeSelectorTerms);
  if (oldTerms.length === 0) return [];
  if (terms.length !== oldTerms.length) {
    return [
      invalid(
        `${at}.nodeSelectorTerms`,
        has(now.nodeSelectorTerms) ? now.nodeSelectorTerms : null,
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    ];
  }
  const grows = (n: JsonObject, o: JsonObject, m: string) => list(o[m]).every((r, i) => equalJson(r, list(n[m])[i]));
  return terms.flatMap((t, i) => {
    const o = oldTerms[i] ?? {};
    const empty = list(o.matchExpressions).length + list(o.matchFields).length === 0;
    const fine = empty ? equalJson(t, o) : grows(t, o, 'matchExpressions') && grows(t, o, 'matchFields');
    return fine
      ? []
      : [invalid(index(`${at}.nodeSelectorTerms`, i), t, 'only additions are allowed (no mutations or deletions)')];
  });
}
