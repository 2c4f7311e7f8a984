import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { badRequest, failure, type StatusError } from '../meta/status.ts';
import type { Struct, Type } from '../schema/schema.ts';
import { goType } from './go-print.ts';
import {
  badElementOrder,
  badPatchType,
  badPrimitiveList,
  badRetainKeys,
  badType,
  LIST,
  StrategicError,
} from './strategic-errors.ts';
import { DIRECTIVE, mergeLists, orderAfterMerge, orderedList, validateOrder } from './strategic-lists.ts';
import { put } from './typed-view.ts';

// Strategic merge patch: apimachinery pkg/util/strategicpatch, v0.37.1.

/** What the apiserver answers: 400 and 422 for errors of the patch, 500 for the rest (interpretStrategicMergePatchError). */
export function strategicStatus(e: StrategicError): StatusError {
  if (e.code === 400) return badRequest(e.message);
  if (e.code === 422) return failure('Invalid', 'the server rejected our request due to an error in our request', {});
  return failure('', e.message);
}

/** CustomResources have no patch strategies: 400 with this text. */
export function unsupportedStrategic(): StatusError {
  return badRequest('strategic merge patch format is not supported');
}

/**
 * The object with a strategic merge patch applied. Neither argument is changed; the result shares with both. Throws a StrategicError.
 */
export function applyStrategicPatch(struct: Struct, object: JsonObject, patch: JsonObject): JsonObject {
  return mergeMap({ struct }, object, patch);
}

/** Where the merge is in the type: a struct, a map's values, or nowhere that the type describes. */
export type Shape = { struct: Struct } | { values: Type } | { kind: string };

const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList';
const SET_ORDER = '$setElementOrder';

interface FieldShape {
  shape: Shape;
  /** The strategy without retainKeys. */
  strategy: string;
  mergeKey: string;
}

/** The shape of a type as Go's reflection would name it. */
function shapeOf(type: Type): Shape {
  if (type.is === 'struct') return { struct: type.struct() };
  if (type.is === 'map') return { values: type.values };
  const kinds = {
    string: 'string',
    integer: 'int32',
    number: 'float64',
    boolean: 'bool',
    list: 'slice',
    any: 'struct',
  };
  return { kind: kinds[type.is] };
}

function lookup(shape: Shape, key: string): FieldShape {
  if (!('struct' in shape)) {
    const kind = 'values' in shape ? 'map' : shape.kind;
    if (kind === 'struct')
      throw new StrategicError(`unable to find api field in struct RawExtension for the json field "${key}"`);
    throw new StrategicError(`merging an object in json but data type is not struct, instead is: ${kind}`);
  }
  const { type } = shape.struct.fields.get(key) ?? foldedField(shape.struct, key);
  const patch = type.is === 'list' || type.is === 'struct' ? (type.patch ?? '') : '';
  const strategy = patch
    .split(',')
    .filter((s) => s !== 'retainKeys')
    .join(',');
  const mergeKey = type.is === 'list' ? (type.mergeKey ?? '') : '';
  return { shape: shapeOf(type.is === 'list' ? type.items : type), strategy, mergeKey };
}

/** Go also finds a field by a name of other case. */
function foldedField(struct: Struct, key: string) {
  const folded = key.toLowerCase();
  for (const field of struct.fields.values()) if (field.name.toLowerCase() === folded) return field;
  const name = struct.name.slice(struct.name.lastIndexOf('.') + 1);
  throw new StrategicError(`unable to find api field in struct ${name} for the json field ${JSON.stringify(key)}`);
}

const own = (o: JsonObject, key: string) => (Object.hasOwn(o, key) ? o[key] : undefined);

/** Merges one object into another. Every list of maps and every struct below comes back here. */
export function mergeMap(shape: Shape, object: JsonObject, patch: JsonObject): JsonObject {
  const directive = own(patch, DIRECTIVE);
  if (directive !== undefined) return directed(directive, patch);
  const out: JsonObject = { ...object };
  const rest: JsonObject = { ...patch };
  retainKeys(out, rest);
  for (const key of Object.keys(rest)) if (key.startsWith(SET_ORDER)) mergeOrdered(shape, out, rest, key);
  for (const key of Object.keys(rest)) {
    const v = rest[key];
    if (v !== undefined) mergeMember(shape, out, key, v);
  }
  return out;
}

function directed(directive: Json, patch: JsonObject): JsonObject {
  if (directive === 'replace') {
    const { [DIRECTIVE]: _, ...rest } = patch;
    return rest;
  }
  if (directive === 'delete') return {};
  throw badPatchType(directive, patch);
}

