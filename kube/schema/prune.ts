import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { canonicalQuantity, MAX_INT64 } from '../meta/quantity.ts';
import { canonicalDuration, canonicalMicroTime, canonicalTime, ZERO_TIME } from '../meta/time.ts';
import { canonicalBase64 } from './base64.ts';
import { setMember } from './crd-schema.ts';
import { diagnose } from './diagnose.ts';
import type { Field, Struct, Type } from './schema.ts';
import { schemas } from './schemas.ts';

// Reads parsed JSON the way Go's decoder and encoder would: what comes out is what kube-apiserver would send back for what came in.
// The quick path below only notices that something is wrong; diagnose.ts then words it.

export interface Decoded {
  /** The normalised object; meaningless when `error` is set. */
  value: JsonObject;
  /** Strict decoding's findings in document order, as `unknown field "spec.foo"`; the fields themselves are dropped. */
  unknown: string[];
  /** Why Go's decoder fails (`json: cannot unmarshal ...`), or empty. The caller adds the prefix that names the kind. */
  error: string;
}

/** Decodes a parsed JSON object of a built-in kind. The input may be shared by the result and must not be changed afterwards. */
export function decode(struct: Struct, value: Json): Decoded {
  const state: State = { wrong: false };
  const out = readStruct(planOf(struct), value, state);
  if (!state.wrong) return { value: out, unknown: [], error: '' };
  return { value: out, ...diagnose(struct, value) };
}

/** An object with the fields that Go always writes, for a kind that is made rather than read. */
export function emptyObject(struct: Struct): JsonObject {
  return readStruct(planOf(struct), {}, { wrong: false });
}

interface State {
  wrong: boolean;
}
/** Reads a value that isn't null. */
type Reader = (value: Json, state: State) => Json;

interface Slot {
  name: string;
  read: Reader;
  /** What Go writes for the zero value; undefined when it writes nothing. */
  zero: (() => Json) | undefined;
  /** Go leaves the value out when it is empty. */
  omit: ((value: Json) => boolean) | undefined;
}
interface Plan {
  slots: Slot[];
  open: boolean;
}
const plans = new WeakMap<Struct, Plan>();

function planOf(struct: Struct): Plan {
  let plan = plans.get(struct);
  if (!plan) {
    plan = { slots: [...struct.fields.values()].map(slotOf), open: struct.open === true };
    plans.set(struct, plan);
  }
  return plan;
}

function slotOf(field: Field): Slot {
  const { type, nullable } = field;
  return {
    name: field.name,
    read: readerOf(type),
    zero: field.always ? zeroOf(type, nullable === true) : undefined,
    omit: field.always ? undefined : nullable ? isNothing : emptyOf(type),
  };
}

const isNothing = (v: Json) => v === null;
const isEmptyList = (v: Json) => (v as Json[]).length === 0;
function isEmptyMap(v: Json): boolean {
  for (const _ in v as JsonObject) return false;
  return true;
}
function emptyOf(type: Type): ((v: Json) => boolean) | undefined {
  switch (type.is) {
    case 'string':
      // A zero Time reads as null.
      return (v) => v === '' || v === null;
    case 'integer':
    case 'number':
      return (v) => v === 0;
    case 'boolean':
      return (v) => v === false;
    case 'list':
      return isEmptyList;
    case 'map':
      return isEmptyMap;
    default:
      return undefined;
  }
}

/** What Go writes for the zero value of a type; the result is a fresh value each time. */
function zeroOf(type: Type, pointer: boolean): () => Json {
  if (pointer) return () => null;
  switch (type.is) {
    case 'string':
      if (type.format === 'quantity') return () => '0';
      if (type.format === 'duration') return () => '0s';
      if (type.format === 'int-or-string') return () => 0;
      // Bytes are never null once Go has read them back.
      return type.format && type.format !== 'byte' ? () => null : () => '';
    case 'integer':
    case 'number':
      return () => 0;
    case 'boolean':
      return () => false;
    case 'struct': {
      const state: State = { wrong: false };
      return () => readStruct(planOf(type.struct()), EMPTY, state);
    }
    default:
      return () => null;
  }
}
const EMPTY: JsonObject = Object.freeze({});

function readStruct(plan: Plan, value: Json, state: State): JsonObject {
  const out: JsonObject = {};
  if (!isObject(value)) {
    state.wrong = true;
    return out;
  }
  let seen = 0;
  for (const slot of plan.slots) {
    const given = value[slot.name];
    if (given !== undefined) seen++;
    if (given === undefined || given === null) {
      if (slot.zero) out[slot.name] = slot.zero();
      continue;
    }
    const read = slot.read(given, state);
    if (slot.omit?.(read)) continue;
    out[slot.name] = read;
  }
  for (const name in value) if (value[name] !== undefined) seen--;
  if (seen !== 0) keepUnknown(plan, value, out, state);
  return out;
}

function keepUnknown(plan: Plan, value: JsonObject, out: JsonObject, state: State): void {
  if (!plan.open) {
    state.wrong = true;
    return;
  }
  const known = new Set(plan.slots.map((s) => s.name));
  for (const name in value) if (!known.has(name)) setMember(out, name, value[name] ?? null);
}

