import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Env, sleep } from '../../../kube/meta/env.ts';
import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Api } from '../../api.ts';
import type { NetworkFeeds } from '../../feed/network.ts';
import { findProgram } from '../../install/machine.ts';
import type { Reach } from '../reach.ts';
import { forgetStale } from './conntrack.ts';
import { healthServers } from './health.ts';
import { nftables } from './nftables.ts';
import { runProxy } from './proxy.ts';
import type { Family } from './table.ts';

/** How often it's looked whether nft has come. */
const PROGRAM_MS = 1_000;

/** Our packet filter table's name: agents of several clusters, or of several nodes, can be on one machine. */
export function tableName(url: string, node: string): string {
  return `coracle-${createHash('sha256').update(`${url} ${node}`).digest('hex').slice(0, 10)}`;
}

/** Serves the cluster's Services on this machine until `signal` aborts; what is programmed then stays. */
export async function serveServices(
  o: { api: Api; feeds: NetworkFeeds; node: string; podCIDRs: readonly string[]; reach: Reach; env: Env },
  signal: AbortSignal,
): Promise<void> {
  await Promise.race([o.feeds.services.ready, new Promise((r) => signal.addEventListener('abort', r, { once: true }))]);
  // A machine that is only being prepared gets its packages first.
  while (findProgram('nft') === null && !signal.aborted) await sleep(o.env, PROGRAM_MS);
  const filter = nftables({ table: tableName(o.api.connection.url, o.node), env: o.env });
  // A kernel without IPv6 would refuse its half, and with it the whole transaction.
  const families: readonly Family[] = existsSync('/proc/net/if_inet6') ? ['ip', 'ip6'] : ['ip'];
  const serviceCIDRs = await rangesOfServices(o.api, o.env);
  await runProxy({ ...o, filter, families, serviceCIDRs, health: healthServers(o.env), forgetStale }, signal);
}

/** Without them addresses that no Service has aren't dropped here; nothing else depends on them. */
async function rangesOfServices(api: Api, env: Env): Promise<string[]> {
  try {
    const list = await api.get('/apis/networking.k8s.io/v1/servicecidrs');
    return (list.items as JsonObject[]).flatMap((c) => ((c.spec as JsonObject | undefined)?.cidrs ?? []) as string[]);
  } catch (error) {
    env.log('warn', 'servicecidrs.failed', { error: String(error) });
    return [];
  }
}
