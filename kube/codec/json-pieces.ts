import type { Json, JsonObject } from '../meta/json.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { JsonError, parseJson } from './json.ts';
import { DEPTH_MAX, depthOf, endOfString } from './json-syntax.ts';

/** Texts up to here are parsed at once: a millisecond. */
const WHOLE_UNITS = 256 * 1024;
/** Members or items of a larger one that are parsed together. */
const PIECE_UNITS = 128 * 1024;
/** Values at a greater depth are parsed at once, however large. */
const DEEPEST = 4;

/** parseJson() in steps, for a large text: its outer members are told apart, and some of them parsed at a time. */
export function* parseSteps(text: string): Steps<Json> {
  if (text.length <= WHOLE_UNITS) return parseJson(text);
  let value: Json;
  try {
    value = yield* new Pieces(text).document();
  } catch (e) {
    // What is wrong with the text is told of the whole of it.
    if (e instanceof NotSimple || e instanceof JsonError) return parseJson(text);
    throw e;
  }
  yield;
  if (depthOf(text) > DEPTH_MAX) throw new JsonError('exceeded max depth');
  return value;
}

/** A request body's JSON; a syntax error has the prefix that upstream gives it. */
export const parseBody = (text: string): Json => finish(bodySteps(text));

/** parseBody() in steps. */
export function* bodySteps(text: string): Steps<Json> {
  try {
    return yield* parseSteps(text);
  } catch (e) {
    if (e instanceof JsonError) throw new JsonError(`couldn't get version/kind; json parse error: ${e.message}`);
    throw e;
  }
}

/** The text isn't JSON, or not as this reads it. */
class NotSimple extends Error {}

const STRUCTURE = /["{}[\]]/g;

class Pieces {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *document(): Steps<Json> {
    this.#space();
    const value = yield* this.#container(1);
    this.#space();
    if (this.#at < this.#text.length) throw new NotSimple();
    return value;
  }

  /** The object or array that begins here. */
  *#container(depth: number): Steps<Json> {
    const c = this.#text.charCodeAt(this.#at);
    if (c === 123) return yield* this.#members(depth, {}, 125);
    if (c === 91) return yield* this.#members(depth, [], 93);
    throw new NotSimple();
  }

  *#members(depth: number, into: JsonObject | Json[], close: number): Steps<Json> {
    const isObject = close === 125;
    this.#at++;
    /** Where those begin that aren't parsed yet, and the comma after the last of them. */
    let from = this.#at;
    let comma = from;
    this.#space();
    if (this.#text.charCodeAt(this.#at) === close) {
      this.#at++;
      return into;
    }
    for (;;) {
      this.#space();
      const key = isObject ? this.#key() : '';
      const end = this.#endOfValue(depth < DEEPEST ? PIECE_UNITS : Number.POSITIVE_INFINITY);
      if (end === undefined) {
        this.#parse(into, from, comma);
        yield;
        const value = yield* this.#container(depth + 1);
        if (Array.isArray(into)) into.push(value);
        else set(into, JSON.parse(key) as string, value);
        // Nothing but what follows it is left.
        from = comma = this.#at;
      } else this.#at = end;
      const parsed = from === this.#at;
      this.#space();
      const c = this.#text.charCodeAt(this.#at);
      if (c === close) {
        if (!parsed) this.#parse(into, from, this.#at);
        this.#at++;
        return into;
      }
      if (c !== 44) throw new NotSimple();
      comma = this.#at++;
      if (parsed) from = comma = this.#at;
      else if (comma - from > PIECE_UNITS) {
        this.#parse(into, from, comma);
        from = comma = this.#at;
        yield;
      }
    }
  }

  /** Parses members or items that stand between two places, if any do. */
  #parse(into: JsonObject | Json[], from: number, to: number): void {
    if (from >= to) return;
    const some = this.#text.slice(from, to);
    if (Array.isArray(into)) {
      for (const item of parseJson(`[${some}]`) as Json[]) into.push(item);
      return;
    }
    const part = parseJson(`{${some}}`) as JsonObject;
    for (const key in part) set(into, key, part[key] as Json);
  }

  /** The text of a key, quotes included; moves to the value. */
  #key(): string {
    if (this.#text.charCodeAt(this.#at) !== 34) throw new NotSimple();
    const from = this.#at;
    this.#at = this.#afterString(from);
    const key = this.#text.slice(from, this.#at);
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== 58) throw new NotSimple();
    this.#at++;
    this.#space();
    return key;
  }

  /** Undefined for an object or array of more than `most` units. */
  #endOfValue(most: number): number | undefined {
    const text = this.#text;
    const first = text.charCodeAt(this.#at);
    if (first === 34) return this.#afterString(this.#at);
    if (first !== 123 && first !== 91) return this.#endOfWord();
    STRUCTURE.lastIndex = this.#at;
    for (let depth = 0; ; ) {
      const found = STRUCTURE.exec(text);
      if (found === null) throw new NotSimple();
      if (found.index - this.#at >= most) return undefined;
      const c = text.charCodeAt(found.index);
      if (c === 34) STRUCTURE.lastIndex = this.#afterString(found.index);
      else if (c === 123 || c === 91) depth++;
      else if (--depth === 0) return found.index + 1;
    }
  }

  /** A number, true, false or null: whatever is wrong with it shows when it is parsed. */
  #endOfWord(): number {
    let at = this.#at;
    for (; at < this.#text.length; at++) {
      const c = this.#text.charCodeAt(at);
      if (c === 44 || c === 93 || c === 125) break;
    }
    if (at === this.#at) throw new NotSimple();
    return at;
  }

  #afterString(from: number): number {
    const end = endOfString(this.#text, from);
    if (end >= this.#text.length) throw new NotSimple();
    return end + 1;
  }

  #space(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
    }
  }
}

/** As JSON.parse does it, also for `__proto__`. */
function set(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}