const MAX_INT32 = 2 ** 31 - 1;

function readerOf(type: Type): Reader {
  switch (type.is) {
    case 'string':
      return FORMATS[type.format ?? 'text'] ?? readText;
    case 'integer':
      return type.bits === 32 ? readInt32 : readInt64;
    case 'number':
      return (v, s) => (typeof v === 'number' ? v : typeof v === 'bigint' ? Number(v) : fail(s, 0));
    case 'boolean':
      return (v, s) => (typeof v === 'boolean' ? v : fail(s, false));
    case 'struct': {
      let plan: Plan | undefined;
      return (v, s) => {
        plan ??= planOf(type.struct());
        return readStruct(plan, v, s);
      };
    }
    case 'list':
      return listReader(type.items);
    case 'map':
      return mapReader(type.values);
    case 'any':
      return (type.proto && UNIONS[type.proto]) || ((v) => v);
  }
}

function fail(state: State, instead: Json): Json {
  state.wrong = true;
  return instead;
}

const readText: Reader = (v, s) => (typeof v === 'string' ? v : fail(s, ''));
const canonical =
  (f: (text: string) => string | null): Reader =>
  (v, s) => {
    const text = typeof v === 'string' ? f(v) : null;
    return text ?? fail(s, '');
  };
const FORMATS: Record<string, Reader> = {
  text: readText,
  time: (v, s) => {
    const text = typeof v === 'string' ? canonicalTime(v) : null;
    return text === ZERO_TIME ? null : (text ?? fail(s, ''));
  },
  'micro-time': (v, s) => {
    const text = typeof v === 'string' ? canonicalMicroTime(v) : null;
    return text === '0001-01-01T00:00:00.000000Z' ? null : (text ?? fail(s, ''));
  },
  duration: canonical(canonicalDuration),
  // encoding/json also reads a list of numbers into bytes; an empty one is the only one that anybody sends.
  byte: (v, s) => (Array.isArray(v) && v.length === 0 ? '' : canonical(canonicalBase64)(v, s)),
  quantity: (v, s) => {
    if (typeof v === 'string') return canonicalQuantity(v) ?? canonicalQuantity(v.trim()) ?? fail(s, '0');
    return typeof v === 'number' || typeof v === 'bigint'
      ? (canonicalQuantity(String(v)) ?? fail(s, '0'))
      : fail(s, '0');
  },
  'int-or-string': (v, s) => (typeof v === 'string' ? v : readInt32(v, s)),
};

function readInt32(v: Json, s: State): Json {
  return typeof v === 'number' && Number.isInteger(v) && v <= MAX_INT32 && v >= -MAX_INT32 - 1 ? v : fail(s, 0);
}
function readInt64(v: Json, s: State): Json {
  if (typeof v === 'number') return Number.isInteger(v) && Math.abs(v) < 2 ** 63 ? v : fail(s, 0);
  return typeof v === 'bigint' && v <= MAX_INT64 && v >= -MAX_INT64 - 1n ? v : fail(s, 0);
}

/** Lists are checked in place and copied only when an item changes. */
function listReader(items: Type): Reader {
  const read = readerOf(items);
  const zero = zeroOf(items, false);
  return (v, s) => {
    if (!Array.isArray(v)) return fail(s, []);
    let out = v;
    for (let i = 0; i < v.length; i++) {
      const item = v[i] ?? null;
      const next = item === null ? zero() : read(item, s);
      if (next === item) continue;
      if (out === v) out = v.slice();
      out[i] = next;
    }
    return out;
  };
}

function mapReader(values: Type): Reader {
  const read = readerOf(values);
  const zero = zeroOf(values, false);
  return (v, s) => {
    if (!isObject(v)) return fail(s, {});
    let out = v;
    for (const name in v) {
      const item = v[name];
      const next = item === undefined ? undefined : item === null ? zero() : read(item, s);
      if (next === item) continue;
      if (out === v) out = { ...v };
      setMember(out, name, next ?? null);
    }
    return out;
  };
}

// The unions of apiextensions: a schema, or something smaller. Unknown fields inside are dropped without a word, as upstream does.
const SCHEMA_PROPS = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
function readSchema(v: Json, s: State): Json {
  const struct = schemas.struct(SCHEMA_PROPS);
  if (!struct) return v;
  const { value, error } = decode(struct, v);
  if (error !== '') s.wrong = true;
  return value;
}
const UNIONS: Partial<Record<string, Reader>> = {
  JSONSchemaPropsOrArray: (v, s) => {
    if (isObject(v)) return readSchema(v, s);
    if (!Array.isArray(v)) return null;
    return v.length === 0 ? null : v.map((item) => readSchema(item, s));
  },
  JSONSchemaPropsOrBool: (v, s) => {
    if (isObject(v)) return readSchema(v, s);
    return typeof v === 'boolean' ? v : fail(s, false);
  },
  JSONSchemaPropsOrStringArray: (v, s) => {
    if (isObject(v)) return readSchema(v, s);
    if (!Array.isArray(v) || v.length === 0) return null;
    return v.every((item) => typeof item === 'string') ? v : fail(s, null);
  },
};
