import type { Json, JsonObject } from '../meta/json.ts';
import { asMember, EMPTY_SET, type FieldSet, isEmptySet, isMember, LEAF } from './fieldset.ts';
import type { PathElement } from './path-element.ts';
import type { ListPlan, MapPlan, Plan } from './plan.ts';
import { asList, asMap, atomOf, elementsOf, hasNoKeys, member } from './typed-view.ts';

/** Every leaf field and every item that a value mentions (`typed.ToFieldSet`). The plan is a raw one. */
export function fieldSetOf(plan: Plan, v: Json): FieldSet {
  return nodeOf(plan, v) ?? EMPTY_SET;
}

/** The node of a value; undefined when it mentions nothing itself. */
function nodeOf(plan: Plan, v: Json): FieldSet | undefined {
  const atom = atomOf(plan, v);
  if (atom.map !== undefined) {
    if (atom.map.atomic) return LEAF;
    const map = asMap(v);
    return map === null ? undefined : nodeOfMap(atom.map, map);
  }
  if (atom.scalar !== undefined || atom.list === undefined || atom.list.atomic) return LEAF;
  const list = asList(v);
  return list === null ? undefined : nodeOfList(atom.list, list);
}

function nodeOfMap(plan: MapPlan, object: JsonObject): FieldSet | undefined {
  const out: JsonObject = {};
  let any = false;
  for (const key of Object.keys(object)) {
    const v = member(plan, object, key);
    const field = plan.fields.get(key);
    const sub = field?.plan ?? plan.element;
    if (v === undefined || sub === null) continue;
    const node = nodeOf(sub(), v);
    const map = asMap(v);
    const whole = v === null || (map !== null && hasNoKeys(map)) || field === undefined;
    if (node === undefined && !whole) continue;
    out[`f:${key}`] = whole ? asMember(node ?? LEAF) : (node as FieldSet);
    any = true;
  }
  return any ? out : undefined;
}

function nodeOfList(plan: ListPlan, list: readonly Json[]): FieldSet | undefined {
  const items = plan.items();
  const elements = elementsOf(plan, list);
  const out: JsonObject = {};
  for (let i = 0; i < list.length; i++) {
    const e = elements[i] as PathElement;
    out[e] = out[e] === undefined ? asMember(nodeOf(items, list[i] as Json) ?? LEAF) : LEAF;
  }
  return list.length === 0 ? undefined : out;
}

/** The set with every struct field on the way to a path made a member: so that whole structs can be taken out and put back. */
export function withNamedFields(plan: Plan | null, set: FieldSet): FieldSet {
  if (isEmptySet(set)) return set;
  const out: JsonObject = {};
  for (const e in set) {
    if (e === '.') continue;
    const node = set[e] as FieldSet;
    const field = plan?.map?.elements.get(e);
    const below = isEmptySet(node) ? node : withNamedFields(planBelow(plan, e), node);
    out[e] = field !== undefined || isMember(node) ? asMember(below) : below;
  }
  return out;
}

const FIELD = 'f'.charCodeAt(0);

/** The plan below an element, values not known; null where the type doesn't say. */
function planBelow(plan: Plan | null, e: PathElement): Plan | null {
  if (plan === null) return null;
  if (e.charCodeAt(0) === FIELD) {
    const below = plan.map?.elements.get(e)?.plan ?? plan.map?.element;
    return below === undefined || below === null ? null : below();
  }
  return e.startsWith('k:') && plan.list !== undefined ? plan.list.items() : null;
}

/**
 * A stored set brought to the present shape of the type (`ReconcileFieldSetWithSchema`): where a field became atomic, its owner now owns
 * the whole of it. The same set when nothing changed.
 */
export function reconcileSet(plan: Plan, set: FieldSet): FieldSet {
  return reconcileNode(plan, set);
}

function reconcileNode(plan: Plan, node: FieldSet): FieldSet {
  // A plan of any shape has no topology that could have changed.
  if (plan.deduced) return node;
  const atomic = plan.map?.atomic ?? plan.list?.atomic ?? false;
  if (atomic) return isEmptySet(node) ? node : LEAF;
  if (plan.map === undefined && plan.list === undefined) return node;
  let out: JsonObject | null = null;
  for (const e in node) {
    if (e === '.') continue;
    const sub = reconcilePlan(plan, e);
    if (sub === null) continue;
    const below = node[e] as FieldSet;
    const next = isEmptySet(below) ? below : reconcileNode(sub, below);
    if (next === below) continue;
    out ??= { ...node };
    out[e] = next;
  }
  return out ?? node;
}

function reconcilePlan(plan: Plan, e: PathElement): Plan | null {
  if (plan.list !== undefined) return plan.list.items();
  return planBelow(plan, e);
}
