import { duplicate, forbidden, index, invalid, key, required } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import { dns1123Subdomain, nameIsDnsLabel, portNumber, validateLabels } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, make, num, obj, objs, orElse, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { each, label, oneOf, port, qualified } from './podspec/checks.ts';
import { parseAddress, validateLegacyCIDR, validateLegacyIP, warnIP } from './podspec/ip.ts';
import {
  clusterIPs,
  configured,
  externalIPs,
  isLoadBalancer,
  needsHealthCheck,
  updateIssues,
} from './serviceaddresses.ts';
import { dropTypeDependent, initFamilies, isHeadless, serviceClaims, serviceReleases } from './serviceips.ts';

/** Session affinity by client IP: three hours unless said, a day at most. */
const AFFINITY_SECONDS = 10800;
const MAX_AFFINITY_SECONDS = 86400;
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const HINTS = 'service.kubernetes.io/topology-aware-hints';
const MODE = 'service.kubernetes.io/topology-mode';
const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const spec = (o: KubeObject): JsonObject => obj(o.spec);
/** Reachable from outside: by a load balancer, a node's port, or external addresses. */
const isExternal = (s: JsonObject): boolean =>
  isLoadBalancer(s) || s.type === 'NodePort' || (s.type === 'ClusterIP' && list(s.externalIPs).length > 0);

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
  allocate: (next, prev) => configured(spec(next), prev ? list(spec(prev).clusterIPs).map(str) : []),
  validate(next, prev) {
    return [...(prev ? updateIssues(next, prev) : []), ...validateService(next, prev)];
  },
  warn: (next) => serviceWarnings(next),
  claims: serviceClaims,
  releases: serviceReleases,
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

/** pkg/api/service/warnings.go. */
function serviceWarnings(o: KubeObject): string[] {
  const s = spec(o);
  const out: string[] = [];
  if (texts(o.metadata.annotations)[HINTS] !== undefined) {
    out.push(`annotation ${HINTS} is deprecated, please use ${MODE} instead`);
  }
  const isName = s.type === 'ExternalName';
  const warnAll = (member: string) =>
    list(s[member]).flatMap((ip, i) => (ip === 'None' ? [] : warnIP(index(`spec.${member}`, i), str(ip))));
  out.push(...warnAll('clusterIPs'));
  if (s.type === 'ClusterIP' && s.clusterIP === 'None') {
    if (str(s.loadBalancerIP) !== '') out.push('spec.loadBalancerIP is ignored for headless services');
    if (list(s.externalIPs).length > 0) out.push('spec.externalIPs is ignored for headless services');
    if (s.sessionAffinity !== 'None') out.push('spec.SessionAffinity is ignored for headless services');
  }
  out.push(...warnAll('externalIPs'));
  if (list(s.externalIPs).length > 0 && !isHeadless(s) && !isName) {
    out.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (str(s.loadBalancerIP) !== '') out.push(...warnIP('spec.loadBalancerIP', str(s.loadBalancerIP)));
  if (isName && list(s.externalIPs).length > 0)
    out.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (!isName && str(s.externalName) !== '') {
    out.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (s.trafficDistribution === 'PreferClose') {
    out.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return out;
}
