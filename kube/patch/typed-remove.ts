import type { Json, JsonObject } from '../meta/json.ts';
import { type FieldSet, isEmptySet, isMember } from './fieldset.ts';
import type { PathElement } from './path-element.ts';
import type { ListPlan, MapPlan, Plan } from './plan.ts';
import { asList, asMap, atomOf, hasNoKeys, itemElement, put, TypedError } from './typed-view.ts';

/** The value without the items and fields of a set (`typed.RemoveItems`); null when nothing is left. The plan is a raw one. */
export function removeItems(plan: Plan, v: Json, items: FieldSet): Json {
  return walk(plan, v, items, false);
}

/** Only the items and fields of a set (`typed.ExtractItems`); null when nothing is left. The plan is a raw one. */
export function extractItems(plan: Plan, v: Json, items: FieldSet): Json {
  return walk(plan, v, items, true);
}

function walk(plan: Plan, v: Json, items: FieldSet, extract: boolean): Json {
  const atom = atomOf(plan, v);
  if (atom.map !== undefined) return walkMap(atom.map, v, items, extract);
  if (atom.scalar !== undefined || atom.list === undefined) return v;
  return walkList(atom.list, v, items, extract);
}

function walkList(plan: ListPlan, v: Json, items: FieldSet, extract: boolean): Json {
  const list = asList(v);
  if (list === null) return null;
  if (list.length === 0 || plan.atomic) return extract ? list : null;
  const itemPlan = plan.items();
  const out: Json[] = [];
  for (const item of list) {
    const node = items[elementOrNone(plan, item)] as FieldSet | undefined;
    const exact = node !== undefined && isMember(node);
    const below = node !== undefined && !isEmptySet(node);
    if (extract) {
      if (exact || below) out.push(below ? walk(itemPlan, item, node, true) : item);
    } else if (!exact) out.push(below ? walk(itemPlan, item, node, false) : item);
  }
  return out.length === 0 ? null : out;
}

/** Lists were checked before; an item that can't be named is in no set. */
function elementOrNone(plan: ListPlan, item: Json): PathElement {
  try {
    return itemElement(plan, item);
  } catch (e) {
    if (e instanceof TypedError) return '';
    throw e;
  }
}

function walkMap(plan: MapPlan, v: Json, items: FieldSet, extract: boolean): Json {
  const object = asMap(v);
  if (object === null) return null;
  if (hasNoKeys(object) || plan.atomic) return extract ? object : null;
  const out: JsonObject = {};
  let any = false;
  for (const key of Object.keys(object)) {
    const kept = walkMember(plan, key, object[key] as Json, items, extract);
    if (kept === undefined) continue;
    put(out, key, kept);
    any = true;
  }
  return any ? out : null;
}

function walkMember(plan: MapPlan, key: string, v: Json, items: FieldSet, extract: boolean): Json | undefined {
  const node = items[`f:${key}`] as FieldSet | undefined;
  const sub = plan.fields.get(key)?.plan ?? plan.element;
  if (v === undefined || sub === null) return undefined;
  // Upstream extracts a member's value with the set of its parent, not of the member: kept, since its results depend on it.
  if (node !== undefined && isMember(node)) return extract ? walk(sub(), v, items, true) : undefined;
  if (node !== undefined && !isEmptySet(node)) return walk(sub(), v, node, extract);
  return extract ? undefined : v;
}
