import { isObject, type Json, type JsonObject } from '../meta/json.ts';

// Reads of JSON that may be absent or of the wrong type: behaviour runs on objects that the schema has already judged,
// so a wrong type reads as Go's zero value and never throws.

const NO_OBJECT: JsonObject = Object.freeze({});
const NO_LIST: readonly Json[] = Object.freeze([]);

/** The object, or an empty frozen one. */
export const obj = (v: Json | undefined): JsonObject => (isObject(v) ? v : NO_OBJECT);
/** The list, or an empty frozen one. */
export const list = (v: Json | undefined): readonly Json[] => (Array.isArray(v) ? v : NO_LIST);
/** The objects of a list, in order; other items read as empty objects. */
export const objs = (v: Json | undefined): JsonObject[] => list(v).map(obj);
/** The text, or ''. */
export const str = (v: Json | undefined): string => (typeof v === 'string' ? v : '');
/** The number, or 0. Integers beyond 2^53 lose precision, as no field read here may hold them. */
export const num = (v: Json | undefined): number => (typeof v === 'number' ? v : typeof v === 'bigint' ? Number(v) : 0);
/** True when the value is true. */
export const bool = (v: Json | undefined): boolean => v === true;
/** Set at all: neither absent nor null (a Go pointer that isn't nil). */
export const has = (v: Json | undefined): boolean => v !== undefined && v !== null;
/** A map of texts. */
export const texts = (v: Json | undefined): Record<string, string> => obj(v) as Record<string, string>;

/** The member as an object that can be written to; made when absent. */
export function make(o: JsonObject, name: string): JsonObject {
  const v = o[name];
  if (isObject(v)) return v;
  const made: JsonObject = {};
  o[name] = made;
  return made;
}
/** Sets a member where it is absent or null. */
export function orElse(o: JsonObject, name: string, value: Json): void {
  if (!has(o[name])) o[name] = value;
}
/** Sets a member, or removes it when the value is undefined. */
export function put(o: JsonObject, name: string, value: Json | undefined): void {
  if (value === undefined) delete o[name];
  else o[name] = value;
}
/** A deep copy. */
export function copy<T extends Json | undefined>(v: T): T {
  if (Array.isArray(v)) return v.map(copy) as T;
  if (!isObject(v)) return v;
  const out: JsonObject = {};
  for (const k in v) out[k] = copy(v[k]);
  return out as T;
}
