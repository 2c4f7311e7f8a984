import { duplicate, forbidden, index, invalid, key, required } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import { qualifiedName } from '../meta/names.ts';
import { compareQuantities, milliValue, quantity } from '../meta/quantity.ts';
import type { Issue } from '../meta/status.ts';
import { make, obj, objs, orElse, str, texts } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { each } from './podspec/checks.ts';
import { containerResourceName, overcommits, resourceName } from './podspec/resources.ts';

const STANDARD = new Set(['Pod', 'Container', 'PersistentVolumeClaim']);

export const LIMITRANGE: Behaviour = {
  createOnUpdate: true,
  default(o) {
    for (const item of objs(obj(o.spec).limits)) {
      if (item.type !== 'Container') continue;
      const limit = make(item, 'default');
      const request = make(item, 'defaultRequest');
      for (const [from, to] of [
        [item.max, limit],
        [limit, request],
        [item.min, request],
      ] as const) {
        for (const k in texts(from)) orElse(to, k, texts(from)[k] ?? '0');
      }
    }
  },
  validate(next) {
    const seen = new Set<string>();
    return objs(obj(next.spec).limits).flatMap((item, i) => {
      const at = index('spec.limits', i);
      const type = str(item.type);
      const issues = typeName(`${at}.type`, type);
      if (seen.has(type)) issues.push(duplicate(`${at}.type`, type));
      seen.add(type);
      return [...issues, ...limits(at, type, item)];
    });
  },
};
function typeName(path: string, type: string): Issue[] {
  const issues = each(path, type, qualifiedName(type));
  if (issues.length === 0 && !type.includes('/') && !STANDARD.has(type)) {
    issues.push(invalid(path, type, 'must be a standard limit type or fully qualified'));
  }
  return issues;
}
function limits(at: string, type: string, item: JsonObject): Issue[] {
  const name = type === 'Pod' || type === 'Container' ? containerResourceName : resourceName;
  const issues: Issue[] = [];
  const of: Record<string, Record<string, string>> = {};
  const keys = new Set<string>();
  for (const m of ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio']) {
    const values = texts(item[m]);
    if (type === 'Pod' && m.startsWith('default')) {
      if (Object.keys(values).length > 0) {
        issues.push(forbidden(`${at}.${m}`, "may not be specified when `type` is 'Pod'"));
      }
      continue;
    }
    if (m === 'maxLimitRequestRatio' && type === 'PersistentVolumeClaim') {
      const { min = {}, max = {} } = of;
      if (min.storage === undefined && max.storage === undefined) {
        const text = 'either minimum or maximum storage value is required, but neither was provided';
        issues.push(required(`${at}.limits`, text));
      }
    }
    of[m] = values;
    for (const k of Object.keys(values).sort()) {
      issues.push(...name(key(`${at}.${m}`, k), k));
      keys.add(k);
    }
  }
  for (const k of [...keys].sort()) issues.push(...related(at, k, of));
  return issues;
}
/** What the values of one resource must be to one another: member, the other, who is greater. */
function related(at: string, k: string, of: Record<string, Record<string, string>>): Issue[] {
  const get = (m: string) => of[m]?.[k];
  const issues: Issue[] = [];
  const less = (low: string, high: string, field: string, shown: string, text: (a: string, b: string) => string) => {
    const a = get(low);
    const b = get(high);
    if (a === undefined || b === undefined || compareQuantities(quantity(a), quantity(b)) <= 0) return;
    issues.push(invalid(key(`${at}.${field}`, k), get(shown), text(quantity(a).text, quantity(b).text)));
  };
  less('min', 'max', 'min', 'min', (a, b) => `min value ${a} is greater than max value ${b}`);
  less(
    'min',
    'defaultRequest',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `min value ${a} is greater than default request value ${b}`,
  );
  less(
    'defaultRequest',
    'max',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `default request value ${a} is greater than max value ${b}`,
  );
  less(
    'defaultRequest',
    'default',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `default request value ${a} is greater than default limit value ${b}`,
  );
  less('min', 'default', 'default', 'min', (a, b) => `min value ${a} is greater than default value ${b}`);
  less('default', 'max', 'default', 'max', (a, b) => `default value ${a} is greater than max value ${b}`);
  const ratio = get('maxLimitRequestRatio');
  const min = get('min');
  const max = get('max');
  if (ratio !== undefined) {
    const q = quantity(ratio);
    const path = key(`${at}.maxLimitRequestRatio`, k);
    if (compareQuantities(q, quantity('1')) < 0) issues.push(invalid(path, q.text, `ratio ${q.text} is less than 1`));
    if (min !== undefined && max !== undefined) {
      const bound = milliValue(quantity(max)) / milliValue(quantity(min));
      if (milliValue(q) / 1000 > bound) {
        issues.push(invalid(path, q.text, `ratio ${q.text} is greater than max/min = ${bound.toFixed(6)}`));
      }
    }
  }
  const limit = get('default');
  const request = get('defaultRequest');
  if (
    !overcommits(k) &&
    limit !== undefined &&
    request !== undefined &&
    compareQuantities(quantity(limit), quantity(request)) !== 0
  ) {
    issues.push(
      invalid(
        key(`${at}.defaultRequest`, k),
        request,
        `default value ${quantity(limit).text} must equal to defaultRequest value ${quantity(request).text} in ${k}`,
      ),
    );
  }
  return issues;
}
