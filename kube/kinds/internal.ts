import { goJson } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import type { Issue } from '../meta/status.ts';
import { has } from './access.ts';

/**
 * Where upstream names a whole struct in an error it prints the internal type, whose Go field names have no JSON tags: in Go's order, capital
 * letters first, absent pointers null. `fields` gives the members in that order with what an absent one prints as.
 */
export type Internal = readonly (readonly [member: string, absent: string, field?: string, inner?: Internal])[];

export function internalText(v: JsonObject, fields: Internal): string {
  const parts = fields.map(([member, absent, field, inner]) => {
    const name = field ?? member[0]?.toUpperCase() + member.slice(1);
    const value = v[member];
    const text = !has(value) ? absent : inner ? internalText(value as JsonObject, inner) : goJson(value as Json);
    return `${JSON.stringify(name)}:${text}`;
  });
  return `{${parts.join(',')}}`;
}
/** An Invalid, Unsupported or Duplicate value of a struct. */
export function internalIssue(
  type: Issue['type'],
  head: 'Invalid value' | 'Unsupported value' | 'Duplicate value',
  field: string,
  text: string,
  detail: string,
): Issue {
  return { type, field, message: `${head}: ${text}${detail === '' ? '' : `: ${detail}`}` };
}
/** `supported values: "a", "b"`. */
export const supported = (values: readonly string[]) =>
  `supported values: ${values.map((v) => JSON.stringify(v)).join(', ')}`;
