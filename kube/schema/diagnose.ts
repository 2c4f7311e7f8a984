import { STRICT_ERRORS_MAX } from '../codec/json-duplicates.ts';
import { quote } from '../meta/issues.ts';
import { isObject, type Json } from '../meta/json.ts';
import { MAX_INT64, quantityProblem } from '../meta/quantity.ts';
import { durationProblem, timeProblem } from '../meta/time.ts';
import { base64Problem } from './base64.ts';
import type { Field, Struct, Type } from './schema.ts';
import { schemas } from './schemas.ts';

// The slow twin of prune.ts: words what is wrong with a document exactly as sigs.k8s.io/json does, in the document's order.

interface Walk {
  unknown: Set<string>;
  /** The first error that doesn't stop Go's decoder. */
  error: string;
  /** Go's field stack: JSON names, with the Go names of embedded structs between them. */
  stack: string[];
  /** Go's name of the struct that holds the field. */
  holder: string;
}
/** An error of a type's own UnmarshalJSON: Go stops at once. */
class Stop extends Error {}

/** What Go's strict decoder says of a value: unknown fields, and an error that makes the object unusable (empty when none). */
export function diagnose(struct: Struct, value: Json): { unknown: string[]; error: string } {
  const walk: Walk = { unknown: new Set(), error: '', stack: [], holder: '' };
  try {
    inStruct(struct, goStruct(struct), value, '', walk);
  } catch (e) {
    if (!(e instanceof Stop)) throw e;
    return { unknown: [], error: e.message };
  }
  return { unknown: walk.error === '' ? [...walk.unknown] : [], error: walk.error };
}

/** `v1.PodSpec` of `io.k8s.api.core.v1.PodSpec`. */
function goStruct(struct: Struct): string {
  return struct.name.split('.').slice(-2).join('.');
}

function goType(type: Type): string {
  if (type.go) return type.go;
  switch (type.is) {
    case 'string':
      return type.format === 'byte' ? '[]uint8' : 'string';
    case 'integer':
      return `int${type.bits}`;
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'struct':
      return goStruct(type.struct());
    case 'list':
      return `[]${GO_FORMATS[formatOf(type.items)] ?? goType(type.items)}`;
    case 'map':
      return `map[string]${GO_FORMATS[formatOf(type.values)] ?? goType(type.values)}`;
    case 'any':
      return type.embedded ? 'runtime.RawExtension' : 'interface {}';
  }
}
const formatOf = (type: Type) => (type.is === 'string' ? (type.format ?? '') : '');
const GO_FORMATS: Record<string, string> = {
  time: 'v1.Time',
  'micro-time': 'v1.MicroTime',
  duration: 'v1.Duration',
  quantity: 'resource.Quantity',
  'int-or-string': 'intstr.IntOrString',
};

