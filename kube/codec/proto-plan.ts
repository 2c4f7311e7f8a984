import type { Field, Struct, Type } from '../schema/schema.ts';
import type { Keys } from './proto-keys.ts';

// What a field's bytes are. Plain numbers, so that a switch over them is a jump.
export const STRING = 0;
export const INT = 1;
export const BOOL = 2;
export const DOUBLE = 3;
export const BYTES = 4;
export const STRUCT = 5;
export const TIME = 6;
export const MICRO_TIME = 7;
export const DURATION = 8;
export const QUANTITY = 9;
export const INT_OR_STRING = 10;
/** RawExtension, apiextensions JSON, FieldsV1: JSON text in field 1. */
export const RAW = 11;
/** A message whose field 1 repeats: a named Go slice. */
export const WRAPPED = 12;
export const OR_ARRAY = 13;
export const OR_BOOL = 14;
export const OR_STRINGS = 15;
/** An embedded Go struct: a message in protobuf, its fields flat in JSON. */
export const GROUP = 16;
export const LIST = 17;
export const MAP = 18;

export type Op = number;

/** One field, compiled. */
export interface PlanField {
  name: string;
  number: number;
  op: Op;
  /** Number and wire type, as the varint before a value. */
  tag: number;
  /** Written even when absent: not a pointer, list, map or bytes in Go. */
  always: boolean;
  /** INT: 64 bits wide. */
  wide: boolean;
  /** LIST, MAP, WRAPPED: what the elements are. */
  item: PlanField | null;
  /** STRUCT, GROUP and the JSONSchemaPropsOr* unions: the message inside. */
  sub: () => Plan;
  /** Of `sub`; filled by proto-keys.ts on first use. */
  keys: Keys | null;
}

/** A struct, compiled for protobuf. */
export interface Plan {
  name: string;
  /** By rising number. */
  fields: readonly PlanField[];
  /** By number; sparse. */
  numbers: readonly (PlanField | undefined)[];
  /** What Go writes for the zero value; filled by the writer on first use. */
  zero: Uint8Array | null;
  /** How JSON's members find their fields; filled by proto-keys.ts on first use. */
  keys: Keys | null;
}

/** Field numbers in Kubernetes are under 100; a larger one would make `numbers` a dictionary. */
const NUMBER_MAX = 4096;

const plans = new WeakMap<Struct, Plan>();

/** The plan of a struct; compiled once. Fields without a number have no place in it. */
export function planOf(struct: Struct): Plan {
  const known = plans.get(struct);
  if (known !== undefined) return known;
  const plan: Plan = { name: struct.name, fields: [], numbers: [], zero: null, keys: null };
  // Before the fields are compiled: shapes may contain themselves.
  plans.set(struct, plan);
  const fields: PlanField[] = [];
  const numbers: (PlanField | undefined)[] = [];
  for (const f of struct.numbers.values()) {
    if (f.number <= 0 || f.number > NUMBER_MAX) continue;
    const compiled = compile(f, plan);
    fields.push(compiled);
    numbers[f.number] = compiled;
  }
  plan.fields = fields.sort((x, y) => x.number - y.number);
  plan.numbers = Array.from(numbers);
  return plan;
}

const none = (): Plan => {
  throw new Error('this field holds no message');
};
const blank: PlanField = {
  name: '',
  number: 0,
  op: 0,
  tag: 0,
  always: false,
  wide: false,
  item: null,
  sub: none,
  keys: null,
};

function compile(f: Field, owner: Plan): PlanField {
  const out = planOfValue(f.type, f.number, owner);
  if (f.inline && out.op === STRUCT) return { ...out, op: GROUP, always: true };
  out.name = f.name;
  const absentable = out.op === LIST || out.op === MAP || out.op === BYTES || out.op === WRAPPED;
  out.always = !absentable && f.nullable !== true;
  return out;
}

/** The plan of one value at a field number. A JSONSchemaPropsOr* union holds its owner: they occur only inside JSONSchemaProps. */
function planOfValue(type: Type, number: number, owner: Plan): PlanField {
  const bytes = { ...blank, number, tag: number * 8 + 2 };
  switch (type.is) {
    case 'string':
      return { ...bytes, op: stringOp(type.format) };
    case 'integer':
      return { ...bytes, op: INT, tag: number * 8, wide: type.bits === 64 };
    case 'boolean':
      return { ...bytes, op: BOOL, tag: number * 8 };
    case 'number':
      return { ...bytes, op: DOUBLE, tag: number * 8 + 1 };
    case 'struct': {
      let plan: Plan | null = null;
      return {
        ...bytes,
        op: STRUCT,
        sub: () => {
          plan ??= planOf(type.struct());
          return plan;
        },
      };
    }
    case 'list':
      if (type.wrapped) return { ...bytes, op: WRAPPED, item: planOfValue(type.items, 1, owner) };
      return listOf(planOfValue(type.items, number, owner), bytes);
    case 'map': {
      const values = type.values;
      // A map entry holds one value: a list in it is always wrapped.
      const item = planOfValue(values.is === 'list' ? { ...values, wrapped: true } : values, 2, owner);
      return { ...bytes, op: MAP, item };
    }
    case 'any':
      if (type.proto === 'JSONSchemaPropsOrArray') return { ...bytes, op: OR_ARRAY, sub: () => owner };
      if (type.proto === 'JSONSchemaPropsOrBool') return { ...bytes, op: OR_BOOL, sub: () => owner };
      if (type.proto === 'JSONSchemaPropsOrStringArray') return { ...bytes, op: OR_STRINGS, sub: () => owner };
      return { ...bytes, op: RAW };
  }
}

const listOf = (item: PlanField, bytes: PlanField): PlanField => ({ ...bytes, tag: item.tag, op: LIST, item });

function stringOp(format: string | undefined): Op {
  switch (format) {
    case 'time':
      return TIME;
    case 'micro-time':
      return MICRO_TIME;
    case 'duration':
      return DURATION;
    case 'quantity':
      return QUANTITY;
    case 'int-or-string':
      return INT_OR_STRING;
    case 'byte':
      return BYTES;
    default:
      return STRING;
  }
}
