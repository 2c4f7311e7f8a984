import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import { type PathElement, printElement } from './path-element.ts';
import type { ListPlan, MapPlan, Plan } from './plan.ts';
import { asList, asMap, atomOf, elementsOf, hasNoKeys, member, put, TypedError } from './typed-view.ts';

/**
 * An applied configuration merged over a live object (`typed.Merge`): nothing is removed, the configuration's leaves win, lists keep the
 * live order where the configuration doesn't change it. Neither input is changed; what stays the same is the live object itself. The plan is a raw one. Throws a TypedError when the
 * configuration names an item twice.
 */
export function mergeTyped(plan: Plan, live: Json, applied: Json): Json {
  return merge(plan, live, applied) ?? {};
}

function merge(plan: Plan, live: Json | undefined, applied: Json | undefined): Json | undefined {
  if (applied === undefined) return mergeAtom(atomOf(plan, live), live, undefined);
  return mergeAtom(atomOf(plan, applied), live, applied);
}

function mergeAtom(plan: Plan, live: Json | undefined, applied: Json | undefined): Json | undefined {
  if (plan.map !== undefined) return mergeMaps(plan.map, live, applied);
  if (plan.scalar === undefined && plan.list !== undefined) return mergeLists(plan.list, live, applied);
  return whole(live, applied);
}

/** A value with one owner: the applied one, the live one where they are equal. */
function whole(live: Json | undefined, applied: Json | undefined): Json | undefined {
  return applied === undefined || equalJson(live, applied) ? live : applied;
}

function mergeMaps(plan: MapPlan, live: Json | undefined, applied: Json | undefined): Json | undefined {
  const l = asMap(live);
  const a = asMap(applied);
  const bothEmpty = (l === null || hasNoKeys(l)) && (a === null || hasNoKeys(a));
  if (plan.atomic || bothEmpty) return whole(live, applied);
  const out: JsonObject = {};
  let any = false;
  let same = l !== null;
  const take = (key: string) => {
    const sub = plan.fields.get(key)?.plan ?? plan.element;
    if (sub === null) {
      same = false;
      return;
    }
    const v = merge(
      sub(),
      l === null ? undefined : member(plan, l, key),
      a === null ? undefined : member(plan, a, key),
    );
    if (v !== (l !== null && Object.hasOwn(l, key) ? l[key] : undefined)) same = false;
    if (v === undefined) return;
    put(out, key, v);
    any = true;
  };
  for (const key of Object.keys(l ?? {})) take(key);
  for (const key of Object.keys(a ?? {})) if (l === null || !Object.hasOwn(l, key)) take(key);
  if (same && any) return live;
  return any ? out : undefined;
}

/** A list's items by element. Of items that share an element only the first place is kept and the value is null. */
interface Indexed {
  elements: PathElement[];
  values: Map<PathElement, Json>;
}

function indexed(plan: ListPlan, list: readonly Json[], allowDuplicates: boolean): Indexed {
  const values = new Map<PathElement, Json>();
  const elements = elementsOf(plan, list);
  for (let i = 0; i < list.length; i++) {
    const e = elements[i] as PathElement;
    if (!values.has(e)) values.set(e, list[i] as Json);
    else if (allowDuplicates) values.set(e, null);
    else throw new TypedError(`duplicate entries for key ${printElement(e)}`);
  }
  return { elements, values };
}

function mergeLists(plan: ListPlan, live: Json | undefined, applied: Json | undefined): Json | undefined {
  const l = asList(live);
  const a = asList(applied);
  const bothEmpty = (l === null || l.length === 0) && (a === null || a.length === 0);
  if (plan.atomic || bothEmpty) return whole(live, applied);
  const merged = mergeItems(plan, l ?? [], a ?? []);
  if (l !== null && merged.length === l.length && merged.every((item, i) => item === l[i])) return l;
  return merged.length === 0 ? undefined : merged;
}

/** Walks both lists at once: shared items follow the configuration's order, items of one side keep their place between them. */
function mergeItems(plan: ListPlan, live: readonly Json[], applied: readonly Json[]): Json[] {
  const right = indexed(plan, applied, false);
  const left = indexed(plan, live, true);
  const items = plan.items();
  const shared = right.elements.filter((e) => left.values.has(e));
  let nextShared = 0;
  const done = new Set<PathElement>();
  const out: Json[] = [];
  const emit = (l: Json | undefined, r: Json | undefined) => {
    const v = merge(items, l, r);
    if (v !== undefined) out.push(v);
  };
  let l = 0;
  let r = 0;
  while (l < left.elements.length || r < right.elements.length) {
    const le = left.elements[l];
    const re = right.elements[r];
    if (le !== undefined && re !== undefined) {
      if (le === re) {
        done.add(le);
        emit(left.values.get(le), right.values.get(le));
        l++;
        r++;
        nextShared++;
        continue;
      }
      if (right.values.has(le) && nextShared < shared.length && shared[nextShared] !== le) {
        l++;
        continue;
      }
    }
    if (le !== undefined) {
      if (!right.values.has(le)) {
        emit(live[l], undefined);
        l++;
        continue;
      }
      if (done.has(le)) l++;
    }
    if (re !== undefined) {
      done.add(re);
      emit(left.values.get(re), right.values.get(re));
      r++;
      if (shared[nextShared] === re) nextShared++;
    }
  }
  return out;
}
