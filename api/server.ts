import {
  CUSTOM_RESOURCE,
  negotiate,
  negotiateWatch,
  PLAIN,
  RESOURCE,
  VIRTUAL,
  wantsPretty,
} from '../kube/codec/negotiate.ts';
import { failure, StatusError, unauthorized } from '../kube/meta/status.ts';
import type { Stale } from '../kube/store/store.ts';
import type { Caller, ClusterContext, User } from './attributes.ts';
import { bearerToken, socketToken } from './authn/authenticate.ts';
import { impersonate, impersonationWanted } from './authn/impersonate.ts';
import { ANONYMOUS } from './authn/users.ts';
import { type Authorize, chain } from './authz/authorize.ts';
import { Again, authorize, type Call, confirm, credentialGone, type Kept, warn } from './call.ts';
import { denied } from './forbidden.ts';
import { history, historyTarget } from './history.ts';
import { countRequest } from './metrics.ts';
import type { Parts, Resource } from './parts.ts';
import { paths } from './paths.ts';
import { parseRequest, splitUrl } from './request.ts';
import { indexResources, type Resources } from './resources.ts';
import { methodNotAllowed, notRepresentable, plainText, respondError, unknownResource } from './respond.ts';
import { act, isVirtual } from './verbs/action.ts';
import { create } from './verbs/create.ts';
import { remove } from './verbs/delete.ts';
import { removeCollection } from './verbs/deletecollection.ts';
import { get } from './verbs/get.ts';
import { list } from './verbs/list.ts';
import { patch } from './verbs/patch.ts';
import { subresource } from './verbs/subresource.ts';
import { update } from './verbs/update.ts';
import { watch } from './verbs/watch.ts';

/** How often a request is decided anew because what it was decided on had changed. */
const ATTEMPTS_MAX = 5;

/** The API server of one Kubernetes minor, for any number of clusters. */
export interface Api {
  /** Answers a client. The path is relative to the cluster. Never throws. */
  (request: Request, cluster: ClusterContext): Promise<Response>;
  /** Answers a caller inside the control plane: identity and fence are arguments, the rest of the chain is the same. */
  handle(request: Request, cluster: ClusterContext, caller: Caller): Promise<Response>;
  /** The versions of one object, named by the query (history.ts): for whoever may get it, or a caller inside the control plane. */
  history(request: Request, cluster: ClusterContext, caller?: Caller): Promise<Response>;
}

/** Makes the server. Keep it for the isolate's life: it holds what is compiled of the parts. */
export function createApi(parts: Parts): Api {
  const server: Server = {
    parts,
    resources: indexResources(parts),
    authorizer: chain(parts.authorizers),
    other: paths(parts),
  };
  const api = (request: Request, cluster: ClusterContext) => serve(server, request, cluster, undefined, answer);
  return Object.assign(api, {
    handle: (request: Request, cluster: ClusterContext, caller: Caller) =>
      serve(server, request, cluster, caller, answer),
    history: (request: Request, cluster: ClusterContext, caller?: Caller) =>
      serve(server, request, cluster, caller, answerHistory),
  });
}

interface Server {
  parts: Parts;
  resources: Resources;
  authorizer: Authorize;
  other: ReturnType<typeof paths>;
}

async function serve(
  server: Server,
  request: Request,
  cluster: ClusterContext,
  caller: Caller | undefined,
  work: (server: Server, call: Call) => Promise<Response>,
): Promise<Response> {
  const id = cluster.env.uuid();
  const auditId = auditIdOf(request) ?? id;
  const kept: Kept = { commits: 0 };
  let call: Call | undefined;
  try {
    for (let attempt = 1; ; attempt++) {
      call = begin(server, request, cluster, caller, { id, auditId, kept });
      try {
        return counted(call, await work(server, call));
      } catch (e) {
        const again = e instanceof Again ? e : await refusal(e, call);
        await learn(cluster, again.stale);
        if (credentialGone(call, again.stale)) throw unauthorized();
        if (attempt === ATTEMPTS_MAX)
          throw failure(
            'ServerTimeout',
            "the cluster's policy changes faster than the request can be decided, please try again",
            { retryAfterSeconds: 1 },
          );
      }
    }
  } catch (e) {
    return counted(
      call,
      respondError(e, { call, auditId, out: call?.out, log: cluster.env.log, schemas: server.parts.schemas }),
    );
  }
}

