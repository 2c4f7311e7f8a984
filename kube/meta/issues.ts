import type { Json } from './json.ts';
import type { Issue } from './status.ts';

// Issues with the texts of apimachinery pkg/util/validation/field/errors.go, v0.37.1. Paths are plain strings, built with the
// three functions below; an empty path is the root.

/** `spec` + `name` is `spec.name`. */
export function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
/** `spec.containers` + 0 is `spec.containers[0]`. */
export function index(path: string, i: number): string {
  return `${path}[${i}]`;
}
/** `data` + `a.b` is `data[a.b]`. */
export function key(path: string, k: string): string {
  return `${path}[${k}]`;
}

const SHORT_ESCAPES: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
// What Go's strconv.IsPrint refuses: controls, formats, unassigned, surrogates, private use and separators but the plain space.
const UNPRINTABLE = /["\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** A string as Go's %q prints it. */
export function quote(s: string): string {
  const escaped = s.replace(UNPRINTABLE, (c) => {
    const short = SHORT_ESCAPES[c];
    if (short) return short;
    const code = c.codePointAt(0) ?? 0;
    if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
    if (code >= 0xd800 && code <= 0xdfff) return '\\ufffd';
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** A bad value as field.Error prints it: strings quoted, numbers and booleans bare, the rest as JSON (Go escapes <, > and &). */
export function printValue(value: Json | undefined): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return goJson(value ?? null);
}

/** JSON text as Go's encoding/json writes a map: keys sorted, <, > and & escaped. */
export function goJson(value: Json): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value).replace(
      /[<>&\u2028\u2029]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  }
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const v = value[name];
    if (v !== undefined) members.push(`${goJson(name)}:${goJson(v)}`);
  }
  return `{${members.join(',')}}`;
}

const issue = (type: Issue['type'], field: string, head: string, detail: string): Issue => ({
  type,
  field,
  message: detail === '' ? head : `${head}: ${detail}`,
});
const atMost = (n: number, unit: string, otherwise: string) =>
  n < 0 ? otherwise : `may not be more than ${n} ${unit}${n === 1 ? '' : 's'}`;

/** A value that must be given and isn't. */
export const required = (field: string, detail = ''): Issue =>
  issue('FieldValueRequired', field, 'Required value', detail);
/** A value that is wrong in itself. */
export const invalid = (field: string, value: Json | undefined, detail: string): Issue =>
  issue('FieldValueInvalid', field, `Invalid value: ${printValue(value)}`, detail);
/** A value of the wrong JSON type. */
export const typeInvalid = (field: string, value: Json | undefined, detail: string): Issue =>
  issue('FieldValueTypeInvalid', field, `Invalid value: ${printValue(value)}`, detail);
/** A value outside a closed list; the list is printed in the order given (declarative enums are sorted by the caller). */
export const notSupported = (field: string, value: Json | undefined, supported: readonly string[]): Issue =>
  issue(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${printValue(value)}`,
    supported.length === 0 ? '' : `supported values: ${supported.map(quote).join(', ')}`,
  );
/** A value that may not be set here. */
export const forbidden = (field: string, detail: string): Issue =>
  issue('FieldValueForbidden', field, 'Forbidden', detail);
/** A value that may occur once. */
export const duplicate = (field: string, value: Json | undefined): Issue =>
  issue('FieldValueDuplicate', field, `Duplicate value: ${printValue(value)}`, '');
/** A reference to something that doesn't exist. */
export const notFound = (field: string, value: Json | undefined): Issue =>
  issue('FieldValueNotFound', field, `Not found: ${printValue(value)}`, '');
/** A text of more than `max` bytes; a negative `max` prints no number. */
export const tooLong = (field: string, max: number): Issue =>
  issue('FieldValueTooLong', field, 'Too long', atMost(max, 'byte', 'value is too long'));
/** A text of more than `max` characters. */
export const tooLongCharacters = (field: string, max: number): Issue =>
  issue('FieldValueTooLong', field, 'Too long', atMost(max, 'character', 'value is too long'));
/** A text of fewer than `min` characters. */
export const tooShort = (field: string, min: number): Issue =>
  issue('FieldValueTooShort', field, 'Too short', `must be at least ${min} character${min === 1 ? '' : 's'}`);
/** A list or map of `actual` items (negative: not printed) where at most `max` may be. */
export const tooMany = (field: string, actual: number, max: number): Issue =>
  issue(
    'FieldValueTooMany',
    field,
    actual < 0 ? 'Too many' : `Too many: ${actual}`,
    max < 0 ? 'has too many items' : `must have at most ${max} item${max === 1 ? '' : 's'}`,
  );
/** A list or map of `actual` items where at least `min` must be. */
export const tooFew = (field: string, actual: number, min: number): Issue =>
  issue(
    'FieldValueTooFew',
    field,
    `Too few: ${actual}`,
    min < 0 ? 'has too few items' : `must have at least ${min} item${min === 1 ? '' : 's'}`,
  );
/** A check that could not be carried out. */
export const internalIssue = (field: string, detail: string): Issue =>
  issue('InternalError', field, 'Internal error', detail);

/** The text of one issue, as field.Error prints it: `spec.name: Required value`. */
export const issueText = (i: Issue): string => `${i.field}: ${i.message}`;
/** The text of several as one error: bare when one, in brackets when more, each text once (ErrorList.ToAggregate). */
export function issuesText(issues: readonly Issue[]): string {
  const texts = [...new Set(issues.map(issueText))];
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}
