import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { goType, printGo } from './go-print.ts';
import { mergeMap, type Shape } from './strategic.ts';
import { badPatchType, badType, MAP, noListOfLists, noMergeKey, StrategicError } from './strategic-errors.ts';

// Lists under strategic merge: sets of scalars and lists of objects with a merge key.

export const DIRECTIVE = '$patch';

/** Merges (or deletes, for a parallel list) a patch's list into a list. */
export function mergeLists(shape: Shape, before: Json[], patch: Json[], mergeKey: string, isDeletion: boolean): Json[] {
  if (before.length === 0 && patch.length === 0) return before;
  const areMaps = elementKind(before, patch) === MAP;
  if (!areMaps) {
    if (isDeletion) return before.filter((v) => !patch.includes(v));
    return inPatchOrder(deduplicated([...before, ...patch]), patch, before, mergeKey, false);
  }
  if (mergeKey === '') throw new StrategicError(`cannot merge lists without merge key for ${shapeName(shape)}`);
  const { original, given } = withSpecialItems(before, patch as JsonObject[], mergeKey);
  const merged = mergeItems(shape, original, given ?? [], mergeKey);
  return inPatchOrder(merged, given ?? [], original, mergeKey, true);
}

/** Go's reflect.Kind of the items. */
function shapeName(shape: Shape): string {
  if ('struct' in shape) return 'struct';
  return 'values' in shape ? 'map' : shape.kind;
}

/** The one type of all elements. */
function elementKind(...lists: readonly Json[][]): string {
  let kind: string | undefined;
  for (const list of lists) {
    for (const v of list) {
      const is = goType(v);
      if (v === null && kind === undefined)
        throw new StrategicError('runtime error: invalid memory address or nil pointer dereference');
      if (kind === undefined && Array.isArray(v)) throw noListOfLists();
      if (kind !== undefined && kind !== is) {
        throw new StrategicError(`list element types are not identical: ${printGo(lists as Json[])}`);
      }
      kind = is;
    }
  }
  if (kind === undefined) throw new StrategicError('no elements in any of the given slices');
  return kind;
}

/** Upstream fills the place of a duplicate with the last element: its order is part of the behaviour. */
function deduplicated(list: Json[]): Json[] {
  const out = [...list];
  let last = out.length - 1;
  for (let i = 0; i < last; i++) {
    for (let j = i + 1; j <= last; j++) {
      if (out[i] !== out[j]) continue;
      out[j] = out[last] as Json;
      last--;
      j--;
    }
  }
  return out.slice(0, last + 1);
}

/** Carries out `$patch: delete` and `$patch: replace` items; `given` is null when the whole list is replaced. */
function withSpecialItems(
  before: Json[],
  patch: readonly JsonObject[],
  mergeKey: string,
): { original: Json[]; given: JsonObject[] | null } {
  const given: JsonObject[] = [];
  let original = before;
  let replaces = false;
  for (const item of patch) {
    const directive = item[DIRECTIVE];
    if (directive === undefined) given.push(item);
    else if (directive === 'delete') {
      if (item[mergeKey] === undefined) throw noMergeKey(item, mergeKey);
      original = withoutMatches(original, mergeKey, item[mergeKey]);
    } else if (directive === 'replace') replaces = true;
    else if (directive === 'merge') throw new StrategicError('merging lists cannot yet be specified in the patch');
    else throw badPatchType(directive, item);
  }
  return replaces ? { original: given, given: null } : { original, given };
}

function withoutMatches(list: Json[], mergeKey: string, value: Json | undefined): Json[] {
  const out: Json[] = [];
  list.forEach((item, i) => {
    if (!isObject(item)) throw new StrategicError(`value for key ${i} is not a map`);
    if (item[mergeKey] !== value) out.push(item);
  });
  return out;
}

function findItem(list: readonly Json[], mergeKey: string, value: Json | undefined): number {
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    if (!isObject(item)) throw new StrategicError(`value for key ${i} is not a map`);
    if (item[mergeKey] !== undefined && item[mergeKey] === value) return i;
  }
  return -1;
}

function mergeItems(shape: Shape, original: readonly Json[], patch: readonly JsonObject[], mergeKey: string): Json[] {
  const out = [...original];
  for (const item of patch) {
    const value = item[mergeKey];
    if (value === undefined) throw noMergeKey(item, mergeKey);
    const i = findItem(out, mergeKey, value);
    if (i < 0) out.push(item);
    else out[i] = mergeMap(shape, out[i] as JsonObject, item);
  }
  return out;
}

/** The relative order of the patch's items must be that of the order list, and none may be missing from it. */
export function validateOrder(patch: readonly Json[], order: readonly Json[], mergeKey: string): void {
  if (order.length === 0 || patch.length === 0) return;
  const kept = mergeKey === '' ? [...patch] : withoutDeletions(patch).kept;
  let i = 0;
  let j = 0;
  while (i < kept.length && j < order.length) {
    const item = kept[i] as Json;
    if (isObject(item) && item[DIRECTIVE] !== undefined) {
      i++;
      continue;
    }
    if (sameKey(item, order[j] as Json, mergeKey)) i++;
    j++;
  }
  if (i < kept.length && j >= order.length) {
    throw new StrategicError(
      `The order in patch list:\n${printGo([...patch])}\n doesn't match $setElementOrder list:\n${printGo([...order])}\n`,
    );
  }
}

function sameKey(a: Json, b: Json, mergeKey: string): boolean {
  if (mergeKey === '') return a === b;
  if (!isObject(a)) throw badType(MAP, a);
  if (!isObject(b)) throw badType(MAP, b);
  if (a[mergeKey] === undefined) throw noMergeKey(a, mergeKey);
  if (b[mergeKey] === undefined) throw noMergeKey(b, mergeKey);
  return a[mergeKey] === b[mergeKey];
}

