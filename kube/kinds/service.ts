import { duplicate, forbidden, index, invalid, key, notSupported, required } from '../meta/issues.ts';
import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import { dns1123Subdomain, nameIsDnsLabel, portNumber, validateLabels } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, make, num, obj, objs, orElse, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { IMMUTABLE } from './objectmeta.ts';
import { each, label, oneOf, port, qualified } from './podspec/checks.ts';
import { parseAddress, validateEndpointIP, validateLegacyCIDR, validateLegacyIP, warnIP } from './podspec/ip.ts';
import {
  dropTypeDependent,
  initFamilies,
  inServiceRange,
  isHeadless,
  SERVICE_CIDR,
  serviceClaims,
} from './serviceips.ts';

/** Session affinity by client IP: three hours unless said, a day at most. */
const AFFINITY_SECONDS = 10800;
const MAX_AFFINITY_SECONDS = 86400;
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const HINTS = 'service.kubernetes.io/topology-aware-hints';
const MODE = 'service.kubernetes.io/topology-mode';
const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const spec = (o: KubeObject): JsonObject => obj(o.spec);
const isLoadBalancer = (s: JsonObject) => s.type === 'LoadBalancer';
/** Reachable from outside: by a load balancer, a node's port, or external addresses. */
export const isExternal = (s: JsonObject): boolean =>
  isLoadBalancer(s) || s.type === 'NodePort' || (s.type === 'ClusterIP' && list(s.externalIPs).length > 0);
export const needsHealthCheck = (s: JsonObject): boolean => isLoadBalancer(s) && s.externalTrafficPolicy === 'Local';

export const SERVICE: Behaviour = {
  name: nameIsDnsLabel,
  createOnUpdate: true,
  default(o) {
    const s = make(o, 'spec');
    if (str(s.sessionAffinity) === '') s.sessionAffinity = 'None';
    if (s.sessionAffinity === 'None') delete s.sessionAffinityConfig;
    if (s.sessionAffinity === 'ClientIP' && !has(obj(obj(s.sessionAffinityConfig).clientIP).timeoutSeconds)) {
      s.sessionAffinityConfig = { clientIP: { timeoutSeconds: AFFINITY_SECONDS } };
    }
    if (str(s.type) === '') s.type = 'ClusterIP';
    for (const p of objs(s.ports)) {
      if (str(p.protocol) === '') p.protocol = 'TCP';
      if (!has(p.targetPort) || p.targetPort === 0 || p.targetPort === '') p.targetPort = num(p.port);
    }
    if (isExternal(s) && str(s.externalTrafficPolicy) === '') s.externalTrafficPolicy = 'Cluster';
    if (s.type !== 'ExternalName' && TYPES.includes(str(s.type))) orElse(s, 'internalTrafficPolicy', 'Cluster');
    if (isLoadBalancer(s)) {
      orElse(s, 'allocateLoadBalancerNodePorts', true);
      for (const i of objs(obj(obj(o.status).loadBalancer).ingress)) if (str(i.ip) !== '') orElse(i, 'ipMode', 'VIP');
    }
  },
  prepare(next, prev) {
    if (prev) dropTypeDependent(next, prev);
    initFamilies(next, prev);
    if (spec(next).type === 'ExternalName') delete spec(next).internalTrafficPolicy;
  },
  validate(next, prev) {
    // Addresses are allocated before the rest is judged, so what they say comes alone.
    const families = configured(spec(next), prev ? list(spec(prev).clusterIPs).map(str) : []);
    if (families.length > 0) return families;
    return [...(prev ? updateIssues(next, prev) : []), ...validateService(next, prev)];
  },
  warn(next) {
    const s = spec(next);
    const out: string[] = [];
    if (next.metadata.annotations?.[HINTS] !== undefined) {
      out.push(`annotation ${HINTS} is deprecated, please use ${MODE} instead`);
    }
    if (s.type === 'ExternalName') {
      for (const [member, text] of [
        ['externalIPs', 'spec.externalIPs is ignored when spec.type is "ExternalName"'],
      ] as const) {
        if (list(s[member]).length > 0) out.push(text);
      }
    }
    if (list(s.externalIPs).length > 0 && s.type !== 'ExternalName') {
      out.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
    }
    if (isHeadless(s) && s.sessionAffinity === 'ClientIP') {
      out.push('spec.SessionAffinity is ignored for headless services');
    }
    for (const m of ['clusterIPs', 'externalIPs', 'loadBalancerSourceRanges'] as const) {
      if (m === 'loadBalancerSourceRanges') continue;
      for (const [i, ip] of list(s[m]).entries()) {
        if (ip !== 'None') out.push(...warnIP(index(`spec.${m}`, i), str(ip)));
      }
    }
    return out;
  },
  claims: serviceClaims,
  fields: { 'spec.clusterIP': (o) => str(spec(o).clusterIP), 'spec.type': (o) => str(spec(o).type) },
  subresources: {
    status: statusOf('Namespaced', { validate: (next, prev) => loadBalancerStatus(next, prev) }),
  },
};

