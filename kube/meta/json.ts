/**
 * A JSON value as Coracle holds it in memory. Integers outside ±2^53 are `bigint`, so int64 survives every path
 * (kube/codec/json.ts reads and writes them); every other number is a `number`.
 */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;

/** A JSON object; a key that is `undefined` counts as absent. */
export interface JsonObject {
  [key: string]: Json | undefined;
}

/** True for a JSON object: not null, not an array. */
export function isObject(v: unknown): v is JsonObject {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** Deep equality of two JSON values; `undefined` members count as absent and key order doesn't matter. */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((v, i) => equalJson(v, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const k in a) if (!equalJson(a[k], b[k])) return false;
  for (const k in b) if (b[k] !== undefined && a[k] === undefined) return false;
  return true;
}
