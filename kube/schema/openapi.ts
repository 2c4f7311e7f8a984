import type { Json, JsonObject } from '../meta/json.ts';
import type { GroupVersionKind } from '../meta/object.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { operationsOf } from './openapi-paths.ts';
import type { ApiResource } from './resources.ts';
import type { Field, Schemas, Struct, Type } from './schema.ts';

// OpenAPI documents made from shapes: what kubectl, client libraries and server-side apply read. Descriptions come from outside.

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const SPECIAL: Record<string, { name: string; schema: JsonObject }> = {
  time: { name: `${META}.Time`, schema: { type: 'string', format: 'date-time' } },
  'micro-time': { name: `${META}.MicroTime`, schema: { type: 'string', format: 'date-time' } },
  quantity: {
    name: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    schema: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  'int-or-string': {
    name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    schema: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
};
const EXTENSIONS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

export const PREFIX = '#/components/schemas/';

/** The schemas of one document, filled while references are followed. */
export interface Components {
  schemas: Map<string, JsonObject>;
  /** Structs whose schema is still to be made. */
  queue: Struct[];
  describe: Descriptions;
}

/**
 * The text of a struct, or of one of its fields by JSON name; undefined where there is none. The texts are upstream's and not part of this
 * tree: `coracle explain-text` extracts them (tools/generate/descriptions.ts).
 */
export type Descriptions = (struct: string, field?: string) => string | undefined;
/** What `kubectl explain` says beside types. */
export interface FieldTexts {
  /** Another one when the texts are others. */
  version: string;
  /** Those that an OpenAPI document (`api/v1`, `apis/apps/v1`) needs. */
  of(document: string): Promise<Descriptions>;
}

/** An OpenAPI v3 document of one group and version. `custom` holds ready schemas of CustomResources by kind. */
export function openApiV3(...of: Parameters<typeof openApiV3Steps>): JsonObject {
  return finish(openApiV3Steps(...of));
}

/** openApiV3() in steps of a few resources or structs. */
export function* openApiV3Steps(
  schemas: Schemas,
  group: string,
  version: string,
  resources: Iterable<ApiResource>,
  custom: ReadonlyMap<string, JsonObject> = new Map(),
  describe: Descriptions = () => undefined,
): Steps<JsonObject> {
  const components: Components = { schemas: new Map(), queue: [], describe };
  const paths = yield* operationsOf(schemas, group, version, resources, custom, components);
  yield;
  yield* fill(components, schemas, group, version);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: schemas.minor },
    paths,
    components: {
      schemas: sorted(components.schemas),
      securitySchemes: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } },
    },
  };
}

/** The index of the documents: path without a slash (`api/v1`, `apis/apps/v1`) to its document's hash, which lets clients cache. */
export function openApiIndex(hashes: ReadonlyMap<string, string>): JsonObject {
  const paths: JsonObject = {};
  for (const [path, hash] of hashes) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
  return { paths };
}

/** Structs of one step. */
const STRUCTS_STEP = 24;
/** Makes the schemas of all structs in the queue and of what they refer to. */
function* fill(components: Components, schemas: Schemas, group: string, version: string): Steps<void> {
  let n = 0;
  for (let s = components.queue.pop(); s; s = components.queue.pop()) {
    if (++n % STRUCTS_STEP === 0) yield;
    const schema = structSchema(s, components);
    const kinds = kindsOf(schemas, s, group, version);
    if (kinds.length > 0) schema['x-kubernetes-group-version-kind'] = kinds.map((k) => ({ ...k }));
    components.schemas.set(s.name, schema);
  }
}

const sorted = (m: Map<string, JsonObject>): JsonObject => {
  const out: JsonObject = {};
  for (const name of [...m.keys()].sort()) out[name] = m.get(name);
  return out;
};

/** The kinds that a struct stands for: its own, and in the core group and the document's for those of meta/v1. */
function kindsOf(schemas: Schemas, s: Struct, group: string, version: string): GroupVersionKind[] {
  const parts = s.name.split('.');
  const kind = parts.pop() ?? '';
  const own = parts.pop() ?? '';
  const candidates = s.name.startsWith(META)
    ? [
        { group: '', version: 'v1' },
        { group, version },
      ]
    : [{ group: groupOf(s.name, group), version: own }];
  const seen = new Set<string>();
  return candidates
    .filter((c) => !seen.has(c.group) && seen.add(c.group) && schemas.kind({ ...c, kind })?.name === s.name)
    .map((c) => ({ group: c.group, kind, version: c.version }));
}

const FULL_GROUPS = [
  'admissionregistration.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
];
/** The API group of a struct's package; `near` is tried first, so that a document knows its own group. */
function groupOf(name: string, near: string): string {
  if (name.startsWith('io.k8s.api.core.')) return '';
  const short = name.startsWith('io.k8s.api.') ? (name.split('.')[3] ?? '') : (name.split('.').at(-3) ?? '');
  if (near.split('.')[0] === short || (near === 'internal.apiserver.k8s.io' && short === 'apiserverinternal'))
    return near;
  return FULL_GROUPS.find((g) => g.split('.')[0] === short) ?? short;
}

