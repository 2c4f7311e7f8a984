import { BlockList } from 'node:net';
import type { PacketFilter } from './filter.ts';
import { type Backend, familyOf, type PortTable, type Protocol, type Table } from './table.ts';

/** The first packet of a connection. */
export interface Packet {
  source: string;
  destination: string;
  port: number;
  protocol: Protocol;
}

/** Where it goes, with whose address as its source; `refused`: the sender is told, `silent`: it isn't. */
export type Fate = { to: string; port: number; masqueraded: boolean } | 'refused' | 'silent';

export interface FakeFilter extends PacketFilter {
  fate(p: Packet): Fate;
}

const inAny = (ip: string, ranges: readonly string[]): boolean => {
  const list = new BlockList();
  for (const r of ranges) {
    const [address = '', bits] = r.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list.check(ip, ip.includes(':') ? 'ipv6' : 'ipv4');
};
const isLoopback = (ip: string) => ip === '::1' || ip.startsWith('127.');

/** A packet filter in memory, that says of a packet where the tables send it. `addresses`: the node's own. */
export function fakeFilter(o: { addresses: readonly string[]; now: () => number; random: () => number }): FakeFilter {
  let tables = new Map<string, Table>();
  const affinities = new Map<string, { at: number; backend: string }>();
  const isLocal = (ip: string) => isLoopback(ip) || o.addresses.includes(ip);

  function pick(p: PortTable, backends: readonly Backend[], source: string): Backend {
    const any = backends[Math.floor(o.random() * backends.length)] as Backend;
    if (p.affinitySeconds === 0) return any;
    const key = `${p.id} ${source}`;
    const known = affinities.get(key);
    const fresh = known && o.now() - known.at < p.affinitySeconds * 1000;
    const same = fresh ? backends.find((b) => `${b.ip} ${b.port}` === known.backend) : undefined;
    const chosen = same ?? any;
    affinities.set(key, { at: o.now(), backend: `${chosen.ip} ${chosen.port}` });
    return chosen;
  }

  function send(p: PortTable, backends: readonly Backend[], packet: Packet, masqueraded: boolean): Fate {
    const b = pick(p, backends, packet.source);
    return { to: b.ip, port: b.port, masqueraded: masqueraded || (b.local && b.ip === packet.source) };
  }

  function internal(t: Table, p: PortTable, packet: Packet): Fate {
    if (p.internal === 'reject') return 'refused';
    if (p.internal === 'drop') return 'silent';
    return send(p, p[p.internal], packet, !inAny(packet.source, t.node.pods));
  }

  function external(t: Table, p: PortTable, packet: Packet): Fate {
    if (p.external === 'reject') return 'refused';
    if (p.externalLocal && p.cluster.length > 0) {
      if (inAny(packet.source, t.node.localPods)) return send(p, p.cluster, packet, false);
      if (isLocal(packet.source)) return send(p, p.cluster, packet, true);
    }
    if (p.external === 'drop') return 'silent';
    return send(p, p[p.external], packet, !p.externalLocal);
  }

  function fate(packet: Packet): Fate {
    const t = tables.get(familyOf(packet.destination));
    if (!t) return { to: packet.destination, port: packet.port, masqueraded: false };
    const ports = [...t.services.values()].flat().filter((p) => p.protocol === packet.protocol);
    for (const p of ports) {
      if (p.port !== packet.port) continue;
      if (p.loadBalancerIPs.includes(packet.destination) && p.sources.length > 0) {
        if (!inAny(packet.source, [...p.sources, ...p.loadBalancerIPs])) return 'silent';
      }
      if (p.clusterIP === packet.destination) return internal(t, p, packet);
      if ([...p.externalIPs, ...p.loadBalancerIPs].includes(packet.destination)) return external(t, p, packet);
    }
    if (isLocal(packet.destination) && !isLoopback(packet.destination)) {
      const p = ports.find((x) => x.nodePort === packet.port);
      if (p) return external(t, p, packet);
    }
    if ([...t.services.values()].some((s) => s.some((p) => p.clusterIP === packet.destination))) return 'refused';
    if (inAny(packet.destination, t.node.services)) return 'silent';
    const leaves = inAny(packet.source, t.node.localPods) && !inAny(packet.destination, t.node.pods);
    return { to: packet.destination, port: packet.port, masqueraded: leaves && !isLocal(packet.destination) };
  }

  return {
    fate,
    async apply(next) {
      tables = new Map([...tables, ...next.map((t) => [t.family, t] as const)]);
    },
    intact: async () => true,
    async remove() {
      tables = new Map();
    },
  };
}
