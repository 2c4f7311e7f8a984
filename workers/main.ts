import { env } from 'cloudflare:workers';
import { Hono } from 'hono';
import { chain } from '../api/admission/index.ts';
import type { ClusterContext } from '../api/attributes.ts';
import { authenticateRequest, createAuthenticator } from '../api/authn/authenticate.ts';
import { nodeOf } from '../api/authn/users.ts';
import { createAuthorizer } from '../api/authz/index.ts';
import { storeStatus } from '../api/call.ts';
import { pathStart } from '../api/request.ts';
import { createApi } from '../api/server.ts';
import { kinds } from '../kube/kinds/index.ts';
import { setServiceCIDR } from '../kube/kinds/serviceips.ts';
import { forbidden, notFound, StatusError, tooMany } from '../kube/meta/status.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { StoreError } from '../kube/store/store.ts';
import { takeRest } from '../kube/wire/body.ts';
import { JOIN_PATH, NewNode } from '../kube/wire/joining.ts';
import { NewServing, SERVING_PATH } from '../kube/wire/serving.ts';
import { archives } from './accounts/archive.ts';
import { tenancy } from './accounts/clusters.ts';
import { joining, joinNode } from './accounts/joining.ts';
import { clusterLimits } from './accounts/limits.ts';
import { REPLICAS } from './accounts/removal.ts';
import { servingAnswer } from './accounts/serving.ts';
import { checkOperator, readBody } from './accounts/tenancy.ts';
import { restores } from './accounts/travel.ts';
import { verification } from './accounts/verify.ts';
import { type Bindings, tunnelName } from './bindings.ts';
import {
  baseLayer,
  clusterContext,
  endpointLimits,
  fillView,
  KEYS_RESOURCE,
  limitsOf,
  type StoredKeys,
} from './cluster.ts';
import { keepTunnel, processName, readiness } from './drain.ts';
import { turn, world } from './env.ts';
import { Gate, madeOrGone, outlive } from './gate.ts';
import { installFiles } from './install.ts';
import { makeLoop } from './loops/object.ts';
import { copyMaker, createJoined, createMaker, OPERATOR, wakeLoop } from './maker.ts';
import { loopPlatform } from './platform.ts';
import { Rest } from './rest.ts';
import { sizeRowCaches } from './rowcaches.ts';
import { heldByKinds } from './tenant/held.ts';
import { makeTenantStore } from './tenant/object.ts';
import { SharedCalls } from './tenant/sharedcalls.ts';

export { Directory } from './accounts/directory.ts';
export { control } from './drain.ts';
export { NodeTunnel } from './tunnel/node.ts';
export { Relay } from './tunnel/relay.ts';

// The composition root: api and workers meet here and nowhere else.

sizeRowCaches((env as Bindings).ROW_CACHE_MIB);
// Set before anything is asked of the kinds.
if ((env as Bindings).SERVICE_CIDR) setServiceCIDR((env as Bindings).SERVICE_CIDR);

const api = createApi({
  kinds,
  schemas,
  authenticators: [createAuthenticator()],
  authorizers: [createAuthorizer()],
  admission: chain,
});

export const TenantStore = makeTenantStore<Bindings>({
  objects: (b) => b.TENANTS as never,
  layer: baseLayer,
  restoring: heldByKinds,
  limits: endpointLimits,
  wake: (b, cluster, loop, _revision, attempt) => wakeLoop(b, cluster, loop, attempt % REPLICAS),
});
export const Loop = makeLoop<Bindings>((b) => loopPlatform(api, b));

const app = new Hono<{ Bindings: Bindings }>();
for (const path of ['/healthz', '/livez']) app.get(path, (c) => c.text('ok'));
app.get('/readyz', () => readiness());
const joined = createJoined(api);
app.route(
  '/',
  tenancy(createMaker(api), archives(copyMaker), clusterLimits(), joining(joined), restores(), verification()),
);
app.route('/', installFiles());

const seats = Number((env as Bindings).SEATS);
const gate = new Gate(world, seats);
// Where calls wait for a network, waiting for the one before would double that.
const calls = seats > 0 ? new SharedCalls(world) : undefined;
const pause = () => (gate.alone ? undefined : turn());
/** There where V8 was started with --expose-gc. */
const rest = new Rest(world, (globalThis as { gc?: () => void }).gc);
/** What APF says to whom it refuses: clients ask again after a second. */
const TOO_MANY = tooMany('too many requests, please try again later', 1);

const CLUSTERS = '/clusters/';
/** Paths of a cluster that are ours, not Kubernetes': what agents dial. */
const OWN = '/.coracle/v1/';

export default {
  async fetch(request: Request, b: Bindings, ctx: ExecutionContext): Promise<Response> {
    const resting = rest.came();
    if (resting) ctx.waitUntil(resting);
    // Without URL and a second Request: 3 % of the profile of a create.
    const path = pathStart(request.url);
    if (!request.url.startsWith(CLUSTERS, path)) return app.fetch(request, b, ctx);
    const response = await answerOfCluster(request, b, ctx, path);
    if (response.status >= 400) await takeRest(request);
    return response;
  },
} satisfies ExportedHandler<Bindings>;

