import * as issues from '../meta/issues.ts';
import { equalJson, isObject, type Json, type JsonObject } from '../meta/json.ts';
import { byteLength } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { formats } from './formats.ts';
import type { Field, Limits, ListType, MapType, Struct, Type } from './schema.ts';

// Declarative validation of built-in kinds: what upstream generates from `+k8s:` tags, standard and beta (alpha rules are only shadows).
// Texts: apimachinery pkg/api/validate, v0.37.1. What hasn't changed since `old` isn't validated again (upstream: ratcheting).

/**
 * Checks an object against its struct; `old` is the stored object on update, null on create. The object has been decoded
 * and defaulted. Kinds add their own checks: join both with mergeIssues.
 */
export function validate(struct: Struct, value: JsonObject, old: JsonObject | null): Issue[] {
  const check = checkOf(struct);
  if (!check) return [];
  const out: Issue[] = [];
  check('', value, old, out);
  return out;
}

/** Hand-written issues and then declarative ones; where both speak of a field with the same type, the declarative one stands. */
export function mergeIssues(byHand: Issue[], declarative: Issue[]): Issue[] {
  if (declarative.length === 0) return byHand;
  const covered = new Set(declarative.map((i) => `${i.type} ${i.field}`));
  return [...byHand.filter((i) => !covered.has(`${i.type} ${i.field}`)), ...declarative];
}

/** Checks a present value; `old` is what it was, undefined when there was nothing to compare with. */
type Check = (path: string, value: Json, old: Json | undefined | null, out: Issue[]) => void;

const checks = new WeakMap<Struct, Check | null>();

/** The check of a struct; null when nothing below it has a rule. */
function checkOf(struct: Struct): Check | null {
  const known = checks.get(struct);
  if (known !== undefined) return known;
  const check = hasRules(struct) ? structCheck(struct) : null;
  checks.set(struct, check);
  return check;
}

function hasRules(root: Struct): boolean {
  const seen = new Set<Struct>();
  const inType = (t: Type): boolean => {
    if ('limits' in t && t.limits) return true;
    if (t.is === 'string') return t.enum !== undefined && !t.documented;
    if (t.is === 'list') return t.unique !== undefined || inType(t.items);
    if (t.is === 'map') return t.keyLimits !== undefined || inType(t.values);
    return t.is === 'struct' && inStruct(t.struct());
  };
  const inStruct = (s: Struct): boolean => {
    if (seen.has(s)) return false;
    seen.add(s);
    if (s.unions) return true;
    for (const f of s.fields.values()) if (hasOwnRule(f) || inType(f.type)) return true;
    return false;
  };
  return inStruct(root);
}

function hasOwnRule(f: Field): boolean {
  return Boolean(f.required || f.immutable || f.forbidden || f.update || f.subfields || f.modes);
}

function structCheck(struct: Struct): Check {
  let fields: { field: Field; check: Check | null }[] | undefined;
  return (path, value, old, out) => {
    if (!isObject(value)) return;
    fields ??= [...struct.fields.values()]
      .map((field) => ({ field, check: typeCheck(field.type) }))
      .filter(({ field, check }) => check !== null || hasOwnRule(field));
    const before = isObject(old) ? old : undefined;
    // Upstream's order: what concerns the struct as a whole comes first.
    for (const union of struct.unions ?? []) checkUnion(struct, union, path, value, before, out);
    for (const { field } of fields) if (field.modes) checkModes(field, field.modes, path, value, before, out);
    for (const { field, check } of fields) checkField(field, check, path, value, before, out);
  };
}

/** True when Go's value is set: pointers that aren't nil, other values that aren't zero. */
function isSet(field: Field, v: Json | undefined): boolean {
  if (v === undefined || v === null) return false;
  if (field.nullable) return true;
  if (v === '' || v === 0 || v === false) return false;
  if (Array.isArray(v)) return v.length > 0;
  if (isObject(v)) for (const name in v) return v[name] !== undefined;
  return !isObject(v);
}

function checkField(
  field: Field,
  check: Check | null,
  path: string,
  parent: JsonObject,
  oldParent: JsonObject | undefined,
  out: Issue[],
): void {
  const value = parent[field.name];
  const old = oldParent?.[field.name];
  if (oldParent && equalJson(value ?? null, old ?? null)) return;
  const set = isSet(field, value);
  if (!set && !field.required && !oldParent) return;
  const at = issues.child(path, field.name);
  const before = out.length;
  if (field.required && !set) out.push(issues.required(at));
  if (oldParent) checkUpdate(field, at, value, old, out);
  if (field.forbidden && set) out.push(issues.forbidden(at, ''));
  if (set && Array.isArray(value) && field.type.is === 'list') checkMaxItems(field.type, at, value, out);
  if (out.length > before || !set || value === undefined) return;
  for (const name in field.subfields) checkSubfield(field.subfields[name] ?? {}, at, name, value, old, out);
  check?.(at, value, oldParent ? old : undefined, out);
}