function withoutDeletions(list: readonly Json[]): { kept: Json[]; deletions: Json[] } {
  const kept: Json[] = [];
  const deletions: Json[] = [];
  for (const v of list) {
    if (!isObject(v)) throw badType(MAP, v);
    (v[DIRECTIVE] === 'delete' ? deletions : kept).push(v);
  }
  return { kept, deletions };
}

/**
 * The live list as upstream's order sees it: its merge works in place, so deletions shift the live items (the last ones stay twice) and
 * additions take the places that became free.
 */
export function orderAfterMerge(before: readonly Json[], patch: readonly Json[], mergeKey: string): Json[] {
  const out = [...before];
  let size = out.length;
  const keyOf = (v: Json | undefined) => (isObject(v) ? v[mergeKey] : undefined);
  const items = patch.filter((item): item is JsonObject => isObject(item));
  for (const item of items) {
    if (item[DIRECTIVE] !== 'delete') continue;
    for (let i = 0; i < size; ) {
      if (keyOf(out[i]) !== item[mergeKey]) {
        i++;
        continue;
      }
      out.copyWithin(i, i + 1, size);
      size--;
    }
  }
  if (items.some((item) => item[DIRECTIVE] === 'replace')) return out;
  for (const item of items) {
    if (item[DIRECTIVE] !== undefined || out.slice(0, size).some((v) => keyOf(v) === item[mergeKey])) continue;
    if (size === out.length) break;
    out[size] = item;
    size++;
  }
  return out;
}

/** A merged list in the order of `$setElementOrder`, items that only the server has between them where they were. */
export function orderedList(merged: Json[], before: Json[], patch: Json[], order: Json[], mergeKey: string): Json[] {
  const areMaps = elementKindForOrder(merged, before, patch, order, mergeKey);
  return inPatchOrder(merged, order, before, mergeKey, areMaps);
}

function elementKindForOrder(merged: Json[], before: Json[], patch: Json[], order: Json[], mergeKey: string): boolean {
  // The partition reports a missing key before the types are looked at.
  if (mergeKey !== '') partition(merged, order, mergeKey);
  return elementKind(before, patch) === MAP;
}

function inPatchOrder(merged: Json[], order: Json[], before: Json[], mergeKey: string, areMaps: boolean): Json[] {
  const { inOrder, serverOnly } = partition(merged, order, mergeKey);
  const left = sortedBy(serverOnly, before, mergeKey, areMaps);
  const right = sortedBy(inOrder, order, mergeKey, areMaps);
  return interleaved(left, right, before, mergeKey, areMaps);
}

function partition(
  merged: readonly Json[],
  order: readonly Json[],
  mergeKey: string,
): { inOrder: Json[]; serverOnly: Json[] } {
  const inOrder: Json[] = [];
  const serverOnly: Json[] = [];
  for (const v of merged) {
    let found: boolean;
    if (mergeKey === '') found = order.includes(v);
    else {
      if (!isObject(v)) throw badType(MAP, v);
      if (v[mergeKey] === undefined) throw noMergeKey(v, mergeKey);
      found = findItem(order, mergeKey, v[mergeKey]) >= 0;
    }
    (found ? inOrder : serverOnly).push(v);
  }
  return { inOrder, serverOnly };
}

/** What stands for an item in comparisons. */
function identity(v: Json, mergeKey: string, areMaps: boolean): Json | undefined {
  if (!areMaps) return v;
  return isObject(v) ? v[mergeKey] : undefined;
}

function places(list: readonly Json[], mergeKey: string, areMaps: boolean): Map<Json | undefined, number> {
  const out = new Map<Json | undefined, number>();
  list.forEach((v, i) => {
    const id = identity(v, mergeKey, areMaps);
    if (!out.has(id)) out.set(id, i);
  });
  return out;
}

function sortedBy(list: Json[], order: Json[], mergeKey: string, areMaps: boolean): Json[] {
  let toSort = [...list];
  let deletions: Json[] = [];
  if (areMaps) {
    for (const v of [...list, ...order]) {
      if (!isObject(v)) throw badType(MAP, v);
      if (v[mergeKey] === undefined) throw noMergeKey(v, mergeKey);
    }
    ({ kept: toSort, deletions } = withoutDeletions(list));
  }
  const at = places(order, mergeKey, areMaps);
  const place = (v: Json) => at.get(identity(v, mergeKey, areMaps)) ?? -1;
  // Insertion as upstream's stable sort does it: an item that the order doesn't name moves before its neighbours.
  for (let i = 1; i < toSort.length; i++) {
    for (let j = i; j > 0; j--) {
      const a = place(toSort[j] as Json);
      const b = place(toSort[j - 1] as Json);
      if (a >= 0 && b >= 0 && a >= b) break;
      [toSort[j], toSort[j - 1]] = [toSort[j - 1] as Json, toSort[j] as Json];
    }
  }
  return [...toSort, ...deletions];
}

/** Puts the items of `left` between those of `right`, each before the first that the live order has after it. */
function interleaved(left: Json[], right: Json[], serverOrder: Json[], mergeKey: string, areMaps: boolean): Json[] {
  const at = places(serverOrder, mergeKey, areMaps);
  const place = (v: Json) => at.get(identity(v, mergeKey, areMaps)) ?? -1;
  const out: Json[] = [];
  let i = 0;
  for (const r of right) {
    const pr = place(r);
    while (i < left.length) {
      const l = left[i] as Json;
      const pl = place(l);
      if (pl < 0 || pr < 0 || pl >= pr) break;
      out.push(l);
      i++;
    }
    out.push(r);
  }
  return [...out, ...left.slice(i)];
}
