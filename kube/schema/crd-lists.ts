import * as issues from '../meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { dns1035Label } from '../meta/names.ts';
import { parseApiVersion } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { type CustomSchema, isEmbedded } from './crd-schema.ts';

// Checks of CustomResources that a schema's keywords don't express: uniqueness in sets and keyed lists, embedded resources.

/** Duplicates in lists of type set and map (apiextensions schema/listtype). */
export function validateLists(schema: CustomSchema | undefined, value: Json, path = ''): Issue[] {
  const out: Issue[] = [];
  walk(schema, value, path, (s, v, at) => {
    if (Array.isArray(v)) checkList(s, v, at, out);
  });
  return out;
}

/** apiVersion and kind of embedded resources (apiextensions schema/objectmeta); their metadata was read when decoding. */
export function validateEmbedded(schema: CustomSchema | undefined, value: Json, path = ''): Issue[] {
  const out: Issue[] = [];
  walk(schema, value, path, (s, v, at) => {
    if (isEmbedded(s) && isObject(v)) checkEmbedded(v, at, out);
  });
  return out;
}

function walk(
  schema: CustomSchema | undefined,
  value: Json,
  path: string,
  visit: (s: CustomSchema, v: Json, path: string) => void,
): void {
  if (!schema) return;
  visit(schema, value, path);
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) walk(schema.items, item, issues.index(path, i), visit);
  } else if (isObject(value)) {
    for (const name in value) {
      const own = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      const extra = isObject(schema.additionalProperties) ? (schema.additionalProperties as CustomSchema) : undefined;
      if (own) walk(own, value[name] ?? null, issues.child(path, name), visit);
      else if (extra) walk(extra, value[name] ?? null, issues.key(path, name), visit);
    }
  }
}

function checkList(schema: CustomSchema, list: Json[], path: string, out: Issue[]): void {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Map<string, number>();
  for (const [i, item] of list.entries()) {
    if (type === 'map' && item !== null && !isObject(item)) {
      out.push(issues.invalid(issues.index(path, i), item, 'must be an object for an array of list-type map'));
      return;
    }
    const identity = type === 'set' ? item : keyOf(item, keys);
    const text = issues.goJson(identity);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    // Only the first repetition is reported.
    if (times === 2) out.push(issues.duplicate(issues.index(path, i), identity));
  }
}

function keyOf(item: Json, keys: readonly string[]): JsonObject {
  const out: JsonObject = {};
  if (isObject(item)) for (const k of keys) if (item[k] !== undefined) out[k] = item[k];
  return out;
}

function checkEmbedded(value: JsonObject, path: string, out: Issue[]): void {
  for (const name of ['apiVersion', 'kind'] as const) {
    const at = issues.child(path, name);
    const given = value[name];
    if (given === undefined) out.push(issues.required(at));
    else if (typeof given !== 'string') out.push(issues.invalid(at, given, 'must be a string'));
    else if (given === '') out.push(issues.invalid(at, given, 'must not be empty'));
    else if (name === 'apiVersion' && !parseApiVersion(given)) {
      out.push(issues.invalid(at, given, `unexpected GroupVersion string: ${given}`));
    } else if (name === 'kind') {
      const problems = dns1035Label(given.toLowerCase());
      if (problems.length > 0) {
        out.push(issues.invalid(at, given, `may have mixed case, but should otherwise match: ${problems.join(',')}`));
      }
    }
  }
}
