import { createHash } from 'node:crypto';
import type { Backend, Family, NodeTable, PortTable } from './table.ts';

// The structure is that of pkg/proxy/nftables/proxier.go, v1.37.1: maps from destinations to chains, one chain per policy.

/** Rules of chains by name, elements of sets and maps by set and key (a set's value is empty), sets of their own. */
export interface Piece {
  chains: ReadonlyMap<string, readonly string[]>;
  elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Name -> what stands in its braces. */
  sets: ReadonlyMap<string, string>;
}

/** Packets that masquerade, until they have left: kube-proxy's own bit, which others therefore leave alone. */
const MARK = '0x4000';
const MASQUERADE = `mark set mark or ${MARK}`;
/** Longest chain and set names, NFT_NAME_MAXLEN less what a prefix takes. */
const NAME_MAX = 240;

const REJECT = 'reject-chain';
/** Sets and maps whose elements come of Services, with their types; `A` is the family's address. */
export const SETS: Readonly<Record<string, { kind: 'set' | 'map'; type: string }>> = {
  'cluster-ips': { kind: 'set', type: 'A' },
  'service-ips': { kind: 'map', type: 'A . inet_proto . inet_service : verdict' },
  'service-nodeports': { kind: 'map', type: 'inet_proto . inet_service : verdict' },
  'no-endpoint-services': { kind: 'map', type: 'A . inet_proto . inet_service : verdict' },
  'no-endpoint-nodeports': { kind: 'map', type: 'inet_proto . inet_service : verdict' },
  'firewall-ips': { kind: 'map', type: 'A . inet_proto . inet_service : verdict' },
  'hairpin-connections': { kind: 'set', type: 'A . A . inet_proto . inet_service' },
};
/** Ranges, told as a whole. */
export const RANGES = ['local-pods', 'pods', 'service-cidrs'] as const;

export const addressType = (family: Family): string => (family === 'ip' ? 'ipv4_addr' : 'ipv6_addr');

const LOOPBACK: Readonly<Record<Family, string>> = { ip: '127.0.0.0/8', ip6: '::1' };
const MULTICAST: Readonly<Record<Family, string>> = { ip: '224.0.0.0/4', ip6: 'ff00::/8' };

interface BaseChain {
  hook: string;
  type: 'filter' | 'nat';
  priority: number;
}
/** Priorities: dstnat is -100, filter 0, srcnat 100; a load balancer's sources are looked at before an address is changed. */
const BASE: Readonly<Record<string, BaseChain>> = {
  'filter-prerouting-pre-dnat': { type: 'filter', hook: 'prerouting', priority: -110 },
  'filter-output-pre-dnat': { type: 'filter', hook: 'output', priority: -110 },
  'filter-input': { type: 'filter', hook: 'input', priority: 0 },
  'filter-forward': { type: 'filter', hook: 'forward', priority: 0 },
  'filter-output': { type: 'filter', hook: 'output', priority: 0 },
  'nat-prerouting': { type: 'nat', hook: 'prerouting', priority: -100 },
  'nat-output': { type: 'nat', hook: 'output', priority: -100 },
  'nat-postrouting': { type: 'nat', hook: 'postrouting', priority: 100 },
};

/** The lines that declare a table's fixed part: base chains, sets, maps. Declared twice is as once. */
export function declarations(family: Family): string[] {
  const address = addressType(family);
  return [
    ...Object.entries(BASE).map(
      ([name, c]) => `chain ${name} { type ${c.type} hook ${c.hook} priority ${c.priority}; policy accept; }`,
    ),
    ...[...fixedChains(family).keys()].filter((name) => !(name in BASE)).map((name) => `chain ${name} { }`),
    ...Object.entries(SETS).map(
      ([name, s]) => `${s.kind} ${name} { type ${s.type.replaceAll('A ', `${address} `).replace(/A$/, address)}; }`,
    ),
    ...RANGES.map((name) => `set ${name} { type ${address}; flags interval; }`),
  ];
}

