import { invalid, tooLong } from '../meta/issues.ts';
import * as names from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';

// The named formats of `+k8s:format`: apimachinery pkg/api/validate/strfmt.go, v0.37.1.

type Format = (path: string, value: string) => Issue[];

const of =
  (check: (value: string) => readonly string[]): Format =>
  (path, value) =>
    check(value).map((problem) => invalid(path, value, problem));

const longName = of((v) => names.dns1123Subdomain(v, 'bytes'));
/** A resource.k8s.io pool name is long names joined by slashes, at most this long. */
const POOL_NAME_MAX = 253;
/** The name part of a device attribute or capacity. */
const DEVICE_NAME_MAX = 32;
const DEVICE_DOMAIN_MAX = 63;

function poolName(path: string, value: string): Issue[] {
  const issues = names.byteLength(value) > POOL_NAME_MAX ? [tooLong(path, POOL_NAME_MAX)] : [];
  for (const [i, part] of value.split('/').entries()) {
    if (part === '') issues.push(invalid(path, value, `segment ${i}: must not be empty`));
    else for (const p of names.dns1123Subdomain(part, 'bytes')) issues.push(invalid(path, part, `segment ${i}: ${p}`));
  }
  return issues;
}

function extendedResourceName(path: string, value: string): Issue[] {
  const issues: Issue[] = [];
  if (!value.includes('/')) {
    issues.push(invalid(path, value, "a name must be a domain-prefixed path, such as 'example.com/my-prop'"));
  } else if (value.includes('kubernetes.io/')) {
    issues.push(invalid(path, value, 'must not have "kubernetes.io/" domain'));
  }
  if (value.startsWith('requests.')) issues.push(invalid(path, value, 'must not have "requests." prefix'));
  for (const p of names.qualifiedName(`requests.${value}`)) issues.push(invalid(path, value, p));
  return issues;
}

function identifier(path: string, id: string): Issue[] {
  const issues = names.byteLength(id) > DEVICE_NAME_MAX ? [tooLong(path, DEVICE_NAME_MAX)] : [];
  for (const p of names.cIdentifier(id)) issues.push(invalid(path, id, p));
  return issues;
}

function deviceName(path: string, value: string): Issue[] {
  const [domain = '', name = '', ...more] = value.split('/');
  if (more.length > 0) return [];
  if (!value.includes('/')) {
    return [
      ...identifier(path, value),
      invalid(path, value, 'a fully qualified name must be a domain and a name separated by a slash'),
    ];
  }
  const issues: Issue[] = [];
  if (domain === '') issues.push(invalid(path, '', 'prefix must not be empty'));
  else {
    if (names.byteLength(domain) > DEVICE_DOMAIN_MAX) issues.push(tooLong(path, DEVICE_DOMAIN_MAX));
    for (const p of names.dns1123Subdomain(domain, 'bytes')) issues.push(invalid(path, domain, `prefix: ${p}`));
  }
  if (name === '') issues.push(invalid(path, '', 'name must not be empty'));
  else issues.push(...identifier(path, name));
  return issues;
}

/** By the tag's value. */
export const formats: Readonly<Record<string, Format>> = {
  'k8s-short-name': of((v) => names.dns1123Label(v, 'bytes')),
  'k8s-long-name': longName,
  'k8s-long-name-caseless': of(names.dns1123SubdomainCaseless),
  'k8s-label-key': of(names.qualifiedName),
  'k8s-prefixed-label-key': of(names.prefixedLabelKey),
  'k8s-label-value': of(names.labelValue),
  'k8s-path-segment-name': of(names.pathSegmentName),
  'k8s-uuid': of(names.uuid),
  'k8s-resource-pool-name': poolName,
  'k8s-extended-resource-name': extendedResourceName,
  'k8s-resource-fully-qualified-name': deviceName,
};