function validateService(o: KubeObject, prev: KubeObject | null): Issue[] {
  const s = spec(o);
  const old = prev ? spec(prev) : {};
  const a = texts(o.metadata.annotations);
  const issues: Issue[] = [];
  if (a[MODE] !== undefined && a[HINTS] !== undefined && a[MODE] !== a[HINTS]) {
    issues.push(
      invalid(key('metadata.annotations', MODE), a[MODE], `must match annotations[${HINTS}] when both are specified`),
    );
  }
  const ports = objs(s.ports);
  const headless = isHeadless(s);
  if (ports.length === 0 && !headless && s.type !== 'ExternalName') issues.push(required('spec.ports'));
  if (headless && (isLoadBalancer(s) || s.type === 'NodePort')) {
    issues.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${str(s.type)} services`));
  }
  if (s.type === 'ExternalName') issues.push(...externalName(s));
  const names = new Set<string>();
  issues.push(...ports.flatMap((p, i) => servicePort(index('spec.ports', i), p, ports.length > 1, names)));
  issues.push(
    ...validateLabels('spec.selector', texts(s.selector)),
    ...affinity(s),
    ...clusterIPs(s, list(old.clusterIPs).map(str)),
    ...externalIPs(s, list(old.externalIPs).map(str)),
    ...oneOf('spec.type', s.type, TYPES),
    ...portIssues(s, ports),
    ...sourceRanges(s, old, a, prev),
  );
  if (has(s.allocateLoadBalancerNodePorts) && !isLoadBalancer(s)) {
    issues.push(forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
  }
  return [...issues, ...loadBalancerClass(s), ...traffic(s)];
}
function externalName(s: JsonObject): Issue[] {
  const text = 'may not be set for ExternalName services';
  const issues: Issue[] = [];
  if (list(s.clusterIPs).length > 0) issues.push(forbidden('spec.clusterIPs', text));
  if (list(s.ipFamilies).length > 0) issues.push(forbidden('spec.ipFamilies', text));
  if (has(s.ipFamilyPolicy)) issues.push(forbidden('spec.ipFamilyPolicy', text));
  const name = str(s.externalName).replace(/\.$/, '');
  const at = 'spec.externalName';
  return [...issues, ...(name === '' ? [required(at)] : each(at, name, dns1123Subdomain(name)))];
}
function servicePort(at: string, p: JsonObject, named: boolean, names: Set<string>): Issue[] {
  const name = str(p.name);
  const issues: Issue[] = [];
  if (named && name === '') issues.push(required(`${at}.name`));
  else if (name !== '') {
    issues.push(...label(`${at}.name`, name));
    if (names.has(name)) issues.push(duplicate(`${at}.name`, name));
    names.add(name);
  }
  return [
    ...issues,
    ...portNumber(num(p.port)).map((t) => invalid(`${at}.port`, num(p.port), t)),
    ...oneOf(`${at}.protocol`, p.protocol, ['SCTP', 'TCP', 'UDP']),
    ...port(`${at}.targetPort`, p.targetPort),
    ...(has(p.appProtocol) ? qualified(`${at}.appProtocol`, str(p.appProtocol)) : []),
  ];
}
function affinity(s: JsonObject): Issue[] {
  const issues = oneOf('spec.sessionAffinity', s.sessionAffinity, ['ClientIP', 'None']);
  const at = 'spec.sessionAffinityConfig';
  if (s.sessionAffinity === 'None') {
    if (has(s.sessionAffinityConfig)) issues.push(forbidden(at, 'must not be set when session affinity is None'));
  } else if (s.sessionAffinity === 'ClientIP') {
    const timeout = obj(obj(s.sessionAffinityConfig).clientIP).timeoutSeconds;
    if (num(timeout) <= 0 || num(timeout) > MAX_AFFINITY_SECONDS) {
      const text = `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`;
      issues.push(invalid(`${at}.clientIP.timeoutSeconds`, num(timeout), text));
    }
  }
  return issues;
}
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
function configured(s: JsonObject, old: readonly string[]): Issue[] {
  if (s.type === 'ExternalName') return [];
  const issues = clusterIPs(s, old);
  if (issues.length > 0) return issues;
  const ips = list(s.clusterIPs).map(str);
  const [first] = ips;
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
  const text = `failed to allocate IP ${first}: the provided IP (${first}) is not in the valid range. The range of valid IPs is ${SERVICE_CIDR}`;
  return [invalid('spec.clusterIPs', ips, text)];
}
const externalIPs = (s: JsonObject, old: readonly string[]): Issue[] =>
  list(s.externalIPs)
    .map(str)
    .flatMap((ip, i) => {
      const at = index('spec.externalIPs', i);
      const issues = validateLegacyIP(at, ip, old);
      return issues.length > 0 ? issues : validateEndpointIP(at, ip);
    });
function portIssues(s: JsonObject, ports: readonly JsonObject[]): Issue[] {
  const issues: Issue[] = [];
  const nodePorts = new Set<string>();
  const own = new Set<string>();
  for (const [i, p] of ports.entries()) {
    if (s.type === 'ClusterIP' && num(p.nodePort) !== 0) {
      issues.push(forbidden(`${index('spec.ports', i)}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    }
  }
  for (const [i, p] of ports.entries()) {
    if (num(p.nodePort) === 0) continue;
    const k = `${str(p.protocol)}/${num(p.nodePort)}`;
    if (nodePorts.has(k)) issues.push(duplicate(`${index('spec.ports', i)}.nodePort`, num(p.nodePort)));
    nodePorts.add(k);
  }
  for (const [i, p] of ports.entries()) {
    const k = `${str(p.protocol)}/${num(p.port)}`;
    // Upstream prints the internal struct with its Go field names.
    const shown = {
      AppProtocol: null,
      Name: '',
      NodePort: 0,
      Port: num(p.port),
      Protocol: str(p.protocol),
      TargetPort: 0,
    };
    if (own.has(k))
      issues.push({ ...duplicate(index('spec.ports', i), ''), message: `Duplicate value: ${structText(shown)}` });
    own.add(k);
  }
  return issues;
}
/** A core.ServicePort as encoding/json writes the internal type: its fields have no tags, so they keep their order and names. */
const structText = (p: { Port: number; Protocol: string }) =>
  `{"Name":"","Protocol":${JSON.stringify(p.Protocol)},"AppProtocol":null,"Port":${p.Port},"TargetPort":0,"NodePort":0}`;
