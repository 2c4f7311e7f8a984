import { invalid, issueText, quote } from '../meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import {
  type CustomSchema,
  copyJson,
  isEmbedded,
  META_FIELDS,
  memberSchema,
  preserves,
  setMember,
} from './crd-schema.ts';
import { type Decoded, decode } from './prune.ts';
import type { Struct } from './schema.ts';

// Pruning, dropping of nulls and defaulting of CustomResources: apiextensions-apiserver pkg/apiserver/schema/{pruning,defaulting}.

/** Upstream bounds its list of strict errors in the same way for built-in kinds. */
const UNKNOWN_MAX = 100;

interface Walk {
  unknown: string[];
  objectMeta: Struct;
  error: string;
}

/**
 * A CustomResource as upstream reads it: metadata as ObjectMeta, unknown fields dropped, nulls of non-nullable fields dropped or defaulted,
 * defaults filled in. Without a schema everything but metadata stays as it is. The result is made of new objects.
 */
export function decodeCustom(schema: CustomSchema | undefined, objectMeta: Struct, value: JsonObject): Decoded {
  const walk: Walk = { unknown: [], objectMeta, error: '' };
  const root = schema ?? { 'x-kubernetes-preserve-unknown-fields': true };
  const out = settleObject(value, root, '', true, walk);
  // Those of metadata come first, the rest is sorted.
  const meta = walk.unknown.filter((p) => p.startsWith('metadata.'));
  const rest = walk.unknown.filter((p) => !p.startsWith('metadata.')).sort();
  const unknown = [...meta, ...rest].slice(0, UNKNOWN_MAX).map((p) => `unknown field ${quote(p)}`);
  return { value: out, unknown, error: walk.error };
}

function settle(value: Json, schema: CustomSchema | undefined, path: string, walk: Walk): Json {
  if (isObject(value)) {
    return settleObject(value, schema, path, schema !== undefined && isEmbedded(schema), walk);
  }
  if (!Array.isArray(value)) return value;
  // Below a preserving list, items without a schema of their own are kept.
  const items = schema?.items ?? (schema && preserves(schema) ? KEEP : undefined);
  return value.map((item, i) => {
    const at = `${path}[${i}]`;
    if (item === null && items?.default !== undefined && !items.nullable) return copyJson(items.default);
    return settle(item, items, at, walk);
  });
}
const KEEP: CustomSchema = { 'x-kubernetes-preserve-unknown-fields': true };

function settleObject(
  value: JsonObject,
  schema: CustomSchema | undefined,
  path: string,
  resource: boolean,
  walk: Walk,
): JsonObject {
  const out: JsonObject = {};
  for (const name in value) {
    const given = value[name];
    if (given === undefined) continue;
    const at = path === '' ? name : `${path}.${name}`;
    if (resource && META_FIELDS.has(name)) {
      if (name === 'metadata') out.metadata = readMeta(given, at, walk);
      else out[name] = path === '' ? given : embeddedText(given, at, walk);
      continue;
    }
    const known = schema?.properties !== undefined && Object.hasOwn(schema.properties, name);
    const own = memberSchema(schema, name);
    if (!known && !schema?.additionalProperties) {
      if (schema && preserves(schema)) setMember(out, name, copyJson(given));
      else walk.unknown.push(at);
      continue;
    }
    if (given !== null || own?.nullable || !own) setMember(out, name, settle(given, own, at, walk));
    else if (own.default !== undefined) setMember(out, name, settle(copyJson(own.default), own, at, walk));
  }
  for (const name in schema?.properties) {
    const own = schema.properties[name];
    if (own?.default === undefined || out[name] !== undefined) continue;
    const at = path === '' ? name : `${path}.${name}`;
    setMember(out, name, settle(copyJson(own.default), own, at, { ...walk, unknown: [] }));
  }
  return out;
}

/** apiVersion and kind of an embedded resource must be texts for it to be read at all. */
function embeddedText(value: Json, path: string, walk: Walk): Json {
  if (typeof value !== 'string' && walk.error === '') {
    walk.error = issueText(invalid(path, value, 'must be a string'));
  }
  return value;
}

/** Metadata of the resource, or of one embedded in it. */
function readMeta(value: Json, path: string, walk: Walk): Json {
  const { value: meta, unknown, error } = decode(walk.objectMeta, value);
  if (error !== '' && walk.error === '') {
    walk.error = path === 'metadata' ? error : issueText(invalid(path, value, error));
  }
  for (const u of unknown) walk.unknown.push(`${path}.${JSON.parse(u.slice(u.indexOf('"'))) as string}`);
  return meta;
}
