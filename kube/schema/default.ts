import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { copyJson } from './crd-schema.ts';
import type { Field, Struct, Type } from './schema.ts';

// Unconditional defaults. Conditional ones are behaviour of the kinds.

/** Changes a value in place; null where a type holds no default at all. */
type Filler = ((value: Json) => void) | null;

interface Plan {
  /** Fields with a default of their own. */
  own: Field[];
  /** Fields whose values hold defaults. */
  inner: { name: string; fill: (value: Json) => void }[];
}
const plans = new WeakMap<Struct, Plan | null>();

/**
 * Fills in unconditional defaults in place, only inside what is there, as upstream does: of built-in kinds an empty value counts as absent
 * unless the Go field is a pointer; of custom resources null does unless the field is nullable.
 */
export function applyDefaults(struct: Struct, value: JsonObject): void {
  const plan = planOf(struct);
  if (plan) fillStruct(plan, value);
}

/** True when a value of the struct can hold a default: nothing to do otherwise. */
export function hasDefaults(struct: Struct): boolean {
  return planOf(struct) !== null;
}

function planOf(struct: Struct): Plan | null {
  const known = plans.get(struct);
  if (known !== undefined) return known;
  const plan = holdsDefault(struct) ? buildPlan(struct) : null;
  plans.set(struct, plan);
  return plan;
}

function buildPlan(struct: Struct): Plan {
  const plan: Plan = { own: [], inner: [] };
  for (const field of struct.fields.values()) {
    if (field.default !== undefined && !isNoDefault(field)) plan.own.push(field);
    const fill = fillerOf(field.type);
    if (fill) plan.inner.push({ name: field.name, fill });
  }
  return plan;
}

/** A default that equals what an absent value means anyway. */
function isNoDefault(field: Field): boolean {
  return isBuiltIn(field) && !field.nullable && isEmpty(field.default ?? null);
}
/** CustomResources have no protobuf numbers. */
const isBuiltIn = (field: Field) => field.number > 0 || field.via !== undefined;

function isEmpty(v: Json): boolean {
  return v === null || v === '' || v === 0 || v === false || (Array.isArray(v) && v.length === 0);
}

/** True when a default stands anywhere below; looked up once per struct, so the walk need not be clever. */
function holdsDefault(root: Struct): boolean {
  const seen = new Set<Struct>();
  const inType = (t: Type): boolean => {
    if (t.is === 'struct') return inStruct(t.struct());
    return t.is === 'list' ? inType(t.items) : t.is === 'map' && inType(t.values);
  };
  const inStruct = (s: Struct): boolean => {
    if (seen.has(s)) return false;
    seen.add(s);
    for (const f of s.fields.values()) {
      if (f.default !== undefined && !isNoDefault(f)) return true;
      if (inType(f.type)) return true;
    }
    return false;
  };
  return inStruct(root);
}

function fillerOf(type: Type): Filler {
  if (type.is === 'struct') {
    const struct = type.struct();
    if (!holdsDefault(struct)) return null;
    return (value) => {
      const plan = isObject(value) ? planOf(struct) : null;
      if (plan) fillStruct(plan, value as JsonObject);
    };
  }
  if (type.is === 'list') {
    const fill = fillerOf(type.items);
    return (
      fill &&
      ((value) => {
        if (Array.isArray(value)) for (const item of value) fill(item);
      })
    );
  }
  if (type.is === 'map') {
    const fill = fillerOf(type.values);
    return (
      fill &&
      ((value) => {
        if (isObject(value)) for (const name in value) fill(value[name] ?? null);
      })
    );
  }
  return null;
}

function fillStruct(plan: Plan, value: JsonObject): void {
  for (const field of plan.own) {
    const given = value[field.name];
    const absent =
      given === undefined ||
      (given === null && !(field.nullable && !isBuiltIn(field))) ||
      (isBuiltIn(field) && !field.nullable && isEmpty(given));
    if (absent) value[field.name] = copyJson(field.default ?? null); // a copy: it may be changed later
  }
  for (const { name, fill } of plan.inner) {
    const given = value[name];
    if (given !== undefined && given !== null) fill(given);
  }
}
