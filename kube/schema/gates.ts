import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import type { Field, Struct, Type } from './schema.ts';

// Fields of features that are off in this release: upstream's strategies drop them from what is written unless the stored object
// already uses them (dropDisabledFields).

interface Plan {
  disabled: Field[];
  inner: { name: string; type: Type }[];
}
const plans = new WeakMap<Struct, Plan | null>();

/**
 * Drops fields of disabled features in place; `old` is the stored object on update, null on create. Belongs after defaulting and before validation.
 */
export function dropDisabled(struct: Struct, value: JsonObject, old: JsonObject | null): void {
  if (!planOf(struct)) return;
  const used = new Set<Field>();
  if (old) visitStruct(struct, old, (field) => used.add(field));
  visitStruct(struct, value, (field, holder) => {
    if (!used.has(field)) delete holder[field.name];
  });
}

/** Calls `found` for each disabled field that is set. */
function visitStruct(struct: Struct, value: Json, found: (field: Field, holder: JsonObject) => void): void {
  const plan = planOf(struct);
  if (!plan || !isObject(value)) return;
  for (const field of plan.disabled) {
    const given = value[field.name];
    if (given !== undefined && given !== null) found(field, value);
  }
  for (const { name, type } of plan.inner) {
    const given = value[name];
    if (given !== undefined && given !== null) visit(type, given, found);
  }
}

function visit(type: Type, value: Json, found: (field: Field, holder: JsonObject) => void): void {
  if (type.is === 'struct') visitStruct(type.struct(), value, found);
  else if (type.is === 'list' && Array.isArray(value)) for (const item of value) visit(type.items, item, found);
  else if (type.is === 'map' && isObject(value))
    for (const name in value) visit(type.values, value[name] ?? null, found);
}

function planOf(struct: Struct): Plan | null {
  const known = plans.get(struct);
  if (known !== undefined) return known;
  const fields = [...struct.fields.values()];
  const disabled = fields.filter((f) => f.disabled);
  const inner = fields.filter((f) => !f.disabled && holds(f.type, new Set())).map(({ name, type }) => ({ name, type }));
  const plan = disabled.length + inner.length > 0 ? { disabled, inner } : null;
  plans.set(struct, plan);
  return plan;
}

/** True when a disabled field stands anywhere below. */
function holds(type: Type, seen: Set<Struct>): boolean {
  if (type.is === 'list') return holds(type.items, seen);
  if (type.is === 'map') return holds(type.values, seen);
  if (type.is !== 'struct') return false;
  const struct = type.struct();
  if (seen.has(struct)) return false;
  seen.add(struct);
  for (const f of struct.fields.values()) if (f.disabled || holds(f.type, seen)) return true;
  return false;
}
