import { parseJson } from '../../kube/codec/json.ts';
import { kinds } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { resourceOf } from '../../kube/reconcile/runner.ts';
import { type EffectFunction, json, pathOf } from './client.ts';

/** Objects of one kind that a sweep looks at to count finalizers; the count itself is exact. */
const LOOK_AT = 500;

const sweepable = (k: Kind) =>
  k.scope === 'Namespaced' && k.verbs.includes('deletecollection') && k.verbs.includes('list');

/** What loops may ask of the world, by name. `ca`: PEM of the cluster's CA. */
export function loopEffects(ca: () => string, env: Env): Readonly<Record<string, EffectFunction>> {
  return {
    async clusterCa() {
      return { pem: ca() };
    },
    /** Asks for everything of a namespace to be deleted and tells what is still there. */
    async sweepNamespace(input, ask) {
      const namespace = String(input.namespace);
      const remaining: Record<string, number> = {};
      const finalizers: Record<string, number> = {};
      for (const kind of kinds.filter(sweepable)) {
        const path = pathOf(kind, namespace, '');
        if ((await page(ask, path)).count === 0) continue;
        const deleted = await ask(
          json('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' }),
        );
        const body = parseJson(await deleted.text()) as JsonObject;
        if (deleted.status >= 400) throw new Error(String(body.message));
        const left = await page(ask, path);
        if (left.count === 0) continue;
        remaining[resourceOf(kind)] = left.count;
        for (const f of left.finalizers) finalizers[f] = (finalizers[f] ?? 0) + 1;
      }
      return { remaining, finalizers, at: env.now() };
    },
  };
}

async function page(
  ask: (request: Request) => Promise<Response>,
  path: string,
): Promise<{ count: number; finalizers: string[] }> {
  const response = await ask(
    new Request(`https://loop.invalid${path}?limit=${LOOK_AT}`, { headers: { accept: 'application/json' } }),
  );
  const body = parseJson(await response.text()) as JsonObject;
  if (response.status >= 400) throw new Error(String(body.message));
  const items = (body.items ?? []) as { metadata: { finalizers?: string[] } }[];
  const more = Number((body.metadata as JsonObject | undefined)?.remainingItemCount ?? 0);
  return { count: items.length + more, finalizers: items.flatMap((i) => i.metadata.finalizers ?? []) };
}
