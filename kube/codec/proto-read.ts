import type { Json, JsonObject } from '../meta/json.ts';
import { formatDuration } from '../meta/time.ts';
import { base64Of } from './base64.ts';
import { JsonError, parseJson } from './json.ts';
import { ProtoError } from './proto-error.ts';
import type { Plan, PlanField } from './proto-plan.ts';
import * as op from './proto-plan.ts';
import type { Reader } from './proto-reader.ts';
import { printTime, ZERO_TIME_SECONDS } from './timestamp.ts';

/** Messages inside messages; the deepest real shape (a schema in a CRD) stays far below, and a JavaScript stack holds this many. */
export const NESTING_MAX = 500;

/** What each op's wire type must be; LIST and MAP are asked for through their elements. */
const WIRE: Record<number, number> = { [op.INT]: 0, [op.BOOL]: 0, [op.DOUBLE]: 1 };

/** Reads the message up to `end` into `out`. Fields that the plan doesn't have are dropped. */
export function readMessage(r: Reader, plan: Plan, end: number, out: JsonObject, depth: number): JsonObject {
  if (depth > NESTING_MAX) throw new ProtoError(`proto: ${shortName(plan)}: exceeded max nesting depth`);
  const numbers = plan.numbers;
  while (r.at < end) {
    const tag = r.varint(end);
    const number = tag >>> 3;
    const wire = tag & 7;
    const f = number < numbers.length ? numbers[number] : undefined;
    if (f === undefined || wire === 4) {
      if (wire === 4) throw new ProtoError(`proto: ${shortName(plan)}: wiretype end group for non-group`);
      if (number === 0) throw new ProtoError(`proto: ${shortName(plan)}: illegal tag 0 (wire type ${tag})`);
      r.skip(wire, end);
    } else if (tag === f.tag) {
      readField(r, f, end, out, depth);
    } else {
      readPacked(r, f, wire, end, out);
    }
  }
  return out;
}

function readField(r: Reader, f: PlanField, end: number, out: JsonObject, depth: number): void {
  switch (f.op) {
    case op.STRING:
      out[f.name] = r.string(r.limit(end));
      return;
    case op.STRUCT: {
      const to = r.limit(end);
      // A message that comes twice is merged, as Go does.
      const had = out[f.name];
      const into = typeof had === 'object' && had !== null ? (had as JsonObject) : {};
      out[f.name] = readMessage(r, f.sub(), to, into, depth + 1);
      return;
    }
    case op.GROUP:
      readMessage(r, f.sub(), r.limit(end), out, depth + 1);
      return;
    case op.LIST: {
      const v = readValue(r, f.item as PlanField, end, depth);
      const list = out[f.name];
      if (Array.isArray(list)) list.push(v);
      else out[f.name] = [v];
      return;
    }
    case op.MAP:
      readEntry(r, f, r.limit(end), out, depth);
      return;
    default: {
      const v = readValue(r, f, end, depth);
      if (v !== null) out[f.name] = v;
    }
  }
}

/** A repeated number may come packed although Go never writes it so; any other wire type is an error. */
function readPacked(r: Reader, f: PlanField, wire: number, end: number, out: JsonObject): void {
  const item = f.item;
  if (f.op !== op.LIST || wire !== 2 || item === null || WIRE[item.op] === undefined) {
    throw new ProtoError(`proto: wrong wireType = ${wire} for field ${goName(f)}`, f.name);
  }
  const to = r.limit(end);
  const had = out[f.name];
  const list: Json[] = Array.isArray(had) ? had : [];
  out[f.name] = list;
  while (r.at < to) list.push(readValue(r, item, to, 0));
}

function readEntry(r: Reader, f: PlanField, end: number, out: JsonObject, depth: number): void {
  const item = f.item as PlanField;
  let key = '';
  let value: Json | undefined;
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 10) key = r.string(r.limit(end));
    else if (tag === item.tag) value = readValue(r, item, end, depth);
    else r.skip(tag & 7, end);
  }
  if (value === undefined) value = zeroValue(item);
  let map = out[f.name] as JsonObject | undefined;
  if (map === undefined) {
    map = {};
    out[f.name] = map;
  }
  // Assigning __proto__ would set the prototype instead of a member.
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

