import type { Json, JsonObject } from '../meta/json.ts';
import { analyse, escaped, isBlock } from './yaml-print.ts';
import { resolveScalar } from './yaml-scalar.ts';

// YAML as go.yaml.in/yaml/v3 writes nodes whose style was cleared: what gnostic keeps of a value that its messages have no fields for.

/** Columns that a level stands further right. */
const INDENT = 4;

/** A value in block style: keys in their own order, lists further right than their key, lines of any length. */
export function printYamlNode(value: Json): string {
  const text = isBlock(value) ? block(value, 0) : scalar(value, INDENT);
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** A collection that isn't empty; its first line where the cursor is, the others at `indent`. */
function block(v: Json[] | JsonObject, indent: number): string {
  const lines: string[] = [];
  if (Array.isArray(v)) {
    for (const item of v)
      lines.push(`- ${isBlock(item) ? block(item, indent + 2) : scalar(item, indent + 2)}`.replace(/\n$/, ''));
  } else {
    const inner = INDENT * Math.floor((indent + INDENT) / INDENT);
    for (const name in v) {
      const member = v[name];
      if (member === undefined) continue;
      const value = isBlock(member) ? `\n${' '.repeat(inner)}${block(member, inner)}` : ` ${scalar(member, inner)}`;
      lines.push(`${text(name, undefined)}:${value}`.replace(/\n$/, ''));
    }
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

function scalar(v: Json, indent: number): string {
  if (typeof v === 'string') return text(v, indent);
  if (typeof v === 'object' && v !== null) return Array.isArray(v) ? '[]' : '{}';
  return String(v);
}

/** A text in the plainest style that holds it; lines of a literal stand at `indent`, keys have none. */
function text(s: string, indent: number | undefined): string {
  if (s.includes('\n')) {
    // A tab is no obstacle to a literal.
    const literal = indent !== undefined && analyse(s.replaceAll('\t', '.')).block;
    return literal ? literalText(s, ' '.repeat(indent)) : double(s);
  }
  if (!staysText(s)) return double(s);
  const can = analyse(s);
  if (can.plain) return s;
  return can.single ? `'${s.replaceAll("'", "''")}'` : double(s);
}

function literalText(s: string, pad: string): string {
  const hint = s[0] === ' ' || s[0] === '\n' ? INDENT : '';
  const chomp = !s.endsWith('\n') ? '-' : s === '\n' || s.endsWith('\n\n') ? '+' : '';
  return `|${hint}${chomp}\n${s
    .split('\n')
    .map((line) => (line === '' ? '' : pad + line))
    .join('\n')}`;
}

const double = (s: string): string => `"${Array.from(s).map(escaped).join('')}"`;

/** Unlike YAML 1.1, version 3 takes only these for booleans. */
const BOOLEAN = /^(?:true|True|TRUE|false|False|FALSE)$/;
function staysText(s: string): boolean {
  const { tag } = resolveScalar(s);
  return tag === '!!str' || (tag === '!!bool' && !BOOLEAN.test(s));
}
