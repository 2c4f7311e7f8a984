import { quote } from '../meta/issues.ts';
import type { Json } from '../meta/json.ts';
import { JsonError } from './json.ts';
import { endOfString } from './json-syntax.ts';

/** sigs.k8s.io/json keeps at most this many strict errors. */
export const STRICT_ERRORS_MAX = 100;

/** Measured in Node and workerd: recursive walks hold 2400 levels and more on a fresh stack. Go would take 10000, and no real object has 100. */
export const SAFE_DEPTH = 1500;

/**
 * What strict decoding says of keys that come twice in one object: `duplicate field "metadata.name"`, in the order of the text,
 * each once. `text` must be valid JSON and `value` its parsed form: as many keys as the text has colons after keys proves that
 * there is no duplicate, and only otherwise is the text read again. Throws JsonError on a value deeper than SAFE_DEPTH.
 */
export function duplicateFields(text: string, value?: Json): string[] {
  if (value !== undefined && keysAtMost(text) === keysOf(value)) return [];
  return findDuplicates(text);
}

/**
 * How many keys a JSON text has, or more: a quote before a colon ends a key, unless it is escaped. A string that begins with
 * a colon, and one that holds `\\":`, count too many, never too few.
 */
function keysAtMost(text: string): number {
  let n = 0;
  for (let i = text.indexOf(':'); i >= 0; i = text.indexOf(':', i + 1)) {
    let q = i - 1;
    let c = text.charCodeAt(q);
    while (c === 32 || c === 10 || c === 9 || c === 13) c = text.charCodeAt(--q);
    if (c !== 34) continue;
    if (text.charCodeAt(q - 1) !== 92 || text.charCodeAt(q - 2) === 92) n++;
  }
  return n;
}

/** Counts keys, and stops where the walks over a value that follow (schema, patch, encoders) would run out of stack. */
function keysOf(v: Json, depth = 0): number {
  if (typeof v !== 'object' || v === null) return 0;
  if (depth > SAFE_DEPTH) throw new JsonError('exceeded max depth');
  let n = 0;
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) {
      const item = v[i];
      if (typeof item === 'object') n += keysOf(item as Json, depth + 1);
    }
    return n;
  }
  for (const k in v) {
    n++;
    const member = v[k];
    if (typeof member === 'object') n += keysOf(member, depth + 1);
  }
  return n;
}

/** One object or array that is open while the text is read. */
interface Level {
  /** Keys seen; null in an array. */
  keys: Set<string> | null;
  /** The key or index whose value is being read. */
  key: string;
  index: number;
}

function findDuplicates(text: string): string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  for (let i = 0; i < text.length && found.size < STRICT_ERRORS_MAX; i++) {
    const c = text.charCodeAt(i);
    const level = levels[levels.length - 1];
    if (c === 34) {
      const end = endOfString(text, i);
      if (level?.keys && isKey(text, end)) {
        level.key = JSON.parse(text.slice(i, end + 1)) as string;
        if (level.keys.has(level.key)) found.add(`duplicate field ${quote(pathOf(levels))}`);
        level.keys.add(level.key);
      }
      i = end;
    } else if (c === 123) levels.push({ keys: new Set(), key: '', index: 0 });
    else if (c === 91) levels.push({ keys: null, key: '', index: 0 });
    else if (c === 125 || c === 93) levels.pop();
    else if (c === 44 && level?.keys === null) level.index++;
  }
  return [...found];
}

function isKey(text: string, quote: number): boolean {
  let i = quote + 1;
  for (let c = text.charCodeAt(i); c === 32 || c === 10 || c === 9 || c === 13; c = text.charCodeAt(i)) i++;
  return text.charCodeAt(i) === 58;
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const l of levels) path += l.keys === null ? `[${l.index}]` : path === '' ? l.key : `.${l.key}`;
  return path;
}
