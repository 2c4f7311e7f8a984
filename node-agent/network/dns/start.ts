import { readFile, stat } from 'node:fs/promises';
import { type Env, pause } from '../../../kube/meta/env.ts';
import { DNS_ENDPOINT } from '../../../kube/wire/clusteraddresses.ts';
import type { Held } from '../held.ts';
import { keepListening, type Listening } from '../listening.ts';
import { createForwarder, type Forwarder, type Server, serverOf } from './forward.ts';
import { parseResolvConf } from './resolvconf.ts';
import { serveDns } from './server.ts';
import { type DnsFeeds, feedView } from './view.ts';

/** How often resolv.conf is looked at: DHCP and people change it. */
const RESOLVERS_MS = 10_000;

export interface DnsOptions {
  feeds: DnsFeeds;
  /** `cluster.local`. */
  domain: string;
  /** Of the Service. */
  address: string;
  resolvConf: string;
  held: Held;
  env: Env;
  signal: AbortSignal;
  /** Where it listens in tests. */
  port?: number;
}

/**
 * The rule by which a node answers at the cluster's DNS address: unless a Service has that address whose endpoints aren't what nodes hold. Who gives kube-dns a
 * selector, or makes a Service of another name there, has a server of his own.
 */
export function isOurs(feeds: DnsFeeds, address: string): boolean {
  for (const [key, s] of feeds.services.items) {
    if (!s.clusterIPs.includes(address)) continue;
    return feeds.slices
      .of(key)
      .some((slice) => slice.endpoints.some((e) => e.addresses.includes(DNS_ENDPOINT.address)));
  }
  return true;
}

/** Answers the cluster's DNS on this node until `signal` aborts. */
export async function runDns(o: DnsOptions): Promise<void> {
  const { feeds, env, signal } = o;
  const own = [o.address, DNS_ENDPOINT.address];
  const resolvers = watchResolvers(o.resolvConf, own);
  const forward = createForwarder(resolvers.servers, env);
  const view = feedView(feeds, { domain: o.domain, addresses: [o.address], now: env.now });
  const open = async (address: string): Promise<Listening> => {
    await o.held.hold(address);
    const server = await serveDns({ view, forward, env }, address, o.port ?? DNS_ENDPOINT.port);
    env.log('info', 'dns.listening', { address, servers: resolvers.servers().map((s) => s.address) });
    // Only now can a way that leads back here be seen.
    void forward.detectLoop();
    return server;
  };
  await resolvers.look();
  const all = [
    keepListening('dns', () => open(DNS_ENDPOINT.address), env, signal),
    keepServiceAddress(o, open),
    keepResolvers(resolvers, forward, o),
  ];
  await Promise.all(all);
  view.close();
}

/** Listens at the Service's address while it is ours. */
function keepServiceAddress(o: DnsOptions, open: (address: string) => Promise<Listening>): Promise<void> {
  const { feeds, env, signal, held, address } = o;
  let known: boolean | undefined;
  let stop: AbortController | undefined;
  let last: Promise<void> = Promise.resolve();
  const look = () => {
    if (signal.aborted || !feeds.services.synced || !feeds.slices.synced) return;
    const ours = isOurs(feeds, address);
    if (ours === known) return;
    known = ours;
    stop?.abort();
    stop = ours ? new AbortController() : undefined;
    const listen = stop?.signal;
    last = last.then(() =>
      listen ? keepListening('dns', () => open(address), env, listen) : held.drop(address).catch(() => undefined),
    );
  };
  const ends = [feeds.services.listen(look), feeds.slices.listen(look)];
  look();
  return new Promise((resolve) => {
    const end = () => {
      for (const f of ends) f();
      stop?.abort();
      resolve(last);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

interface Resolvers {
  servers(): readonly Server[];
  /** Reads the file if it has changed; true if it has. */
  look(): Promise<boolean>;
}

/** The servers of a resolv.conf, without our own addresses. */
function watchResolvers(path: string, own: readonly string[]): Resolvers {
  let servers: readonly Server[] = [];
  let seen = '';
  return {
    servers: () => servers,
    async look() {
      const is = await stat(path).catch(() => null); // no file, no servers
      const now = is === null ? '' : `${is.mtimeMs} ${is.size} ${is.ino}`;
      if (now === seen) return false;
      seen = now;
      const text = is === null ? '' : await readFile(path, 'utf8').catch(() => '');
      servers = parseResolvConf(text)
        .servers.filter((a) => !own.includes(a))
        .map(serverOf);
      return true;
    },
  };
}

/** Follows the file, and looks for a loop whenever it changed. */
async function keepResolvers(resolvers: Resolvers, forward: Forwarder, { env, signal }: DnsOptions): Promise<void> {
  for (let changed = true; !signal.aborted; changed = await resolvers.look()) {
    if (changed) await forward.detectLoop();
    await pause(env, RESOLVERS_MS, signal);
  }
}
