import { printJson, printSteps } from '../kube/codec/json.ts';
import { JSON_TYPE, negotiate, PLAIN } from '../kube/codec/negotiate.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { Steps } from '../kube/meta/steps.ts';
import { openApiIndex as indexOf, openApiV3Steps } from '../kube/schema/openapi.ts';
import { openApiV2Steps } from '../kube/schema/openapi-v2.ts';
import { type ApiResource, findResource, resourcesOf } from '../kube/schema/resources.ts';
import type { Schemas } from '../kube/schema/schema.ts';
import { type Call, inTurns } from './call.ts';
import { groupsOf, readResources, tagOf } from './discovery.ts';
import type { Resource } from './parts.ts';
import { plainText, respond } from './respond.ts';

// OpenAPI documents. A group's document is made when it's first asked for, in steps; its hash comes from the shapes, without making it.

/** Ready documents of built-in groups, shared by all clusters of the isolate; some 30 documents of at most 1 MB. */
const documents = new Map<string, Uint8Array>();
/** The v2 document, of built-in kinds only. */
let v2: { bytes: Uint8Array; etag: string } | undefined;

/** Group and version by document path: `api/v1`, `apis/apps/v1`. */
interface Version {
  group: string;
  version: string;
  resources: readonly Resource[];
  hash: string;
}

function versionsOf(call: Call): ReadonlyMap<string, Version> {
  return call.cluster.view.compiled('api.openapi', (view) => {
    const out = new Map<string, Version>();
    for (const g of groupsOf(view, call.resources)) {
      for (const { version, resources } of g.versions) {
        const path = g.name === '' ? `api/${version}` : `apis/${g.name}/${version}`;
        const seed = resources.map((r) => `${r.kind.plural} ${r.hash} ${r.kind.verbs.join()}`).join('\n');
        out.set(path, { group: g.name, version, resources, hash: tagOf(`${VERSION_SEED}${path}\n${seed}`) });
      }
    }
    return out;
  });
}
/** Changes when the form of the documents does. */
const VERSION_SEED = '1\n';

/** `/openapi/v3`: the paths of the documents with their hashes. */
export async function openApiIndex(call: Call): Promise<Response> {
  await readResources(call);
  const hashes = new Map([...versionsOf(call)].map(([path, v]) => [path, v.hash]));
  const text = printJson(indexOf(hashes));
  return cached(call, text, tagOf(text));
}

/** `/openapi/v3/<path>`: one document. With the right hash it may be kept for ever; with another one the client is sent to the right one. */
export async function openApiV3(call: Call): Promise<Response> {
  await readResources(call);
  const path = call.info.path.replace(/^\/openapi\/v3\//, '').replace(/\/$/, '');
  const v = versionsOf(call).get(path);
  if (!v) return plainText(call, 404, '404 page not found\n');
  const asked = call.query.get('hash');
  if (asked !== null && asked !== v.hash) {
    const moved = respond(call, 301, null, JSON_TYPE);
    moved.headers.set('location', `${call.cluster.url}/openapi/v3/${path}?hash=${v.hash}`);
    return moved;
  }
  return cached(call, await documentOf(call, v), v.hash, asked !== null);
}

async function documentOf(call: Call, v: Version): Promise<Uint8Array> {
  const { schemas } = call.parts;
  const name = `${schemas.minor} ${v.hash}`;
  const known = documents.get(name);
  if (known !== undefined) return known;
  const bytes = await printed(call, await inTurns(call, makeV3(schemas, v)));
  // A cluster's own kinds are made anew each time: they are few, and no other cluster has them.
  if (!v.resources.some((r) => r.custom)) documents.set(name, bytes);
  return bytes;
}
function makeV3(schemas: Schemas, v: Version): Steps<JsonObject> {
  const described = v.resources.map(describe).filter((r) => r !== undefined);
  return openApiV3Steps(
    schemas,
    v.group,
    v.version,
    described.length > 0 ? described : resourcesOf(v.group, v.version).values(),
  );
}
/** The members of `paths`, `definitions` and `components.schemas` one by one. */
const DEPTH = 3;
const utf8 = new TextEncoder();
async function printed(call: Call, document: JsonObject): Promise<Uint8Array> {
  const texts = await inTurns(call, printSteps(document, DEPTH));
  await call.cluster.turn?.();
  return utf8.encode(texts.join(''));
}
function describe(r: Resource): ApiResource | undefined {
  return findResource(r.ref.group, r.ref.version, r.kind.plural);
}

/** `/openapi/v2`: all built-in kinds in one document. JSON only. */
export async function openApiV2(call: Call): Promise<Response> {
  call.out = negotiate(call.request.headers.get('accept'), PLAIN);
  v2 ??= await makeV2(call);
  return cached(call, v2.bytes, v2.etag);
}
async function makeV2(call: Call): Promise<NonNullable<typeof v2>> {
  const { schemas } = call.parts;
  await readResources(call);
  const versions = [...versionsOf(call).values()].filter((v) => !v.resources.some((r) => r.custom));
  const made: JsonObject[] = [];
  for (const v of versions) {
    made.push(await inTurns(call, makeV3(schemas, v)));
    await call.cluster.turn?.();
  }
  const document = await inTurns(call, openApiV2Steps(schemas.minor, made));
  return { bytes: await printed(call, document), etag: tagOf(versions.map((v) => v.hash).join()) };
}

/** A text with its ETag; 304 when the client has it. */
function cached(call: Call, body: string | Uint8Array, tag: string, forever = false): Response {
  const etag = `"${tag}"`;
  const same = call.request.headers.get('if-none-match') === etag;
  const response = respond(call, same ? 304 : 200, same ? null : body, JSON_TYPE);
  response.headers.set('etag', etag);
  response.headers.set('vary', 'Accept');
  if (forever) response.headers.set('cache-control', 'public, immutable');
  return response;
}