function retainKeys(out: JsonObject, patch: JsonObject): void {
  const retained = own(patch, RETAIN_KEYS);
  if (retained === undefined) return;
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(retained)) throw badRetainKeys();
  const keep = new Set(retained);
  for (const key of Object.keys(patch)) {
    if (patch[key] === null || key.startsWith(DELETE_FROM) || key.startsWith(SET_ORDER)) continue;
    if (!keep.has(key)) throw badRetainKeys();
  }
  for (const key of Object.keys(out)) if (!keep.has(key)) delete out[key];
}

function mergeMember(shape: Shape, out: JsonObject, patchKey: string, v: Json): void {
  const isDeletion = patchKey.startsWith(DELETE_FROM);
  const key = isDeletion ? keyAfter(patchKey, DELETE_FROM) : patchKey;
  if (v === null) {
    delete out[key];
    return;
  }
  const before = own(out, key);
  if (before === undefined || goType(before) !== goType(v) || (!Array.isArray(v) && !isObject(v))) {
    if (!isDeletion) take(out, key, v);
    return;
  }
  const field = lookup(shape, key);
  if (Array.isArray(v)) {
    const merges = field.strategy === 'merge' || isDeletion;
    put(out, key, merges ? mergeLists(field.shape, before as Json[], v, field.mergeKey, isDeletion) : v);
  } else put(out, key, field.strategy === 'replace' ? v : mergeMap(field.shape, before as JsonObject, v as JsonObject));
}

/** Takes a patch's value as it is, without nulls and directives. */
function take(out: JsonObject, key: string, v: Json): void {
  const kept = withoutDirectives(withoutNulls(v));
  if (kept === undefined) delete out[key];
  else put(out, key, kept);
}

/** The key that a parallel list belongs to. */
function keyAfter(patchKey: string, prefix: string): string {
  if (patchKey.startsWith(`${prefix}/`)) return patchKey.slice(prefix.length + 1);
  throw prefix === DELETE_FROM ? badPrimitiveList() : badElementOrder();
}

function withoutNulls(v: Json): Json {
  if (Array.isArray(v)) return v.map(withoutNulls);
  if (!isObject(v)) return v;
  const out: JsonObject = {};
  for (const k of Object.keys(v)) {
    const member = v[k];
    if (member !== null && member !== undefined) put(out, k, withoutNulls(member));
  }
  return out;
}

/** The value without `$patch` objects; undefined when it is one itself. */
function withoutDirectives(v: Json): Json | undefined {
  if (Array.isArray(v)) return v.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(v)) return v;
  if (own(v, DIRECTIVE) !== undefined) return undefined;
  const out: JsonObject = {};
  for (const k of Object.keys(v)) {
    const kept = withoutDirectives(v[k] as Json);
    if (kept !== undefined) put(out, k, kept);
  }
  return out;
}

/** `$setElementOrder/<list>`: merges the list, if it is there, and puts it in the order asked for. Takes both keys out of the patch. */
function mergeOrdered(shape: Shape, out: JsonObject, patch: JsonObject, orderKey: string): void {
  const order = patch[orderKey];
  delete patch[orderKey];
  if (!Array.isArray(order)) throw badType(LIST, order);
  const key = keyAfter(orderKey, SET_ORDER);
  const before = own(out, key);
  const given = own(patch, key);
  if (before !== undefined && !Array.isArray(before)) throw badType(LIST, before);
  if (given !== undefined && !Array.isArray(given)) throw badType(LIST, given);
  const field = lookup(shape, key);
  if (given !== undefined) validateOrder(given, order, field.mergeKey);
  const merged = mergedForOrder(field, before, given);
  if (merged === undefined) return;
  const merges = field.strategy === 'merge' && field.mergeKey !== '' && before !== undefined && given !== undefined;
  const liveOrder = merges ? orderAfterMerge(before, given, field.mergeKey) : (before ?? []);
  put(out, key, orderedList(merged, liveOrder, given ?? [], order, field.mergeKey));
  delete patch[key];
}

function mergedForOrder(field: FieldShape, before: Json[] | undefined, given: Json[] | undefined): Json[] | undefined {
  if (given === undefined) return before;
  if (before === undefined) return withoutDirectives(given) as Json[];
  return field.strategy === 'merge' ? mergeLists(field.shape, before, given, field.mergeKey, false) : given;
}
