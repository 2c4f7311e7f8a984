import type { Json, JsonObject } from '../meta/json.ts';
import { parseDuration } from '../meta/time.ts';
import { bytesOfBase64 } from './base64.ts';
import { printJson } from './json.ts';
import { BackBuffer } from './proto-buffer.ts';
import { ProtoError } from './proto-error.ts';
import type { Plan, PlanField } from './proto-plan.ts';
import * as op from './proto-plan.ts';
import { parseTime, ZERO_TIME_SECONDS } from './timestamp.ts';

const NOTHING: JsonObject = {};
const EMPTY = new Uint8Array(0);
/** A nanosecond count of int32 in a Timestamp is truncated to microseconds. */
const NANOS_PER_MICRO = 1000;

/** Writes the body of a message; fields from the last to the first. */
export function writeMessage(o: BackBuffer, plan: Plan, value: JsonObject): void {
  const fields = plan.fields;
  for (let i = fields.length - 1; i >= 0; i--) {
    const f = fields[i] as PlanField;
    if (f.op === op.GROUP) {
      const end = o.written;
      writeMessage(o, f.sub(), value);
      o.varint(o.written - end);
      o.varint(f.tag);
      continue;
    }
    const v = value[f.name];
    if (v === undefined || v === null) {
      if (f.always) writeZero(o, f);
    } else {
      writeField(o, f, v);
    }
  }
}

/** A field that is not null: tag and value, for each element of a list or map. */
export function writeField(o: BackBuffer, f: PlanField, v: Json): void {
  if (f.op === op.LIST) {
    if (!Array.isArray(v)) throw mismatch(f, v);
    const item = f.item as PlanField;
    for (let i = v.length - 1; i >= 0; i--) {
      writeValue(o, item, v[i], f);
      o.varint(f.tag);
    }
  } else if (f.op === op.MAP) {
    if (typeof v !== 'object' || v === null || Array.isArray(v)) throw mismatch(f, v);
    writeMap(o, f, v);
  } else {
    writeValue(o, f, v, f);
    o.varint(f.tag);
  }
}

/** Entries by falling key, because the buffer is written backwards: Go sorts map keys by their bytes. */
function writeMap(o: BackBuffer, f: PlanField, v: JsonObject): void {
  const item = f.item as PlanField;
  const keys = Object.keys(v);
  sortKeys(keys);
  for (let i = keys.length - 1; i >= 0; i--) {
    const k = keys[i] as string;
    const value = v[k];
    if (value === undefined) continue;
    const end = o.written;
    if (value !== null || item.op !== op.BYTES) {
      writeValue(o, item, value, f);
      o.varint(item.tag);
    }
    o.string(k);
    o.varint(10);
    o.varint(o.written - end);
    o.varint(f.tag);
  }
}

const SURROGATE = /[\ud800-\udfff]/;

/** Sorts as UTF-8 bytes would; maps that came from Go are sorted already. */
function sortKeys(keys: string[]): void {
  let sorted = true;
  for (let i = 1; i < keys.length && sorted; i++) sorted = (keys[i - 1] as string) < (keys[i] as string);
  if (!sorted) keys.sort();
  if (keys.some((k) => SURROGATE.test(k))) keys.sort(byCodePoint);
}

/** Orders by code points, where plain comparison orders by UTF-16 units. */
function byCodePoint(a: string, b: string): number {
  const x = Array.from(a, (c) => c.codePointAt(0) ?? 0);
  const y = Array.from(b, (c) => c.codePointAt(0) ?? 0);
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return (x[i] as number) - (y[i] as number);
  return x.length - y.length;
}

/** What comes after the tag: the length where there is one, and the value. `f` is the field that is named in an error. */
export function writeValue(o: BackBuffer, p: PlanField, v: Json | undefined, f: PlanField): void {
  switch (p.op) {
    case op.STRING:
      if (typeof v === 'string') o.string(v);
      else if (v === null) o.varint(0);
      else fail(f, v);
      break;
    case op.STRUCT:
      if (v !== null && (typeof v !== 'object' || Array.isArray(v))) fail(f, v);
      writeInner(o, p.sub(), (v as JsonObject | null) ?? NOTHING);
      break;
    case op.INT:
      if (typeof v === 'number' ? !Number.isInteger(v) : typeof v !== 'bigint') fail(f, v);
      o.signed(v as number | bigint);
      break;
    case op.BOOL:
      if (typeof v !== 'boolean') fail(f, v);
      o.varint(v === true ? 1 : 0);
      break;
    case op.DOUBLE:
      if (typeof v !== 'number' && typeof v !== 'bigint') fail(f, v);
      writeDouble(o, Number(v));
      break;
    case op.BYTES:
      writeBase64(o, v, f);
      break;
    default:
      writeSpecial(o, p, v, f);
  }
}