function word(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
function mismatch(value: string, type: string, walk: Walk): string {
  const where = walk.stack.length === 0 ? 'Go value' : `Go struct field ${walk.holder}.${walk.stack.join('.')}`;
  return `json: cannot unmarshal ${value} into ${where} of type ${type}`;
}
function note(walk: Walk, error: string): void {
  if (walk.error === '') walk.error = error;
}
const wrongType = (value: Json, type: string, walk: Walk) => note(walk, mismatch(word(value), type, walk));

function inStruct(struct: Struct, type: string, value: Json, path: string, walk: Walk): void {
  if (!isObject(value)) {
    wrongType(value, type, walk);
    return;
  }
  const holder = walk.holder;
  const depth = walk.stack.length;
  for (const name in value) {
    const given = value[name];
    if (given === undefined) continue;
    const field = struct.fields.get(name);
    const at = path === '' ? name : `${path}.${name}`;
    if (!field) {
      if (!struct.open && walk.unknown.size < STRICT_ERRORS_MAX) walk.unknown.add(`unknown field ${quote(at)}`);
      continue;
    }
    walk.holder = type.slice(type.indexOf('.') + 1);
    pushEmbedded(struct, field, walk.stack);
    walk.stack.push(name);
    if (given !== null) inValue(field.type, given, at, walk);
    walk.stack.length = depth;
    walk.holder = holder;
  }
}

/** Pushes Go's names of the embedded structs that a field comes from, outermost first; nothing for the struct's own. */
function pushEmbedded(struct: Struct, field: Field, stack: string[]): void {
  if (field.via !== undefined) {
    const type = struct.numbers.get(field.via)?.type;
    if (type?.is !== 'struct') return;
    const carrier = type.struct();
    stack.push(carrier.name.split('.').pop() ?? '');
    const inner = carrier.fields.get(field.name);
    if (inner) pushEmbedded(carrier, inner, stack);
  } else if (field.number === 0 && (field.name === 'kind' || field.name === 'apiVersion')) stack.push('TypeMeta');
}

function inValue(type: Type, value: Json, path: string, walk: Walk): void {
  switch (type.is) {
    case 'string':
      if (type.format) inFormat(type.format, value, walk);
      else if (typeof value !== 'string') wrongType(value, goType(type), walk);
      return;
    case 'integer':
      if (typeof value !== 'number' && typeof value !== 'bigint') wrongType(value, goType(type), walk);
      else if (!fits(value, type.bits)) note(walk, mismatch(`number ${value}`, goType(type), walk));
      return;
    case 'number':
      if (typeof value !== 'number' && typeof value !== 'bigint') wrongType(value, 'float64', walk);
      return;
    case 'boolean':
      if (typeof value !== 'boolean') wrongType(value, 'bool', walk);
      return;
    case 'struct':
      inStruct(type.struct(), goType(type), value, path, walk);
      return;
    case 'list':
      if (!Array.isArray(value)) {
        wrongType(value, goType(type), walk);
        return;
      }
      for (const [i, item] of value.entries()) if (item !== null) inValue(type.items, item, `${path}[${i}]`, walk);
      return;
    case 'map':
      if (!isObject(value)) {
        wrongType(value, goType(type), walk);
        return;
      }
      for (const name in value) {
        const item = value[name] ?? null;
        if (item !== null) inValue(type.values, item, `${path}.${name}`, walk);
      }
      return;
    case 'any':
      if (type.proto) inUnion(type.proto, value, walk);
  }
}

function fits(value: number | bigint, bits: 32 | 64): boolean {
  if (typeof value === 'bigint') return bits === 64 && value <= MAX_INT64 && value >= -MAX_INT64 - 1n;
  return Number.isInteger(value) && value < 2 ** (bits - 1) && value >= -(2 ** (bits - 1));
}

/** Types that decode themselves. */
function inFormat(format: string, value: Json, walk: Walk): void {
  if (value === null) return;
  const stop = (text: string) => {
    if (text !== '') throw new Stop(text);
  };
  switch (format) {
    case 'byte':
      if (typeof value !== 'string') wrongType(value, '[]uint8', walk);
      else if (base64Problem(value) !== '') note(walk, base64Problem(value));
      return;
    case 'quantity':
      stop(quantityProblem(typeof value === 'object' || typeof value === 'boolean' ? '!' : String(value).trim()));
      return;
    case 'int-or-string':
      if (typeof value === 'string') return;
      if (typeof value !== 'number' && typeof value !== 'bigint') stop(mismatch(word(value), 'int32', walk));
      else if (!fits(value, 32)) stop(mismatch(`number ${value}`, 'int32', walk));
      return;
    default:
      if (typeof value !== 'string') stop(mismatch(word(value), 'string', walk));
      else stop(format === 'duration' ? durationProblem(value) : timeProblem(value, format === 'micro-time'));
  }
}

function inUnion(proto: string, value: Json, walk: Walk): void {
  const struct = schemas.struct('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps');
  if (proto === 'raw' || !struct) return;
  for (const schema of Array.isArray(value) ? value : [value]) {
    if (!isObject(schema)) continue;
    // The error of the inner decoder gets the outer one's field stack in front.
    const inner: Walk = { unknown: new Set(), error: '', stack: [...walk.stack], holder: walk.holder };
    inStruct(struct, goStruct(struct), schema, '', inner);
    if (inner.error !== '') throw new Stop(inner.error);
  }
  if (proto === 'JSONSchemaPropsOrBool' && !isObject(value) && typeof value !== 'boolean') {
    throw new Stop('boolean or JSON schema expected');
  }
}
