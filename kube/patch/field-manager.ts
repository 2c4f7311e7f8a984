import { invalid, tooLong } from '../meta/issues.ts';
import { byteLength } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';

/** Field managers are at most this many bytes: metav1 validation's FieldManagerMaxLength. */
const FIELD_MANAGER_MAX = 128;

/** The field manager of a write that may not name one: the part of the User-Agent before the first slash, printable and cut to the limit. */
export function managerOrUserAgent(fieldManager: string | undefined, userAgent: string | undefined): string {
  if (fieldManager !== undefined && fieldManager !== '') return fieldManager;
  const prefix = (userAgent ?? '').split('/')[0] ?? '';
  let out = '';
  let size = 0;
  for (const c of prefix) {
    if (!isPrintable(c)) continue;
    size += byteLength(c);
    if (size > FIELD_MANAGER_MAX) break;
    out += c;
  }
  return out;
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
/** Go's unicode.IsPrint of one character. */
const isPrintable = (c: string): boolean => PRINTABLE.test(c);

/** What is wrong with a field manager's name: metav1 validation's ValidateFieldManager. An empty one counts as not set. */
export function fieldManagerIssues(name: string, path: string): Issue[] {
  const issues: Issue[] = [];
  if (byteLength(name) > FIELD_MANAGER_MAX) issues.push(tooLong(path, FIELD_MANAGER_MAX));
  let position = 0;
  for (const c of name) {
    if (!isPrintable(c)) {
      const code = (c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      issues.push(invalid(path, name, `invalid character U+${code} (at position ${position})`));
    }
    position += byteLength(c);
  }
  return issues;
}
