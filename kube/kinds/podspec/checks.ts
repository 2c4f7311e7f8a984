import { invalid, notSupported, required } from '../../meta/issues.ts';
import type { Json } from '../../meta/json.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  type NameCheck,
  NOT_NEGATIVE,
  portName,
  portNumber,
  qualifiedName,
} from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { has, num, str } from '../access.ts';

// Small checks that many fields share, with the texts of kubernetes pkg/apis/core/validation.

export const MAX_INT32 = 2147483647;
/** Exit codes of one rule. */
export const MAX_EXIT_CODES = 255;
/** Of ports, as messages list them. */
export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const NOT_POSITIVE = 'must be greater than zero';

/** Each text of a name check as one issue. */
export const each = (path: string, value: string, problems: readonly string[]): Issue[] =>
  problems.map((p) => invalid(path, value, p));
export const label = (path: string, value: string): Issue[] => each(path, value, dns1123Label(value));
export const subdomain = (path: string, value: string): Issue[] => each(path, value, dns1123Subdomain(value));
export const qualified = (path: string, value: string): Issue[] => each(path, value, qualifiedName(value));
export const named = (path: string, value: string, check: NameCheck, prefix = false): Issue[] =>
  each(path, value, check(value, prefix));

export const notNegative = (path: string, v: Json | undefined): Issue[] =>
  num(v) < 0 ? [invalid(path, num(v), NOT_NEGATIVE)] : [];
export const positive = (path: string, v: Json | undefined): Issue[] =>
  num(v) <= 0 ? [invalid(path, num(v), NOT_POSITIVE)] : [];
/** A text that must not be empty. */
export const need = (path: string, v: Json | undefined): Issue[] => (str(v) === '' ? [required(path)] : []);
/** A text of a closed list; `''` is a missing value. */
export function oneOf(
  path: string,
  v: Json | undefined,
  values: readonly string[],
  requiredText: string | null = '',
): Issue[] {
  const value = str(v);
  if (value === '' && requiredText !== null) return [required(path, requiredText)];
  return values.includes(value) ? [] : [notSupported(path, value, values)];
}
/** A file mode. */
export function mode(path: string, v: Json | undefined, max = 0o777): Issue[] {
  if (!has(v) || (num(v) >= 0 && num(v) <= max)) return [];
  return [invalid(path, num(v), `must be a number between 0 and 0${max.toString(8)} (octal), both inclusive`)];
}
/** A user or group id. */
export function id(path: string, v: Json | undefined): Issue[] {
  if (!has(v) || (num(v) >= 0 && num(v) <= MAX_INT32)) return [];
  return [invalid(path, v, `must be between 0 and ${MAX_INT32}, inclusive`)];
}
/** An int-or-string port. */
export function port(path: string, v: Json | undefined): Issue[] {
  if (typeof v === 'string') return each(path, v, portName(v));
  return portNumber(num(v)).map((p) => invalid(path, num(v), p));
}
/** No `..` as a part of a path. */
export const noBacksteps = (path: string, value: string): Issue[] =>
  value.split('/').includes('..') ? [invalid(path, value, "must not contain '..'")] : [];
/** A relative path without `..`. */
export const descending = (path: string, value: string): Issue[] => [
  ...(value.startsWith('/') ? [invalid(path, value, 'must be a relative path')] : []),
  ...noBacksteps(path, value),
];
/** A relative path that doesn't begin with `..` in any way. */
export const nonReserved = (path: string, value: string): Issue[] => [
  ...descending(path, value),
  ...(value.startsWith('..') && !value.startsWith('../') ? [invalid(path, value, "must not start with '..'")] : []),
];
