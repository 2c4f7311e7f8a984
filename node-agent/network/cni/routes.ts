import { createHash } from 'node:crypto';
import { BlockList } from 'node:net';
import type { NodeRow } from '../../feed/rows.ts';

// What this machine's kernel is told of the other nodes' pods. Pure: links.ts does it.

/** UDP port of VXLAN packets (RFC 7348). */
export const VXLAN_PORT = 4789;
/** Outer Ethernet, IP, UDP and VXLAN headers, by the family of the nodes' addresses. */
export const VXLAN_OVERHEAD = { ip: 50, ip6: 70 } as const;

type Family = 'ip' | 'ip6';
const familyOf = (address: string): Family => (address.includes(':') ? 'ip6' : 'ip');

/** An address range of an interface of this machine: `{ address: '192.168.1.2', cidr: '192.168.1.2/24' }`. */
export interface OwnAddress {
  address: string;
  cidr: string;
}

/** A node whose pods are reached through its address. */
export interface Direct {
  cidr: string;
  via: string;
}
/** A node in another subnet: its pods' packets are wrapped and sent to `node`; `vtep` stands for it on our VXLAN device. */
export interface Wrapped {
  cidr: string;
  node: string;
  vtep: string;
  mac: string;
}

export interface RoutePlan {
  direct: Direct[];
  wrapped: Wrapped[];
  /** Addresses of our own VXLAN device, one per pod range. Empty where nothing is wrapped. */
  vteps: string[];
  mac: string;
  /** This machine's address that wrapped packets come from. */
  local: string;
  vni: number;
  /** Why other nodes can't be reached; undefined: they can. */
  problem?: { reason: string; message: string };
}

/** The number of a cluster's VXLAN, the same on all of its nodes: 24 bits of its URL's path, never 0. */
export const vniOf = (clusterUrl: string): number =>
  createHash('sha256').update(new URL(clusterUrl).pathname).digest().readUInt32BE(0) >>> 8 || 1;

/** The hardware address of a node's VXLAN device: everyone works it out from the name. Locally administered, unicast. */
export function macOf(node: string, vni: number): string {
  const bytes = createHash('sha256').update(`${vni} ${node}`).digest().subarray(0, 5);
  return ['02', ...[...bytes].map((b) => b.toString(16).padStart(2, '0'))].join(':');
}

/** The first address of a range: no pod has it (host-local leaves it out). */
const firstOf = (cidr: string): string => cidr.split('/')[0] ?? '';

/**
 * The way to every other node's pods. `self` is this node's name, `own` what its interfaces have, `addresses` and `cidrs` what the cluster knows it by.
 */
export function planRoutes(
  nodes: Iterable<NodeRow>,
  self: { name: string; addresses: readonly string[]; cidrs: readonly string[] },
  own: readonly OwnAddress[],
  vni: number,
): RoutePlan {
  const plan: RoutePlan = { direct: [], wrapped: [], vteps: [], mac: macOf(self.name, vni), local: '', vni };
  const subnets = new BlockList();
  for (const { cidr } of own) {
    const [address = '', bits] = cidr.split('/');
    subnets.addSubnet(address, Number(bits), kindOf(address));
  }
  const mine = own.map((o) => o.address);
  const taken = new Set(self.cidrs);
  for (const node of [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (node.name === self.name) continue;
    for (const cidr of node.podCIDRs) {
      const address = addressFor(node, cidr);
      // Two nodes with one range: the first one by name has it; ours is ours.
      if (address === undefined || taken.has(cidr) || mine.includes(address)) continue;
      taken.add(cidr);
      if (familyOf(address) === familyOf(cidr) && subnets.check(address, kindOf(address)))
        plan.direct.push({ cidr, via: address });
      else plan.wrapped.push({ cidr, node: address, vtep: firstOf(cidr), mac: macOf(node.name, vni) });
    }
  }
  if (plan.wrapped.length === 0) return plan;
  plan.vteps = self.cidrs.map(firstOf);
  const towards = familyOf(plan.wrapped[0]?.node ?? '');
  const reachable = self.addresses.filter((a) => familyOf(a) === towards);
  plan.local = reachable.find((a) => mine.includes(a)) ?? '';
  if (plan.local === '') {
    const known = reachable.join(', ') || 'none';
    plan.problem = {
      reason: 'BehindNAT',
      message: `this node's address (${known}) isn't one of its machine, so pods of nodes in other subnets can't be reached: ${names(plan)}`,
    };
  }
  return plan;
}

const kindOf = (address: string): 'ipv4' | 'ipv6' => (address.includes(':') ? 'ipv6' : 'ipv4');
/** The node's address of the range's family, else whatever it has: VXLAN carries either over either. */
const addressFor = (n: NodeRow, cidr: string): string | undefined =>
  n.internalIPs.find((a) => familyOf(a) === familyOf(cidr)) ?? n.internalIPs[0];
const names = (plan: RoutePlan): string => [...new Set(plan.wrapped.map((w) => w.node))].join(', ');

/** What is in the kernel because of us: routes by range, neighbours and forwarding entries of our device. */
export interface Placed {
  routes: Record<string, string>;
  peers: Record<string, string>;
}

export interface Batch {
  ip: string[];
  bridge: string[];
  after: Placed;
}

/** The commands (`ip -batch`, `bridge -batch`) that lead from what was placed to the plan. `device` is there if anything is wrapped. */
export function routeCommands(plan: RoutePlan, before: Placed, device: string): Batch {
  const after: Placed = { routes: {}, peers: {} };
  const [ip, bridge]: [string[], string[]] = [[], []];
  const wrapped = plan.problem ? [] : plan.wrapped;
  for (const r of plan.direct) after.routes[r.cidr] = `via ${r.via}`;
  for (const w of wrapped) {
    after.routes[w.cidr] = `via ${w.vtep} dev ${device} onlink`;
    after.peers[w.vtep] = `${w.mac} ${w.node}`;
  }
  for (const [vtep, peer] of Object.entries(before.peers)) {
    if (after.peers[vtep] === peer) continue;
    const [mac = '', node = ''] = peer.split(' ');
    bridge.push(`fdb delete ${mac} dev ${device} dst ${node}`);
    if (after.peers[vtep] === undefined) ip.push(`neigh delete ${vtep} dev ${device}`);
  }
  for (const [vtep, peer] of Object.entries(after.peers)) {
    if (before.peers[vtep] === peer) continue;
    const [mac = '', node = ''] = peer.split(' ');
    bridge.push(`fdb replace ${mac} dev ${device} dst ${node}`);
    ip.push(`neigh replace ${vtep} lladdr ${mac} dev ${device} nud permanent`);
  }
  for (const cidr of Object.keys(before.routes)) if (after.routes[cidr] === undefined) ip.push(`route delete ${cidr}`);
  for (const [cidr, way] of Object.entries(after.routes))
    if (before.routes[cidr] !== way) ip.push(`route replace ${cidr} ${way}`);
  return { ip, bridge, after };
}
