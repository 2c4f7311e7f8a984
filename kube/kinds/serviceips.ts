import { invalid } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, make, num, obj, objs, put, str, texts } from './access.ts';
import type { ClaimRequest, ReleaseRequest } from './kind.ts';
import { parseAddress } from './podspec/ip.ts';

// Families, addresses and node ports of Services: kubernetes pkg/registry/core/service/storage/alloc.go, for a cluster with IPv4 alone.

/** Service addresses of clusters whose endpoint says nothing else. */
export const DEFAULT_SERVICE_CIDR = '10.96.0.0/16';
let range = rangeOf(DEFAULT_SERVICE_CIDR);
/** Service addresses of every cluster of this process; the first and last stay free, the second is the API server's. */
export const serviceCIDR = (): string => range.pool.cidr;
/** Said once, by a composition root, before anything else is done; `cidr` was checked with serviceRangeIssue(). */
export function setServiceCIDR(cidr: string): void {
  range = rangeOf(cidr);
}
function rangeOf(cidr: string): { pool: { name: string; cidr: string }; first: number; last: number } {
  const [address = '', length = ''] = cidr.split('/');
  const first = v4(address);
  return { pool: { name: 'services/v4', cidr }, first, last: first + 2 ** (32 - Number(length)) - 1 };
}
function v4(ip: string): number {
  return (parseAddress(ip)?.bytes ?? []).reduce((sum, b) => sum * 256 + b, 0);
}
/** An address of the range but its first and last. */
export function inServiceRange(ip: string): boolean {
  const n = v4(ip);
  return !ip.includes(':') && n > range.first && n < range.last;
}
/** kube-apiserver refuses larger ones; of smaller ones DNS, the tenth address, would not be part. */
const LENGTH_MIN = 12;
const LENGTH_MAX = 28;
/** Why a text is no range of Service addresses; undefined for one that is. */
export function serviceRangeIssue(cidr: string): string | undefined {
  const [, address = '', length = ''] = /^([0-9.]+)\/([0-9]+)$/.exec(cidr) ?? [];
  const size = Number(length);
  if (parseAddress(address)?.family !== 4) return 'an IPv4 range is needed, such as 10.96.0.0/16';
  if (size < LENGTH_MIN || size > LENGTH_MAX) return `a range from /${LENGTH_MIN} to /${LENGTH_MAX} is needed`;
  if (v4(address) % 2 ** (32 - size) !== 0) return 'the address is not the first of its range';
  return undefined;
}
/** True where two IPv4 ranges have addresses in common. */
export function rangesOverlap(a: string, b: string): boolean {
  const [x, y] = [rangeOf(a), rangeOf(b)];
  return x.first <= y.last && y.first <= x.last;
}
const NODE_PORTS = { name: 'nodeports', ports: { from: 30000, to: 32767 } };

const spec = (o: KubeObject): JsonObject => obj(o.spec);
const ips = (s: JsonObject) => list(s.clusterIPs);
/** The one cluster IP is None. */
export const isHeadless = (s: JsonObject): boolean => ips(s).length === 1 && ips(s)[0] === 'None';
const needsIP = (s: JsonObject) => s.type !== 'ExternalName';
const needsNodePort = (s: JsonObject) => s.type === 'NodePort' || s.type === 'LoadBalancer';
const needsHealth = (s: JsonObject) => s.type === 'LoadBalancer' && s.externalTrafficPolicy === 'Local';
const external = (s: JsonObject) => needsNodePort(s) || (s.type === 'ClusterIP' && list(s.externalIPs).length > 0);

