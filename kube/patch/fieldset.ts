import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { canonicalElement, compareElements, type PathElement } from './path-element.ts';

/**
 * A set of field paths, held in the very form of FieldsV1 with canonical elements, so that a stored set needs no decoding. A child is a
 * member when it has the key `.` or nothing at all; the root `{}` is the empty set. Sets are never changed once made: results share
 * structure with their inputs.
 */
export type FieldSet = JsonObject;

/** A member without children. Frozen, because every set shares it. */
export const LEAF: FieldSet = Object.freeze({});
/** The set without paths. */
export const EMPTY_SET: FieldSet = LEAF;

/** True when the set has no paths. */
export function isEmptySet(s: FieldSet): boolean {
  for (const k in s) if (k !== '.') return false;
  return true;
}

const child = (s: FieldSet, e: PathElement) => s[e] as FieldSet | undefined;
/** True when the node at an element is itself in the set, not only something below it. */
export function isMember(node: FieldSet): boolean {
  return node['.'] !== undefined || isEmptySet(node);
}
const start = (member: boolean): JsonObject => (member ? { '.': LEAF } : {});

/** The node made a member, children kept. */
export function asMember(node: FieldSet): FieldSet {
  return isMember(node) ? node : { '.': LEAF, ...node };
}

/** Paths in either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  return unionInto({}, a, b);
}

function unionInto(out: JsonObject, a: FieldSet, b: FieldSet): FieldSet {
  for (const k in a) {
    if (k === '.') continue;
    const x = child(a, k) as FieldSet;
    const y = child(b, k);
    out[k] = y === undefined || x === y ? x : unionNodes(x, y);
  }
  for (const k in b) if (k !== '.' && a[k] === undefined) out[k] = b[k];
  return out;
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return asMember(b);
  if (isEmptySet(b)) return asMember(a);
  return unionInto(start(isMember(a) || isMember(b)), a, b);
}

/** Paths of `a` that aren't in `b`; a member of `b` doesn't take away what `a` has below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return differenceInto({}, a, b, false) ?? EMPTY_SET;
}

/** Paths of `a` that aren't in `b` nor below a member of `b`. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return differenceInto({}, a, b, true) ?? EMPTY_SET;
}

function differenceInto(out: JsonObject, a: FieldSet, b: FieldSet, recursive: boolean): FieldSet | undefined {
  let any = false;
  for (const k in a) {
    if (k === '.') continue;
    const x = child(a, k) as FieldSet;
    const y = child(b, k);
    const rest = y === undefined ? x : differenceNodes(x, y, recursive);
    if (rest === undefined) continue;
    out[k] = rest;
    any = true;
  }
  return any ? out : undefined;
}

function differenceNodes(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet | undefined {
  const taken = isMember(b);
  if (taken && recursive) return undefined;
  const member = isMember(a) && !taken;
  const below = isEmptySet(a) ? undefined : differenceInto(start(member), a, b, recursive);
  return below ?? (member ? LEAF : undefined);
}

/** Paths in both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return intersectionInto({}, a, b) ?? EMPTY_SET;
}

function intersectionInto(out: JsonObject, a: FieldSet, b: FieldSet): FieldSet | undefined {
  let any = false;
  for (const k in a) {
    if (k === '.') continue;
    const y = child(b, k);
    if (y === undefined) continue;
    const x = child(a, k) as FieldSet;
    const member = isMember(x) && isMember(y);
    const both = intersectionInto(start(member), x, y) ?? (member ? LEAF : undefined);
    if (both === undefined) continue;
    out[k] = both;
    any = true;
  }
  return any ? out : undefined;
}

/** True when both sets have the same paths. */
export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  for (const k in a) {
    if (k === '.') continue;
    const y = child(b, k);
    if (y === undefined) return false;
    const x = child(a, k) as FieldSet;
    if (x !== y && (isMember(x) !== isMember(y) || !equalSets(x, y))) return false;
  }
  for (const k in b) if (k !== '.' && a[k] === undefined) return false;
  return true;
}

/** True when the path itself is a member. */
export function hasPath(s: FieldSet, path: readonly PathElement[]): boolean {
  let node: FieldSet = s;
  for (const e of path) {
    const next = child(node, e);
    if (next === undefined) return false;
    node = next;
  }
  return path.length > 0 && isMember(node);
}

/** A set of the given paths. */
export function setOf(paths: readonly (readonly PathElement[])[]): FieldSet {
  return paths.reduce<FieldSet>((set, path) => union(set, pathSet(path)), EMPTY_SET);
}

