import { isIPv4, isIPv6 } from 'node:net';
import { reverseKey } from './address.ts';
import { CLASS_IN, type Question, RCODE, type Reply, type ResourceRecord, TYPE } from './message.ts';

/** A Service as names are made of it. */
export interface DnsService {
  namespace: string;
  name: string;
  type: string;
  /** `['None']`: headless. */
  clusterIPs: readonly string[];
  externalName: string;
  ports: readonly { name: string; protocol: string; port: number }[];
}
/** An EndpointSlice as names are made of it. */
export interface DnsSlice {
  ports: readonly { name: string; protocol: string; port: number }[];
  endpoints: readonly { addresses: readonly string[]; ready: boolean; hostname: string }[];
}

/** What is known of the cluster. All lookups are by lower-case names. */
export interface DnsView {
  /** `cluster.local`. */
  domain: string;
  /** Of this server. */
  addresses: readonly string[];
  /** False: not all of the cluster has been heard of yet, so that what is missing may exist. */
  synced: boolean;
  /** Of the zone: seconds of the last change. */
  serial: number;
  hasNamespace(name: string): boolean;
  service(namespace: string, name: string): DnsService | undefined;
  /** The Service's slices. */
  slices(namespace: string, name: string): readonly DnsSlice[];
  /** Names below `svc.<domain>` of an address (addressKey): of a Service, else of endpoints. */
  named(address: string): readonly string[];
}

/** An answer; `outside`: the name at which it goes on, which others know (an ExternalName's). */
export interface Answer extends Reply {
  outside?: string;
}

/** Seconds that names of the cluster may be kept: CoreDNS' default. */
const TTL = 5;
/** The specification's version hardly changes: CoreDNS' value. */
const VERSION_TTL = 28_800;
/** The specification that the records follow (kubernetes/dns, docs/specification.md). */
const VERSION = '1.1.0';
const SOA_TIMES = [7200, 1800, 86_400, TTL] as const;
/** ExternalNames that lead to ExternalNames: CoreDNS' maxCnameChainLength. */
const CHAIN_MAX = 10;
/** What slices and Services without ports have: no SRV record. */
const NO_PORT = [{ name: '', protocol: '', port: -1 }];

/** An address, with the name that an SRV record calls it; or the outside's name. */
interface Found {
  host: string;
  port: number;
  /** Labels before the zone. */
  target: string;
}
type Look = readonly Found[] | 'no name';

/**
 * What the cluster says to a question, as CoreDNS' kubernetes plugin does (with pods insecure, as kubeadm sets it up); null for what isn't the cluster's: other
 * names, and addresses that no Service has.
 */
export function answer(q: Question, view: DnsView): Answer | null {
  if (q.class !== CLASS_IN) return { rcode: RCODE.refused };
  const labels = q.labels.map((l) => l.toLowerCase());
  const own = view.domain.split('.');
  const base = labels.length - own.length;
  if (base >= 0 && own.every((l, i) => l === labels[base + i])) return inZone(q, labels.slice(0, base), view);
  if (q.type !== TYPE.PTR) return null;
  const address = reverseKey(labels);
  const names = address === null ? [] : view.named(address);
  if (names.length === 0) return null;
  const owner = q.labels.join('.');
  return {
    rcode: RCODE.ok,
    authoritative: true,
    answers: names.map((name) => ({
      name: owner,
      ttl: TTL,
      data: { type: 'PTR', target: `${name}.svc.${view.domain}` },
    })),
  };
}

function inZone(q: Question, base: readonly string[], view: DnsView): Answer {
  // With the case of the question.
  const zone = q.labels.slice(base.length).join('.');
  const owner = q.labels.join('.');
  const record = (data: ResourceRecord['data'], ttl = TTL): ResourceRecord => ({ name: owner, ttl, data });
  const soa: ResourceRecord = {
    name: zone,
    ttl: TTL,
    data: {
      type: 'SOA',
      server: `ns.dns.${zone}`,
      mailbox: `hostmaster.${zone}`,
      serial: view.serial,
      times: SOA_TIMES,
    },
  };
  const empty: Answer = { rcode: RCODE.ok, authoritative: true, authorities: [soa] };
  const missing = view.synced ? { ...empty, rcode: RCODE.noName } : { rcode: RCODE.failure };
  const full = (answers: ResourceRecord[], additionals: ResourceRecord[] = []): Answer =>
    answers.length === 0 ? empty : { rcode: RCODE.ok, authoritative: true, answers, additionals };

  const name = base.join('.');
  if (q.type === TYPE.AXFR || q.type === TYPE.IXFR) return { rcode: RCODE.refused };
  if (name === '' && q.type === TYPE.SOA) return full([soa]);
  if (name === '' && q.type === TYPE.NS) {
    const server = `ns.dns.${zone}`;
    return full(
      [record({ type: 'NS', target: server })],
      view.addresses.map((a) => addressRecord(server, a)),
    );
  }
  if (name === 'dns-version')
    return q.type === TYPE.TXT ? full([record({ type: 'TXT', text: VERSION }, VERSION_TTL)]) : empty;
  if (name === 'ns.dns' || name === 'dns') {
    const wanted = name === 'dns' ? [] : view.addresses;
    return full(wanted.map((a) => addressRecord(owner, a)).filter((r) => TYPE[r.data.type] === q.type));
  }

  const found = look(base, view);
  if (found === 'no name') return missing;
  switch (q.type) {
    case TYPE.A:
    case TYPE.AAAA:
      return followed(owner, found, q.type, view, empty);
    case TYPE.CNAME: {
      const [first] = found;
      return full(first === undefined || isAddress(first.host) ? [] : [record({ type: 'CNAME', target: first.host })]);
    }
    case TYPE.SRV:
      return services(owner, zone, found, full);
    default:
      return empty;
  }
}

