import { type Env, sleep } from '../../../kube/meta/env.ts';
import type { JsonObject } from '../../../kube/meta/json.ts';
import { formatTime } from '../../../kube/meta/time.ts';
import type { Api } from '../../api.ts';
import type { Feed } from '../../feed/feed.ts';
import type { NodeRow } from '../../feed/rows.ts';
import type { Links } from './links.ts';
import { planRoutes, vniOf } from './routes.ts';

/** After something failed. */
const RETRY_MS = 5_000;

export interface RoutesOptions {
  api: Api;
  nodes: Feed<NodeRow>;
  links: Links;
  node: string;
  addresses: readonly string[];
  podCIDRs: readonly string[];
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
    const verdict = await lay(o);
    const text = JSON.stringify(verdict);
    const known = text === said || (await tell(o, verdict));
    if (known) said = text;
    if (known && (verdict.reason === FINE.reason || verdict.reason === 'BehindNAT')) continue;
    await Promise.race([sleep(o.env, RETRY_MS), new Promise<void>((r) => (wake = r))]);
    changed = true;
  }
  end();
}

async function lay(o: RoutesOptions): Promise<Verdict> {
  const self = { name: o.node, addresses: o.addresses, cidrs: o.podCIDRs };
  try {
    const plan = planRoutes(o.nodes.items.values(), self, o.links.own(), vniOf(o.api.connection.url));
    await o.links.place(plan);
    return plan.problem ? { status: 'True', ...plan.problem } : FINE;
  } catch (error) {
    o.env.log('warn', 'routes.failed', { error: String(error) });
    return { status: 'True', reason: 'RouteCreationFailed', message: String(error).slice(0, 500) };
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
