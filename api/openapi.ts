import { printJson } from '../kube/codec/json.ts';
import { JSON_TYPE, negotiate, PLAIN } from '../kube/codec/negotiate.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { openApiV3 as documentV3, openApiIndex as indexOf } from '../kube/schema/openapi.ts';
import { openApiV2 as documentV2 } from '../kube/schema/openapi-v2.ts';
import { type ApiResource, findResource, resourcesOf } from '../kube/schema/resources.ts';
import type { Schemas } from '../kube/schema/schema.ts';
import type { Call } from './call.ts';
import { groupsOf, tagOf } from './discovery.ts';
import type { Resource } from './parts.ts';
import { plainText, respond } from './respond.ts';

// OpenAPI documents. A group's document is made when it's first asked for; its hash comes from the shapes, without making it.

/** Ready texts of built-in groups, shared by all clusters of the isolate; some 30 documents of at most 1 MB. */
const texts = new Map<string, string>();
/** The v2 document, of built-in kinds only. */
let v2: { text: string; etag: string } | undefined;

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
export function openApiIndex(call: Call): Response {
  const hashes = new Map([...versionsOf(call)].map(([path, v]) => [path, v.hash]));
  return cached(call, printJson(indexOf(hashes)), undefined);
}

/** `/openapi/v3/<path>`: one document. With the right hash it may be kept for ever; with another one the client is sent to the right one. */
export function openApiV3(call: Call): Response {
  const path = call.info.path.replace(/^\/openapi\/v3\//, '').replace(/\/$/, '');
  const v = versionsOf(call).get(path);
  if (!v) return plainText(call, 404, '404 page not found\n');
  const asked = call.query.get('hash');
  if (asked !== null && asked !== v.hash) {
    const moved = respond(call, 301, null, JSON_TYPE);
    moved.headers.set('location', `${call.cluster.url}/openapi/v3/${path}?hash=${v.hash}`);
    return moved;
  }
  return cached(call, textOf(call.parts.schemas, v), v.hash, asked !== null);
}

function textOf(schemas: Schemas, v: Version): string {
  const known = texts.get(`${schemas.minor} ${v.hash}`);
  if (known !== undefined) return known;
  const text = printJson(makeV3(schemas, v));
  // A cluster's own kinds are made anew each time: they are few, and no other cluster has them.
  if (!v.resources.some((r) => r.custom)) texts.set(`${schemas.minor} ${v.hash}`, text);
  return text;
}
function makeV3(schemas: Schemas, v: Version): JsonObject {
  const described = v.resources.map(describe).filter((r) => r !== undefined);
  return documentV3(
    schemas,
    v.group,
    v.version,
    described.length > 0 ? described : resourcesOf(v.group, v.version).values(),
  );
}
function describe(r: Resource): ApiResource | undefined {
  return findResource(r.ref.group, r.ref.version, r.kind.plural);
}

/** `/openapi/v2`: all built-in kinds in one document. JSON only. */
export function openApiV2(call: Call): Response {
  call.out = negotiate(call.request.headers.get('accept'), PLAIN);
  if (!v2) {
    const { schemas } = call.parts;
    const documents = [...versionsOf(call).values()].filter((v) => !v.resources.some((r) => r.custom));
    const text = printJson(
      documentV2(
        schemas.minor,
        documents.map((v) => makeV3(schemas, v)),
      ),
    );
    v2 = { text, etag: tagOf(text) };
  }
  return cached(call, v2.text, v2.etag);
}

/** A text with its ETag; 304 when the client has it. */
function cached(call: Call, text: string, tag: string | undefined, forever = false): Response {
  const etag = `"${tag ?? tagOf(text)}"`;
  const same = call.request.headers.get('if-none-match') === etag;
  const response = respond(call, same ? 304 : 200, same ? null : text, JSON_TYPE);
  response.headers.set('etag', etag);
  response.headers.set('vary', 'Accept');
  if (forever) response.headers.set('cache-control', 'public, immutable');
  return response;
}
