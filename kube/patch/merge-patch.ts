import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { badRequest } from '../meta/status.ts';
import { put } from './typed-view.ts';

/**
 * A JSON merge patch (RFC 7386) applied as kube-apiserver does: nulls remove, objects merge, everything else replaces. The document isn't
 * changed and shares with the result what the patch leaves alone. Throws 400 when the patch is neither an object nor a list.
 * `strict`: the request asked for field validation Warn or Strict (the default is Warn).
 */
export function applyMergePatch(document: JsonObject, patch: Json, strict: boolean): Json {
  if (isObject(patch)) return mergeObjects(document, patch);
  if (strict && patch !== null) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${kindOf(patch)} into Go value of type map[string]interface {}`,
    );
  }
  if (!Array.isArray(patch)) throw badRequest('Invalid JSON Patch');
  return patch.map(withoutNulls);
}

function kindOf(v: Json): string {
  if (Array.isArray(v)) return 'array';
  return typeof v === 'boolean' ? 'bool' : typeof v === 'string' ? 'string' : 'number';
}

function mergeObjects(document: JsonObject, patch: JsonObject): JsonObject {
  const out: JsonObject = { ...document };
  for (const key of Object.keys(patch)) {
    const p = patch[key];
    if (p === undefined) continue;
    if (p === null) {
      delete out[key];
      continue;
    }
    const d = Object.hasOwn(out, key) ? out[key] : undefined;
    put(
      out,
      key,
      isObject(d) && isObject(p) ? mergeObjects(d, p) : d === undefined || !isObject(d) ? withoutNulls(p) : p,
    );
  }
  return out;
}

/** What a patch puts where nothing was: its nulls have nothing to remove. Nulls that are list items stay. */
function withoutNulls(v: Json): Json {
  if (Array.isArray(v)) return v.map(withoutNulls);
  if (!isObject(v)) return v;
  const out: JsonObject = {};
  for (const key of Object.keys(v)) {
    const member = v[key];
    if (member !== undefined && member !== null) put(out, key, withoutNulls(member));
  }
  return out;
}
