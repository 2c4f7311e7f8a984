import { isObject, type JsonObject } from '../meta/json.ts';
import { apiVersionOf, type GroupVersionKind } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { validateEmbedded, validateLists } from './crd-lists.ts';
import { decodeCustom } from './crd-prune.ts';
import { type CustomSchema, isEmbedded, isIntOrString, preserves } from './crd-schema.ts';
import { validateCustom } from './crd-validate.ts';
import type { Decoded } from './prune.ts';
import type { Field, Limits, Schemas, Struct, Type } from './schema.ts';

// A kind whose data arrives at run time: everything the API needs of one version of a CustomResourceDefinition.

export interface CustomShape {
  struct: Struct;
  /** As decode and applyDefaults together do for built-in kinds. */
  decode(value: JsonObject): Decoded;
  /** Issues of schema, lists and embedded resources; `old` is null on create. Metadata and CEL rules are the caller's. */
  validate(value: JsonObject, old: JsonObject | null): Issue[];
  /** The same for the status subresource: only `status` is looked at. */
  validateStatus(value: JsonObject, old: JsonObject | null): Issue[];
  /** Schemas for openApiV3 by kind: the kind and its list. */
  openapi: ReadonlyMap<string, JsonObject>;
}

/** The shape of one version of a CustomResourceDefinition; without a schema any object fits. Make it once per CRD revision. */
export function customShape(
  schemas: Schemas,
  gvk: GroupVersionKind,
  listKind: string,
  schema?: JsonObject,
): CustomShape {
  const root = schema as CustomSchema | undefined;
  const objectMeta = schemas.struct(`${META}.ObjectMeta`);
  if (!objectMeta) throw new Error('no ObjectMeta in the generated data');
  const status = root?.properties?.status;
  return {
    struct: structOfCustom(schemas, `${apiVersionOf(gvk)}.${gvk.kind}`, root),
    decode: (value) => decodeCustom(root, objectMeta, value),
    validate: (value, old) => {
      if (!root) return [];
      const found = [...validateCustom(root, value, old ?? undefined), ...validateEmbedded(root, value)];
      // A list that was wrong before may stay so.
      return old && validateLists(root, old).length > 0 ? found : [...found, ...validateLists(root, value)];
    },
    validateStatus: (value, old) => {
      if (!status || value.status === undefined) return [];
      const found = validateCustom(status, value.status, old?.status, 'status');
      const lists = old?.status !== undefined && validateLists(status, old.status, 'status').length > 0;
      return lists ? found : [...found, ...validateLists(status, value.status, 'status')];
    },
    openapi: openApiOf(gvk, listKind, schema),
  };
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** The struct of a resource's root: its schema's properties, with apiVersion, kind and metadata. */
function structOfCustom(schemas: Schemas, name: string, schema: CustomSchema | undefined): Struct {
  const root = schema ?? { 'x-kubernetes-preserve-unknown-fields': true };
  return structOf(schemas, name, { ...root, 'x-kubernetes-embedded-resource': true });
}

function structOf(schemas: Schemas, name: string, schema: CustomSchema): Struct {
  const fields = new Map<string, Field>();
  if (isEmbedded(schema)) addMeta(schemas, fields);
  for (const [key, own] of Object.entries(schema.properties ?? {})) {
    if (isEmbedded(schema) && fields.has(key)) continue;
    fields.set(key, fieldOf(schemas, `${name}.${key}`, key, own, schema.required?.includes(key) ?? false));
  }
  const struct: Struct = { name, fields, numbers: new Map() };
  if (preserves(schema)) struct.open = true;
  return struct;
}

function addMeta(schemas: Schemas, fields: Map<string, Field>): void {
  fields.set('apiVersion', { name: 'apiVersion', number: 0, type: { is: 'string' } });
  fields.set('kind', { name: 'kind', number: 0, type: { is: 'string' } });
  const metadata = schemas.struct(`${META}.ObjectMeta`);
  if (metadata) fields.set('metadata', { name: 'metadata', number: 0, type: { is: 'struct', struct: () => metadata } });
}

function fieldOf(schemas: Schemas, path: string, name: string, schema: CustomSchema, required: boolean): Field {
  const field: Field = { name, number: 0, type: typeOf(schemas, path, schema) };
  if (required) {
    field.required = true;
    field.expected = true;
  }
  if (schema.nullable) field.nullable = true;
  if (schema.default !== undefined) field.default = schema.default;
  return field;
}

function typeOf(schemas: Schemas, path: string, schema: CustomSchema): Type {
  if (isIntOrString(schema)) return { is: 'string', format: 'int-or-string' };
  const limits = limitsOf(schema);
  switch (schema.type) {
    case 'string': {
      const values = schema.enum?.filter((v) => typeof v === 'string');
      return { is: 'string', ...(values ? { enum: values } : {}), ...limits };
    }
    case 'integer':
      return { is: 'integer', bits: schema.format === 'int32' ? 32 : 64, ...limits };
    case 'number':
      return { is: 'number', ...limits };
    case 'boolean':
      return { is: 'boolean' };
    case 'array':
      return listOf(schemas, path, schema, limits);
    case 'object':
      return objectOf(schemas, path, schema, limits);
    default:
      return { is: 'any' };
  }
}

function listOf(schemas: Schemas, path: string, schema: CustomSchema, limits: { limits?: Limits }): Type {
  const items: Type = schema.items ? typeOf(schemas, `${path}[]`, schema.items) : { is: 'any' };
  const list = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  return { is: 'list', items, ...(list ? { list } : {}), ...(keys ? { keys } : {}), ...limits };
}

function objectOf(schemas: Schemas, path: string, schema: CustomSchema, limits: { limits?: Limits }): Type {
  const atomic = schema['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {};
  if (isObject(schema.additionalProperties)) {
    const values = typeOf(schemas, `${path}{}`, schema.additionalProperties as CustomSchema);
    return { is: 'map', values, ...atomic, ...limits };
  }
  const bare = !schema.properties && !isEmbedded(schema);
  if (bare && (preserves(schema) || schema.additionalProperties === true)) return { is: 'any' };
  let struct: Struct | undefined;
  return {
    is: 'struct',
    struct: () => {
      struct ??= structOf(schemas, path, schema);
      return struct;
    },
    ...atomic,
    ...(isEmbedded(schema) ? { embedded: true } : {}),
  };
}

const LIMITS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'multipleOf',
  'pattern',
  'uniqueItems',
  'format',
] as const;

function limitsOf(schema: CustomSchema): { limits?: Limits } {
  const limits: Record<string, unknown> = {};
  for (const name of LIMITS) if (schema[name] !== undefined) limits[name] = schema[name];
  return Object.keys(limits).length > 0 ? { limits: limits as Limits } : {};
}

const reference = (name: string): JsonObject => ({ allOf: [{ $ref: `#/components/schemas/${META}.${name}` }] });

/** The published schemas: the CRD's own text, with the fields that every object has. */
function openApiOf(
  gvk: GroupVersionKind,
  listKind: string,
  schema: JsonObject | undefined,
): ReadonlyMap<string, JsonObject> {
  const kinds = (kind: string): JsonObject => ({
    'x-kubernetes-group-version-kind': [{ group: gvk.group, kind, version: gvk.version }],
  });
  const own: JsonObject = schema ? withEmbedded(schema) : { type: 'object' };
  const properties = {
    ...(own.properties as JsonObject | undefined),
    ...typeMeta(),
    metadata: reference('ObjectMeta'),
  };
  const item: JsonObject = { ...own, ...(schema ? { properties } : {}), ...kinds(gvk.kind) };
  const model = `${gvk.group.split('.').reverse().join('.')}.${gvk.version}.${gvk.kind}`;
  const list: JsonObject = {
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta(),
      items: { type: 'array', items: { $ref: `#/components/schemas/${model}` } },
      metadata: reference('ListMeta'),
    },
    ...kinds(listKind),
  };
  return new Map([
    [gvk.kind, item],
    [listKind, list],
  ]);
}
const typeMeta = (): JsonObject => ({ apiVersion: { type: 'string' }, kind: { type: 'string' } });

/** Embedded resources get the fields of an object too. */
function withEmbedded(schema: JsonObject): JsonObject {
  const out: JsonObject = { ...schema };
  if (isObject(out.properties)) {
    const properties: JsonObject = {};
    for (const name in out.properties) {
      const own = out.properties[name];
      properties[name] = isObject(own) ? withEmbedded(own) : own;
    }
    out.properties = properties;
  }
  if (isIntOrString(out as CustomSchema)) out.anyOf ??= [{ type: 'integer' }, { type: 'string' }];
  if (isObject(out.items)) out.items = withEmbedded(out.items);
  if (isObject(out.additionalProperties)) out.additionalProperties = withEmbedded(out.additionalProperties);
  if (isEmbedded(out as CustomSchema)) {
    out.properties = {
      ...(out.properties as JsonObject | undefined),
      ...typeMeta(),
      metadata: reference('ObjectMeta'),
    };
    const required = (out.required as string[] | undefined) ?? [];
    out.required = [...required, ...['kind', 'apiVersion'].filter((n) => !required.includes(n))];
  }
  return out;
}
