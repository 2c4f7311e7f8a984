import { parseJson } from '../../kube/codec/json.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { EffectFunction } from './client.ts';

/** What a node's tunnel knows of its link. */
export interface Liveness {
  connected: boolean;
  /** When the node was last heard of, in milliseconds since the epoch; 0 = never. */
  heardMs: number;
}

/** `nodeHeard {node}`: when a node was last heard of, over its tunnel or by its Lease (kubelets that aren't ours), and when that was asked. */
export function nodeEffects(
  tunnel: (node: string) => Promise<Liveness>,
  env: Env,
): Readonly<Record<string, EffectFunction>> {
  return {
    async nodeHeard(input, ask) {
      const node = String(input.node);
      const link = await tunnel(node);
      const renewed = link.connected ? 0 : await leaseRenewed(node, ask);
      return { heardMs: Math.max(link.heardMs, renewed), connected: link.connected, askedMs: env.now() };
    },
  };
}

async function leaseRenewed(node: string, ask: (request: Request) => Promise<Response>): Promise<number> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`;
  const response = await ask(new Request(`https://loop.invalid${path}`, { headers: { accept: 'application/json' } }));
  const body = parseJson(await response.text()) as JsonObject;
  if (response.status === 404) return 0;
  if (response.status >= 400) throw new Error(String(body.message));
  const renewed = (body.spec as { renewTime?: string } | undefined)?.renewTime;
  return renewed ? timeToMillis(renewed) : 0;
}