function sourceRanges(s: JsonObject, old: JsonObject, a: Record<string, string>, prev: KubeObject | null): Issue[] {
  const only = "may only be used when `type` is 'LoadBalancer'";
  const given = list(s.loadBalancerSourceRanges).map((v) => str(v).trim());
  const issues: Issue[] = [];
  if (given.length > 0) {
    const at = 'spec.LoadBalancerSourceRanges';
    if (!isLoadBalancer(s)) issues.push(forbidden(at, only));
    const had = list(old.loadBalancerSourceRanges).map((v) => str(v).trim());
    return [...issues, ...given.flatMap((v, i) => validateLegacyCIDR(index(at, i), v, had))];
  }
  const value = a[RANGES];
  if (value === undefined) return [];
  const at = key('metadata.annotations', RANGES);
  if (!isLoadBalancer(s)) issues.push(forbidden(at, only));
  if (value.trim() !== '' && texts(prev?.metadata.annotations)[RANGES] !== value) {
    issues.push(
      ...value
        .trim()
        .split(',')
        .flatMap((v) => validateLegacyCIDR(at, v.trim())),
    );
  }
  return issues;
}
function loadBalancerClass(s: JsonObject): Issue[] {
  const at = 'spec.loadBalancerClass';
  if (!has(s.loadBalancerClass)) return [];
  return isLoadBalancer(s)
    ? qualified(at, str(s.loadBalancerClass))
    : [forbidden(at, "may only be used when `type` is 'LoadBalancer'")];
}
function traffic(s: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const external = str(s.externalTrafficPolicy);
  if (!isExternal(s)) {
    if (external !== '') {
      issues.push(
        invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'),
      );
    }
  } else issues.push(...oneOf('spec.externalTrafficPolicy', external, ['Cluster', 'Local']));
  const health = num(s.healthCheckNodePort);
  if (!needsHealthCheck(s) && health !== 0) {
    const text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    issues.push(invalid('spec.healthCheckNodePort', health, text));
  } else if (needsHealthCheck(s) && health !== 0) {
    issues.push(...portNumber(health).map((t) => invalid('spec.healthCheckNodePort', health, t)));
  }
  if (has(s.internalTrafficPolicy)) {
    issues.push(...oneOf('spec.internalTrafficPolicy', s.internalTrafficPolicy, ['Cluster', 'Local'], null));
  }
  if (has(s.trafficDistribution)) {
    const values = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
    issues.push(...oneOf('spec.trafficDistribution', s.trafficDistribution, values, null));
  }
  return issues;
}