/** The rules that no Service changes. */
export function fixedChains(ip: Family): ReadonlyMap<string, readonly string[]> {
  const port = 'meta l4proto . th dport';
  const destination = `${ip} daddr . ${port}`;
  const nodePort = `fib daddr type local ${ip} daddr != ${LOOPBACK[ip]} ${port}`;
  return new Map<string, string[]>([
    ['filter-prerouting-pre-dnat', ['ct state new jump firewall-check']],
    ['filter-output-pre-dnat', ['ct state new jump firewall-check']],
    ['filter-input', ['ct state new jump nodeport-endpoints-check', 'ct state new jump service-endpoints-check']],
    ['filter-forward', ['ct state new jump service-endpoints-check', 'ct state new jump cluster-ips-check']],
    ['filter-output', ['ct state new jump service-endpoints-check', 'ct state new jump cluster-ips-check']],
    // Pods of another cluster's node on this machine (its interfaces are veths, its addresses aren't ours) have a table of their own.
    ['nat-prerouting', [`iifname "veth*" ${ip} saddr != @local-pods return`, 'jump services']],
    ['nat-output', ['jump services']],
    ['nat-postrouting', ['jump masquerading']],
    ['firewall-check', [`${destination} vmap @firewall-ips`]],
    ['service-endpoints-check', [`${destination} vmap @no-endpoint-services`]],
    ['nodeport-endpoints-check', [`${nodePort} vmap @no-endpoint-nodeports`]],
    // A reset isn't rationed, as ICMP is: a second client within the second is told too.
    [REJECT, ['meta l4proto tcp reject with tcp reset', 'reject']],
    // Unused ports of used addresses are refused at once; other addresses of the range lead nowhere.
    ['cluster-ips-check', [`${ip} daddr @cluster-ips goto ${REJECT}`, `${ip} daddr @service-cidrs drop`]],
    [
      'services',
      [
        // Who isn't a pod can't be sent an answer by a pod of another node but through here.
        `${ip} daddr @cluster-ips ${ip} saddr != @pods ${MASQUERADE}`,
        `${destination} vmap @service-ips`,
        `${nodePort} vmap @service-nodeports`,
      ],
    ],
    [
      'masquerading',
      [
        `mark and ${MARK} != 0 mark set mark xor ${MARK} masquerade fully-random`,
        // A pod that reaches itself through a Service would otherwise see its own address as the other end's.
        `ct status dnat ${ip} saddr . ${ip} daddr . ${port} @hairpin-connections masquerade fully-random`,
        // What pods send out of the cluster: nobody there knows the way to a pod.
        `${ip} saddr @local-pods ${ip} daddr != @pods ${ip} daddr != ${MULTICAST[ip]} masquerade fully-random`,
      ],
    ],
  ]);
}

/** The elements of the ranges' sets. */
export const ranges = (n: NodeTable): Readonly<Record<(typeof RANGES)[number], readonly string[]>> => ({
  'local-pods': n.localPods,
  pods: n.pods,
  'service-cidrs': n.services,
});

/** Chains, elements and affinity sets of one Service. */
export function renderService(family: Family, ports: readonly PortTable[]): Piece {
  const out = {
    chains: new Map<string, string[]>(),
    elements: new Map<string, Map<string, string>>(),
    sets: new Map<string, string>(),
  };
  for (const port of ports) renderPort(family, port, out);
  return out;
}

type Out = { chains: Map<string, string[]>; elements: Map<string, Map<string, string>>; sets: Map<string, string> };

