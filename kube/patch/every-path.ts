import type { Json, JsonObject } from '../meta/json.ts';
import { asMember, type FieldSet, LEAF, standing } from './fieldset.ts';
import type { PathElement } from './path-element.ts';
import type { FieldPlan, ListPlan, MapPlan, Plan } from './plan.ts';
import { asList, asMap, atomOf, elementsOf, goField, itemElement } from './typed-view.ts';

/**
 * The node of a value: itself and all below it. Values of one shape (pods of one template) have the very same node: it is found by walking the value
 * along the shapes seen before, and neither made nor ordered nor printed again.
 */
export function everyPath(plan: Plan, v: Json): FieldSet {
  const atom = atomOf(plan, v);
  if (atom.map !== undefined) {
    const map = asMap(v);
    return map === null || atom.map.atomic ? LEAF : everyPathOfMap(atom.map, map);
  }
  if (atom.list === undefined || atom.scalar !== undefined || atom.list.atomic) return LEAF;
  const list = asList(v);
  return list === null || list.length === 0 ? LEAF : everyPathOfList(atom.list, list);
}

/** How far a walk has come: what it saw decides the node. */
interface Shape {
  turns: Turn[];
  node: FieldSet | undefined;
}
/** From a shape to the next: by a member's name or an item's key, and the node below. */
interface Turn {
  key: Json;
  /** Undefined: the member doesn't count. */
  below: FieldSet | undefined;
  to: Shape;
}
interface Shapes {
  first: Shape;
  count: number;
}
const known = new WeakMap<MapPlan | ListPlan, Shapes>();

/** Members or items of a value whose shape is kept: more come seldom twice. */
const WIDTH_MAX = 64;
/** Turns that a shape keeps, newest first. */
const TURNS_MAX = 8;
/** Shapes that are kept of one type, some 150 bytes each; then they are begun anew. */
const SHAPES_MAX = 1_024;

function shapesOf(plan: MapPlan | ListPlan): Shapes {
  let shapes = known.get(plan);
  if (shapes === undefined || shapes.count > SHAPES_MAX) {
    shapes = { first: { turns: [], node: undefined }, count: 1 };
    known.set(plan, shapes);
  }
  return shapes;
}

function follow(shapes: Shapes, at: Shape, key: Json, below: FieldSet | undefined): Shape {
  const { turns } = at;
  for (let i = 0; i < turns.length; i++) {
    const turn = turns[i] as Turn;
    if (turn.key === key && turn.below === below) return turn.to;
  }
  const to: Shape = { turns: [], node: undefined };
  shapes.count++;
  turns.unshift({ key, below, to });
  if (turns.length > TURNS_MAX) turns.pop();
  return to;
}

function everyPathOfMap(plan: MapPlan, object: JsonObject): FieldSet {
  const shapes = shapesOf(plan);
  let at = shapes.first;
  let width = 0;
  for (const key in object) {
    if (++width > WIDTH_MAX) return nodeOfMap(plan, object);
    at = follow(shapes, at, key, memberNode(plan, plan.fields.get(key), object[key]));
  }
  at.node ??= standing(nodeOfMap(plan, object));
  return at.node;
}

/** The node of a member; undefined where it doesn't count. */
function memberNode(plan: MapPlan, field: FieldPlan | undefined, given: Json | undefined): FieldSet | undefined {
  const sub = field?.plan ?? plan.element;
  const v = plan.native && field !== undefined ? goField(field, given) : given;
  return v === undefined || sub === null ? undefined : everyPath(sub(), v);
}

function nodeOfMap(plan: MapPlan, object: JsonObject): FieldSet {
  let out: JsonObject | null = null;
  if (plan.native) {
    for (const field of plan.sorted) {
      const v = goField(field, object[field.name]);
      if (v === undefined) continue;
      out ??= { '.': LEAF };
      out[field.element] = everyPath(field.plan(), v);
    }
    return out ?? LEAF;
  }
  for (const key of Object.keys(object).sort()) {
    const v = object[key];
    const sub = plan.fields.get(key)?.plan ?? plan.element;
    if (v === undefined || sub === null) continue;
    out ??= { '.': LEAF };
    out[`f:${key}`] = everyPath(sub(), v);
  }
  return out ?? LEAF;
}

function everyPathOfList(plan: ListPlan, list: readonly Json[]): FieldSet {
  if (list.length > WIDTH_MAX) return nodeOfList(plan, list);
  const shapes = shapesOf(plan);
  const items = plan.items();
  let at = shapes.first;
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as Json;
    at = follow(shapes, at, itemKey(plan, list, item), everyPath(items, item));
  }
  at.node ??= standing(nodeOfList(plan, list));
  return at.node;
}

/** What tells an item from others: its only key, or else its path element. Throws a TypedError as elementsOf() does. */
function itemKey(plan: ListPlan, list: readonly Json[], item: Json): Json {
  if (plan.keyPrefix !== '' && item !== null && typeof item === 'object' && !Array.isArray(item)) {
    const key = item[plan.keys[0] as string];
    if (typeof key === 'string' && key !== '') return key;
  }
  try {
    return itemElement(plan, item);
  } catch (e) {
    elementsOf(plan, list);
    throw e;
  }
}

function nodeOfList(plan: ListPlan, list: readonly Json[]): FieldSet {
  const out: JsonObject = { '.': LEAF };
  const items = plan.items();
  const elements = elementsOf(plan, list);
  for (let i = 0; i < list.length; i++) {
    const e = elements[i] as PathElement;
    // Items that share an element are owned as one.
    out[e] = out[e] === undefined ? asMember(everyPath(items, list[i] as Json)) : LEAF;
  }
  return out;
}
