import { addressKey } from './address.ts';
import { type DnsService, type DnsSlice, type DnsView, endpointName } from './answer.ts';

/** The part of a feed (node-agent/feed) that names are made of. */
export interface Rows<T> {
  readonly items: ReadonlyMap<string, T>;
  readonly synced: boolean;
  listen(f: (changed: ReadonlySet<string>) => void): () => void;
}
/** Keys are `namespace/name`; `slices.of` takes the Service's. */
export interface DnsFeeds {
  services: Rows<DnsService>;
  slices: Rows<DnsSlice & { service: string }> & { of(service: string): readonly (DnsSlice & { service: string })[] };
  namespaces: Rows<unknown>;
}

/** A view on feeds: nothing is copied but, once somebody asks for the name of an address, the index of addresses. */
export function feedView(
  feeds: DnsFeeds,
  o: { domain: string; addresses: readonly string[]; now: () => number },
): DnsView & { close(): void } {
  let serial = Math.floor(o.now() / 1000);
  let names: Map<string, string[]> | null = null;
  const changed = () => {
    serial = Math.max(serial + 1, Math.floor(o.now() / 1000));
    names = null;
  };
  const ends = [feeds.services.listen(changed), feeds.slices.listen(changed), feeds.namespaces.listen(changed)];
  return {
    domain: o.domain.toLowerCase(),
    addresses: o.addresses,
    get synced() {
      return feeds.services.synced && feeds.slices.synced && feeds.namespaces.synced;
    },
    get serial() {
      return serial;
    },
    hasNamespace: (name) => feeds.namespaces.items.has(name),
    service: (namespace, name) => feeds.services.items.get(`${namespace}/${name}`),
    slices: (namespace, name) => feeds.slices.of(`${namespace}/${name}`),
    named(address) {
      names ??= addressIndex(feeds);
      return names.get(address) ?? [];
    },
    close() {
      for (const end of ends) end();
    },
  };
}

/** addressKey -> names below svc. A Service's name hides those of endpoints at its address. */
function addressIndex(feeds: DnsFeeds): Map<string, string[]> {
  const index = new Map<string, string[]>();
  for (const s of feeds.services.items.values()) {
    for (const ip of s.clusterIPs) {
      const key = addressKey(ip);
      if (key !== null) index.set(key, [`${s.name}.${s.namespace}`]);
    }
  }
  const services = new Set(index.keys());
  for (const slice of feeds.slices.items.values()) {
    const [namespace = '', service = ''] = slice.service.split('/');
    if (service === '') continue;
    for (const e of slice.endpoints) {
      if (!e.ready) continue;
      for (const ip of e.addresses) {
        const key = addressKey(ip);
        if (key === null || services.has(key)) continue;
        const name = `${endpointName(e.hostname, ip)}.${service}.${namespace}`;
        const known = index.get(key);
        if (known === undefined) index.set(key, [name]);
        else if (!known.includes(name)) known.push(name);
      }
    }
  }
  return index;
}