function renderPort(ip: Family, p: PortTable, out: Out): void {
  const element = (set: string, key: string, value = '') => {
    const elements = out.elements.get(set) ?? new Map<string, string>();
    out.elements.set(set, elements.set(key, value));
  };
  const chains = { cluster: `service-${p.id}`, local: `local-${p.id}` };
  const external = `external-${p.id}`;
  const verdict = (way: 'reject' | 'drop') => (way === 'drop' ? 'drop' : `goto ${REJECT}`);
  const externals = [...p.externalIPs, ...p.loadBalancerIPs];
  const anyBackend = p.external !== 'reject';

  element('cluster-ips', p.clusterIP);
  const internalKey = `${p.clusterIP} . ${p.protocol} . ${p.port}`;
  if (p.internal === 'cluster' || p.internal === 'local')
    element('service-ips', internalKey, `goto ${chains[p.internal]}`);
  else element('no-endpoint-services', internalKey, verdict(p.internal));

  for (const address of externals) {
    const key = `${address} . ${p.protocol} . ${p.port}`;
    if (anyBackend) element('service-ips', key, `goto ${external}`);
    if (p.external === 'reject' || p.external === 'drop') element('no-endpoint-services', key, verdict(p.external));
  }
  if (p.nodePort !== 0) {
    const key = `${p.protocol} . ${p.nodePort}`;
    if (anyBackend) element('service-nodeports', key, `goto ${external}`);
    if (p.external === 'reject' || p.external === 'drop') element('no-endpoint-nodeports', key, verdict(p.external));
  }
  if (p.loadBalancerIPs.length > 0 && p.sources.length > 0) {
    const chain = `firewall-${p.id}`;
    for (const address of p.loadBalancerIPs)
      element('firewall-ips', `${address} . ${p.protocol} . ${p.port}`, `goto ${chain}`);
    // A node that may use it does so with the address itself as source where the address is the node's.
    out.chains.set(chain, [`${ip} saddr != { ${[...p.sources, ...p.loadBalancerIPs].join(', ')} } drop`]);
  }
  if (anyBackend && (externals.length > 0 || p.nodePort !== 0)) out.chains.set(external, externalRules(ip, p, chains));

  const reached = new Map<string, Backend>();
  for (const [which, chain] of Object.entries(chains)) {
    const backends = p[which as 'cluster' | 'local'];
    if (backends.length === 0) continue;
    for (const b of backends) reached.set(`${b.ip} ${b.port}`, b);
    out.chains.set(chain, p.affinitySeconds > 0 ? stickyRules(ip, p, backends) : spreadRules(ip, p, backends));
  }
  for (const b of reached.values()) {
    if (b.local) element('hairpin-connections', `${b.ip} . ${b.ip} . ${p.protocol} . ${b.port}`);
    if (p.affinitySeconds === 0) continue;
    const n = endpointNames(p, b);
    out.sets.set(n.set, `type ${addressType(ip)}; flags dynamic,timeout; timeout ${p.affinitySeconds}s;`);
    out.chains.set(n.chain, [
      `update @${n.set} { ${ip} saddr }`,
      `meta l4proto ${p.protocol} dnat to ${socket(ip, b)}`,
    ]);
  }
}

/** What all external addresses and node ports of a Service port lead to. */
function externalRules(ip: Family, p: PortTable, chains: Record<'cluster' | 'local', string>): string[] {
  const on = p.external === 'cluster' || p.external === 'local' ? [`goto ${chains[p.external]}`] : [];
  if (!p.externalLocal) return [MASQUERADE, ...on];
  if (p.cluster.length === 0) return on;
  return [
    // The node's pods and the node itself come from inside: no policy holds for them.
    `${ip} saddr @local-pods goto ${chains.cluster}`,
    `fib saddr type local ${MASQUERADE}`,
    `fib saddr type local goto ${chains.cluster}`,
    ...on,
  ];
}

const socket = (ip: Family, b: Backend) => (ip === 'ip' ? `${b.ip}:${b.port}` : `[${b.ip}]:${b.port}`);

function spreadRules(ip: Family, p: PortTable, backends: readonly Backend[]): string[] {
  const [only] = backends;
  if (backends.length === 1 && only) return [`meta l4proto ${p.protocol} dnat to ${socket(ip, only)}`];
  const choices = backends.map((b, i) => `${i} : ${b.ip} . ${b.port}`).join(', ');
  return [
    `meta l4proto ${p.protocol} dnat ${ip} addr . port to numgen random mod ${backends.length} map { ${choices} }`,
  ];
}

function stickyRules(ip: Family, p: PortTable, backends: readonly Backend[]): string[] {
  const names = backends.map((b) => endpointNames(p, b));
  const choices = names.map((n, i) => `${i} : goto ${n.chain}`).join(', ');
  return [
    ...names.map((n) => `${ip} saddr @${n.set} goto ${n.chain}`),
    `numgen random mod ${backends.length} vmap { ${choices} }`,
  ];
}

/** A set's timeout is in its name: an existing set's can't be changed. */
function endpointNames(p: PortTable, b: Backend): { chain: string; set: string } {
  const text = `${p.id}__${b.ip.replaceAll(':', '.')}/${b.port}`;
  const hash = createHash('sha256').update(`${text} ${p.affinitySeconds}`).digest('hex').slice(0, 10);
  const name = `${hash}-${text}`.slice(0, NAME_MAX);
  return { chain: `endpoint-${name}`, set: `affinity-${name}` };
}