/** A reference to a struct's schema, which is queued for making. */
export function refer(components: Components, struct: Struct): JsonObject {
  if (!components.schemas.has(struct.name)) {
    components.schemas.set(struct.name, {});
    components.queue.push(struct);
  }
  return { $ref: PREFIX + struct.name };
}

function special(components: Components, name: string, schema: JsonObject): JsonObject {
  const description = components.describe(name);
  components.schemas.set(name, { ...(description ? { description } : {}), ...schema });
  return { $ref: PREFIX + name };
}

/** The schema of a struct: properties by name, required ones, atomicity where the type itself has it. */
function structSchema(struct: Struct, components: Components): JsonObject {
  const description = components.describe(struct.name);
  const schema: JsonObject = { ...(description ? { description } : {}), type: 'object' };
  const properties: JsonObject = {};
  const required: string[] = [];
  for (const field of [...struct.fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const text = components.describe(struct.name, field.name);
    properties[field.name] = { ...(text ? { description: text } : {}), ...fieldSchema(field, components) };
    if (field.expected) required.push(field.name);
  }
  // Upstream lists them in Go's order.
  const order = [...struct.fields.keys()];
  required.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  if (required.length > 0) schema.required = required;
  if (struct.fields.size > 0) schema.properties = properties;
  if (struct.atomic) schema['x-kubernetes-map-type'] = 'atomic';
  if (struct.open) schema['x-kubernetes-preserve-unknown-fields'] = true;
  return schema;
}

function fieldSchema(field: Field, components: Components): JsonObject {
  const schema = typeSchema(field.type, components);
  const fallback = defaultOf(field);
  const extensions = { ...(fallback === undefined ? {} : { default: fallback }), ...extensionsOf(field.type) };
  return schema.$ref === undefined ? { ...schema, ...extensions } : { allOf: [schema], ...extensions };
}

/** What upstream writes as a default: the declared one, or Go's zero value of what is always there. */
function defaultOf(field: Field): Json | undefined {
  if (field.default !== undefined) return field.default;
  if (field.nullable) return undefined;
  const { type } = field;
  if (type.is === 'struct') return {};
  if (!field.always) return undefined;
  if (type.is === 'string') return type.format ? undefined : '';
  if (type.is === 'integer' || type.is === 'number') return 0;
  return type.is === 'boolean' ? false : undefined;
}

function typeSchema(type: Type, components: Components): JsonObject {
  switch (type.is) {
    case 'string':
      return stringSchema(type, components);
    case 'integer':
      return { type: 'integer', format: `int${type.bits}` };
    case 'number':
      return { type: 'number', format: 'double' };
    case 'boolean':
      return { type: 'boolean' };
    case 'struct':
      return refer(components, type.struct());
    case 'list':
      return { type: 'array', items: itemSchema(type.items, components) };
    case 'map':
      return {
        type: 'object',
        additionalProperties: itemSchema(type.values, components),
      };
    case 'any':
      return anySchema(type, components);
  }
}

function itemSchema(type: Type, components: Components): JsonObject {
  return { ...typeSchema(type, components), ...extensionsOf(type) };
}

function stringSchema(type: Extract<Type, { is: 'string' }>, components: Components): JsonObject {
  const format = type.format && SPECIAL[type.format];
  if (format) return special(components, format.name, format.schema);
  const schema: JsonObject = { type: 'string' };
  if (type.format === 'byte') schema.format = 'byte';
  if (type.enum) schema.enum = [...type.enum];
  return { ...schema };
}

function anySchema(type: Extract<Type, { is: 'any' }>, components: Components): JsonObject {
  if (type.proto && type.proto !== 'raw') return special(components, `${EXTENSIONS}.${type.proto}`, {});
  if (type.embedded) return special(components, 'io.k8s.apimachinery.pkg.runtime.RawExtension', { type: 'object' });
  if (type.go)
    return special(
      components,
      type.go === 'v1.FieldsV1' ? `${META}.FieldsV1` : `${EXTENSIONS}.JSON`,
      type.go === 'v1.FieldsV1' ? { type: 'object' } : {},
    );
  return { type: 'object' };
}

function extensionsOf(type: Type): JsonObject {
  const out: JsonObject = {};
  if (type.is === 'list') {
    if (type.list === 'map') out['x-kubernetes-list-map-keys'] = [...(type.keys ?? [])];
    if (type.list) out['x-kubernetes-list-type'] = type.list;
    if (type.mergeKey) out['x-kubernetes-patch-merge-key'] = type.mergeKey;
  }
  if (type.is === 'struct' && !type.atomic && type.struct().atomic) out['x-kubernetes-map-type'] = 'granular';
  if (type.is === 'map' && type.atomic) out['x-kubernetes-map-type'] = 'atomic';
  if ((type.is === 'list' || type.is === 'struct') && type.patch) out['x-kubernetes-patch-strategy'] = type.patch;
  return out;
}
