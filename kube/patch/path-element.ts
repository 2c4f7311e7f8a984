import { goJson, quote } from '../meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { printFloat } from './go-print.ts';

/**
 * One step of a field path, as FieldsV1 spells it: `f:name` (a field), `k:{"name":"x"}` (a list item by its keys), `v:"x"` (a set's
 * value), `i:0` (an index). The canonical spelling is the identity: equal elements are equal strings.
 */
export type PathElement = string;

/** The element of a list item: the given key fields, sorted by name. */
export function keyElement(keys: readonly (readonly [string, Json])[]): PathElement {
  if (keys.length === 1) {
    const [name, value] = keys[0] as readonly [string, Json];
    return `k:{"${name}":${scalarText(value)}}`;
  }
  const sorted = [...keys].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  return `k:{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${scalarText(value)}`).join(',')}}`;
}

/** The element of a set's item. */
export function valueElement(v: Json): PathElement {
  return `v:${scalarText(v)}`;
}

/** A key's or item's value as its path element spells it: JSON as Go writes it. */
export function scalarText(v: Json): string {
  if (typeof v === 'string') return PLAIN.test(v) ? `"${v}"` : goJson(v);
  return typeof v === 'object' && v !== null ? goJson(v) : String(v);
}

/** Strings that JSON and Go's JSON leave as they are: most names. */
const PLAIN = /^[\w./: -]*$/;

interface Parsed {
  canonical: PathElement;
  /** Of k: the key fields sorted by name; of v: one pair; of i: the index. */
  keys: readonly (readonly [string, Json])[];
}

/** Elements of kind k, v and i seen before: the same few come back with every request. Bounded so that no tenant can fill memory. */
const REMEMBERED_MAX = 8192;
/** Longer elements are rare and not worth the memory. */
const REMEMBERED_LENGTH_MAX = 256;
const remembered = new Map<string, Parsed>();

function parse(s: string): Parsed {
  const known = remembered.get(s);
  if (known !== undefined) return known;
  const parsed = parseNew(s);
  if (s.length > REMEMBERED_LENGTH_MAX) return parsed;
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  remembered.set(s, parsed);
  return parsed;
}

function parseNew(s: string): Parsed {
  const text = s.slice(2);
  if (s.startsWith('i:')) {
    if (!/^[+-]?\d+$/.test(text)) {
      throw new SyntaxError(`strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
    }
    return { canonical: `i:${Number(text)}`, keys: [['', Number(text)]] };
  }
  const value = JSON.parse(text) as Json;
  if (s.startsWith('v:')) return { canonical: valueElement(value), keys: [['', value]] };
  if (!isObject(value)) throw new SyntaxError(`expect { or n, but found ${text.slice(0, 1)}`);
  const keys = Object.keys(value)
    .sort()
    .map((k) => [k, value[k] as Json] as const);
  return { canonical: keys.length === 0 ? 'k:{}' : keyElement(keys), keys };
}

/**
 * The canonical spelling of an element that came from outside; null when its kind is unknown (it is then ignored, as upstream does).
 * Throws a SyntaxError with upstream's text when it can't be read.
 */
export function canonicalElement(s: string): PathElement | null {
  if (s.startsWith('f:')) return s;
  if (s.length < 2) throw new SyntaxError('key must be 2 characters long:');
  if (s[1] !== ':') throw new SyntaxError(`missing colon: ${s}`);
  const kind = s[0];
  return kind === 'k' || kind === 'v' || kind === 'i' ? parse(s).canonical : null;
}

/** Upstream's text of an element in messages: `.spec`, `[name="x"]`, `[="x"]`, `[0]`. */
export function printElement(e: PathElement): string {
  if (e.startsWith('f:')) return `.${e.slice(2)}`;
  const { keys } = parse(e);
  if (e.startsWith('k:')) return `[${keys.map(([name, v]) => `${name}=${printValue(v)}`).join(',')}]`;
  return e.startsWith('v:') ? `[=${printValue(keys[0]?.[1] ?? null)}]` : `[${keys[0]?.[1]}]`;
}

/** A path as conflicts print it: `.spec.containers[name="a"].image`. */
export function printPath(path: readonly PathElement[]): string {
  return path.map(printElement).join('');
}

function printValue(v: Json): string {
  if (v === null) return 'null';
  if (typeof v === 'string') return quote(v);
  if (typeof v === 'number') return printFloat(v);
  if (Array.isArray(v)) return `[${v.map(printValue).join(',')}]`;
  if (isObject(v))
    return Object.keys(v)
      .map((k) => `${k}=${printValue(v[k] as Json)}`)
      .join('');
  return String(v);
}

const RANK: Record<string, number> = { f: 0, k: 1, v: 2, i: 3 };

/** The order in which a set's elements are written: fields, keys, values, indices, each by content. */
export function compareElements(a: PathElement, b: PathElement): number {
  if (a === b) return 0;
  const kind = a[0] as string;
  if (kind !== b[0]) return (RANK[kind] as number) - (RANK[b[0] as string] as number);
  if (kind === 'f') return a < b ? -1 : 1;
  return compareKeys(parse(a).keys, parse(b).keys);
}

function compareKeys(a: Parsed['keys'], b: Parsed['keys']): number {
  for (let i = 0; ; i++) {
    const x = a[i];
    const y = b[i];
    if (x === undefined) return y === undefined ? 0 : -1;
    if (y === undefined) return 1;
    if (x[0] !== y[0]) return x[0] < y[0] ? -1 : 1;
    const c = compareValues(x[1], y[1]);
    if (c !== 0) return c;
  }
}

/** Numbers, then strings, booleans, lists, maps, null. */
function kindRank(v: Json): number {
  if (typeof v === 'number' || typeof v === 'bigint') return 0;
  if (typeof v === 'string') return 1;
  if (typeof v === 'boolean') return 2;
  if (Array.isArray(v)) return 3;
  return v === null ? 5 : 4;
}

function compareValues(a: Json, b: Json): number {
  const rank = kindRank(a);
  if (rank !== kindRank(b)) return rank - kindRank(b);
  if (rank < 3) return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
  if (rank === 3) return compareLists(a as Json[], b as Json[]);
  return rank === 4 ? compareMaps(a as JsonObject, b as JsonObject) : 0;
}

function compareLists(a: Json[], b: Json[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const c = compareValues(a[i] as Json, b[i] as Json);
    if (c !== 0) return c;
  }
  return a.length - b.length;
}

function compareMaps(a: JsonObject, b: JsonObject): number {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  for (const k of keys) {
    const x = a[k];
    const y = b[k];
    if (x === undefined) return 1;
    if (y === undefined) return -1;
    const c = compareValues(x, y);
    if (c !== 0) return c;
  }
  return 0;
}