/** What belonged to the old type and was sent along unchanged goes: dropTypeDependentFields, patchAllocatedValues. */
export function dropTypeDependent(next: KubeObject, prev: KubeObject): void {
  const s = make(next, 'spec');
  const old = spec(prev);
  keepAllocated(s, old);
  if (needsIP(old) && !needsIP(s)) {
    if (str(s.clusterIP) === str(old.clusterIP) && equalJson(s.clusterIPs ?? [], old.clusterIPs ?? [])) {
      delete s.clusterIP;
      delete s.clusterIPs;
    }
    if (equalJson(s.ipFamilies ?? [], old.ipFamilies ?? [])) delete s.ipFamilies;
    if (str(s.ipFamilyPolicy) === str(old.ipFamilyPolicy)) delete s.ipFamilyPolicy;
  }
  if (needsNodePort(old) && !needsNodePort(s)) {
    const had = new Set(objs(old.ports).map((p) => num(p.nodePort)));
    if (objs(s.ports).every((p) => num(p.nodePort) === 0 || had.has(num(p.nodePort)))) {
      for (const p of objs(s.ports)) delete p.nodePort;
    }
  }
  const same = (m: string) => equalJson(s[m] ?? null, old[m] ?? null);
  if (needsHealth(old) && !needsHealth(s) && same('healthCheckNodePort')) delete s.healthCheckNodePort;
  if (old.type === 'LoadBalancer' && s.type !== 'LoadBalancer') {
    for (const m of ['allocateLoadBalancerNodePorts', 'loadBalancerClass']) if (same(m)) delete s[m];
  }
  if (external(old) && !external(s) && same('externalTrafficPolicy')) delete s.externalTrafficPolicy;
  if (s.type !== 'LoadBalancer' && has(obj(next.status).loadBalancer)) make(next, 'status').loadBalancer = {};
}
/** An update that leaves allocated values out keeps them. */
function keepAllocated(s: JsonObject, old: JsonObject): void {
  if (needsIP(old) && needsIP(s)) {
    if (str(s.clusterIP) === '') put(s, 'clusterIP', old.clusterIP);
    if (ips(s).length === 0) put(s, 'clusterIPs', old.clusterIPs);
  }
  if (needsNodePort(old) && needsNodePort(s)) {
    const used = new Set(objs(s.ports).map((p) => num(p.nodePort)));
    const key = (p: JsonObject) => `${str(p.protocol)}/${num(p.port)}`;
    const was = new Map(objs(old.ports).map((p) => [key(p), num(p.nodePort)]));
    for (const p of objs(s.ports)) {
      const port = was.get(key(p)) ?? 0;
      if (num(p.nodePort) === 0 && port !== 0 && !used.has(port)) p.nodePort = port;
    }
  }
  if (needsHealth(old) && needsHealth(s) && num(s.healthCheckNodePort) === 0) {
    put(s, 'healthCheckNodePort', old.healthCheckNodePort);
  }
}

/** clusterIP and clusterIPs say the same: normalizeClusterIPs. */
function normalize(s: JsonObject, old: JsonObject | null): void {
  if (old === null) {
    if (str(s.clusterIP) !== '' && ips(s).length === 0) s.clusterIPs = [str(s.clusterIP)];
    return;
  }
  const single = str(s.clusterIP);
  if (single !== '' && ips(s).length === 0) {
    s.clusterIPs = [single];
    return;
  }
  const changed = single !== str(old.clusterIP);
  const listChanged = !equalJson(s.clusterIPs ?? [], old.clusterIPs ?? []);
  if (changed && !listChanged) {
    if (single === '') delete s.clusterIPs;
    else if (ips(old)[0] !== single) s.clusterIPs = [single, ...ips(s).slice(1)];
  }
}

/** Families and policy of a Service before its addresses are claimed. */
export function initFamilies(next: KubeObject, prev: KubeObject | null): void {
  const s = make(next, 'spec');
  const old = prev ? spec(prev) : null;
  normalize(s, old);
  if (!needsIP(s)) return;
  const none = s.clusterIP === 'None';
  const bare = none && Object.keys(texts(s.selector)).length === 0;
  if (!has(s.ipFamilyPolicy)) {
    s.ipFamilyPolicy = str(old?.ipFamilyPolicy) || (bare ? 'RequireDualStack' : 'SingleStack');
  }
  const families = [...list(s.ipFamilies)];
  if (!none) {
    for (const ip of ips(s).slice(families.length)) {
      const family = parseAddress(str(ip))?.family === 6 ? 'IPv6' : 'IPv4';
      // What is no address, or a second one of a family, is for validation to say.
      if (parseAddress(str(ip)) && !families.includes(family)) families.push(family);
    }
  }
  if (families.length === 0) families.push('IPv4');
  if (bare && families.length < 2 && s.ipFamilyPolicy !== 'SingleStack') {
    families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
  }
  s.ipFamilies = families;
}