function checkUpdate(field: Field, at: string, value: Json | undefined, old: Json | undefined, out: Issue[]): void {
  if (field.immutable) out.push(issues.invalid(at, null, 'field is immutable'));
  for (const rule of field.update ?? []) {
    const was = isSet(field, old);
    const is = isSet(field, value);
    if (rule === 'NoSet' && !was && is) out.push(issues.invalid(at, null, 'field cannot be set once created'));
    if (rule === 'NoUnset' && was && !is) out.push(issues.invalid(at, null, 'field cannot be cleared once set'));
    if (rule === 'NoModify' && was && is) out.push(issues.invalid(at, null, 'field cannot be modified once set'));
    if (rule === 'NoAddItem')
      missing(field.type, value, old, (key) => {
        out.push(issues.forbidden(issues.key(at, key), 'item may not be added'));
      });
    if (rule === 'NoRemoveItem')
      missing(field.type, old, value, (key) => {
        out.push(issues.forbidden(field.type.is === 'map' ? issues.key(at, key) : at, 'item may not be removed'));
      });
  }
}

/** Calls `found` with the index or key of each item of `items` that `others` doesn't have. */
function missing(type: Type, items: Json | undefined, others: Json | undefined, found: (key: string) => void): void {
  if (type.is === 'map' && isObject(items)) {
    for (const name in items) if (!isObject(others) || others[name] === undefined) found(name);
  }
  if (type.is !== 'list' || !Array.isArray(items)) return;
  const list = Array.isArray(others) ? others : [];
  for (const [i, item] of items.entries()) if (!list.some((o) => sameItem(type, o, item))) found(String(i));
}

/** Items of a keyed list are the same when their keys are equal; all others when they are equal. */
function sameItem(type: ListType, a: Json, b: Json): boolean {
  if (type.list !== 'map' || !isObject(a) || !isObject(b)) return equalJson(a, b);
  return (type.keys ?? []).every((k) => equalJson(a[k] ?? null, b[k] ?? null));
}

function checkSubfield(
  limits: Limits,
  at: string,
  name: string,
  value: Json,
  old: Json | undefined,
  out: Issue[],
): void {
  const sub = isObject(value) ? value[name] : undefined;
  if (typeof sub !== 'string' || sub === '') return;
  if (isObject(old) && old[name] === sub) return;
  checkText(limits, issues.child(at, name), sub, out);
}

function checkUnion(
  struct: Struct,
  union: NonNullable<Struct['unions']>[number],
  path: string,
  value: JsonObject,
  old: JsonObject | undefined,
  out: Issue[],
): void {
  const setIn = (o: JsonObject | undefined, name: string): boolean => {
    const field = struct.fields.get(name);
    return field !== undefined && o !== undefined && isSet(field, o[name]);
  };
  const d = union.discriminator;
  const changed = !old || union.members.some((m) => setIn(value, m) !== setIn(old, m)) || (d && value[d] !== old[d]);
  if (!changed) return;
  if (d) {
    for (const [i, m] of union.members.entries()) {
      const name = union.values?.[i] ?? m;
      const chosen = value[d] === name;
      if (setIn(value, m) === chosen) continue;
      const text = chosen ? 'must be specified when' : 'may only be specified when';
      out.push(issues.invalid(issues.child(path, m), '', `${text} \`${d}\` is ${issues.quote(name)}`));
    }
    return;
  }
  const given = union.members.filter((m) => setIn(value, m));
  const all = union.members.map((m) => `\`${m}\``).join(', ');
  if (given.length > 1) {
    const rule = union.required ? 'exactly' : 'at most';
    out.push(issues.invalid(path, `{${given.join(', ')}}`, `must specify ${rule} one of: ${all}`));
  } else if (given.length === 0 && union.required) out.push(issues.invalid(path, '', `must specify one of: ${all}`));
}

function checkModes(
  field: Field,
  modes: NonNullable<Field['modes']>,
  path: string,
  value: JsonObject,
  old: JsonObject | undefined,
  out: Issue[],
): void {
  const mode = value[modes.discriminator];
  const given = value[field.name];
  if (old && old[modes.discriminator] === mode && equalJson(old[field.name] ?? null, given ?? null)) return;
  const at = issues.child(path, field.name);
  const set = isSet(field, given);
  if (modes.required.includes(String(mode))) {
    if (!set) out.push(issues.required(at));
  } else if (set && !modes.optional.includes(String(mode))) out.push(issues.forbidden(at, ''));
}

