import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { everyPath } from './every-path.ts';
import { asMember, EMPTY_SET, type FieldSet, LEAF, union } from './fieldset.ts';
import type { PathElement } from './path-element.ts';
import type { ListPlan, MapPlan, Plan } from './plan.ts';
import { asList, asMap, atomOf, elementsOf, goField, goView, hasNoKeys, member } from './typed-view.ts';

/** What differs between two objects of one type. No path is in more than one of the sets. */
export interface Comparison {
  removed: FieldSet;
  modified: FieldSet;
  added: FieldSet;
}

/** Compares two values of a type (`typed.Compare`). Throws a TypedError when list items can't be told apart. */
export const compareTyped = (plan: Plan, before: Json, after: Json): Comparison =>
  finish(compareSteps(plan, before, after));

/** compareTyped() in steps. */
export function* compareSteps(plan: Plan, before: Json, after: Json): Steps<Comparison> {
  const out = new Differences();
  compareBoth(out, plan, before, after);
  for (let wide = out.wide.shift(); wide; wide = out.wide.shift()) yield* compareWide(out, wide);
  return { removed: out.removed, modified: out.modified, added: out.added };
}

/** Keys of a map that are compared in one step: a millisecond. */
const KEYS_STEP = 1_000;
/** A map of many keys, which is compared when all else has been. */
interface Wide {
  path: PathElement[];
  plan: MapPlan;
  keys: string[];
  old: JsonObject;
  now: JsonObject;
}

/** Collects differences at paths; the common case is few of them, deep in the object. */
class Differences {
  removed: FieldSet = EMPTY_SET;
  modified: FieldSet = EMPTY_SET;
  added: FieldSet = EMPTY_SET;
  path: PathElement[] = [];
  readonly wide: Wide[] = [];

  remove(node: FieldSet): void {
    this.removed = insert(this.removed, this.path, 0, node);
  }
  modify(): void {
    this.modified = insert(this.modified, this.path, 0, LEAF);
  }
  add(node: FieldSet): void {
    this.added = insert(this.added, this.path, 0, node);
  }
}

/** The set with a node at a path. Nodes made here are changed in place until the comparison is handed out; shared ones are copied. */
function insert(set: FieldSet, path: readonly PathElement[], depth: number, node: FieldSet): FieldSet {
  if (depth === path.length) return set === EMPTY_SET ? node : unionAt(set, node);
  const e = path[depth] as PathElement;
  const out: JsonObject = set === EMPTY_SET ? {} : set;
  const below = out[e] as FieldSet | undefined;
  if (below === undefined) out[e] = branch(path, depth + 1, node);
  else if (below === LEAF) out[e] = asMember(branch(path, depth + 1, node));
  else out[e] = insert(below, path, depth + 1, node);
  return out;
}

function branch(path: readonly PathElement[], depth: number, node: FieldSet): FieldSet {
  return depth === path.length ? node : { [path[depth] as PathElement]: branch(path, depth + 1, node) };
}

function unionAt(a: FieldSet, b: FieldSet): FieldSet {
  return union({ x: a }, { x: b }).x as FieldSet;
}

function compareBoth(out: Differences, plan: Plan, before: Json, after: Json): void {
  if (before === after) return;
  if (!plan.deduced) {
    compareAtom(out, plan, before, after);
    return;
  }
  const old = atomOf(plan, before);
  const now = atomOf(plan, after);
  if (old !== now) compareAtom(out, old, before, after);
  compareAtom(out, now, before, after);
}

function compareAtom(out: Differences, plan: Plan, before: Json, after: Json): void {
  if (plan.map !== undefined) compareMaps(out, plan, plan.map, before, after);
  else if (plan.list !== undefined && plan.scalar === undefined) compareLists(out, plan, plan.list, before, after);
  else if (!equalJson(before, after)) out.modify();
}

/** Equality of values with one owner: as sent, or else as Go structs would hold them. */
function sameWhole(plan: Plan, before: Json, after: Json): boolean {
  return equalJson(before, after) || equalJson(goView(plan, before), goView(plan, after));
}

function compareMaps(out: Differences, whole: Plan, plan: MapPlan, before: Json, after: Json): void {
  const old = asMap(before);
  const now = asMap(after);
  const bothEmpty = (old === null || hasNoKeys(old)) && (now === null || hasNoKeys(now));
  if (plan.atomic || (bothEmpty && !plan.native)) {
    if (!sameWhole(whole, before, after)) out.modify();
  } else if (plan.native) compareNative(out, plan, old, now);
  else compareKeys(out, plan, old ?? EMPTY_SET, now ?? EMPTY_SET);
}

/** A null is a nil pointer, whose fields are absent; an empty struct has those that Go always writes. */
function compareNative(out: Differences, plan: MapPlan, old: JsonObject | null, now: JsonObject | null): void {
  const { sorted } = plan;
  for (let i = 0; i < sorted.length; i++) {
    const field = sorted[i] as (typeof sorted)[number];
    const a = old?.[field.name];
    const b = now?.[field.name];
    if (a === b && old !== null && now !== null) continue;
    const was = old === null ? undefined : goField(field, a);
    const is = now === null ? undefined : goField(field, b);
    compareMember(out, field.element, field.plan(), was, is);
  }
}