/** `path`: where it begins in the URL. */
async function answerOfCluster(request: Request, b: Bindings, ctx: ExecutionContext, path: number): Promise<Response> {
  const { url } = request;
  const [id = ''] = /^[^/?]*/.exec(url.slice(path + CLUSTERS.length)) ?? [];
  const pathAt = path + CLUSTERS.length + id.length;
  const base = b.PUBLIC_URL === '' ? url.slice(0, path) : b.PUBLIC_URL;
  const around = { waitUntil: (p: Promise<unknown>) => ctx.waitUntil(p), calls, pause };
  const context = clusterContext(b, around, id, base + CLUSTERS + id, pathAt);
  try {
    if (context.view.revision === 0) await fillView(context);
    if (url.startsWith(OWN, pathAt)) return await own(request, new URL(url.slice(pathAt), url), b, context);
  } catch (error) {
    return refused(error, id);
  }
  // A stream waits for its node, not for this thread.
  if (request.headers.has('upgrade')) return api(request, context);
  const entered = gate.enter(id, limitsOf(b, context.view).requests, request);
  const queued = entered instanceof Promise;
  const end = queued || !gate.alone ? outlive(request, world, (p) => ctx.waitUntil(p)) : undefined;
  const seat = queued ? await entered : entered;
  if (seat === null) {
    end?.();
    return Response.json(TOO_MANY.status, { status: 429, headers: { 'retry-after': '1' } });
  }
  context.alone = () => gate.alone;
  let made: Promise<void> | undefined;
  context.sends = true;
  context.streams = (ended) => {
    made = ended;
  };
  try {
    return await api(request, context);
  } finally {
    if (made) ctx.waitUntil(madeOrGone(made, request).then(() => gate.leave(id, seat)));
    else gate.leave(id, seat);
    end?.();
  }
}

/** The endpoint's operator may see the history of every cluster, others as far as the cluster lets them. */
async function history(request: Request, b: Bindings, context: ClusterContext): Promise<Response> {
  const isOperator = await checkOperator(b, request.headers.get('authorization') ?? undefined).then(
    () => true,
    () => false,
  );
  return api.history(request, context, isOperator ? { user: OPERATOR } : undefined);
}

const SERVING = SERVING_PATH.slice(OWN.length);
const JOIN = JOIN_PATH.slice(OWN.length);

/** The agent's control channel, streams and certificate; the history of objects. */
async function own(
  request: Request,
  url: URL,
  b: Bindings,
  context: ReturnType<typeof clusterContext>,
): Promise<Response> {
  const [what, stream] = url.pathname.slice(OWN.length).split('/');
  if (what === 'history' && request.method === 'GET') return history(request, b, context);
  const { user } = await authenticateRequest(request.headers, context);
  if (what === JOIN && request.method === 'POST') {
    const given = await joinNode(joined, b, context, user, await readBody(request, NewNode));
    return Response.json(given, { status: 201 });
  }
  const node = nodeOf(user);
  if (node === null) throw forbidden({ group: '', resource: '' }, '', 'only nodes may do this');
  if (user.bound) {
    const sure = await context.store('nodes', '').confirm({ exist: [...user.bound] });
    if (!sure.ok) throw forbidden({ group: '', resource: '' }, '', 'the node is gone');
  }
  if (what === 'tunnel' && request.headers.get('upgrade') === 'websocket') {
    const target = `https://tunnel.invalid/?cluster=${context.id}&node=${encodeURIComponent(node)}&via=${processName()}`;
    const tunnel = tunnelName(context.id, node);
    const answer = await b.TUNNELS.getByName(tunnel).fetch(target, request);
    if (answer.status === 101) keepTunnel(tunnel);
    return answer;
  }
  if (what === 'streams' && stream !== undefined && /^[0-9a-f]{64}$/.test(stream)) {
    return b.RELAYS.get(b.RELAYS.idFromString(stream)).fetch(`https://relay.invalid/agent${url.search}`, request);
  }
  if (what === SERVING && request.method === 'POST') {
    const keys = context.view.get(`${KEYS_RESOURCE}/main`)?.data as unknown as StoredKeys;
    const body = await readBody(request, NewServing);
    return Response.json(await servingAnswer(body, { pem: keys.ca, key: keys.caKey }, world.now()), { status: 201 });
  }
  throw notFound({ group: '', resource: 'streams' }, stream ?? '');
}

function refused(error: unknown, id: string): Response {
  const gone = error instanceof StoreError && error.code === 'no-cluster';
  if (gone) error = notFound({ group: 'tenancy.coracle.dev', resource: 'clusters' }, id);
  // The tunnel or relay object that was called has lost its owner: another takes it over within seconds.
  const lost = (error as { retryable?: unknown } | undefined)?.retryable === true;
  if (lost) error = new StoreError('unavailable', String(error));
  error = storeStatus(error) ?? error;
  if (error instanceof StatusError) {
    const after = error.status.details?.retryAfterSeconds;
    const headers: Record<string, string> = after === undefined ? {} : { 'retry-after': String(after) };
    return Response.json(error.status, { status: error.code, headers });
  }
  world.log('error', 'request.failed', {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  return Response.json(
    {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Internal error occurred',
      reason: 'InternalError',
      code: 500,
    },
    { status: 500 },
  );
}
