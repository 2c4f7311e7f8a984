import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { keyElement, type PathElement, scalarText, valueElement } from './path-element.ts';
import type { FieldPlan, ListPlan, MapPlan, Plan } from './plan.ts';

/** A value that doesn't fit its type; the message is upstream's, with the path before it. */
export class TypedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TypedError';
  }
}

/**
 * A field of a Go struct as upstream sees it: undefined where Go's encoder leaves it out, the zero value where it always writes one.
 * `v` is what the JSON holds.
 */
export function goField(field: FieldPlan, v: Json | undefined): Json | undefined {
  if (v === undefined || v === null) return field.zero;
  if (!field.dropsZero) return v;
  if (typeof v === 'object') {
    if (Array.isArray(v)) return v.length === 0 ? undefined : v;
    const { map } = field.plan();
    return map !== undefined && map.fields.size === 0 && hasNoKeys(v) ? undefined : v;
  }
  return v === '' || v === 0 || v === false ? undefined : v;
}

/** A member of an object under its plan: undefined when absent. Safe for keys such as `constructor`. */
export function member(plan: MapPlan, object: JsonObject, key: string): Json | undefined {
  const field = plan.fields.get(key);
  if (field !== undefined) return plan.native ? goField(field, object[key]) : object[key];
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** True for an object without members. */
export function hasNoKeys(o: JsonObject): boolean {
  for (const k in o) if (o[k] !== undefined) return false;
  return true;
}

/** The atom of a plan that a value has; the plan itself when it has just one or the value is null. */
export function atomOf(plan: Plan, v: Json | undefined): Plan {
  if (!plan.deduced || v === null || v === undefined) return plan;
  if (Array.isArray(v)) return listOnly(plan);
  return typeof v === 'object' ? mapOnly(plan) : scalarOnly(plan);
}

const scalars = new WeakMap<Plan, Plan>();
const lists = new WeakMap<Plan, Plan>();
const maps = new WeakMap<Plan, Plan>();
const scalarOnly = (p: Plan) => only(scalars, p, () => ({ scalar: p.scalar, deduced: false }));
const listOnly = (p: Plan) => only(lists, p, () => ({ list: p.list, deduced: false }));
const mapOnly = (p: Plan) => only(maps, p, () => ({ map: p.map, deduced: false }));

function only(cache: WeakMap<Plan, Plan>, plan: Plan, make: () => Plan): Plan {
  let made = cache.get(plan);
  if (made === undefined) {
    made = make();
    cache.set(plan, made);
  }
  return made;
}

/** The value as a list under upstream's leniency: null and other shapes count as no list. */
export function asList(v: Json | undefined): Json[] | null {
  return Array.isArray(v) ? v : null;
}

/** The value as a map under the same leniency. */
export function asMap(v: Json | undefined): JsonObject | null {
  return isObject(v) ? v : null;
}

/** The element that a list item has in paths. Throws a TypedError with upstream's text (without the item's index). */
export function itemElement(list: ListPlan, item: Json): PathElement {
  return list.keys.length > 0 ? keyedElement(list, item) : setElement(item);
}

/** The elements of all items. Throws a TypedError that names the item. */
export function elementsOf(plan: ListPlan, list: readonly Json[]): PathElement[] {
  const out: PathElement[] = [];
  try {
    for (let i = 0; i < list.length; i++) out.push(itemElement(plan, list[i] as Json));
  } catch (e) {
    if (e instanceof TypedError) throw new TypedError(`element ${out.length}: ${e.message}`);
    throw e;
  }
  return out;
}

function keyedElement(list: ListPlan, item: Json): PathElement {
  if (item === null) throw new TypedError('associative list with keys may not have a null element');
  if (!isObject(item)) throw new TypedError('associative list with keys may not have non-map elements');
  const map = list.items().map;
  if (list.keyPrefix !== '') {
    // The common case without allocations: one key that is there.
    const v = item[list.keys[0] as string];
    if (typeof v === 'string' && v !== '') return `${list.keyPrefix}${scalarText(v)}}`;
  }
  const pairs: [string, Json][] = [];
  for (const key of list.keys) {
    // A null that is written is a key of its own; only an absent one has the default.
    const given = map === undefined ? item[key] : member(map, item, key);
    const v = given === undefined ? list.keyDefault(key) : given;
    if (v !== undefined) pairs.push([key, v]);
  }
  if (pairs.length === 0) {
    const names = `[${list.keys.map((k) => `"${k}"`).join(' ')}]`;
    throw new TypedError(
      `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(pairs);
}

function setElement(item: Json): PathElement {
  if (isObject(item)) throw new TypedError("associative list without keys has an element that's a map type");
  if (Array.isArray(item)) throw new TypedError('not supported: associative list with lists as elements');
  if (item === null) throw new TypedError("associative list without keys has an element that's an explicit null");
  return valueElement(item);
}

/**
 * The value as upstream holds it in Go structs: what omitempty leaves out is gone, what is always written is there. The same object
 * where nothing changes.
 */
export function goView(plan: Plan, v: Json): Json {
  const atom = atomOf(plan, v);
  if (Array.isArray(v) && atom.list !== undefined) {
    const items = atom.list.items();
    return mapSame(v, (item) => goView(items, item));
  }
  if (isObject(v) && atom.map !== undefined) return goViewOfMap(atom.map, v);
  return v;
}

function mapSame(list: Json[], f: (item: Json) => Json): Json[] {
  let out: Json[] | null = null;
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as Json;
    const next = f(item);
    if (next === item) continue;
    out ??= [...list];
    out[i] = next;
  }
  return out ?? list;
}

function goViewOfMap(plan: MapPlan, object: JsonObject): JsonObject {
  const out: JsonObject = {};
  let changed = false;
  for (const key of Object.keys(object)) {
    const v = member(plan, object, key);
    const sub = plan.fields.get(key)?.plan ?? plan.element;
    const next = v === undefined || sub === null ? v : goView(sub(), v);
    if (next !== object[key]) changed = true;
    if (next !== undefined) put(out, key, next);
  }
  if (plan.native) {
    for (const field of plan.sorted) {
      if (field.zero === undefined || object[field.name] !== undefined) continue;
      out[field.name] = goView(field.plan(), field.zero);
      changed = true;
    }
  }
  return changed ? out : object;
}

/** Sets a member whatever its name: plain assignment to `__proto__` would change the prototype. */
export function put(o: JsonObject, key: string, v: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(o, key, { value: v, enumerable: true, configurable: true, writable: true });
  } else o[key] = v;
}