/** Brings the View up to what a store knows. One without policies knows a revision only: the View moves with what the main store tells. */
async function learn(cluster: ClusterContext, stale: Stale): Promise<void> {
  if (!stale.elsewhere) return cluster.view.apply(stale);
  const answer = await cluster.store('namespaces', '').confirm({ policy: cluster.view.revision });
  if (!answer.ok) cluster.view.apply(answer);
}

function counted(call: Call | undefined, response: Response): Response {
  if (call?.info.isResource) {
    const { verb, group, version, resource } = call.info;
    countRequest(verb, group, version, resource, response.status);
  }
  return response;
}

/** A refusal decided from the View is confirmed before it is sent: what it was refused for may have come about meanwhile. */
async function refusal(e: unknown, call: Call): Promise<Again> {
  if (!(e instanceof StatusError) || (e.code !== 401 && e.code !== 403 && e.code !== 404)) throw e;
  try {
    await confirm(call);
  } catch (stale) {
    if (stale instanceof Again) return stale;
    throw stale;
  }
  throw e;
}

const AUDIT_ID_MAX = 64;
function auditIdOf(request: Request): string | undefined {
  const given = request.headers.get('audit-id');
  return given && given.length <= AUDIT_ID_MAX && /^[\x21-\x7e]+$/.test(given) ? given : undefined;
}

function begin(
  { parts, resources, authorizer }: Server,
  request: Request,
  cluster: ClusterContext,
  caller: Caller | undefined,
  ids: { id: string; auditId: string; kept: Kept },
): Call {
  const { path, query } = splitUrl(request.url, cluster.pathAt);
  return {
    parts,
    resources,
    authorizer,
    cluster,
    request,
    query,
    info: parseRequest(request.method, decodePath(path), query),
    user: caller?.user ?? ANONYMOUS,
    policy: cluster.view.revision,
    caller,
    out: DEFAULT_OUT,
    pretty: false,
    auditId: ids.auditId,
    id: ids.id,
    exist: caller?.assume?.exist ? [...caller.assume.exist] : [],
    confirmed: false,
    warnings: [],
    annotations: {},
    kept: ids.kept,
  };
}
const DEFAULT_OUT = negotiate(null, PLAIN);

function decodePath(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw failure('BadRequest', `invalid URL escape in ${JSON.stringify(path)}`);
  }
}

async function answerHistory(_server: Server, call: Call): Promise<Response> {
  await identify(call);
  // Which kinds there are is for whoever has a credential, as discovery is.
  if (call.user === ANONYMOUS) throw unauthorized();
  const { resource, info } = await historyTarget(call);
  call.info = info;
  await checkAllowed(call);
  return history(call, resource);
}

async function answer(server: Server, call: Call): Promise<Response> {
  await identify(call);
  await checkAllowed(call);
  if (!call.info.isResource) {
    // What is served depends on the cluster's own kinds: a new one must be there at once.
    if (call.info.path.startsWith('/api') || call.info.path.startsWith('/openapi')) await confirm(call);
    return server.other(call);
  }
  return dispatch(server, call);
}

/** Who asks, and as whom. */
async function identify(call: Call): Promise<void> {
  if (!call.caller) call.user = await authenticate(call);
  if (!asksToImpersonate(call.request.headers)) return;
  const wanted = impersonationWanted(call.request.headers);
  if (wanted) call.user = await impersonate(wanted, call.user, call.info, (user, a) => authorize(call, user, a));
}

