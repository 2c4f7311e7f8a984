import { duplicate, forbidden, index, invalid, notSupported, required } from '../meta/issues.ts';
import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, num, obj, str, texts } from './access.ts';
import { IMMUTABLE } from './objectmeta.ts';
import { oneOf } from './podspec/checks.ts';
import { validateEndpointIP, validateLegacyIP } from './podspec/ip.ts';
import { inServiceRange, isHeadless, serviceCIDR } from './serviceips.ts';

const spec = (o: KubeObject): JsonObject => obj(o.spec);
export const isLoadBalancer = (s: JsonObject): boolean => s.type === 'LoadBalancer';
export const needsHealthCheck = (s: JsonObject): boolean => isLoadBalancer(s) && s.externalTrafficPolicy === 'Local';

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy among themselves: ValidateServiceClusterIPsRelatedFields. */
export function clusterIPs(s: JsonObject, old: readonly string[]): Issue[] {
  if (s.type === 'ExternalName') return [];
  const at = 'spec.clusterIPs';
  const ips = list(s.clusterIPs).map(str);
  const families = list(s.ipFamilies).map(str);
  const issues: Issue[] = [];
  if (str(s.clusterIP) === '') {
    if (ips.length > 0) issues.push(invalid(at, ips, 'must be empty when `clusterIP` is not specified'));
  } else if (ips.length === 0) issues.push(required(at));
  else if (ips[0] !== s.clusterIP) issues.push(invalid(at, ips, 'first value must match `clusterIP`'));
  const seen = new Set<string>();
  for (const [i, f] of families.entries()) {
    if (f !== 'IPv4' && f !== 'IPv6') issues.push(notSupported(index('spec.ipFamilies', i), f, ['IPv4', 'IPv6']));
    if (seen.has(f)) issues.push(duplicate(index('spec.ipFamilies', i), f));
    seen.add(f);
  }
  if (has(s.ipFamilyPolicy)) {
    const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
    issues.push(...oneOf('spec.ipFamilyPolicy', s.ipFamilyPolicy, policies, null));
  }
  let wrong = false;
  for (const [i, ip] of ips.entries()) {
    if (i === 0 && ip === 'None') {
      if (ips.length > 1) {
        wrong = true;
        issues.push(invalid(at, ips, "'None' must be the first and only value"));
      }
      continue;
    }
    const own = validateLegacyIP(index(at, i), ip, old);
    wrong ||= own.length > 0;
    issues.push(...own);
  }
  if (ips.length > 2) issues.push(invalid(at, ips, 'may only hold up to 2 values'));
  if (wrong) return issues;
  const v6 = (ip: string | undefined) => ip?.includes(':') === true;
  if (ips.length > 1 && (ips.length > 2 || v6(ips[0]) === v6(ips[1]))) {
    issues.push(invalid(at, ips, 'may specify no more than one IP for each IP family'));
  }
  if (isHeadless(s)) return issues;
  for (const [i, ip] of ips.entries()) {
    const family = families[i];
    if (family === undefined) break;
    if ((family === 'IPv4') === v6(ip) && (family === 'IPv4' || family === 'IPv6')) {
      issues.push(invalid(index(at, i), ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
    }
  }
  return issues;
}
/** What a cluster with IPv4 service addresses alone can't give: initIPFamilyFields, and the allocator's range. */
export function configured(s: JsonObject, old: readonly string[]): Issue[] {
  if (s.type === 'ExternalName') return [];
  const issues = clusterIPs(s, old);
  if (issues.length > 0) return issues;
  const ips = list(s.clusterIPs).map(str);
  const [first] = ips;
  if (s.ipFamilyPolicy === 'SingleStack') {
    const needed = (what: string) =>
      invalid(
        'spec.ipFamilyPolicy',
        'SingleStack',
        `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
      );
    const several = [
      ...(ips.length === 2 ? [needed('cluster IPs')] : []),
      ...(list(s.ipFamilies).length === 2 ? [needed('IP families')] : []),
    ];
    if (several.length > 0) return several;
  }
  if (first?.includes(':') && !list(s.ipFamilies).slice(1).includes('IPv6')) {
    return [invalid('spec.clusterIPs[0]', ips, 'IPv6 is not configured on this cluster')];
  }
  if (isHeadless(s) && Object.keys(texts(s.selector)).length === 0) return [];
  const out: Issue[] = [];
  if (s.ipFamilyPolicy === 'RequireDualStack') {
    const text = 'this cluster is not configured for dual-stack services';
    out.push(invalid('spec.ipFamilyPolicy', s.ipFamilyPolicy, text));
  }
  for (const [i, f] of list(s.ipFamilies).entries()) {
    if (f === 'IPv6') out.push(invalid(index('spec.ipFamilies', i), f, 'not configured on this cluster'));
  }
  if (out.length > 0 || first === undefined || first === 'None' || old[0] === first) return out;
  if (inServiceRange(first)) return [];
  const text = `failed to allocate IP ${first}: the provided IP (${first}) is not in the valid range. The range of valid IPs is ${serviceCIDR()}`;
  return [invalid('spec.clusterIPs', ips, text)];
}
export const externalIPs = (s: JsonObject, old: readonly string[]): Issue[] =>
  list(s.externalIPs)
    .map(str)
    .flatMap((ip, i) => {
      const at = index('spec.externalIPs', i);
      const issues = validateLegacyIP(at, ip, old);
      return issues.length > 0 ? issues : validateEndpointIP(at, ip);
    });
/** What an update may not change: addresses, families, the load balancer's class, the health check's port. */
export function updateIssues(next: KubeObject, prev: KubeObject): Issue[] {
  const s = spec(next);
  const old = spec(prev);
  const issues: Issue[] = [];
  if (s.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if (!(isHeadless(s) && isHeadless(old))) issues.push(...keptList('clusterIPs', 'clusterIP', s, old));
    if (!isHeadless(s) && !isHeadless(old)) issues.push(...keptList('ipFamilies', 'ipFamily', s, old));
  }
  if (
    isLoadBalancer(s) &&
    isLoadBalancer(old) &&
    !equalJson(s.loadBalancerClass ?? null, old.loadBalancerClass ?? null)
  ) {
    issues.push(invalid('spec.loadBalancerClass', s.loadBalancerClass ?? null, 'may not change once set'));
  }
  if (needsHealthCheck(s) && needsHealthCheck(old) && num(s.healthCheckNodePort) !== num(old.healthCheckNodePort)) {
    issues.push(forbidden('spec.healthCheckNodePort', IMMUTABLE));
  }
  return issues;
}
function keptList(member: string, single: string, s: JsonObject, old: JsonObject): Issue[] {
  const now = list(s[member]);
  const was = list(old[member]);
  const at = `spec.${member}`;
  const shown: Json = s[member] ?? null;
  const changed = (i: number) => invalid(index(at, i), shown, 'may not change once set');
  const issues: Issue[] = [];
  if (was.length === now.length) {
    for (const [i, v] of was.entries()) if (v !== now[i]) issues.push(changed(member === 'clusterIPs' ? i : 0));
  } else if (was.length > now.length) {
    if (now.length === 0) issues.push(invalid(index(at, 0), shown, `primary ${single} can not be unset`));
    else if (now[0] !== was[0]) issues.push(changed(0));
    if (now.length === 1 && s.ipFamilyPolicy !== 'SingleStack') {
      const text = `must be set to 'SingleStack' when releasing the secondary ${single}`;
      issues.push(invalid('spec.ipFamilyPolicy', s.ipFamilyPolicy ?? null, text));
    }
  } else if (was.length > 0 && now[0] !== was[0]) issues.push(changed(0));
  return issues;
}