const isAddress = (host: string) => isIPv4(host) || isIPv6(host);
const addressRecord = (name: string, address: string): ResourceRecord => ({
  name,
  ttl: TTL,
  data: { type: isIPv4(address) ? 'A' : 'AAAA', address },
});

/** Addresses of a name, through ExternalNames as far as they stay in the cluster. */
function followed(owner: string, found: readonly Found[], type: number, view: DnsView, empty: Answer): Answer {
  const chain: ResourceRecord[] = [];
  const seen = new Set([owner.toLowerCase()]);
  for (;;) {
    const [first] = found;
    if (first === undefined) return empty;
    if (isAddress(first.host)) {
      const hosts = new Set(found.map((f) => f.host).filter((h) => (type === TYPE.A ? isIPv4(h) : isIPv6(h))));
      if (hosts.size === 0) return empty;
      const records = [...hosts].map((h) => addressRecord(owner, h));
      return { rcode: RCODE.ok, authoritative: true, answers: [...chain, ...records] };
    }
    const target = first.host.toLowerCase();
    if (seen.has(target) || chain.length >= CHAIN_MAX) return empty;
    seen.add(target);
    chain.push({ name: owner, ttl: TTL, data: { type: 'CNAME', target: first.host } });
    if (target !== view.domain && !target.endsWith(`.${view.domain}`))
      return { rcode: RCODE.ok, authoritative: true, answers: chain, outside: first.host };
    const next = look(target.slice(0, -view.domain.length - 1).split('.'), view);
    // Only a way that leads somewhere is shown.
    if (next === 'no name') return empty;
    found = next;
    owner = first.host;
  }
}

/** SRV records, and the addresses of their targets. */
function services(
  owner: string,
  zone: string,
  found: readonly Found[],
  full: (answers: ResourceRecord[], additionals: ResourceRecord[]) => Answer,
): Answer {
  const inside = found.filter((f) => isAddress(f.host));
  const weight = Math.max(1, Math.floor(100 / Math.max(1, inside.length)));
  const answers = new Map<string, ResourceRecord>();
  const additionals = new Map<string, ResourceRecord>();
  for (const f of inside) {
    if (f.port < 0) continue;
    const target = `${f.target}.${zone}`;
    answers.set(`${target}:${f.port}`, {
      name: owner,
      ttl: TTL,
      data: { type: 'SRV', priority: 0, weight, port: f.port, target },
    });
    additionals.set(`${target} ${f.host}`, addressRecord(target, f.host));
  }
  return full([...answers.values()], [...additionals.values()]);
}

/** What a name of the cluster (lower case, without its domain) stands for; nothing where it exists without records of its own. */
function look(base: readonly string[], view: DnsView): Look {
  const [kind, namespace, name] = [base.at(-1), base.at(-2), base.at(-3)];
  if (kind === undefined) return [];
  if (kind !== 'svc' && kind !== 'pod') return 'no name';
  if (namespace === undefined) return [];
  if (base.length > 5 || !view.hasNamespace(namespace)) return 'no name';
  if (name === undefined) return [];
  if (kind === 'pod') return base.length === 3 ? podOf(namespace, name) : 'no name';
  const service = view.service(namespace, name);
  if (service === undefined) return 'no name';
  const rest = base.slice(0, -3);
  const found = ofService(service, rest, view);
  // CoreDNS too: a headless Service without ready endpoints has no name.
  return found.length > 0 ? found : 'no name';
}

/** a-b-c-d: the address itself, whether there is such a pod or not. */
function podOf(namespace: string, name: string): Look {
  const dots = /^\d+-\d+-\d+-\d+$/.test(name);
  const host = name.replaceAll('-', dots ? '.' : ':');
  return isAddress(host) ? [{ host, port: -1, target: `${name}.${namespace}.pod` }] : 'no name';
}

/** `rest`: nothing, an endpoint's name, or `_port._protocol`. */
function ofService(s: DnsService, rest: readonly string[], view: DnsView): readonly Found[] {
  const self = `${s.name}.${s.namespace}.svc`;
  if (s.type === 'ExternalName') {
    const host = s.externalName.replace(/\.$/, '');
    return rest.length > 0 || host === '' || isAddress(host) ? [] : [{ host, port: -1, target: self }];
  }
  const [port, protocol] = rest.length === 2 ? rest.map((l) => l.replace(/^_/, '')) : [];
  const ports = (all: DnsService['ports']) =>
    (all.length === 0 ? NO_PORT : all).filter(
      (p) => (!port || p.name.toLowerCase() === port) && (!protocol || p.protocol.toLowerCase() === protocol),
    );
  const endpoint = rest.length === 1 ? rest[0] : undefined;
  if (s.clusterIPs[0] !== 'None' && endpoint === undefined)
    return ports(s.ports).flatMap((p) => s.clusterIPs.map((host) => ({ host, port: p.port, target: self })));
  const found: Found[] = [];
  for (const slice of view.slices(s.namespace, s.name)) {
    const wanted = ports(slice.ports);
    for (const e of slice.endpoints) {
      if (!e.ready) continue;
      for (const host of e.addresses) {
        const own = endpointName(e.hostname, host);
        if (endpoint !== undefined && endpoint !== own.toLowerCase()) continue;
        for (const p of wanted) found.push({ host, port: p.port, target: `${own}.${self}` });
      }
    }
  }
  return found;
}

/** What an endpoint is called below its Service: its hostname, or its address with dashes. */
export function endpointName(hostname: string, address: string): string {
  if (hostname !== '') return hostname;
  const dashed = address.replace(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
