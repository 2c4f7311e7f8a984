import { isDeepStrictEqual } from 'node:util';
import { type Env, pause, sleep } from '../../../kube/meta/env.ts';
import type { NetworkFeeds } from '../../feed/network.ts';
import type { SliceRow } from '../../feed/rows.ts';
import type { Reach } from '../reach.ts';
import { compileService, nodeTable, servingSockets } from './compile.ts';
import type { UdpTargets } from './conntrack.ts';
import type { Place } from './endpoints.ts';
import type { PacketFilter } from './filter.ts';
import type { HealthCheck, HealthServers } from './health.ts';
import type { Family, NodeTable, PortTable, Table } from './table.ts';

/** After a transaction that failed: from this, doubling, up to the most. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;

/** How often it's looked whether the table is still there: a restart of the machine's own firewall takes all away. One short process. */
const LOOK_MS = 60_000;

export interface ProxyParts {
  feeds: Pick<NetworkFeeds, 'services' | 'slices' | 'nodes'>;
  filter: PacketFilter;
  families: readonly Family[];
  node: string;
  /** This node's pod ranges. */
  podCIDRs: readonly string[];
  /** The cluster's ranges of ClusterIPs. */
  serviceCIDRs: readonly string[];
  health: HealthServers;
  reach?: Reach;
  /** Makes the kernel forget UDP flows that go to what isn't an endpoint any more. */
  forgetStale(family: Family, targets: UdpTargets): Promise<unknown>;
  env: Env;
}

/**
 * Keeps the packet filter as the feeds say until `signal` aborts. Changes that come while a transaction runs are one transaction
 * together; a busy cluster costs this node at most half of its time in them. What is programmed stays when it ends.
 */
export async function runProxy(p: ProxyParts, signal: AbortSignal): Promise<void> {
  const { services, slices, nodes } = p.feeds;
  await Promise.race([
    Promise.all([services.ready, slices.ready, nodes.ready]),
    new Promise((r) => signal.addEventListener('abort', r, { once: true })),
  ]);
  // What is known now is told in a moment: it is one change, the first.
  await sleep(p.env, 0);
  if (signal.aborted) return;

  const serviceOf = new Map<string, string>();
  let dirty = new Set(services.items.keys());
  let wake: () => void = () => undefined;
  const touchSlice = (key: string) => {
    const was = serviceOf.get(key);
    const now = slices.items.get(key)?.service;
    if (was !== undefined) dirty.add(was);
    if (now === undefined) serviceOf.delete(key);
    else dirty.add(now) && serviceOf.set(key, now);
  };
  for (const key of slices.items.keys()) touchSlice(key);
  let nodeMoved = true;
  const ends = [
    services.listen((keys) => {
      for (const key of keys) dirty.add(key);
      wake();
    }),
    slices.listen((keys) => {
      for (const key of keys) touchSlice(key);
      wake();
    }),
    nodes.listen(() => {
      nodeMoved = true;
      wake();
    }),
    p.reach?.listen(() => {
      nodeMoved = true;
      wake();
    }),
  ];
  signal.addEventListener('abort', () => wake(), { once: true });

  const state = createState(p);
  let failures = 0;
  while (!signal.aborted) {
    if (dirty.size === 0 && !nodeMoved && failures === 0) {
      const changed = await within(LOOK_MS, p.env, (done) => (wake = done));
      wake = () => undefined;
      if (changed || (await p.filter.intact().catch(() => true))) continue;
      p.env.log('warn', 'proxy.table.gone');
    }
    const keys = dirty;
    dirty = new Set();
    if (nodeMoved) state.moveNode();
    nodeMoved = false;
    const began = p.env.now();
    const tables = state.compile(keys);
    try {
      await p.filter.apply(tables);
      failures = 0;
    } catch (error) {
      failures++;
      p.env.log('error', 'proxy.failed', { error: String(error) });
    }
    p.health.sync(state.health(), failures === 0);
    await state.forget(keys).catch((error) => p.env.log('warn', 'conntrack.failed', { error: String(error) }));
    const wait = failures === 0 ? p.env.now() - began : Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MS_MAX);
    await pause(p.env, wait, signal);
  }
  for (const end of ends) end?.();
  p.health.close();
}

