import { parseJson } from '../../kube/codec/json.ts';
import { kinds } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { groupResource, parseApiVersion } from '../../kube/meta/object.ts';
import { resourceOf } from '../../kube/reconcile/interests.ts';
import type { Sweep } from '../controllers/namespace.ts';
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
    /** What time it is: asked once for a key, and kept as long as its plans ask for it, it says since when something has been as it is. */
    async clock() {
      return { at: env.now() };
    },
    /** How many pods an object of any kind wants, by its scale, and its uid; nothing where it isn't there. */
    scale: (input, ask) => scaleOf(input as unknown as Parameters<typeof scaleOf>[0], ask),
    /** Asks for everything of a namespace to be deleted, pods first, and tells what is still there. */
    async sweepNamespace(input, ask): Promise<Sweep> {
      const namespace = String(input.namespace);
      const sweep: Sweep = { remaining: {}, finalizers: {}, errors: [], podsFirst: false, at: 0 };
      const empty = async (kind: Kind) => {
        try {
          await emptyOf(kind, namespace, Number(input.deletedMs), sweep, ask, env);
        } catch (error) {
          sweep.errors.push(error instanceof Error ? error.message : String(error));
        }
      };
      const [pods, rest] = [kinds.filter(isPod), kinds.filter((k) => sweepable(k) && !isPod(k))];
      for (const kind of pods) await empty(kind);
      sweep.podsFirst = Object.keys(sweep.remaining).length > 0;
      if (!sweep.podsFirst) for (const kind of rest) await empty(kind);
      sweep.at = env.now();
      return sweep;
    },
  };
}

async function scaleOf(
  of: { apiVersion: string; kind: string; namespace: string; name: string },
  ask: Ask,
): Promise<JsonObject> {
  const gv = parseApiVersion(of.apiVersion);
  const base = `/${gv?.group ? 'apis' : 'api'}/${of.apiVersion}`;
  const get = async (path: string) => {
    const headers = { accept: 'application/json' };
    const response = await ask(new Request(`https://loop.invalid${path}`, { headers }));
    const body = parseJson(await response.text()) as JsonObject;
    if (response.status >= 400 && response.status !== 404) throw new Error(String(body.message));
    return response.status === 404 ? undefined : body;
  };
  const served = ((await get(base))?.resources ?? []) as JsonObject[];
  const resource = served.find((r) => r.kind === of.kind && !String(r.name).includes('/'));
  if (resource === undefined)
    throw new Error(`no matches for kind ${JSON.stringify(of.kind)} in version ${JSON.stringify(of.apiVersion)}`);
  if (!served.some((r) => r.name === `${resource.name}/scale`))
    throw new Error(
      `${groupResource(gv?.group ?? '', String(resource.name))} does not implement the scale subresource`,
    );
  const scale = await get(`${base}/namespaces/${of.namespace}/${resource.name}/${of.name}/scale`);
  const { uid } = (scale?.metadata ?? {}) as { uid?: string };
  return uid === undefined ? {} : { uid, replicas: Number((scale?.spec as JsonObject | undefined)?.replicas ?? 0) };
}

const isPod = (k: Kind) => resourceOf(k) === 'pods';
type Ask = (request: Request) => Promise<Response>;

/** deleteAllContentForGroupVersionResource: what still stands is counted, and is an error where neither a grace period nor a finalizer explains it. */
async function emptyOf(
  kind: Kind,
  namespace: string,
  deletedMs: number,
  sweep: Sweep,
  ask: Ask,
  env: Env,
): Promise<void> {
  const path = pathOf(kind, namespace, '');
  const before = await page(ask, path);
  if (before.count === 0) return;
  const deleted = await ask(
    json('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' }),
  );
  const text = await deleted.text();
  if (deleted.status >= 400) throw new Error(String((parseJson(text) as JsonObject).message));
  const left = await page(ask, path);
  if (left.count === 0) return;
  const { group = '', version = '' } = kind.served[0] ?? {};
  sweep.remaining[`${kind.plural}.${group}`] = left.count;
  for (const f of left.finalizers) sweep.finalizers[f] = (sweep.finalizers[f] ?? 0) + 1;
  const ending = isPod(kind) && env.now() - deletedMs < before.graceSeconds * 1000;
  if (!ending && left.finalizers.length === 0)
    throw new Error(
      `unexpected items still remain in namespace: ${namespace} for gvr: ${group}/${version}, Resource=${kind.plural}`,
    );
}

interface Item {
  metadata: { finalizers?: string[] };
  spec?: { terminationGracePeriodSeconds?: number };
  status?: { phase?: string };
}

/** How many there are, whose finalizers the first of them have, and the longest grace period of those that haven't ended. */
async function page(ask: Ask, path: string): Promise<{ count: number; finalizers: string[]; graceSeconds: number }> {
  const response = await ask(
    new Request(`https://loop.invalid${path}?limit=${LOOK_AT}`, { headers: { accept: 'application/json' } }),
  );
  const body = parseJson(await response.text()) as JsonObject;
  if (response.status >= 400) throw new Error(String(body.message));
  const items = (body.items ?? []) as unknown as Item[];
  const more = Number((body.metadata as JsonObject | undefined)?.remainingItemCount ?? 0);
  const over = (i: Item) => i.status?.phase === 'Succeeded' || i.status?.phase === 'Failed';
  return {
    count: items.length + more,
    finalizers: items.flatMap((i) => i.metadata.finalizers ?? []),
    graceSeconds: Math.max(0, ...items.map((i) => (over(i) ? 0 : (i.spec?.terminationGracePeriodSeconds ?? 0)))),
  };
}
