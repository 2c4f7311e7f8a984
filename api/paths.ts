import { Hono } from 'hono';
import { printJson } from '../kube/codec/json.ts';
import { DISCOVERY, JSON_TYPE, negotiate, PLAIN, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import { encodeObject as protoObject } from '../kube/codec/protobuf.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { DISCOVERY_MAX_AGE_SECONDS, jwksDocument, openIdConfiguration } from './authn/jwt.ts';
import { type Call, inTurns } from './call.ts';
import {
  aggregated,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type Document,
  groupsOf,
  readResources,
} from './discovery.ts';
import { encodeText } from './encode.ts';
import { health } from './health.ts';
import { metricsText } from './metrics.ts';
import { openApiIndex, openApiV2, openApiV3 } from './openapi.ts';
import type { Parts } from './parts.ts';
import { plainText, respond } from './respond.ts';

type Outer = { Bindings: { call: Call } };

/** `kubectl version` and every client that asks what we are. */
export const VERSION = {
  major: '1',
  minor: '37',
  emulationMajor: '1',
  emulationMinor: '37',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '36',
  gitVersion: 'v1.37.1',
  gitCommit: 'coracle',
  gitTreeState: 'clean',
  buildDate: '2026-11-21T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'workerd/any',
} as const;

/** Answers what isn't a resource: discovery, OpenAPI, health, version, the issuer's documents. */
export function paths(parts: Parts): (call: Call) => Promise<Response> {
  // By the cluster's own path: the request's may have a prefix that names the cluster. As in strict: false, a slash at the end says nothing.
  const getPath = (_: Request, o?: { env?: Outer['Bindings'] }) =>
    o?.env?.call.info.path.replace(/(?<=.)\/$/, '') ?? '/';
  const app = new Hono<Outer>({ getPath });
  discoveryRoutes(app);
  app.get('/version', (c) => json(c.env.call, VERSION));
  app.get('/metrics', (c) => respond(c.env.call, 200, metricsText(), 'text/plain; version=0.0.4; charset=utf-8'));
  app.get('/.well-known/openid-configuration', async (c) => {
    const { call } = c.env;
    return issuerDocument(call, await openIdConfiguration(call.cluster.keys, call.cluster.url), JSON_TYPE);
  });
  app.get('/openid/v1/jwks', async (c) => {
    const { call } = c.env;
    return issuerDocument(call, await jwksDocument(call.cluster.keys), 'application/jwk-set+json');
  });
  app.get('/openapi/v3', (c) => openApiIndex(c.env.call));
  app.get('/openapi/v3/*', (c) => openApiV3(c.env.call));
  app.get('/openapi/v2', (c) => openApiV2(c.env.call));
  for (const name of ['healthz', 'livez', 'readyz'] as const) {
    app.get(`/${name}`, (c) => health(c.env.call, name, ''));
    app.get(`/${name}/:check{.+}`, (c) => health(c.env.call, name, c.req.param('check')));
  }
  app.get('/', (c) => json(c.env.call, { paths: rootPaths(c.env.call) }));
  app.notFound((c) => plainText(c.env.call, 404, '404 page not found\n'));
  app.onError((e) => {
    throw e;
  });
  void parts;
  return async (call) => app.fetch(call.request, { call });
}

function discoveryRoutes(app: Hono<Outer>): void {
  app.get('/api', (c) => discovery(c.env.call, true));
  app.get('/apis', (c) => discovery(c.env.call, false));
  app.get('/api/:version', (c) => resourceList(c.env.call, '', c.req.param('version')));
  app.get('/apis/:group', async (c) => {
    const { call } = c.env;
    await readResources(call);
    const group = groupsOf(call.cluster.view, call.resources).find((g) => g.name === c.req.param('group'));
    return group && group.name !== '' ? json(call, apiGroup(group), 'APIGroup') : elsewhere(call);
  });
  app.get('/apis/:group/:version', (c) => resourceList(c.env.call, c.req.param('group'), c.req.param('version')));
}

async function elsewhere(call: Call): Promise<Response> {
  return (await call.parts.aggregate?.(call)) ?? plainText(call, 404, '404 page not found\n');
}

async function resourceList(call: Call, group: string, version: string): Promise<Response> {
  await readResources(call);
  const found = groupsOf(call.cluster.view, call.resources)
    .find((g) => g.name === group)
    ?.versions.find((v) => v.version === version);
  return found ? json(call, apiResourceList(group, version, found.resources), 'APIResourceList') : elsewhere(call);
}

/** An aggregated list of a revision of the policy; undefined until it has been made. */
interface Slot {
  groups: ReturnType<typeof groupsOf>;
  doc?: Document;
}
/** `/api` and `/apis`, aggregated where the client asks for it: with an ETag, so that an unchanged answer costs nothing. */
async function discovery(call: Call, core: boolean): Promise<Response> {
  call.out = negotiate(call.request.headers.get('accept'), DISCOVERY);
  const { view } = call.cluster;
  const { as } = call.out;
  await readResources(call);
  if (as === null) {
    const address = new URL(call.cluster.url).host;
    return json(
      call,
      core ? apiVersions(address) : apiGroupList(groupsOf(view, call.resources)),
      core ? 'APIVersions' : 'APIGroupList',
    );
  }
  const name = `api.discovery.${core ? 'core' : 'groups'}.${as.version}`;
  const slot = view.compiled(name, (v): Slot => ({ groups: groupsOf(v, call.resources) }));
  // Two who make it at the same time make the same.
  const doc = slot.doc ?? (await inTurns(call, aggregated(slot.groups, core, as.version)));
  slot.doc = doc;
  const etag = `"${doc.etag}"`;
  const type = `${JSON_TYPE};g=apidiscovery.k8s.io;v=${as.version};as=APIGroupDiscoveryList`;
  const same = call.request.headers.get('if-none-match') === etag;
  const response = respond(call, same ? 304 : 200, same ? null : doc.text, type);
  response.headers.set('etag', etag);
  response.headers.set('vary', 'Accept');
  response.headers.set('cache-control', 'public');
  return response;
}

/** JSON (or what else is asked for) of a document of ours; `kind` names its protobuf shape in meta/v1. */
function json(call: Call, object: JsonObject, kind?: string): Response {
  if (call.out.as === null) call.out = negotiate(call.request.headers.get('accept'), PLAIN);
  const struct =
    kind && call.out.type === PROTOBUF_TYPE
      ? call.parts.schemas.struct(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`)
      : undefined;
  if (struct && kind) return respond(call, 200, protoObject(struct, object, 'v1', kind), PROTOBUF_TYPE);
  const { type, body } = encodeText(object, call.out, false);
  return respond(call, 200, body, type);
}

function issuerDocument(call: Call, object: JsonObject, type: string): Response {
  const response = respond(call, 200, printJson(object), type);
  response.headers.set('cache-control', `public, max-age=${DISCOVERY_MAX_AGE_SECONDS}`);
  return response;
}

/** What `/` lists, as far as we have it. */
function rootPaths(call: Call): string[] {
  const out = ['/.well-known/openid-configuration', '/api', '/api/v1', '/apis', '/apis/'];
  for (const g of groupsOf(call.cluster.view, call.resources)) {
    if (g.name === '') continue;
    out.push(`/apis/${g.name}`, ...g.versions.map((v) => `/apis/${g.name}/${v.version}`));
  }
  out.push('/healthz', '/livez', '/metrics', '/openapi/v2', '/openapi/v3', '/openid/v1/jwks', '/readyz', '/version');
  return out;
}
