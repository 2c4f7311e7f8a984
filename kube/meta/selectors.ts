import { index, invalid, issuesText, key as mapKey, notSupported, quote } from './issues.ts';
import { isObject, type Json } from './json.ts';
import { labelValue, qualifiedName } from './names.ts';
import type { Issue } from './status.ts';

/** One condition on labels. `=` and `==` are In of one value, `!=` is NotIn of one. */
export interface LabelRequirement {
  key: string;
  op: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  values: string[];
}
/** One condition on a selectable field. */
export interface FieldRequirement {
  field: string;
  op: '=' | '!=';
  value: string;
}
/** What a selector's text gave: requirements that all must hold (none: everything matches), or upstream's error. */
export type Parsed<R> = { ok: true; requirements: R[] } | { ok: false; error: string };

// Upstream's list for its error text: apimachinery pkg/labels/selector.go, binaryOperators.
const BINARY = 'in, notin, =, ==, !=, gt, lt';
const OPERATORS = ['in', 'notin', '=', '==', '!=', 'gt', 'lt', 'exists', '!'];
type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'gt' | 'lt' | 'exists' | '!';
const OP: Record<Operator, LabelRequirement['op']> = {
  '=': 'In',
  '==': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  gt: 'Gt',
  lt: 'Lt',
  exists: 'Exists',
  '!': 'DoesNotExist',
};
const OF_TOKEN: Record<string, Operator> = {
  in: 'in',
  '=': '=',
  '==': '==',
  '>': 'gt',
  '<': 'lt',
  notin: 'notin',
  '!=': '!=',
};

interface Token {
  is: 'end' | 'error' | 'word' | ')' | ',' | '!' | '==' | '=' | '>' | 'in' | '<' | '!=' | 'notin' | '(';
  text: string;
}
const TOKEN = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^=!(),<> \t\r\n]+))/y;

function tokens(text: string): Token[] {
  const out: Token[] = [];
  TOKEN.lastIndex = 0;
  // A NUL ends the text, as in upstream's lexer.
  const nul = text.indexOf('\0');
  const source = nul < 0 ? text : text.slice(0, nul);
  for (let m = TOKEN.exec(source); m; m = TOKEN.exec(source)) {
    const word = m[2];
    if (word === undefined) out.push({ is: (m[1] ?? '=') as Token['is'], text: m[1] ?? '' });
    else out.push({ is: word === 'in' || word === 'notin' ? word : 'word', text: word });
  }
  out.push({ is: 'end', text: '' });
  return out;
}

class Malformed extends Error {}
const fail = (text: string): never => {
  throw new Malformed(text);
};

/** Reads a labelSelector query parameter. */
export function parseLabelSelector(text: string): Parsed<LabelRequirement> {
  try {
    const requirements = parseRequirements(tokens(text));
    requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    return { ok: true, requirements };
  } catch (e) {
    if (e instanceof Malformed) return { ok: false, error: e.message };
    throw e;
  }
}

/** Words that are keywords elsewhere count as identifiers where a key or value is expected. */
const isWord = (t: Token) => t.is === 'word' || t.is === 'in' || t.is === 'notin';

function parseRequirements(list: Token[]): LabelRequirement[] {
  let at = 0;
  const peek = (): Token => list[at] ?? { is: 'end', text: '' };
  const next = (): Token => {
    const t = peek();
    at++;
    return t;
  };
  const out: LabelRequirement[] = [];
  for (;;) {
    const t = peek();
    if (t.is === 'end') return out;
    if (!isWord(t) && t.is !== '!') fail(`found '${t.text}', expected: !, identifier, or 'end of string'`);
    out.push(parseOne(peek, next));
    const after = next();
    if (after.is === 'end') return out;
    if (after.is !== ',') fail(`found '${after.text}', expected: ',' or 'end of string'`);
    const following = peek();
    if (!isWord(following) && following.is !== '!') {
      fail(`found '${following.text}', expected: identifier after ','`);
    }
  }
}

