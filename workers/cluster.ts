import type { ClusterContext, ClusterKeys, ConnectRequest, PolicyView, User } from '../api/attributes.ts';
import { createPolicyView, sharedRows } from '../api/policy.ts';
import { kindByStorage } from '../kube/kinds/index.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { parseApiVersion } from '../kube/meta/object.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { baseLayer as bundledLayer } from '../kube/store/base/base.ts';
import { BASE_CREATED as LAYER_CREATED } from '../kube/store/base/object.ts';
import { parseKey, resourceOfKey } from '../kube/store/key.ts';
import { placement, storeName } from '../kube/store/placement.ts';
import type { Store } from '../kube/store/store.ts';
import { type Bindings, tunnelName } from './bindings.ts';
import { onDrain } from './drain.ts';
import { turn, world } from './env.ts';
import { knownPages, rowsOf } from './rowcaches.ts';
import { BASE_CREATED, BASE_UID, type BaseLayer } from './tenant/base.ts';
import { DEFAULT_LIMITS, LIMITS_KEY, type Limits, limitsWith } from './tenant/limits.ts';
import { nearTo } from './tenant/near.ts';
import { RemoteStore } from './tenant/remote.ts';
import type { CallsStub, SharedCalls } from './tenant/sharedcalls.ts';
import { SharedFrames } from './tenant/sharedframes.ts';
import { createTexts } from './texts.ts';
import { relinked } from './tunnel/links.ts';
import { forwarded, prefixOf } from './tunnel/proxying.ts';
import type { Opening } from './tunnel/relay.ts';
import { withTunnelRenewals } from './tunnel/renewals.ts';

// Main.ts joins api and workers; this file is a part of it: everything that makes a ClusterContext of a cluster's id.

/** Row of the cluster's keys and rows of its static tokens: deciding parts, so they reach every View and leave it at once when they change. Not served by any kind. */
export const KEYS_RESOURCE = 'clusterkeys.coracle.dev';
export const TOKENS_RESOURCE = 'statictokens.coracle.dev';

/** The deciding part of the keys' row. */
export interface StoredKeys {
  issuer: string;
  signing: JsonWebKey[];
  ca: string;
  caKey: JsonWebKey;
}

/** Views of clusters that an isolate keeps; the least recently used goes first. */
const VIEWS_MAX = 2_000;
const views = new Map<string, PolicyView>();
const shared = sharedRows(
  bundledLayer().rows.flatMap((r) =>
    r.facts.policy === undefined ? [] : [{ key: r.key, uid: r.facts.uid, text: r.facts.policy }],
  ),
);

/** The isolate's View of a cluster, empty at first. */
function viewOf(cluster: string): PolicyView {
  const known = views.get(cluster);
  if (known) {
    views.delete(cluster);
    views.set(cluster, known);
    return known;
  }
  if (views.size >= VIEWS_MAX) for (const oldest of views.keys()) if (views.delete(oldest)) break;
  const made = createPolicyView(shared);
  views.set(cluster, made);
  return made;
}
/** Forgets what the isolate knows of a cluster: it is gone. */
export function forgetCluster(cluster: string): void {
  views.delete(cluster);
}

/** The bundle's base layer as the store objects take it. */
export function baseLayer(hash: string): BaseLayer | undefined {
  const layer = bundledLayer();
  if (hash !== layer.hash) return undefined;
  stored ??= { hash, rows: layer.rows.map(templateOf) };
  return stored;
}
let stored: BaseLayer | undefined;

/**
 * A bundled row as the store objects take it: each cluster puts its own creation time in. Namespaces get uids of the cluster's own too, for many tools take
 * kube-system's uid as the cluster's id; the other rows' uids are the same everywhere, so that an isolate holds their deciding parts once.
 */
function templateOf(r: ReturnType<typeof bundledLayer>['rows'][number]): BaseLayer['rows'][number] {
  const resource = resourceOfKey(r.key);
  const gv = parseApiVersion(r.version) ?? { group: '', version: 'v1' };
  const schema = schemas.hash({ ...gv, kind: kindByStorage(resource)?.kind ?? '' });
  const own = (text: string) =>
    resource === 'namespaces' ? text.replaceAll(r.facts.uid, BASE_UID + r.facts.uid.slice(24)) : text;
  const facts = {
    ...r.facts,
    uid: own(r.facts.uid),
    ...(r.facts.policy === undefined ? {} : { policy: own(r.facts.policy) }),
  };
  return { ...r, schema, facts, text: own(r.text).replaceAll(LAYER_CREATED, BASE_CREATED) };
}
export const currentLayer = () => bundledLayer().hash;

/** What the isolate's watches of one store get once for all of them. */
const frames = new SharedFrames(world);

/** A fresh stub of a store object by name. */
export const storeStub = (b: Bindings, name: string) => b.TENANTS.getByName(name);

/** What the request and the object that ask for a context have to give. */
export interface Around {
  waitUntil(p: Promise<unknown>): void;
  /** The isolate's, for requests of clients alone: an object's own calls go by themselves. */
  calls?: SharedCalls | undefined;
  /** Lets others have their turn where somebody else may wait for one. */
  pause?(): Promise<void> | undefined;
}

