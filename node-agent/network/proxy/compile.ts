import { BlockList } from 'node:net';
import type { EndpointRow, ServicePortRow, ServiceRow, SliceRow } from '../../feed/rows.ts';
import { choose, type Place } from './endpoints.ts';
import {
  type Backend,
  type Family,
  familyOf,
  type NodeTable,
  type PortTable,
  type Protocol,
  type Table,
  type Way,
} from './table.ts';

/** This node, as the compiler sees it; ranges of both families. */
export interface NodeSide extends Place, NodeTable {}

const PROTOCOLS: Readonly<Record<string, Protocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };
const SLICE_FAMILY: Readonly<Record<string, Family>> = { IPv4: 'ip', IPv6: 'ip6' };

/** The whole table of one IP family. `slicesOf` gives the slices of a Service by `namespace/name`. */
export function compile(
  family: Family,
  services: ReadonlyMap<string, ServiceRow>,
  slicesOf: (service: string) => readonly SliceRow[],
  node: NodeSide,
): Table {
  const compiled = new Map<string, readonly PortTable[]>();
  for (const [key, service] of services) {
    const ports = compileService(family, service, slicesOf(key), node);
    if (ports.length > 0) compiled.set(key, ports);
  }
  return { family, node: nodeTable(family, node), services: compiled };
}

/** The ranges of one IP family. */
export function nodeTable(family: Family, node: NodeTable): NodeTable {
  const of = (cidrs: readonly string[]) => disjoint(cidrs.filter((c) => familyOf(c) === family));
  return { localPods: of(node.localPods), pods: of(node.pods), services: of(node.services) };
}

/** Ranges without those that lie in another, in a fixed order: a packet filter takes no range twice. */
export function disjoint(cidrs: readonly string[]): string[] {
  const kept = new BlockList();
  const bitsOf = (cidr: string) => Number(cidr.split('/')[1] ?? (cidr.includes(':') ? 128 : 32));
  return [...cidrs]
    .sort((a, b) => bitsOf(a) - bitsOf(b) || (a < b ? -1 : 1))
    .filter((cidr) => {
      const address = cidr.split('/')[0] ?? '';
      const kind = address.includes(':') ? 'ipv6' : 'ipv4';
      if (kept.check(address, kind)) return false;
      kept.addSubnet(address, bitsOf(cidr), kind);
      return true;
    });
}

/** One Service's part; empty where this node has nothing to do with it (headless, ExternalName, of another proxy or family). */
export function compileService(
  family: Family,
  service: ServiceRow,
  slices: readonly SliceRow[],
  node: Place,
): readonly PortTable[] {
  const clusterIP = service.clusterIPs.find((ip) => ip !== 'None' && familyOf(ip) === family);
  if (clusterIP === undefined || !service.proxied || service.type === 'ExternalName') return [];
  const of = (ips: readonly string[]) => ips.filter((ip) => familyOf(ip) === family);
  const frontends = {
    clusterIP,
    externalIPs: of(service.externalIPs),
    loadBalancerIPs: of(service.loadBalancerIPs),
    sources: sourcesOf(family, service.sourceRanges),
  };
  return service.ports
    .filter((p) => PROTOCOLS[p.protocol] !== undefined)
    .map((p) => compilePort(service, p, frontends, endpointsOf(family, p, slices), node));
}

type Frontends = Pick<PortTable, 'clusterIP' | 'externalIPs' | 'loadBalancerIPs' | 'sources'>;

/** A range of everything is the same as none. */
function sourcesOf(family: Family, ranges: readonly string[]): string[] {
  const own = ranges.filter((r) => familyOf(r) === family);
  return own.some((r) => r.endsWith('/0')) ? [] : disjoint(own);
}

function compilePort(
  service: ServiceRow,
  port: ServicePortRow,
  frontends: Frontends,
  endpoints: readonly Endpoint[],
  node: Place,
): PortTable {
  const accessible = port.nodePort !== 0 || frontends.externalIPs.length > 0 || frontends.loadBalancerIPs.length > 0;
  const uses = {
    // Also with external policy Local: what this node and its pods send to external addresses goes anywhere.
    clusterPolicy: !service.internalLocal || accessible,
    localPolicy: service.internalLocal || (service.externalLocal && accessible),
  };
  const { cluster, local, any } = choose(endpoints, uses, node);
  const way = (isLocal: boolean): Way => {
    if (!any) return 'reject';
    if (!isLocal) return cluster.length > 0 ? 'cluster' : 'reject';
    return local.length > 0 ? 'local' : 'drop';
  };
  const protocol = PROTOCOLS[port.protocol] as Protocol;
  return {
    id: `${service.namespace}/${service.name}/${protocol}/${port.name}`,
    protocol,
    port: port.port,
    nodePort: port.nodePort,
    ...frontends,
    affinitySeconds: service.affinitySeconds,
    cluster: cluster.map(backendOf(node)),
    local: local.map(backendOf(node)),
    internal: way(service.internalLocal),
    external: way(service.externalLocal),
    externalLocal: service.externalLocal,
  };
}

type Endpoint = Omit<EndpointRow, 'addresses'> & { ip: string; port: number };

const backendOf =
  (node: Place) =>
  (e: Endpoint): Backend => ({ ip: e.ip, port: e.port, local: e.node === node.name });

/** The endpoints of a port from all slices, each address and port once, in an order that doesn't depend on the slices'. */
function endpointsOf(
  family: Family,
  port: Pick<ServicePortRow, 'name' | 'protocol'>,
  slices: readonly SliceRow[],
): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (SLICE_FAMILY[slice.family] !== family) continue;
    for (const p of slice.ports) {
      if (p.name !== port.name || p.protocol !== port.protocol) continue;
      for (const { addresses, ...e } of slice.endpoints) {
        const ip = addresses[0];
        if (ip !== undefined) found.set(`${ip} ${p.port}`, { ...e, ip, port: p.port });
      }
    }
  }
  return [...found.keys()].sort().map((k) => found.get(k) as Endpoint);
}

/** All that may answer a client of a Service port (`ip port`), whatever its policies: UDP flows to others are stale. */
export function servingSockets(family: Family, port: PortTable, slices: readonly SliceRow[]): Set<string> {
  const name = port.id.slice(port.id.lastIndexOf('/') + 1);
  const wanted = { name, protocol: port.protocol.toUpperCase() };
  return new Set(
    endpointsOf(family, wanted, slices)
      .filter((e) => e.serving)
      .map((e) => `${e.ip} ${e.port}`),
  );
}