function parseOne(peek: () => Token, next: () => Token): LabelRequirement {
  const wrong = (text: string) => fail(`unable to parse requirement: ${text}`);
  let t = next();
  const negated = t.is === '!';
  if (negated) t = next();
  if (!isWord(t)) wrong(`found '${t.text}', expected: identifier`);
  const key = t.text;
  const problems = qualifiedName(key);
  if (problems.length > 0) wrong(issuesText([invalid('<nil>', key, problems.join('; '))]));
  let op: Operator;
  let values: string[] = [];
  if (negated) op = '!';
  else if (peek().is === 'end' || peek().is === ',') op = 'exists';
  else {
    const o = next();
    op = OF_TOKEN[o.is] ?? wrong(`found '${o.text}', expected: ${BINARY}`);
    values = op === 'in' || op === 'notin' ? parseValues(peek, next, wrong) : parseValue(peek, next, wrong);
  }
  const issues = requirementIssues(key, op, values);
  if (issues.length > 0) wrong(issuesText(issues));
  return { key, op: OP[op], values };
}

function parseValue(peek: () => Token, next: () => Token, wrong: (text: string) => never): string[] {
  if (peek().is === 'end' || peek().is === ',') return [''];
  const t = next();
  return isWord(t) ? [t.text] : wrong(`found '${t.text}', expected: identifier`);
}

function parseValues(peek: () => Token, next: () => Token, wrong: (text: string) => never): string[] {
  const open = next();
  if (open.is !== '(') wrong(`found '${open.text}' expected: '('`);
  const first = peek();
  if (first.is === ')') {
    next();
    return [''];
  }
  if (!isWord(first) && first.is !== ',') wrong(`found '${first.text}', expected: ',', ')' or identifier`);
  const values = new Set<string>();
  for (;;) {
    const t = next();
    if (isWord(t)) {
      values.add(t.text);
      const after = peek();
      if (after.is === ')') break;
      if (after.is !== ',') wrong(`found '${after.text}', expected: ',' or ')'`);
    } else if (t.is === ',') {
      if (values.size === 0) values.add('');
      const after = peek();
      if (after.is === ')' || after.is === ',') values.add('');
      if (after.is === ')') break;
    } else wrong(`found '${t.text}', expected: ',', or identifier`);
  }
  next();
  return [...values].sort();
}

const INTEGER = /^[-+]?[0-9]+$/;

function requirementIssues(key: string, op: string, values: string[]): Issue[] {
  const issues: Issue[] = [];
  const keyProblems = qualifiedName(key);
  if (keyProblems.length > 0) issues.push(invalid('key', key, keyProblems.join('; ')));
  const n = values.length;
  if ((op === 'in' || op === 'notin') && n === 0) {
    issues.push(invalid('values', values, "for 'in', 'notin' operators, values set can't be empty"));
  } else if ((op === '=' || op === '==' || op === '!=') && n !== 1) {
    issues.push(invalid('values', values, 'exact-match compatibility requires one single value'));
  } else if ((op === 'exists' || op === '!') && n !== 0) {
    issues.push(invalid('values', values, 'values set must be empty for exists and does not exist'));
  } else if (op === 'gt' || op === 'lt') {
    if (n !== 1) issues.push(invalid('values', values, "for 'Gt', 'Lt' operators, exactly one value is required"));
    for (const [i, v] of values.entries()) {
      if (!INTEGER.test(v)) {
        issues.push(invalid(index('values', i), v, "for 'Gt', 'Lt' operators, the value must be an integer"));
      }
    }
  } else if (!OPERATORS.includes(op)) issues.push(notSupported('operator', op, OPERATORS));
  for (const [i, v] of values.entries()) {
    const problems = labelValue(v);
    if (problems.length > 0) issues.push(invalid(mapKey(index('values', i), key), v, problems.join('; ')));
  }
  return issues;
}

