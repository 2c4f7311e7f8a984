import type { JsonObject } from '../../kube/meta/json.ts';

// The canonical layout of Endpoints: kubernetes pkg/api/v1/endpoints.

export interface Address extends JsonObject {
  ip: string;
  hostname?: string;
  nodeName?: string;
  targetRef?: JsonObject & { uid?: string };
}
export interface Port extends JsonObject {
  name?: string;
  port: number;
  protocol?: string;
  appProtocol?: string;
}
export interface Subset extends JsonObject {
  addresses?: Address[];
  notReadyAddresses?: Address[];
  ports?: Port[];
}

/** Addresses an Endpoints object may have. */
export const CAPACITY = 1000;

const uidOf = (a: Address) => a.targetRef?.uid ?? '';
const byIpAndUid = (a: Address, b: Address): number =>
  a.ip !== b.ip ? (a.ip < b.ip ? -1 : 1) : uidOf(a) < uidOf(b) ? -1 : uidOf(a) > uidOf(b) ? 1 : 0;
/** Upstream sorts by a hash of Go's memory; any order that is always the same will do, as readers compare sets. */
const portKey = (p: Port) => JSON.stringify([p.name ?? '', p.port, p.protocol ?? 'TCP', p.appProtocol ?? '']);

/** Takes subsets apart and puts together what has the same addresses; an address that isn't ready anywhere for a port isn't ready for it. */
export function repack(subsets: readonly Subset[]): Subset[] {
  const addresses = new Map<string, Address>();
  const byPort = new Map<string, { port: Port | undefined; ready: Map<string, boolean> }>();
  const take = (port: Port | undefined, a: Address, ready: boolean) => {
    const id = `${a.ip} ${uidOf(a)}`;
    if (!addresses.has(id)) addresses.set(id, a);
    const key = port ? portKey(port) : '';
    const group = byPort.get(key) ?? { port, ready: new Map<string, boolean>() };
    byPort.set(key, group);
    group.ready.set(id, (group.ready.get(id) ?? true) && ready);
  };
  for (const s of subsets) {
    for (const port of s.ports && s.ports.length > 0 ? s.ports : [undefined]) {
      for (const a of s.addresses ?? []) take(port, a, true);
      for (const a of s.notReadyAddresses ?? []) take(port, a, false);
    }
  }
  // Which of them are ready doesn't tell groups apart: upstream hashes addresses with it, as pointers have it.
  const groups = new Map<string, { ready: Map<string, boolean>; ports: Port[] }>();
  for (const { port, ready } of byPort.values()) {
    const key = [...ready]
      .map(([id, r]) => `${id} ${r}`)
      .sort()
      .join();
    const group = groups.get(key) ?? { ready, ports: [] };
    groups.set(key, group);
    if (port) group.ports.push(port);
  }
  return [...groups.values()].map((g) => subsetOf(g, addresses)).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}
function subsetOf(g: { ready: Map<string, boolean>; ports: Port[] }, all: ReadonlyMap<string, Address>): Subset {
  const of = (wanted: boolean) =>
    [...g.ready].flatMap(([id, ready]) => (ready === wanted ? [all.get(id) as Address] : [])).sort(byIpAndUid);
  const [addresses, notReadyAddresses] = [of(true), of(false)];
  const ports = [...g.ports].sort((a, b) => (portKey(a) < portKey(b) ? -1 : 1));
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  };
}
const sortKey = (s: Subset) => JSON.stringify([(s.ports ?? []).map(portKey), s.addresses, s.notReadyAddresses]);

const count = (subsets: readonly Subset[], of: 'addresses' | 'notReadyAddresses') =>
  subsets.reduce((n, s) => n + (s[of]?.length ?? 0), 0);
export const sizeOf = (subsets: readonly Subset[]): number =>
  count(subsets, 'addresses') + count(subsets, 'notReadyAddresses');

/** At most CAPACITY addresses, ready ones before others, each subset in proportion; null where there are no more. */
export function truncate(subsets: readonly Subset[]): Subset[] | null {
  const [ready, notReady] = [count(subsets, 'addresses'), count(subsets, 'notReadyAddresses')];
  if (ready + notReady <= CAPACITY) return null;
  const cutsReady = ready > CAPACITY;
  const [max, total] = cutsReady ? [CAPACITY, ready] : [CAPACITY - ready, notReady];
  const of = cutsReady ? 'addresses' : 'notReadyAddresses';
  let left = max;
  return subsets.map((s) => {
    const had = s[of] ?? [];
    const kept = had.slice(0, Math.min(Math.ceil((had.length / total) * max), left));
    left -= kept.length;
    const { [of]: _, notReadyAddresses: __, ...rest } = s;
    const others = cutsReady ? {} : { ...(s.addresses ? { addresses: s.addresses } : {}) };
    return { ...rest, ...others, ...(kept.length > 0 ? { [of]: kept } : {}) };
  });
}