/** A set of plain field paths: `[['status'], ['metadata', 'name']]`. */
export function setOfFields(paths: readonly (readonly string[])[]): FieldSet {
  return setOf(paths.map((path) => path.map((name) => `f:${name}`)));
}

function pathSet(path: readonly PathElement[]): FieldSet {
  return path.reduceRight<FieldSet>((below, e) => ({ [e]: below }), LEAF);
}

/** Every path in upstream's order: the members of a level, then what is below each. */
export function eachPath(
  s: FieldSet,
  visit: (path: readonly PathElement[]) => void,
  prefix: readonly PathElement[] = [],
): void {
  const keys = sortedElements(s);
  for (const k of keys) if (isMember(child(s, k) as FieldSet)) visit([...prefix, k]);
  for (const k of keys) eachPath(child(s, k) as FieldSet, visit, [...prefix, k]);
}

function sortedElements(s: FieldSet): PathElement[] {
  return Object.keys(s)
    .filter((k) => k !== '.')
    .sort(compareElements);
}

/** The same set with its keys in the order in which upstream writes them; the very same object when they already are. */
export function ordered(s: FieldSet): FieldSet {
  if (texts.has(s)) return s;
  let sorted = true;
  let below: JsonObject | null = null;
  let last: string | undefined;
  for (const k in s) {
    if (k === '.') {
      if (last !== undefined) sorted = false;
      continue;
    }
    if (last !== undefined && sorted && compareElements(last, k) > 0) sorted = false;
    last = k;
    const x = child(s, k) as FieldSet;
    const y = ordered(x);
    if (x !== y) {
      below ??= { ...s };
      below[k] = y;
    }
  }
  if (sorted) return below ?? s;
  const from = below ?? s;
  const out: JsonObject = from['.'] === undefined ? {} : { '.': LEAF };
  for (const k of sortedElements(from)) out[k] = from[k];
  return out;
}

/** Texts of sets that stay as they are. */
const texts = new WeakMap<FieldSet, string>([[LEAF, '{}']]);

/** The set in upstream's order, never to be changed: its text is printed once. */
export function standing(set: FieldSet): FieldSet {
  if (texts.has(set)) return set;
  const kept = Object.freeze(ordered(set));
  texts.set(kept, printFields(kept));
  return kept;
}

const PLAIN = /^[\w:./-]*$/;

/** FieldsV1 as JSON. */
export function printFields(set: FieldSet): string {
  const known = texts.get(set);
  if (known !== undefined) return known;
  let text = '{';
  for (const e in set) {
    const below: Json | undefined = set[e];
    if (below === undefined) continue;
    const name = PLAIN.test(e) ? `"${e}"` : JSON.stringify(e);
    text += `${text === '{' ? '' : ','}${name}:${isObject(below) ? printFields(below) : JSON.stringify(below)}`;
  }
  return `${text}}`;
}

/**
 * Reads FieldsV1 as it came over the wire: unknown kinds of elements are dropped, spellings and order made canonical. The same object when
 * nothing had to change. Throws a SyntaxError when it can't be read.
 */
export function decodeFields(fields: Json | undefined): FieldSet {
  if (fields === undefined || fields === null) return EMPTY_SET;
  const set = decodeNode(fields);
  if (set['.'] === undefined) return set;
  const { '.': _, ...rest } = set;
  return rest;
}

const FIELD = 'f'.charCodeAt(0);
const COLON = ':'.charCodeAt(0);

function decodeNode(v: Json | undefined): FieldSet {
  if (v === null || v === undefined) return LEAF;
  if (!isObject(v)) throw new SyntaxError(`ReadMapCB: expect { or n, but found ${JSON.stringify(v)?.slice(0, 1)}`);
  let changed: JsonObject | null = null;
  let sorted = true;
  let last: string | null = null;
  for (const k in v) {
    if (k === '.') {
      if (last !== null) sorted = false;
      continue;
    }
    const isField = k.charCodeAt(0) === FIELD && k.charCodeAt(1) === COLON;
    const e = isField ? k : canonicalElement(k);
    const below = e === null ? LEAF : decodeNode(v[k]);
    if (e !== null) {
      if (sorted && last !== null && compareElements(last, e) > 0) sorted = false;
      last = e;
    }
    if (e === k && below === v[k]) continue;
    changed ??= { ...v };
    if (e !== k) delete changed[k];
    if (e === null) continue;
    const twin = changed[e];
    changed[e] = e !== k && isObject(twin) ? unionNodes(twin, below) : below;
  }
  // Only itself, or nothing: every leaf looks the same.
  if (last === null) return isEmptySet(v) && v['.'] === undefined ? v : LEAF;
  const out = changed ?? v;
  return sorted && changed === null ? out : ordered(out);
}