/** The check of a value by its type; null when there is nothing to check. */
function typeCheck(type: Type): Check | null {
  switch (type.is) {
    case 'string':
      return stringCheck(type.enum && !type.documented ? type.enum : undefined, type.limits);
    case 'integer':
      return type.limits ? numberCheck(type.limits) : null;
    case 'struct':
      return checkOf(type.struct());
    case 'list':
      return listCheck(type);
    case 'map':
      return mapCheck(type);
    default:
      return null;
  }
}

function stringCheck(values: readonly string[] | undefined, limits: Limits | undefined): Check | null {
  if (!values && !limits) return null;
  return (path, value, _old, out) => {
    if (typeof value !== 'string') return;
    if (limits) checkText(limits, path, value, out);
    if (values && !values.includes(value)) out.push(issues.notSupported(path, value, values));
  };
}

function checkText(limits: Limits, path: string, value: string, out: Issue[]): void {
  if (limits.format) out.push(...(formats[limits.format]?.(path, value) ?? []));
  if (limits.maxBytes !== undefined && byteLength(value) > limits.maxBytes) {
    out.push(issues.tooLong(path, limits.maxBytes));
  }
  if (limits.maxLength !== undefined && value.length > limits.maxLength && [...value].length > limits.maxLength) {
    out.push(issues.tooLongCharacters(path, limits.maxLength));
  }
  if (limits.minLength !== undefined && [...value].length < limits.minLength) {
    out.push(issues.tooShort(path, limits.minLength));
  }
}

function numberCheck(limits: Limits): Check {
  const { minimum, maximum } = limits;
  return (path, value, _old, out) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return;
    if (maximum !== undefined && value > maximum) {
      out.push(issues.invalid(path, value, `must be less than or equal to ${maximum}`));
    }
    if (minimum !== undefined && value < minimum) {
      out.push(issues.invalid(path, value, `must be greater than or equal to ${minimum}`));
    }
  };
}

function checkMaxItems(type: ListType, path: string, value: Json[], out: Issue[]): void {
  const max = type.limits?.maxItems;
  if (max !== undefined && value.length > max) out.push(issues.tooMany(path, value.length, max));
}

function listCheck(type: ListType): Check | null {
  const each = typeCheck(type.items);
  if (!each && !type.unique && type.limits === undefined) return null;
  const min = type.limits?.minItems;
  return (path, value, old, out) => {
    if (!Array.isArray(value)) return;
    if (min !== undefined && value.length < min) out.push(issues.tooFew(path, value.length, min));
    const before = Array.isArray(old) ? old : [];
    if (each) {
      for (const [i, item] of value.entries()) {
        const match = before.find((o) => sameItem(type, o, item));
        if (match !== undefined && equalJson(match, item)) continue;
        each(issues.index(path, i), item, match, out);
      }
    }
    if (type.unique) checkUnique(type, path, value, out);
  };
}

/** Quadratic, as upstream: lists with this rule are short (maxItems, or a handful of entries). */
function checkUnique(type: ListType, path: string, value: Json[], out: Issue[]): void {
  for (let j = 1; j < value.length; j++) {
    const item = value[j] ?? null;
    for (let i = 0; i < j; i++) {
      const other = value[i] ?? null;
      if (!sameItem(type, other, item)) continue;
      out.push(issues.duplicate(issues.index(path, j), item));
      break;
    }
  }
}

function mapCheck(type: MapType): Check | null {
  const each = typeCheck(type.values);
  const { keyLimits, limits } = type;
  if (!each && !keyLimits && !limits) return null;
  return (path, value, old, out) => {
    if (!isObject(value)) return;
    const before = isObject(old) ? old : undefined;
    const size = limits ? Object.keys(value).length : 0;
    if (limits?.maxProperties !== undefined && size > limits.maxProperties) {
      out.push(issues.tooMany(path, size, limits.maxProperties));
    }
    if (limits?.minProperties !== undefined && size < limits.minProperties) {
      out.push(issues.tooFew(path, size, limits.minProperties));
    }
    for (const name in value) {
      const was = before?.[name];
      if (keyLimits && was === undefined) checkText(keyLimits, path, name, out);
      const item = value[name];
      if (!each || item === undefined || (was !== undefined && equalJson(was, item))) continue;
      each(issues.key(path, name), item, was, out);
    }
  };
}