function compareKeys(out: Differences, plan: MapPlan, old: JsonObject, now: JsonObject): void {
  const keys = Object.keys(old);
  const others = Object.keys(now);
  if (keys.length + others.length > KEYS_STEP) {
    for (const key of others) if (!Object.hasOwn(old, key)) keys.push(key);
    out.wide.push({ path: [...out.path], plan, keys, old, now });
    return;
  }
  for (const key of keys) compareKey(out, plan, key, old, now);
  for (const key of others) if (!Object.hasOwn(old, key)) compareKey(out, plan, key, old, now);
}

function* compareWide(out: Differences, { path, plan, keys, old, now }: Wide): Steps<void> {
  out.path = path;
  for (let i = 0; i < keys.length; i++) {
    if (i % KEYS_STEP === 0) yield;
    compareKey(out, plan, keys[i] as string, old, now);
  }
}

function compareKey(out: Differences, plan: MapPlan, key: string, old: JsonObject, now: JsonObject): void {
  const sub = plan.fields.get(key)?.plan ?? plan.element;
  // A field that the type doesn't have: pruned before, or refused by validation.
  if (sub === null) return;
  compareMember(out, `f:${key}`, sub(), member(plan, old, key), member(plan, now, key));
}

function compareMember(out: Differences, e: PathElement, plan: Plan, a: Json | undefined, b: Json | undefined): void {
  if (a === b) return;
  out.path.push(e);
  if (a === undefined) out.add(wideMap(out, plan, b as Json, true) ?? everyPath(plan, b as Json));
  else if (b === undefined) out.remove(wideMap(out, plan, a, false) ?? everyPath(plan, a));
  else compareBoth(out, plan, a, b);
  out.path.pop();
}

/** The own node of a map that has come or gone with so many keys that they are looked at when all else has been; undefined of any other value. */
function wideMap(out: Differences, whole: Plan, v: Json, added: boolean): FieldSet | undefined {
  const plan = atomOf(whole, v).map;
  const map = plan === undefined || plan.atomic || plan.native ? null : asMap(v);
  if (plan === undefined || map === null) return undefined;
  const keys = Object.keys(map);
  if (keys.length <= KEYS_STEP) return undefined;
  const [old, now] = added ? [EMPTY_SET, map] : [map, EMPTY_SET];
  // In the order in which they are written.
  out.wide.push({ path: [...out.path], plan, keys: keys.sort(), old, now });
  return { '.': LEAF };
}

function compareLists(out: Differences, whole: Plan, plan: ListPlan, before: Json, after: Json): void {
  const old = asList(before);
  const now = asList(after);
  const bothEmpty = (old === null || old.length === 0) && (now === null || now.length === 0);
  if (plan.atomic || bothEmpty) {
    if (!sameWhole(whole, before, after)) out.modify();
    return;
  }
  const items = plan.items();
  const oldElements = elementsOf(plan, old ?? []);
  const newElements = elementsOf(plan, now ?? []);
  if (sameElements(oldElements, newElements)) {
    for (let i = 0; i < oldElements.length; i++) {
      compareMember(out, oldElements[i] as PathElement, items, (old as Json[])[i], (now as Json[])[i]);
    }
    return;
  }
  const oldItems = grouped(oldElements, old ?? []);
  const newItems = grouped(newElements, now ?? []);
  for (const [e, was] of oldItems) compareItems(out, items, e, was, newItems.get(e) ?? []);
  for (const [e, is] of newItems) if (!oldItems.has(e)) compareItems(out, items, e, [], is);
}

/** True when two lists have the same items in the same order, none twice: the quick way. */
function sameElements(a: readonly PathElement[], b: readonly PathElement[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  // Most lists are short; a Set pays only for long ones.
  if (a.length > 16) return new Set(a).size === a.length;
  for (let i = 1; i < a.length; i++) for (let j = 0; j < i; j++) if (a[i] === a[j]) return false;
  return true;
}

function grouped(elements: readonly PathElement[], list: readonly Json[]): Map<PathElement, Json[]> {
  const groups = new Map<PathElement, Json[]>();
  for (let i = 0; i < list.length; i++) {
    const e = elements[i] as PathElement;
    const group = groups.get(e);
    if (group === undefined) groups.set(e, [list[i] as Json]);
    else group.push(list[i] as Json);
  }
  return groups;
}

/** Compares the items of one element. More than one of them count as one atomic value. */
function compareItems(out: Differences, plan: Plan, e: PathElement, was: Json[], is: Json[]): void {
  out.path.push(e);
  if (was.length < 2 && is.length < 2) {
    if (was.length === 0) out.add(asMember(everyPath(plan, is[0] as Json)));
    else if (is.length === 0) out.remove(asMember(everyPath(plan, was[0] as Json)));
    else compareBoth(out, plan, was[0] as Json, is[0] as Json);
  } else if (was.length >= 2 && is.length >= 2) {
    if (!equalJson(was, is)) out.modify();
  } else if (was.length >= 2) {
    if (is.length === 1) out.add(asMember(everyPath(plan, is[0] as Json)));
    out.remove(LEAF);
  } else {
    if (was.length === 1) out.remove(asMember(everyPath(plan, was[0] as Json)));
    out.add(LEAF);
  }
  out.path.pop();
}
