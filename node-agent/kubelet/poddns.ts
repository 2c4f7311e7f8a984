import type { Pod } from './pod.ts';

/** Validation's limits of a resolv.conf: what a resolver takes. */
const SERVERS_MAX = 3;
const SEARCHES_MAX = 32;
const SEARCH_UNITS_MAX = 2048;
const DOMAIN_UNITS_MAX = 253;

export interface Dns {
  servers: readonly string[];
  searches: readonly string[];
  options: readonly string[];
}
/** Name servers that the node gives to its pods. `host`: its own resolv.conf. */
export interface NodeDns {
  dns: { servers: readonly string[]; domain: string };
  hostDns: Dns;
}

/**
 * The resolv.conf of a pod by its dnsPolicy and dnsConfig: pkg/kubelet/network/dns. `told` gets a text for each limit that something was left out for,
 * and where there is no cluster DNS that the pod wants.
 */
export function podDns(pod: Pod, node: NodeDns, told: (reason: string, message: string) => void): Dns {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const wantsHost = policy === 'Default' || (policy === 'ClusterFirst' && pod.spec.hostNetwork === true);
  const base = policy === 'None' ? NONE : wantsHost ? node.hostDns : cluster(pod, node, told);
  const own = pod.spec.dnsConfig;
  const servers = [...new Set([...base.servers, ...(own?.nameservers ?? [])])];
  const searches = [...new Set([...base.searches, ...(own?.searches ?? [])])];
  const options = new Map<string, string>();
  for (const o of base.options) options.set(o.split(':')[0] ?? o, o);
  for (const o of own?.options ?? []) options.set(o.name, o.value ? `${o.name}:${o.value}` : o.name);
  return { servers: fewServers(servers, told), searches: fewSearches(searches, told), options: [...options.values()] };
}
const NONE: Dns = { servers: [], searches: [], options: [] };

function cluster(pod: Pod, node: NodeDns, told: (reason: string, message: string) => void): Dns {
  const { servers, domain } = node.dns;
  if (servers.length === 0) {
    const m = pod.metadata;
    const why =
      'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.';
    told('MissingClusterDNS', `pod: "${m.name}_${m.namespace}(${m.uid})". ${why}`);
    return node.hostDns;
  }
  const own = domain === '' ? [] : [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers, searches: [...new Set([...own, ...node.hostDns.searches])], options: ['ndots:5'] };
}

function fewServers(servers: string[], told: (reason: string, message: string) => void): string[] {
  if (servers.length <= SERVERS_MAX) return servers;
  const kept = servers.slice(0, SERVERS_MAX);
  const why = 'Nameserver limits were exceeded, some nameservers have been omitted';
  told('DNSConfigForming', `${why}, the applied nameserver line is: ${kept.join(' ')}`);
  return kept;
}

function fewSearches(searches: string[], told: (reason: string, message: string) => void): string[] {
  const kept = searches.slice(0, SEARCHES_MAX).filter((s) => s.length <= DOMAIN_UNITS_MAX);
  while (kept.join(' ').length > SEARCH_UNITS_MAX) kept.pop();
  if (kept.length === searches.length) return searches;
  const why = 'Search Line limits were exceeded, some search paths have been omitted';
  told('DNSConfigForming', `${why}, the applied search line is: ${kept.join(' ')}`);
  return kept;
}
