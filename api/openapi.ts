import { parseAccept } from '../kube/codec/accept.ts';
import { printJson, printSteps } from '../kube/codec/json.ts';
import { JSON_TYPE } from '../kube/codec/negotiate.ts';
import { encodeOpenApi, OPENAPI_OLD_TYPE, OPENAPI_TYPE } from '../kube/codec/openapi.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { type FieldTexts, openApiIndex as indexOf, openApiV3Steps } from '../kube/schema/openapi.ts';
import { openApiV2Steps } from '../kube/schema/openapi-v2.ts';
import { type ApiResource, findResource, resourcesOf } from '../kube/schema/resources.ts';
import { type Call, inTurns } from './call.ts';
import { groupsOf, readResources, tagOf } from './discovery.ts';
import type { Resource } from './parts.ts';
import { plainText, respond } from './respond.ts';

// OpenAPI documents. A group's document is made when it's first asked for, in steps; its hash comes from the shapes, without making it.

/** Ready documents of built-in kinds, shared by all clusters of the isolate: some 30 of groups, of at most 1 MB, and both forms of v2, 2 MB together. */
const documents = new Map<string, Uint8Array>();

/** Group and version by document path: `api/v1`, `apis/apps/v1`. */
interface Version {
  path: string;
  group: string;
  version: string;
  resources: readonly Resource[];
  hash: string;
}

/** A document's hash: that of its shapes, and of its texts where there are any. */
const hashOf = (v: Version, texts: FieldTexts | undefined) => (texts ? tagOf(`${v.hash} ${texts.version}`) : v.hash);
const textsOf = async (call: Call) => call.cluster.texts?.(call.parts.schemas.minor);