/** Looked for by the first headers: nobody else pays for it. */
const asksToImpersonate = (h: Headers): boolean =>
  h.has('impersonate-user') || h.has('impersonate-group') || h.has('impersonate-uid');

async function authenticate(call: Call): Promise<User> {
  const { headers } = call.request;
  const authorization = headers.get('authorization');
  let token = authorization === null ? null : bearerToken(authorization);
  if (token === null) {
    const socket = socketToken(headers);
    if (socket === 'bad') throw unauthorized();
    if (socket === null) return ANONYMOUS;
    token = socket.token;
  }
  for (const a of call.parts.authenticators) {
    const user = await a.authenticate(token, call.cluster);
    if (user) return user;
  }
  throw unauthorized();
}

async function checkAllowed(call: Call): Promise<void> {
  const asked = authorize(call, call.user, call.info);
  // Most are decided from the View at once: awaiting a plain value would cost a turn.
  const verdict = asked instanceof Promise ? await asked : asked;
  if (!verdict.allow) throw denied(call.user, call.info, verdict.reason);
}

const VERBS: Readonly<Record<string, (call: Call, resource: Resource) => Promise<Response>>> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
};

/** What every request for a deprecated version is warned of. */
const DEPRECATED: Readonly<Record<string, string>> = {
  '/v1/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/v1/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

async function dispatch(server: Server, call: Call): Promise<Response> {
  const { info } = call;
  const resource = server.resources.find(call.cluster.view, info.group, info.version, info.resource);
  if (!resource) {
    const elsewhere = await call.parts.aggregate?.(call);
    if (elsewhere) return elsewhere;
    await confirm(call);
    if (!isKnownGroup(server, call)) return plainText(call, 404, '404 page not found\n');
    throw unknownResource();
  }
  const { headers } = call.request;
  const choose = info.verb === 'watch' ? negotiateWatch : negotiate;
  try {
    const offer = isVirtual(resource) ? VIRTUAL : resource.custom ? CUSTOM_RESOURCE : RESOURCE;
    call.out = choose(headers.get('accept'), offer);
  } catch (e) {
    throw notRepresentable(headers.get('accept') ?? '', info.verb === 'list' || info.verb === 'watch') ?? e;
  }
  call.pretty = wantsPretty(call.out, call.query.get('pretty'), headers.get('user-agent'));
  checkScope(call, resource);
  if (info.subresource !== '') return subresource(call, resource);
  // A name in the selector narrows a list; in the path it makes a watch of one object.
  const verb = VERBS[info.verb];
  if (!verb || !resource.kind.verbs.includes(info.verb) || isMisplaced(info)) {
    throw methodNotAllowed();
  }
  const old = DEPRECATED[`${info.group}/${info.version}/${info.resource}`];
  if (old !== undefined) warn(call, old);
  if (info.verb === 'create' && isVirtual(resource)) return act(call, resource, resource.ref);
  return verb(call, resource);
}

/** A verb for one object on the collection, or the other way round. */
const isMisplaced = ({ verb, name }: Call['info']): boolean =>
  verb === 'create' ? name !== '' : name === '' && (verb === 'update' || verb === 'patch');

function isKnownGroup(server: Server, call: Call): boolean {
  for (const r of server.resources.all(call.cluster.view)) {
    if (r.ref.group === call.info.group) return true;
  }
  return false;
}

/** A namespace in the path of a cluster-scoped kind, or none where a verb on one object needs it, names nothing. */
function checkScope(call: Call, resource: Resource): void {
  const { info } = call;
  if (resource.kind.scope === 'Cluster') {
    if (info.namespace !== '' && resource.key !== 'namespaces') throw unknownResource();
  } else if (info.namespace === '' && !isVirtual(resource)) {
    if (info.verb === 'create') throw methodNotAllowed();
    if (info.verb !== 'get' && info.verb !== 'update' && info.verb !== 'patch' && info.verb !== 'delete') return;
    throw unknownResource();
  }
}
