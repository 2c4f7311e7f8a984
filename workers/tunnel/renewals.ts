import { formatMicroTime, timeToMillis } from '../../kube/meta/time.ts';
import { parseKey } from '../../kube/store/key.ts';
import { withMembers } from '../../kube/store/members.ts';
import type { Entry, Page, Range, ReadOptions, Stale, Store } from '../../kube/store/store.ts';
import { RENEWED_BY } from '../../kube/wire/messages.ts';

const RESOURCE = 'leases.coordination.k8s.io';
/** Node Leases: the namespace's range of keys. */
const FROM = `${RESOURCE}/kube-node-lease/`;
const TO = `${RESOURCE}/kube-node-lease0`;
const MARK = `"${RENEWED_BY}":"tunnel"`;
const RENEW_TIME = /"renewTime":"([^"]*)"/;
/** Tunnels asked for one page at most: each may have to be woken. What is beyond shows the time that is stored. */
const ASKED_MAX = 200;

/**
 * Reads of node Leases show when their nodes were last heard of (`heard`, milliseconds since the epoch, 0 = not connected), so that a connected node needs to
 * write its Lease each few minutes only. Watches show what is stored.
 */
export function withTunnelRenewals(store: Store, heard: (node: string) => Promise<number>): Store {
  const read = async (range: Range, o: ReadOptions = {}): Promise<Page | Stale> => {
    if (range.to <= FROM || range.from >= TO || o.factsOnly || o.at !== undefined) return store.read(range, o);
    const { join: _, ...single } = o;
    const page = await store.read(range, single);
    if (!page.ok) return page;
    const marked = page.entries
      .filter((e) => e.key >= FROM && e.key < TO && e.value.includes(MARK))
      .slice(0, ASKED_MAX);
    if (marked.length === 0) return page;
    const renewed = new Map(await Promise.all(marked.map(async (e) => [e, await renew(e, heard)] as const)));
    return { ...page, entries: page.entries.map((e) => renewed.get(e) ?? e) };
  };
  return withMembers(store, { read });
}

async function renew(e: Entry, heard: (node: string) => Promise<number>): Promise<Entry> {
  const stored = RENEW_TIME.exec(e.value);
  if (!stored) return e;
  // A tunnel that can't be asked has not renewed anything.
  const heardMs = await heard(parseKey(e.key).name).catch(() => 0);
  if (heardMs <= timeToMillis(stored[1])) return e;
  return { ...e, value: e.value.replace(RENEW_TIME, `"renewTime":"${formatMicroTime(heardMs)}"`) };
}