const NOBODY: ReadonlySet<string> = new Set();

interface State {
  moveNode(): void;
  compile(keys: ReadonlySet<string>): readonly Table[];
  health(): ReadonlyMap<string, HealthCheck>;
  forget(keys: ReadonlySet<string>): Promise<void>;
}

function createState(p: ProxyParts): State {
  const { services, slices, nodes } = p.feeds;
  let place: Place = { name: p.node, zone: '', away: p.reach?.away ?? NOBODY };
  let ranges: NodeTable = { localPods: [...p.podCIDRs], pods: [...p.podCIDRs], services: [...p.serviceCIDRs] };
  let all = true;
  const compiled = new Map<Family, Map<string, readonly PortTable[]>>(p.families.map((f) => [f, new Map()]));

  const compileOne = (family: Family, key: string): readonly PortTable[] => {
    const service = services.items.get(key);
    return service ? compileService(family, service, slices.of(key), place) : [];
  };
  return {
    moveNode() {
      const zone = nodes.items.get(p.node)?.zone ?? '';
      const away = p.reach?.away ?? NOBODY;
      if (zone !== place.zone || away !== place.away) all = true;
      place = { name: p.node, zone, away };
      const pods = new Set([...p.podCIDRs, ...[...nodes.items.values()].flatMap((n) => n.podCIDRs)]);
      ranges = { ...ranges, pods: [...pods] };
    },
    compile(keys) {
      const wanted = all ? new Set([...keys, ...services.items.keys()]) : keys;
      all = false;
      return p.families.map((family) => {
        // A table that was handed out stays as it is.
        const ports = new Map(compiled.get(family));
        for (const key of wanted) {
          const now = compileOne(family, key);
          if (now.length === 0) ports.delete(key);
          else if (!isDeepStrictEqual(ports.get(key), now)) ports.set(key, now);
        }
        compiled.set(family, ports);
        return { family, node: nodeTable(family, ranges), services: ports };
      });
    },
    health() {
      const checks = new Map<string, HealthCheck>();
      for (const [key, s] of services.items) {
        if (s.healthCheckNodePort === 0 || !s.proxied) continue;
        checks.set(key, { port: s.healthCheckNodePort, endpoints: readyHere(slices.of(key), p.node) });
      }
      return checks;
    },
    async forget(keys) {
      for (const family of p.families) {
        const addresses = new Map<string, ReadonlySet<string>>();
        const nodePorts = new Map<number, ReadonlySet<string>>();
        for (const key of keys) {
          const service = services.items.get(key);
          for (const port of compiled.get(family)?.get(key) ?? []) {
            if (port.protocol !== 'udp' || !service) continue;
            const answers = servingSockets(family, port, slices.of(key));
            for (const ip of [port.clusterIP, ...port.externalIPs, ...port.loadBalancerIPs])
              addresses.set(`${ip} ${port.port}`, answers);
            // Other hosts may be asked at the same port: where nobody may answer, nothing is known to be ours.
            if (port.nodePort !== 0 && answers.size > 0) nodePorts.set(port.nodePort, answers);
          }
        }
        if (addresses.size > 0) await p.forgetStale(family, { addresses, nodePorts });
      }
    },
  };
}

const readyHere = (slices: readonly SliceRow[], node: string): number =>
  new Set(slices.flatMap((s) => s.endpoints.filter((e) => e.ready && e.node === node).map((e) => e.addresses[0]))).size;

/** True when what `begin` was given is called within the time. */
function within(ms: number, env: Env, begin: (done: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = env.after(ms, () => resolve(false));
    begin(() => {
      cancel();
      resolve(true);
    });
  });
}