/** What an update may not change: addresses, families, the load balancer's class, the health check's port. */
function updateIssues(next: KubeObject, prev: KubeObject): Issue[] {
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
function loadBalancerStatus(next: KubeObject, prev: KubeObject): Issue[] {
  const at = 'status.loadBalancer.ingress';
  const ingress = objs(obj(obj(next.status).loadBalancer).ingress);
  if (!isLoadBalancer(spec(next)) && ingress.length > 0) {
    return [forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const had = objs(obj(obj(prev.status).loadBalancer).ingress).map((i) => str(i.ip));
  return ingress.flatMap((e, i) => {
    const path = index(at, i);
    const ip = str(e.ip);
    const host = str(e.hostname);
    const issues = ip === '' ? [] : validateLegacyIP(`${path}.ip`, ip, had);
    if (!has(e.ipMode)) {
      if (ip !== '') issues.push(required(`${path}.ipMode`, 'must be specified when `ip` is set'));
    } else if (ip === '') issues.push(forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set'));
    else issues.push(...oneOf(`${path}.ipMode`, e.ipMode, ['Proxy', 'VIP'], null));
    if (host !== '') {
      issues.push(...each(`${path}.hostname`, host, dns1123Subdomain(host)));
      if (parseAddress(host)) issues.push(invalid(`${path}.hostname`, host, 'must be a DNS name, not an IP address'));
    }
    return issues;
  });
}
