import { type Env, sleep } from '../../../kube/meta/env.ts';
import type { JsonObject } from '../../../kube/meta/json.ts';
import { formatTime } from '../../../kube/meta/time.ts';
import type { Api } from '../../api.ts';
import type { Feed } from '../../feed/feed.ts';
import type { NodeRow } from '../../feed/rows.ts';
import type { Reach } from '../reach.ts';
import type { Links } from './links.ts';
import { planRoutes, type RoutePlan, VXLAN_PORT, vniOf } from './routes.ts';

/** After something failed. */
const RETRY_MS = 5_000;
/** Nodes beyond our subnets are asked for an answer this often, and this many of them: each costs a few packets. */
const LOOK_MS = 60_000;
const LOOKED_AT_MAX = 32;
/** A node that has just come hasn't its routes yet: that many silences, RETRY_MS apart, count. */
const SILENCES = 3;

export interface RoutesOptions {
  api: Api;
  nodes: Feed<NodeRow>;
  links: Links;
  node: string;
  addresses: readonly string[];
  podCIDRs: readonly string[];
  reach: Reach;
  env: Env;
}

type Verdict = { status: 'True' | 'False'; reason: string; message: string };
const FINE: Verdict = { status: 'False', reason: 'RouteCreated', message: 'pods of all nodes can be reached' };

/**
 * Keeps routes to the other nodes' pods as the Node objects say until `signal` aborts, and this node's condition NetworkUnavailable true. Routes stay
 * when it ends.
 */
export async function followRoutes(o: RoutesOptions, signal: AbortSignal): Promise<void> {
  let wake: () => void = () => undefined;
  let changed = true;
  let said = '';
  const silences = new Map<string, number>();
  const end = o.nodes.listen(() => {
    changed = true;
    wake();
  });
  signal.addEventListener('abort', () => wake(), { once: true });
  while (!signal.aborted) {
    if (!changed || !o.nodes.synced) {
      await new Promise<void>((r) => (wake = r));
      continue;
    }
    changed = false;
    const laid = await lay(o);
    const looked = laid.plan ? await look(o, laid.plan, silences) : [];
    const away = laid.plan?.problem ? wrappedOf(laid.plan, o).map((w) => w.name) : looked;
    o.reach.set(away);
    const verdict = laid.plan && !laid.plan.problem && away.length > 0 ? silent(away) : laid.verdict;
    const text = JSON.stringify(verdict);
    const known = text === said || (await tell(o, verdict));
    if (known) said = text;
    const settled = known && verdict.status === 'False';
    const looks = laid.plan !== undefined && !laid.plan.problem && laid.plan.wrapped.length > 0;
    if (settled && !looks) continue;
    const doubted = [...silences.values()].some((n) => n < SILENCES);
    const wait = settled && !doubted ? LOOK_MS : RETRY_MS;
    if (!changed) await Promise.race([sleep(o.env, wait), new Promise<void>((r) => (wake = r))]);
    changed = true;
  }
  end();
}

/** Nodes whose pods' packets are wrapped, by name, with the address that stands for each. */
function wrappedOf(plan: RoutePlan, o: RoutesOptions): { name: string; vtep: string }[] {
  const names = new Map<string, string>();
  for (const n of o.nodes.items.values()) for (const ip of n.internalIPs) names.set(ip, n.name);
  return plan.wrapped.map((w) => ({ name: names.get(w.node) ?? w.node, vtep: w.vtep }));
}

/** The nodes beyond our subnets that have been silent for SILENCES looks. */
async function look(o: RoutesOptions, plan: RoutePlan, silences: Map<string, number>): Promise<string[]> {
  const asked = plan.problem ? [] : wrappedOf(plan, o).slice(0, LOOKED_AT_MAX);
  for (const name of silences.keys()) if (!asked.some((w) => w.name === name)) silences.delete(name);
  await Promise.all(
    asked.map(async ({ name, vtep }) => {
      if (await o.links.answers(vtep)) silences.delete(name);
      else silences.set(name, Math.min(SILENCES, (silences.get(name) ?? 0) + 1));
    }),
  );
  return [...silences].filter(([, n]) => n >= SILENCES).map(([name]) => name);
}

/** Not a reason to keep pods away from here: most of what they do needs no other node's pods. */
const silent = (nodes: readonly string[]): Verdict => ({
  status: 'False',
  reason: 'PodsUnreachable',
  message: `pods of these nodes don't answer from here: ${nodes.join(', ')}. One side is behind NAT, or a firewall keeps UDP ${VXLAN_PORT} back. Logs, exec and port-forward work all the same; Services here use other endpoints while there are any`,
});

async function lay(o: RoutesOptions): Promise<{ plan?: RoutePlan; verdict: Verdict }> {
  const self = { name: o.node, addresses: o.addresses, cidrs: o.podCIDRs };
  try {
    const plan = planRoutes(o.nodes.items.values(), self, o.links.own(), vniOf(o.api.connection.url));
    await o.links.place(plan);
    return { plan, verdict: plan.problem ? { status: 'False', ...plan.problem } : FINE };
  } catch (error) {
    o.env.log('warn', 'routes.failed', { error: String(error) });
    return { verdict: { status: 'True', reason: 'RouteCreationFailed', message: String(error).slice(0, 500) } };
  }
}

/** Writes the condition; true if it's there. */
async function tell(o: RoutesOptions, v: Verdict): Promise<boolean> {
  const now = formatTime(o.env.now());
  const condition = { type: 'NetworkUnavailable', ...v, lastHeartbeatTime: now, lastTransitionTime: now };
  const body = { status: { conditions: [condition] } } as unknown as JsonObject;
  try {
    await o.api.send('PATCH', `/api/v1/nodes/${o.node}/status`, body, 'application/strategic-merge-patch+json');
    return true;
  } catch (error) {
    o.env.log('warn', 'node.network.failed', { error: String(error) });
    return false;
  }
}