/** The context of one request to a cluster. Makes no call; the View fills at the first store call. */
export function clusterContext(b: Bindings, around: Around, id: string, url: string, pathAt?: number): ClusterContext {
  const view = viewOf(id);
  const stores = new Map<string, Store>();
  return {
    id,
    env: world,
    view,
    rows: rowsOf(id),
    pages: knownPages,
    ownNodes: true,
    url,
    pathAt,
    store(resource, namespace) {
      const name = storeName(id, placement(resource, namespace));
      let store = stores.get(name);
      if (store === undefined) {
        const connect = () => storeStub(b, name) as unknown as CallsStub;
        const together = around.calls?.stub(name, connect, (p) => around.waitUntil(p));
        store = new RemoteStore(
          together ? () => together : connect,
          world,
          frames,
          together && nearTo(name, () => around.pause?.()),
        );
        if (placement(resource, namespace) === 'leases')
          store = withTunnelRenewals(store, (node) => b.TUNNELS.getByName(tunnelName(id, node)).heard());
        stores.set(name, store);
      }
      return store;
    },
    get keys(): ClusterKeys {
      return view.compiled('keys', keysOf);
    },
    connect: (node, request) => connect(b, id, node, request),
    // Native: half of the entries into the isolate for each frame of a watch.
    turn,
    waitUntil: (p) => around.waitUntil(p),
    onDrain,
    ...(b.TEXTS ? { texts: textsOf(b.TEXTS) } : {}),
  };
}

let texts: ReturnType<typeof createTexts> | undefined;
/** The isolate's texts: all clusters' are the same. A binding is each request's own, but any of them will do for a reading. */
const textsOf = (files: Fetcher) => (texts ??= createTexts((url) => files.fetch(url), world));

let endpoint: Limits | undefined;
/** What clusters of this endpoint may use, where they have no limits of their own. */
export function endpointLimits(b: Pick<Bindings, 'LIMITS'>): Limits {
  endpoint ??= limitsWith(DEFAULT_LIMITS, b.LIMITS);
  return endpoint;
}
/** What a cluster may use, as its View says. */
export const limitsOf = (b: Bindings, view: PolicyView): Limits =>
  view.compiled('limits', () => {
    const own = view.get(LIMITS_KEY)?.data;
    return own ? limitsWith(endpointLimits(b), JSON.stringify(own)) : endpointLimits(b);
  });

const NO_KEYS: ClusterKeys = { issuer: '', signing: [], ca: '', tokens: {} };
function keysOf(view: PolicyView): ClusterKeys {
  const row = view.get(`${KEYS_RESOURCE}/main`);
  if (row === undefined) return NO_KEYS;
  const keys = row.data as unknown as StoredKeys;
  const tokens: Record<string, User> = {};
  for (const t of view.list(TOKENS_RESOURCE)) tokens[parseKey(t.key).name] = t.data as unknown as User;
  return { issuer: keys.issuer, signing: keys.signing, ca: keys.ca, tokens };
}

/** Fills an empty View. Throws StoreError 'no-cluster' where there is none. */
export async function fillView(c: ClusterContext): Promise<void> {
  if (c.view.revision > 0) return;
  const answer = await c.store('namespaces', '').confirm({ policy: 0 });
  if (!answer.ok) c.view.apply(answer);
}

/** Opens a relay to a node and hands it the client's request. */
async function connect(b: Bindings, cluster: string, node: string, c: ConnectRequest): Promise<Response> {
  const id = b.RELAYS.newUniqueId();
  const protocols = c.request.headers.get('sec-websocket-protocol');
  const proxied = c.kind === 'proxy' ? forwarding(c) : undefined;
  if (proxied === null) return new Response('request header fields too large', { status: 431 });
  const opening: Opening = {
    cluster,
    node,
    dial: {
      stream: id.toString(),
      path: `/.coracle/v1/streams/${id}`,
      kind: c.kind,
      namespace: c.namespace,
      pod: c.pod,
      uid: c.uid,
      options: { ...c.options, ...proxied?.options } as Record<string, unknown>,
      ...(protocols === null ? {} : { protocols: protocols.split(',').map((p) => p.trim()) }),
    },
  };
  const headers = new Headers({ 'coracle-opening': encodeURIComponent(JSON.stringify(opening)) });
  for (const name of [
    'upgrade',
    'connection',
    'sec-websocket-protocol',
    'sec-websocket-version',
    'sec-websocket-key',
  ]) {
    const value = c.request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const { body } = c.request;
  const relay = b.RELAYS.get(id);
  if (!proxied) return relay.fetch('https://relay.invalid/client', { headers });
  const init = { headers, redirect: 'manual' as const };
  const answer = await relay.fetch('https://relay.invalid/client', body ? { ...init, method: 'POST', body } : init);
  if (answer.status === 101) return answer;
  if (c.request.method !== 'HEAD') return relinked(answer, proxied.prefix, proxied.host);
  await answer.body?.cancel();
  return relinked(new Response(null, answer), proxied.prefix, proxied.host);
}

/** What a proxied request takes along; null when its headers are too long. */
function forwarding(c: ConnectRequest): { options: JsonObject; prefix: string; host: string } | null {
  const path = String(c.options.path ?? '/');
  const prefix = prefixOf(c.request, path);
  const options = forwarded(c.request, prefix, path);
  return options && { options, prefix, host: `${c.options.address ?? ''}:${c.options.port ?? ''}` };
}