/** A text that no Service holds otherwise; the store puts the claimed value in its place. */
const token = (n: number) => `@claim-${n}@`;

/**
 * Claims of the address and the node ports that `next` has and `prev` hasn't; puts tokens where any free one will do. Node ports are
 * numbers, so their tokens stand with the quotes.
 */
export function serviceClaims(next: KubeObject, prev: KubeObject | null, key: string): ClaimRequest[] {
  const s = make(next, 'spec');
  const out: ClaimRequest[] = [];
  if (needsIP(s) && !isHeadless(s)) address(s, prev ? spec(prev) : {}, key, out);
  if (needsNodePort(s)) nodePorts(s, prev ? spec(prev) : {}, key, out);
  return out;
}
function address(s: JsonObject, old: JsonObject, owner: string, out: ClaimRequest[]): void {
  const given = str(ips(s)[0]);
  if (given !== '' && ips(old)[0] === given) return;
  const lost = (exhausted: boolean): Issue =>
    invalid(
      'spec.clusterIPs',
      s.clusterIPs ?? null,
      exhausted
        ? 'failed to allocate IP: range is full'
        : `failed to allocate IP ${given}: provided IP is already allocated`,
    );
  if (given !== '') {
    out.push({ claim: range.pool, want: given, owner, lost });
    return;
  }
  const t = token(out.length);
  s.clusterIP = t;
  s.clusterIPs = [t];
  out.push({ claim: range.pool, owner, token: t, lost });
}
function nodePorts(s: JsonObject, old: JsonObject, owner: string, out: ClaimRequest[]): void {
  const had = new Set(objs(old.ports).map((p) => num(p.nodePort)));
  const claimed = new Set<number>(had);
  // Ports of one number share a node port over protocols.
  const shared = new Map<number, string | number>();
  const claim = (p: JsonObject, member: string, path: string) => {
    const want = num(p[member]);
    if (want !== 0) {
      if (claimed.has(want)) return;
      claimed.add(want);
      const lost = (): Issue => invalid(path, want, 'provided port is already allocated');
      out.push({ claim: NODE_PORTS, want: String(want), owner, lost });
      return;
    }
    const t = token(out.length);
    p[member] = t;
    const lost = (): Issue => invalid(path, 0, 'failed to allocate a nodePort: range is full');
    out.push({ claim: NODE_PORTS, owner, token: JSON.stringify(t), lost });
  };
  const allocates = s.type === 'NodePort' || s.allocateLoadBalancerNodePorts !== false;
  for (const [i, p] of objs(s.ports).entries()) {
    if (num(p.nodePort) === 0 && !allocates) continue;
    const known = shared.get(num(p.port));
    if (num(p.nodePort) === 0 && known !== undefined) {
      p.nodePort = known;
      continue;
    }
    claim(p, 'nodePort', `spec.ports[${i}].nodePort`);
    shared.set(num(p.port), p.nodePort as string | number);
  }
  if (needsHealth(s) && num(old.healthCheckNodePort) === 0) claim(s, 'healthCheckNodePort', 'spec.healthCheckNodePort');
}

/** Addresses and node ports that `prev` had and `next` has no more: another Service may have them from this write on. */
export function serviceReleases(next: KubeObject, prev: KubeObject, owner: string): ReleaseRequest[] {
  const [s, old] = [spec(next), spec(prev)];
  const keptIPs = new Set(needsIP(s) ? ips(s).map(str) : []);
  const ports = (x: JsonObject) => [...objs(x.ports).map((p) => num(p.nodePort)), num(x.healthCheckNodePort)];
  const keptPorts = new Set(ports(s));
  const out = ips(old)
    .map(str)
    .filter((ip) => ip !== '' && ip !== 'None' && !keptIPs.has(ip))
    .map((value): ReleaseRequest => ({ unclaim: range.pool.name, value, owner }));
  for (const port of new Set(ports(old))) {
    if (port !== 0 && !keptPorts.has(port)) out.push({ unclaim: NODE_PORTS.name, value: String(port), owner });
  }
  return out;
}
