import type { Json, JsonObject } from '../meta/json.ts';
import { isObject } from '../meta/json.ts';
import { parseApiVersion } from '../meta/object.ts';
import type { Steps } from '../meta/steps.ts';
import { DEPTH_MAX, depthOf, describeSyntaxError } from './json-syntax.ts';

/** A text that isn't JSON, or isn't an object with apiVersion and kind; the message is Go's. */
export class JsonError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonError';
  }
}

/** TypeScript doesn't know JSON.parse's source text access (ES2026) yet. */
type Source = { source?: string };
type RawJson = { rawJSON(text: string): unknown };

/** Every integer outside ±2^53 has at least this many digits in a row. */
const LONG = 16;
const INTEGER = /^-?\d+$/;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });

/** A body as text: bytes that aren't UTF-8 become U+FFFD as in Go, and a byte order mark stays (Go refuses it). */
export function textOf(body: Uint8Array): string {
  return utf8.decode(body);
}

/** Reads JSON; integers outside ±2^53 become bigint. Throws JsonError with Go's words; at most DEPTH_MAX deep. */
export function parseJson(text: string): Json {
  let value: Json;
  try {
    value = needsCare(text) ? JSON.parse(text, keepExact as (k: string, v: unknown) => unknown) : JSON.parse(text);
  } catch (e) {
    if (!(e instanceof SyntaxError)) throw e;
    throw new JsonError(describeSyntaxError(text));
  }
  if (text.length > 2 * DEPTH_MAX && depthOf(text) > DEPTH_MAX) throw new JsonError('exceeded max depth');
  return value;
}

/** Long digits may be an int64, and an escaped surrogate may stand alone, which Go reads as U+FFFD. */
function needsCare(text: string): boolean {
  return hasLongInteger(text) || text.includes('\\ud') || text.includes('\\uD');
}

const digit = (c: number) => c >= 48 && c <= 57;
const space = (c: number) => c === 32 || c === 10 || c === 13 || c === 9;

/** True when a run of LONG digits stands where a number may: looking at every LONG-th character finds every run. */
function hasLongInteger(text: string): boolean {
  for (let i = LONG - 1; i < text.length; i += LONG) {
    if (!digit(text.charCodeAt(i))) continue;
    let from = i;
    while (from > 0 && digit(text.charCodeAt(from - 1))) from--;
    let to = i + 1;
    while (digit(text.charCodeAt(to))) to++;
    if (to - from >= LONG && bare(text, from, to)) return true;
    i += Math.floor((to - 1 - i) / LONG) * LONG;
  }
  return false;
}

/** False for digits that a quote, letter or point touches: they are no integer of their own. */
function bare(text: string, from: number, to: number): boolean {
  const after = text.charCodeAt(to);
  if (to < text.length && after !== 44 && after !== 93 && after !== 125 && !space(after)) return false;
  const before = text.charCodeAt(text.charCodeAt(from - 1) === 45 ? from - 2 : from - 1);
  return Number.isNaN(before) || before === 58 || before === 44 || before === 91 || space(before);
}

function keepExact(_key: string, v: unknown, context: Source): unknown {
  if (typeof v === 'number') {
    if (Number.isSafeInteger(v)) return v;
    const source = context.source;
    return source !== undefined && INTEGER.test(source) ? BigInt(source) : v;
  }
  return typeof v === 'string' && !v.isWellFormed() ? v.toWellFormed() : v;
}

/** Writes JSON without spaces; a bigint as its digits. */
export function printJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch (e) {
    // JSON.stringify refuses bigint with a TypeError; only then is a replacer worth its cost.
    if (!(e instanceof TypeError)) throw e;
    return JSON.stringify(value, rawBigint);
  }
}

/** Members that are printed in one step. */
const MEMBERS_STEP = 32;
/** The texts that make up printJson() of a large document: members of its `depth` outermost levels one by one, some of them in each step. */
export function* printSteps(value: JsonObject, depth: number, texts: string[] = []): Steps<string[]> {
  let begun = '{';
  let n = 0;
  for (const name in value) {
    const member = value[name];
    if (member === undefined) continue;
    const head = `${begun}${JSON.stringify(name)}:`;
    begun = ',';
    if (depth > 1 && isObject(member)) {
      texts.push(head);
      yield* printSteps(member, depth - 1, texts);
    } else texts.push(head + printJson(member));
    if (++n % MEMBERS_STEP === 0) yield;
  }
  texts.push(begun === '{' ? '{}' : '}');
  return texts;
}

/** As Go's MarshalIndent with two spaces, for `?pretty=true`. */
export function printPretty(value: Json): string {
  return JSON.stringify(value, rawBigint, 2);
}

function rawBigint(_key: string, v: unknown): unknown {
  return typeof v === 'bigint' ? (JSON as unknown as RawJson).rawJSON(v.toString()) : v;
}

const TYPE_META =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/**
 * apiVersion and kind of a body; '' where absent. Throws JsonError in upstream's words for a body that isn't an object
 * and for an apiVersion that isn't one (runtime/serializer/json SimpleMetaFactory).
 */
export function typeMetaOf(value: Json): { apiVersion: string; kind: string } {
  if (value === null) return { apiVersion: '', kind: '' };
  if (!isObject(value)) {
    throw new JsonError(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go value of type ${TYPE_META}`,
    );
  }
  const [first] = Object.keys(value)
    .filter((k) => k === 'apiVersion' || k === 'kind')
    .filter((k) => !isText(value[k]));
  if (first !== undefined) {
    throw new JsonError(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value[first])} into Go struct field .${first} of type string`,
    );
  }
  const apiVersion = (value.apiVersion as string | undefined) ?? '';
  if (parseApiVersion(apiVersion) === null) throw new JsonError(`unexpected GroupVersion string: ${apiVersion}`);
  return { apiVersion, kind: (value.kind as string | undefined) ?? '' };
}

const isText = (v: Json | undefined) => v === undefined || v === null || typeof v === 'string';

/** How encoding/json names a value's type in its errors. */
export function goType(v: Json | undefined): string {
  if (Array.isArray(v)) return 'array';
  if (v === null || v === undefined) return 'null';
  if (typeof v === 'boolean') return 'bool';
  if (typeof v === 'bigint') return 'number';
  return typeof v;
}