function versionsOf(call: Call): ReadonlyMap<string, Version> {
  return call.cluster.view.compiled('api.openapi', (view) => {
    const out = new Map<string, Version>();
    for (const g of groupsOf(view, call.resources)) {
      for (const { version, resources } of g.versions) {
        const path = g.name === '' ? `api/${version}` : `apis/${g.name}/${version}`;
        const seed = resources.map((r) => `${r.kind.plural} ${r.hash} ${r.kind.verbs.join()}`).join('\n');
        out.set(path, { path, group: g.name, version, resources, hash: tagOf(`${VERSION_SEED}${path}\n${seed}`) });
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
  const texts = await textsOf(call);
  const hashes = new Map([...versionsOf(call)].map(([path, v]) => [path, hashOf(v, texts)]));
  const text = printJson(indexOf(hashes));
  return cached(call, tagOf(text), async () => text);
}

/** `/openapi/v3/<path>`: one document. With the right hash it may be kept for ever; with another one the client is sent to the right one. */
export async function openApiV3(call: Call): Promise<Response> {
  await readResources(call);
  const path = call.info.path.replace(/^\/openapi\/v3\//, '').replace(/\/$/, '');
  const v = versionsOf(call).get(path);
  if (!v) return plainText(call, 404, '404 page not found\n');
  const texts = await textsOf(call);
  const hash = hashOf(v, texts);
  const asked = call.query.get('hash');
  if (asked !== null && asked !== hash) {
    const moved = respond(call, 301, null, JSON_TYPE);
    moved.headers.set('location', `${call.cluster.url}/openapi/v3/${path}?hash=${hash}`);
    return moved;
  }
  return cached(call, hash, () => documentOf(call, v, texts), JSON_TYPE, asked !== null);
}

function documentOf(call: Call, v: Version, texts: FieldTexts | undefined): Promise<Uint8Array> {
  const { schemas } = call.parts;
  const make = async () => printed(call, await makeV3(call, v, texts));
  // A cluster's own kinds are made anew each time: they are few, and no other cluster has them.
  return v.resources.some((r) => r.custom) ? make() : madeOnce(`${schemas.minor} ${hashOf(v, texts)}`, make);
}
/** Texts that have changed make all anew: the old ones go. */
const DOCUMENTS_MAX = 64;
/** Two who make a document at the same time make the same. */
async function madeOnce(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
  const made = documents.get(name) ?? (await make());
  if (documents.size >= DOCUMENTS_MAX) documents.clear();
  documents.set(name, made);
  return made;
}
async function makeV3(call: Call, v: Version, texts: FieldTexts | undefined): Promise<JsonObject> {
  const described = v.resources.map(describe).filter((r) => r !== undefined);
  const resources = described.length > 0 ? described : resourcesOf(v.group, v.version).values();
  const texted = await texts?.of(v.path);
  return inTurns(call, openApiV3Steps(call.parts.schemas, v.group, v.version, resources, undefined, texted));
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

/** Which form of the v2 document a request asks for. */
type Form = 'json' | 'protobuf';
const subtype = (type: string) => type.slice('application/'.length);
/** By subtype, in upstream's order: the first answers a wildcard. */
const FORMS: ReadonlyMap<string, Form> = new Map([
  [subtype(JSON_TYPE), 'json'],
  [subtype(OPENAPI_OLD_TYPE), 'protobuf'],
  [subtype(OPENAPI_TYPE), 'protobuf'],
]);
function formOf(accept: string | null): Form | undefined {
  for (const clause of parseAccept(accept || '*/*')) {
    if (clause.type !== 'application' && clause.type !== '*') continue;
    for (const [name, form] of FORMS) if (clause.subtype === name || clause.subtype === '*') return form;
  }
  return undefined;
}

/** `/openapi/v2`: all built-in kinds in one document, as JSON or in gnostic's protobuf form; both have the same ETag. */
export async function openApiV2(call: Call): Promise<Response> {
  const form = formOf(call.request.headers.get('accept'));
  if (!form) return bare(call, 406);
  await readResources(call);
  const versions = [...versionsOf(call).values()].filter((v) => !v.resources.some((r) => r.custom));
  const texts = await textsOf(call);
  const tag = tagOf(V2_SEED + versions.map((v) => hashOf(v, texts)).join());
  const make = () => madeOnce(`v2 ${form} ${tag}`, () => makeV2(call, versions, form, texts));
  return cached(call, tag, make, form === 'json' ? JSON_TYPE : OPENAPI_TYPE);
}
/** Changes when the form of the v2 document does. */
const V2_SEED = '1\n';

async function makeV2(
  call: Call,
  versions: readonly Version[],
  form: Form,
  texts: FieldTexts | undefined,
): Promise<Uint8Array> {
  const { schemas } = call.parts;
  const made: JsonObject[] = [];
  for (const v of versions) {
    made.push(await makeV3(call, v, texts));
    await call.cluster.turn?.();
  }
  const document = await inTurns(call, openApiV2Steps(schemas.minor, made));
  return form === 'json' ? printed(call, document) : inTurns(call, encodeOpenApi(document));
}

/** A document with its ETag; 304 when the client has it, without making it. */
async function cached(
  call: Call,
  tag: string,
  make: () => Promise<string | Uint8Array>,
  type: string = JSON_TYPE,
  forever = false,
): Promise<Response> {
  const etag = `"${tag}"`;
  const response = knows(call.request.headers.get('if-none-match'), etag)
    ? bare(call, 304)
    : respond(call, 200, await make(), type);
  response.headers.set('etag', etag);
  response.headers.set('vary', 'Accept');
  if (forever) response.headers.set('cache-control', 'public, immutable');
  return response;
}
/** If-None-Match as Go's http.ServeContent reads it: several tags, weak ones too, or any. */
function knows(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.split(',').some((t) => ['*', etag, `W/${etag}`].includes(t.trim()));
}
/** An answer without a body, and so without its type. */
function bare(call: Call, code: 304 | 406): Response {
  const response = respond(call, code, null, '');
  response.headers.delete('content-type');
  response.headers.set('vary', 'Accept');
  return response;
}