function readValue(r: Reader, p: PlanField, end: number, depth: number): Json {
  switch (p.op) {
    case op.STRING:
      return r.string(r.limit(end));
    case op.STRUCT: {
      const to = r.limit(end);
      return readMessage(r, p.sub(), to, {}, depth + 1);
    }
    case op.INT:
      return p.wide ? r.int64(end) : r.int32(end);
    case op.BOOL:
      return r.bool(end);
    case op.DOUBLE:
      return r.double(end);
    case op.BYTES: {
      const to = r.limit(end);
      const from = r.at;
      r.at = to;
      return base64Of(r.bytes, from, to);
    }
    default:
      return readSpecial(r, p, r.limit(end), depth);
  }
}

function readSpecial(r: Reader, p: PlanField, end: number, depth: number): Json {
  switch (p.op) {
    case op.TIME:
      return readTime(r, end, false);
    case op.MICRO_TIME:
      return readTime(r, end, true);
    case op.QUANTITY:
      return readOne(r, end, 10, () => r.string(r.limit(end))) ?? '0';
    case op.DURATION:
      return formatDuration(BigInt(readOne(r, end, 8, () => r.int64(end)) ?? 0));
    case op.INT_OR_STRING:
      return readIntOrString(r, end);
    case op.RAW:
      return readRaw(r, end);
    case op.WRAPPED: {
      const item = p.item as PlanField;
      const list: Json[] = [];
      while (r.at < end) {
        const tag = r.varint(end);
        if (tag === item.tag) list.push(readValue(r, item, end, depth));
        else r.skip(tag & 7, end);
      }
      return list;
    }
    default:
      return readUnion(r, p, end, depth);
  }
}

/** The last value of the one field with `want` as its tag; undefined when it didn't come. */
function readOne<T>(r: Reader, end: number, want: number, read: () => T): T | undefined {
  let v: T | undefined;
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === want) v = read();
    else r.skip(tag & 7, end);
  }
  return v;
}

function readTime(r: Reader, end: number, micro: boolean): string | null {
  if (r.at === end) return null;
  let seconds = 0;
  let nanos = 0;
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 8) seconds = Number(r.int64(end));
    else if (tag === 16) nanos = r.int32(end);
    else r.skip(tag & 7, end);
  }
  if (seconds === ZERO_TIME_SECONDS && (!micro || nanos === 0)) return null;
  if (!micro) return printTime(seconds);
  const micros = Math.trunc(nanos / 1000);
  const carry = Math.floor(micros / 1e6);
  return printTime(seconds + carry, micros - carry * 1e6);
}

function readIntOrString(r: Reader, end: number): string | number {
  let type = 0;
  let int = 0;
  let text = '';
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 8) type = r.int32(end);
    else if (tag === 16) int = r.int32(end);
    else if (tag === 26) text = r.string(r.limit(end));
    else r.skip(tag & 7, end);
  }
  return type === 1 ? text : int;
}

/** JSON inside protobuf. Protobuf inside RawExtension, which no client sends, is refused as any other text that isn't JSON. */
function readRaw(r: Reader, end: number): Json {
  const text = readOne(r, end, 10, () => r.string(r.limit(end)));
  if (text === undefined || text === '') return null;
  try {
    return parseJson(text);
  } catch (e) {
    throw e instanceof JsonError ? new ProtoError(e.message) : e;
  }
}

function readUnion(r: Reader, p: PlanField, end: number, depth: number): Json {
  const bool = p.op === op.OR_BOOL;
  let allows = false;
  let schema: JsonObject | null = null;
  const list: Json[] = [];
  while (r.at < end) {
    const tag = r.varint(end);
    if (bool && tag === 8) allows = r.bool(end);
    else if (tag === (bool ? 18 : 10)) schema = readMessage(r, p.sub(), r.limit(end), schema ?? {}, depth + 1);
    else if (tag === 18 && p.op === op.OR_ARRAY) list.push(readMessage(r, p.sub(), r.limit(end), {}, depth + 1));
    else if (tag === 18) list.push(r.string(r.limit(end)));
    else r.skip(tag & 7, end);
  }
  if (list.length > 0) return list;
  return schema ?? (bool ? allows : null);
}

/** What Go leaves in a map whose entry carried no value. */
function zeroValue(p: PlanField): Json {
  switch (p.op) {
    case op.INT:
    case op.DOUBLE:
    case op.INT_OR_STRING:
      return 0;
    case op.BOOL:
      return false;
    case op.STRING:
    case op.BYTES:
      return '';
    case op.QUANTITY:
      return '0';
    case op.STRUCT:
      return {};
    default:
      return null;
  }
}

/** Go's field name is the JSON name with a capital, but for the initialisms. */
const goName = (f: PlanField) => f.name.charAt(0).toUpperCase() + f.name.slice(1);
const shortName = (p: Plan) => p.name.slice(p.name.lastIndexOf('.') + 1);
