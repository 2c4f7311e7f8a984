import { parseJson } from '../../kube/codec/json.ts';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { add, countedNames, isInScope, type Resources, resourcesOf, textsOf, usageOf } from '../../kube/kinds/quota.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { quantityOf } from '../../kube/meta/quantity.ts';
import type { QuotaUsage } from '../controllers/resourcequota.ts';
import { type EffectFunction, pathOf } from './client.ts';

// The world of quotas: what a namespace uses of what one of them limits.

/** Resources that use more than their place. */
const WHOLE: ReadonlySet<string> = new Set(['pods', 'services', 'persistentvolumeclaims']);
const PAGE = 500;
const HOST = 'https://loop.invalid';

type Ask = (request: Request) => Promise<Response>;
interface List {
  metadata: { continue?: string; remainingItemCount?: number };
  items?: KubeObject[];
}

/** `quotaUsage {namespace, resources, spec}`. A resource that nobody serves is counted by nobody. */
export function quotaEffects(env: Env): Readonly<Record<string, EffectFunction>> {
  return {
    async quotaUsage(input, ask): Promise<QuotaUsage> {
      const { namespace, resources, spec } = input as unknown as {
        namespace: string;
        resources: string[];
        spec: JsonObject;
      };
      const names = [...resourcesOf(spec.hard).keys()];
      let used: Resources = new Map();
      let ending = false;
      for (const resource of resources) {
        const path = await pathFor(resource, namespace, ask);
        if (path === undefined) continue;
        const counts = countedNames(resource, names);
        for (const name of counts) used.set(name, used.get(name) ?? quantityOf(0));
        if (!WHOLE.has(resource)) {
          const count = await countOf(path, ask);
          for (const name of counts) used.set(name, quantityOf(count));
          continue;
        }
        for await (const object of objects(path, ask)) {
          if (!isInScope(resource, spec, object)) continue;
          ending ||= resource === 'pods' && object.metadata.deletionTimestamp !== undefined;
          used = add(used, usageOf(resource, object, env.now()));
        }
      }
      const wanted = new Set(names);
      return { used: textsOf(new Map([...used].filter(([name]) => wanted.has(name)))), ending };
    },
  };
}

async function page(path: string, query: string, ask: Ask): Promise<List> {
  const response = await ask(new Request(`${HOST}${path}?${query}`, { headers: { accept: 'application/json' } }));
  const body = parseJson(await response.text()) as JsonObject;
  if (response.status >= 400) throw new Error(String(body.message));
  return body as unknown as List;
}
async function countOf(path: string, ask: Ask): Promise<number> {
  const { items = [], metadata } = await page(path, 'limit=1', ask);
  return items.length + (metadata.remainingItemCount ?? 0);
}
async function* objects(path: string, ask: Ask): AsyncIterable<KubeObject> {
  for (let after = ''; ; ) {
    const { items = [], metadata } = await page(path, `limit=${PAGE}${after}`, ask);
    yield* items;
    if (!metadata.continue) return;
    after = `&continue=${encodeURIComponent(metadata.continue)}`;
  }
}

/** Where a resource's objects are listed: `pods`, `fleets.e.io`; undefined where nobody serves it. */
async function pathFor(resource: string, namespace: string, ask: Ask): Promise<string | undefined> {
  const kind = kindByStorage(resource);
  if (kind) return kind.scope === 'Namespaced' ? pathOf(kind, namespace, '') : undefined;
  const dot = resource.indexOf('.');
  if (dot < 0) return undefined;
  const [plural, group] = [resource.slice(0, dot), resource.slice(dot + 1)];
  const response = await ask(new Request(`${HOST}/apis/${group}`, { headers: { accept: 'application/json' } }));
  const body = parseJson(await response.text()) as JsonObject;
  if (response.status === 404) return undefined;
  if (response.status >= 400) throw new Error(String(body.message));
  const { groupVersion } = (body.preferredVersion ?? {}) as { groupVersion?: string };
  return `/apis/${groupVersion}/namespaces/${namespace}/${plural}`;
}