function writeSpecial(o: BackBuffer, p: PlanField, v: Json | undefined, f: PlanField): void {
  const end = o.written;
  switch (p.op) {
    case op.TIME:
    case op.MICRO_TIME:
      writeTime(o, v, p.op === op.MICRO_TIME, f);
      break;
    case op.QUANTITY:
      o.string(typeof v === 'string' ? v : String(v));
      o.varint(10);
      break;
    case op.INT_OR_STRING:
      writeIntOrString(o, v, f);
      break;
    case op.RAW:
      if (v === null || v === undefined) break;
      o.string(printJson(v));
      o.varint(10);
      break;
    case op.WRAPPED: {
      if (!Array.isArray(v)) fail(f, v);
      const item = p.item as PlanField;
      const list = v as Json[];
      for (let i = list.length - 1; i >= 0; i--) {
        writeValue(o, item, list[i], f);
        o.varint(item.tag);
      }
      break;
    }
    case op.DURATION: {
      const nanos = typeof v === 'string' ? parseDuration(v) : null;
      if (nanos === null) fail(f, v);
      o.signed(nanos as bigint);
      o.varint(8);
      break;
    }
    default:
      writeUnion(o, p, v, f);
  }
  o.varint(o.written - end);
}

function writeTime(o: BackBuffer, v: Json | undefined, micro: boolean, f: PlanField): void {
  if (v === null) return;
  const t = typeof v === 'string' ? parseTime(v) : null;
  if (t === null) throw mismatch(f, v);
  if (t.seconds === ZERO_TIME_SECONDS && t.nanos === 0) return;
  o.varint(micro ? t.nanos - (t.nanos % NANOS_PER_MICRO) : 0);
  o.varint(16);
  o.signed(t.seconds);
  o.varint(8);
}

function writeIntOrString(o: BackBuffer, v: Json | undefined, f: PlanField): void {
  const text = typeof v === 'string';
  if (!text && (typeof v !== 'number' || !Number.isInteger(v)) && v !== null) throw mismatch(f, v);
  o.string(text ? v : '');
  o.varint(26);
  o.signed(text ? 0 : ((v as number | null) ?? 0));
  o.varint(16);
  o.varint(text ? 1 : 0);
  o.varint(8);
}

/** apiextensions' JSONSchemaPropsOrArray, OrBool and OrStringArray. */
function writeUnion(o: BackBuffer, p: PlanField, v: Json | undefined, f: PlanField): void {
  if (Array.isArray(v)) {
    if (p.op === op.OR_BOOL) fail(f, v);
    for (let i = v.length - 1; i >= 0; i--) {
      const item = v[i];
      if (p.op === op.OR_ARRAY) writeInner(o, p.sub(), (item as JsonObject) ?? NOTHING);
      else o.string(String(item));
      o.varint(18);
    }
    return;
  }
  const schema = typeof v === 'object' && v !== null ? v : null;
  if (p.op !== op.OR_BOOL) {
    if (schema === null) return;
    writeInner(o, p.sub(), schema);
    o.varint(10);
    return;
  }
  if (schema !== null) {
    writeInner(o, p.sub(), schema);
    o.varint(18);
  } else if (typeof v !== 'boolean') {
    fail(f, v);
  }
  o.varint(v === false ? 0 : 1);
  o.varint(8);
}

function writeInner(o: BackBuffer, plan: Plan, v: JsonObject): void {
  const end = o.written;
  writeMessage(o, plan, v);
  o.varint(o.written - end);
}

function writeDouble(o: BackBuffer, v: number): void {
  o.need(8);
  o.at -= 8;
  new DataView(o.bytes.buffer).setFloat64(o.at, v, true);
}

function writeBase64(o: BackBuffer, v: Json | undefined, f: PlanField): void {
  if (v !== null && typeof v !== 'string') throw mismatch(f, v);
  const bytes = v === null ? EMPTY : bytesOfBase64(v);
  if (typeof bytes === 'number') throw new ProtoError(`illegal base64 data at input byte ${bytes}`, f.name);
  o.lengthDelimited(bytes);
}

/** Go's zero value of a field that isn't a pointer. */
export function writeZero(o: BackBuffer, f: PlanField): void {
  switch (f.op) {
    case op.INT:
    case op.BOOL:
    case op.STRING:
    case op.TIME:
    case op.MICRO_TIME:
    case op.RAW:
    case op.OR_ARRAY:
    case op.OR_STRINGS:
      o.varint(0);
      break;
    case op.DOUBLE:
      writeDouble(o, 0);
      break;
    case op.STRUCT:
      o.lengthDelimited(zeroOf(f.sub()));
      break;
    case op.DURATION:
      o.lengthDelimited(ZERO_DURATION);
      break;
    case op.QUANTITY:
      o.lengthDelimited(ZERO_QUANTITY);
      break;
    case op.INT_OR_STRING:
      o.lengthDelimited(ZERO_INT_OR_STRING);
      break;
    case op.OR_BOOL:
      o.lengthDelimited(ZERO_DURATION);
      break;
  }
  o.varint(f.tag);
}

/** Field 1 as the varint 0: also JSONSchemaPropsOrBool's `allows: false`. */
const ZERO_DURATION = Uint8Array.of(8, 0);
const ZERO_QUANTITY = Uint8Array.of(10, 1, 48);
const ZERO_INT_OR_STRING = Uint8Array.of(8, 0, 16, 0, 26, 0);

function zeroOf(plan: Plan): Uint8Array {
  plan.zero ??= zeroBytes(plan);
  return plan.zero;
}

function zeroBytes(plan: Plan): Uint8Array {
  const o = new BackBuffer(1024);
  writeMessage(o, plan, NOTHING);
  return o.take();
}

const mismatch = (f: PlanField, v: unknown) =>
  new ProtoError(
    `cannot encode ${v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v} in field ${f.name}`,
    f.name,
  );

function fail(f: PlanField, v: unknown): never {
  throw mismatch(f, v);
}