/** metav1.LabelSelector, as it stands in specs. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
const OF_EXPRESSION: Record<string, Operator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** A spec's LabelSelector as requirements. No selector at all matches nothing, which is null; an empty one matches everything. */
export function selectorRequirements(selector: LabelSelector | Json | undefined): Parsed<LabelRequirement> | null {
  if (!isObject(selector)) return null;
  const { matchLabels, matchExpressions } = selector as LabelSelector;
  const requirements: LabelRequirement[] = [];
  const add = (key: string, op: Operator, values: string[]): string => {
    const issues = requirementIssues(key, op, values);
    requirements.push({ key, op: OP[op], values });
    return issues.length === 0 ? '' : issuesText(issues);
  };
  for (const key in matchLabels) {
    const error = add(key, '=', [matchLabels[key] ?? '']);
    if (error) return { ok: false, error };
  }
  for (const e of matchExpressions ?? []) {
    const op = OF_EXPRESSION[e.operator];
    if (!op) return { ok: false, error: `${quote(e.operator ?? '')} is not a valid label selector operator` };
    const error = add(e.key ?? '', op, e.values ?? []);
    if (error) return { ok: false, error };
  }
  requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { ok: true, requirements };
}
/** True when a spec's LabelSelector selects an object with these labels; false for an absent or malformed selector. */
export function selects(
  selector: LabelSelector | Json | undefined,
  labels: Record<string, string> | undefined,
): boolean {
  const parsed = selectorRequirements(selector);
  return parsed?.ok === true && matchesLabels(parsed.requirements, labels);
}

/** A spec's LabelSelector as text, as status.selector of a Scale holds it. */
export function printSelector(selector: LabelSelector | undefined): string {
  const terms: { key: string; text: string }[] = [];
  for (const key in selector?.matchLabels) terms.push({ key, text: `${key}=${selector?.matchLabels?.[key]}` });
  for (const e of selector?.matchExpressions ?? []) {
    const values = [...(e.values ?? [])].sort().join(',');
    const text =
      e.operator === 'Exists'
        ? e.key
        : e.operator === 'DoesNotExist'
          ? `!${e.key}`
          : `${e.key} ${e.operator === 'In' ? 'in' : 'notin'} (${values})`;
    terms.push({ key: e.key, text });
  }
  terms.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return terms.map((t) => t.text).join(',');
}

/** True when all requirements hold for the labels. */
export function matchesLabels(
  requirements: readonly LabelRequirement[],
  labels: Record<string, string | undefined> | undefined,
): boolean {
  for (const r of requirements) if (!matchesOne(r, labels?.[r.key])) return false;
  return true;
}
function matchesOne(r: LabelRequirement, value: string | undefined): boolean {
  switch (r.op) {
    case 'In':
      return value !== undefined && r.values.includes(value);
    case 'NotIn':
      return value === undefined || !r.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default: {
      const bound = r.values[0];
      if (value === undefined || bound === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
      return r.op === 'Gt'
        ? BigInt(unsigned(value)) > BigInt(unsigned(bound))
        : BigInt(unsigned(value)) < BigInt(unsigned(bound));
    }
  }
}
const unsigned = (s: string) => (s.startsWith('+') ? s.slice(1) : s);

/** Reads a fieldSelector query parameter. Which fields a kind offers is the caller's to check. */
export function parseFieldSelector(text: string): Parsed<FieldRequirement> {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue;
    const m = /!=|==|=/.exec(term);
    if (!m) return { ok: false, error: `invalid selector: '${text}'; can't understand '${term}'` };
    const value = unescapeValue(term.slice(m.index + m[0].length));
    if (typeof value !== 'string') return { ok: false, error: `invalid field selector: ${value.error}` };
    requirements.push({ field: term.slice(0, m.index), op: m[0] === '!=' ? '!=' : '=', value });
  }
  return { ok: true, requirements };
}

/** Splits at commas that no backslash precedes. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeValue(s: string): string | { error: string } {
  if (!/[\\,=]/.test(s)) return s;
  let out = '';
  for (let i = 0; i < s.length; i++) {
    const c = s.charAt(i);
    if (c === '\\') {
      const e = s.charAt(++i);
      if (e !== '\\' && e !== ',' && e !== '=') return { error: `invalid escape sequence: \\${e}` };
      out += e;
    } else if (c === ',' || c === '=') {
      // Upstream prints the rune's number.
      return { error: `unescaped character in value: ${c.charCodeAt(0)}` };
    } else out += c;
  }
  return out;
}

/** True when all requirements hold; an absent field counts as empty. */
export function matchesFields(
  requirements: readonly FieldRequirement[],
  fields: Record<string, string | undefined>,
): boolean {
  for (const r of requirements) if (((fields[r.field] ?? '') === r.value) !== (r.op === '=')) return false;
  return true;
}
/** The value that an object must have in `field` to match; undefined when the selector doesn't say. */
export function exactField(requirements: readonly FieldRequirement[], field: string): string | undefined {
  return requirements.find((r) => r.field === field && r.op === '=')?.value;
}
