import { duplicate, forbidden, index, invalid, key, notSupported, required } from '../../meta/issues.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import { NOT_NEGATIVE, qualifiedName } from '../../meta/names.ts';
import { compareQuantities, milliValue, quantity, ZERO } from '../../meta/quantity.ts';
import type { Issue } from '../../meta/status.ts';
import { objs, str, texts } from '../access.ts';
import { each, label } from './checks.ts';

const CONTAINER = new Set(['cpu', 'memory', 'ephemeral-storage']);
/** What containers use, and what a quota calls it. */
export const COMPUTE: ReadonlySet<string> = new Set(
  ['', 'requests.', 'limits.'].flatMap((prefix) => [...CONTAINER].map((name) => prefix + name)),
);
/** What is counted in objects. */
export const COUNTED: ReadonlySet<string> = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);
const STANDARD = new Set([...COMPUTE, ...COUNTED, 'storage', 'requests.storage']);
const HUGE = 'hugepages-';

export const isHugePages = (name: string) => name.startsWith(HUGE);
/** Unprefixed, or in *kubernetes.io/. */
const isNative = (name: string) => !name.includes('/') || name.includes('kubernetes.io/');
const isExtended = (name: string) =>
  !isNative(name) && !name.startsWith('requests.') && qualifiedName(`requests.${name}`).length === 0;
export const overcommits = (name: string) => isNative(name) && !isHugePages(name);

/** A resource's name: qualified, and standard when it has no prefix. */
export function resourceName(path: string, name: string): Issue[] {
  const issues = each(path, name, qualifiedName(name));
  if (issues.length > 0 || name.includes('/')) return issues;
  return STANDARD.has(name) || isHugePages(name) || name.startsWith(`requests.${HUGE}`)
    ? []
    : [invalid(path, name, 'must be a standard resource type or fully qualified')];
}
/** A name that a container may ask for. */
export function containerResourceName(path: string, name: string): Issue[] {
  const issues = resourceName(path, name);
  if (!name.includes('/')) {
    if (!CONTAINER.has(name) && !isHugePages(name)) {
      issues.push(invalid(path, name, 'must be a standard resource for containers'));
    }
  } else if (!isNative(name) && !isExtended(name)) {
    issues.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
  return issues;
}
function podResourceName(path: string, name: string): Issue[] {
  const issues = resourceName(path, name);
  if (issues.length > 0) return issues;
  return name === 'cpu' || name === 'memory' || isHugePages(name)
    ? []
    : [notSupported(path, name, ['cpu', 'hugepages-', 'memory'])];
}
/** Not negative, and whole where the resource counts things. */
export function resourceQuantity(path: string, name: string, value: Json | undefined): Issue[] {
  const q = quantity(value);
  const issues: Issue[] = [];
  if (compareQuantities(q, ZERO) < 0) issues.push(invalid(path, q.text, NOT_NEGATIVE));
  if ((COUNTED.has(name) || isExtended(name)) && milliValue(q) % 1000 !== 0) {
    issues.push(invalid(path, q.text, 'must be an integer'));
  }
  return issues;
}
function hugePages(path: string, name: string, value: string): Issue[] {
  const page = quantity(name.slice(HUGE.length));
  const q = quantity(value);
  const divisible = page.unscaled > 0n && q.unscaled >= 0n && milliValue(q) % milliValue(page) === 0;
  return divisible ? [] : [invalid(path, q.text, `${q.text} is not positive integer multiple of ${name}`)];
}

/** requests, limits and claims of a container (or of a pod). */
export function validateResources(
  path: string,
  r: JsonObject,
  claims: ReadonlySet<string>,
  level: 'container' | 'pod' = 'container',
): Issue[] {
  const nameCheck = level === 'pod' ? podResourceName : containerResourceName;
  const limits = texts(r.limits);
  const requests = texts(r.requests);
  const issues: Issue[] = [];
  for (const name of Object.keys(limits).sort()) {
    const at = key(`${path}.limits`, name);
    issues.push(...nameCheck(at, name), ...resourceQuantity(at, name, limits[name]));
    if (isHugePages(name)) issues.push(...hugePages(at, name, limits[name] ?? ''));
  }
  for (const name of Object.keys(requests).sort()) {
    const at = key(`${path}.requests`, name);
    const q = quantity(requests[name]);
    issues.push(...nameCheck(at, name), ...resourceQuantity(at, name, requests[name]));
    if (limits[name] !== undefined) {
      const limit = quantity(limits[name]);
      const order = compareQuantities(q, limit);
      if (order !== 0 && !overcommits(name)) {
        issues.push(invalid(`${path}.requests`, q.text, `must be equal to ${name} limit of ${limit.text}`));
      } else if (order > 0) {
        issues.push(
          invalid(`${path}.requests`, q.text, `must be less than or equal to ${name} limit of ${limit.text}`),
        );
      }
    } else if (!overcommits(name)) {
      issues.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
    }
    if (isHugePages(name)) issues.push(...hugePages(at, name, requests[name] ?? ''));
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    issues.push(forbidden(path, 'HugePages require cpu or memory'));
  }
  return [...issues, ...claimNames(`${path}.claims`, objs(r.claims), claims)];
}

function claimNames(path: string, claims: JsonObject[], known: ReadonlySet<string>): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const [i, c] of claims.entries()) {
    const at = index(path, i);
    const name = str(c.name);
    const request = str(c.request);
    if (name === '') {
      issues.push(required(at));
      continue;
    }
    if (seen.has(name)) issues.push(duplicate(at, name));
    else {
      if (request !== '') issues.push(...label(`${at}.request`, request));
      const full = request === '' ? name : `${name}/${request}`;
      if (seen.has(full)) issues.push(duplicate(at, full));
      else if (request === '') {
        for (const k of seen) if (k.startsWith(`${name}/`)) issues.push(duplicate(at, name));
      }
      seen.add(full);
    }
    if (!known.has(name)) {
      const which = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
      issues.push({
        type: 'FieldValueNotFound',
        field: at,
        message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${which}`,
      });
    }
  }
  return issues;
}
