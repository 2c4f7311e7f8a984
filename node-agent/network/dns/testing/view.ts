import type { DnsService, DnsSlice, DnsView } from '../answer.ts';
import { type DnsFeeds, feedView } from '../view.ts';

type Slice = DnsSlice & { service: string };

/** Feeds that a test fills; each call of a filler adds and tells. */
export function createRows() {
  const listeners = new Set<(changed: ReadonlySet<string>) => void>();
  const feed = <T>() => ({
    items: new Map<string, T>(),
    synced: true,
    listen(f: (changed: ReadonlySet<string>) => void) {
      listeners.add(f);
      return () => void listeners.delete(f);
    },
  });
  const services = feed<DnsService>();
  const all = feed<Slice>();
  const slices = { ...all, of: (s: string) => [...all.items.values()].filter((x) => x.service === s) };
  const namespaces = feed<unknown>();
  const feeds: DnsFeeds = { services, slices, namespaces };
  const tell = () => {
    for (const f of listeners) f(new Set());
  };
  return {
    feeds,
    services(...more: DnsService[]) {
      for (const s of more) services.items.set(`${s.namespace}/${s.name}`, s);
      tell();
    },
    slices(...more: Slice[]) {
      for (const s of more) all.items.set(`${s.service}-${all.items.size}`, s);
      tell();
    },
    namespaces(...more: string[]) {
      for (const n of more) namespaces.items.set(n, {});
      tell();
    },
  };
}

export const testView = (rows: ReturnType<typeof createRows>): DnsView =>
  feedView(rows.feeds, { domain: 'cluster.local', addresses: ['10.96.0.10'], now: () => 1_700_000_000_000 });
