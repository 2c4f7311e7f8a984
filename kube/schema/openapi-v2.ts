import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { finish, type Steps } from '../meta/steps.ts';

// OpenAPI v2 (Swagger) made from v3 documents, for clients that still read /openapi/v2: Terraform, old kubectl, the e2e suite.

const V3_REF = '#/components/schemas/';
const V2_REF = '#/definitions/';
/** Schemas that v2 says otherwise. */
const SPECIAL: Record<string, JsonObject> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: 'string' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: 'string', format: 'int-or-string' },
};
/** Keywords that v2 lacks; a schema that uses one is published open there, as upstream does. */
const ONLY_V3 = new Set(['oneOf', 'anyOf', 'not', 'nullable', 'default']);

/** One v2 document of all v3 documents of a server. */
export function openApiV2(minor: string, documents: Iterable<JsonObject>): JsonObject {
  return finish(openApiV2Steps(minor, documents));
}

/** Paths and definitions of one step. */
const MEMBERS_STEP = 32;
/** openApiV2() in steps. */
export function* openApiV2Steps(minor: string, documents: Iterable<JsonObject>): Steps<JsonObject> {
  const paths: JsonObject = {};
  const definitions: JsonObject = {};
  let n = 0;
  for (const d of documents) {
    for (const path in d.paths as JsonObject) {
      paths[path] = pathItem((d.paths as JsonObject)[path]);
      if (++n % MEMBERS_STEP === 0) yield;
    }
    const schemas = (d.components as { schemas?: JsonObject }).schemas ?? {};
    for (const name in schemas) {
      addDefinition(definitions, name, schemas[name] ?? {});
      if (++n % MEMBERS_STEP === 0) yield;
    }
  }
  const sorted: JsonObject = {};
  for (const name of Object.keys(definitions).sort()) sorted[name] = definitions[name];
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: minor },
    paths,
    definitions: sorted,
    securityDefinitions: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } },
    security: [{ BearerToken: [] }],
  };
}

/** Documents repeat shared schemas; only the kinds of meta/v1 differ between them, by the groups they name. */
function addDefinition(definitions: JsonObject, name: string, schema: Json): void {
  const known = definitions[name];
  const next = SPECIAL[name] ?? schemaV2(schema);
  const kinds = 'x-kubernetes-group-version-kind';
  if (isObject(known) && isObject(next)) {
    const all = [...((known[kinds] as Json[]) ?? []), ...((next[kinds] as Json[]) ?? [])];
    const unique = new Map(all.map((k) => [JSON.stringify(k), k]));
    if (unique.size > 0) known[kinds] = [...unique.values()];
    return;
  }
  definitions[name] = next;
}

function schemaV2(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(schemaV2);
  if (!isObject(schema)) return schema;
  const out: JsonObject = {};
  for (const key in schema) {
    const value = schema[key];
    if (value === undefined) continue;
    const single = key === 'allOf' && Array.isArray(value) && value.length === 1 ? value[0] : undefined;
    if (isObject(single) && single.$ref !== undefined) Object.assign(out, schemaV2(single));
    else if (key === '$ref' && typeof value === 'string') out.$ref = value.replace(V3_REF, V2_REF);
    else if (key === 'properties' && isObject(value)) out.properties = properties(value);
    else if (!ONLY_V3.has(key)) out[key] = key === 'enum' ? value : schemaV2(value);
  }
  return out;
}

/** Names of properties are no keywords. */
function properties(o: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const name in o) out[name] = schemaV2(o[name] ?? {});
  return out;
}

function pathItem(item: Json | undefined): JsonObject {
  const out: JsonObject = {};
  if (!isObject(item)) return out;
  for (const key in item) {
    const value = item[key];
    if (key === 'parameters') out.parameters = parameters(value);
    else if (isObject(value)) out[key] = operation(value);
  }
  return out;
}

function parameters(list: Json | undefined): Json[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map(({ schema, ...rest }) => ({ ...(isObject(schema) ? schema : {}), ...rest }));
}

function operation(op: JsonObject): JsonObject {
  const { requestBody, responses, parameters: given, ...rest } = op;
  const body = isObject(requestBody) ? requestBody : undefined;
  const content = isObject(body?.content) ? body.content : {};
  const first = Object.values(content)[0];
  const schema = isObject(first) ? schemaV2(first.schema ?? {}) : {};
  const bodyParameter = body
    ? [{ name: 'body', in: 'body', ...(body.required ? { required: true } : {}), schema } as JsonObject]
    : [];
  const produces = new Set<string>();
  const answers: JsonObject = {};
  for (const code in responses as JsonObject) {
    const r = (responses as JsonObject)[code];
    if (!isObject(r)) continue;
    const types = isObject(r.content) ? r.content : {};
    for (const type in types) produces.add(type);
    const answer = Object.values(types)[0];
    answers[code] = {
      description: r.description ?? '',
      ...(isObject(answer) ? { schema: schemaV2(answer.schema ?? {}) } : {}),
    };
  }
  const made = [...produces].sort(byOrder);
  // What no resource's verb is (the lists of discovery) reads what it writes.
  const without = rest['x-kubernetes-action'] === undefined ? made : ['*/*'];
  return {
    consumes: body ? Object.keys(content).sort(byOrder) : without,
    produces: made,
    schemes: ['https'],
    ...rest,
    ...(body || given ? { parameters: [...bodyParameter, ...parameters(given)] } : {}),
    responses: answers,
  };
}

/** v2 lists media types as the server registers them; v3's are members of an object, by name. */
const MEDIA_ORDER = [
  'text/plain',
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const byOrder = (a: string, b: string): number => MEDIA_ORDER.indexOf(a) - MEDIA_ORDER.indexOf(b);
