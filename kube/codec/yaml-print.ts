import type { Json, JsonObject } from '../meta/json.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { plainText } from './yaml-scalar.ts';

/** Texts are folded at the first space after this column, and longer keys are written as `? key`: go-yaml's emitter. */
const WIDTH = 80;
const KEY_MAX = 128;
const utf8 = new TextEncoder();

/** Writes YAML as sigs.k8s.io/yaml does: sorted keys, lists at their key's indentation, quotes only where needed. */
export const printYaml = (value: Json): string => finish(printYamlSteps(value));

/** printYaml() in steps. */
export function* printYamlSteps(value: Json): Steps<string> {
  const p = new Printer();
  yield* p.root(value);
  return p.out;
}

/** Text of so many units is written in one step, and so many keys are sorted: some milliseconds. */
const STEP_UNITS = 64 * 1024;
const SORTED_STEP = 1_024;

class Printer {
  out = '';
  private lineStart = 0;
  private stepEnd = STEP_UNITS;

  *root(v: Json): Steps<void> {
    if (isBlock(v)) yield* this.block(v, 0);
    else this.scalar(v, 2);
    if (!this.out.endsWith('\n')) this.newline();
  }

  private newline(): void {
    this.out += '\n';
    this.lineStart = this.out.length;
  }

  private get column(): number {
    return this.out.length - this.lineStart;
  }

  /** A collection that isn't empty, its first line where the cursor is; the others at `indent`. */
  private *block(v: Json[] | JsonObject, indent: number): Steps<void> {
    let first = true;
    const next = () => {
      if (first) {
        first = false;
        return;
      }
      if (this.column > 0) this.newline();
      this.out += ' '.repeat(indent);
    };
    if (Array.isArray(v)) {
      for (const item of v) {
        next();
        this.out += '- ';
        if (isBlock(item)) yield* this.block(item, indent + 2);
        else this.scalar(item, indent + 2);
        if (this.isLong()) yield;
      }
      return;
    }
    const keys = Object.keys(v);
    for (const key of keys.length > SORTED_STEP ? yield* sortSteps(keys) : keys.sort(naturally)) {
      const member = v[key];
      if (member === undefined) continue;
      next();
      const simple = this.key(key, indent);
      yield* this.value(member, indent, simple);
      if (this.isLong()) yield;
    }
  }

  /** True once for each step's units. */
  private isLong(): boolean {
    if (this.out.length < this.stepEnd) return false;
    this.stepEnd = this.out.length + STEP_UNITS;
    return true;
  }

  private *value(v: Json, indent: number, simple: boolean): Steps<void> {
    this.out += ':';
    if (!isBlock(v)) {
      this.out += ' ';
      this.scalar(v, indent + 2);
      return;
    }
    // A list stands at its key's own indentation.
    const inner = Array.isArray(v) && simple ? indent : indent + 2;
    this.newline();
    this.out += ' '.repeat(inner);
    yield* this.block(v, inner);
  }

  /** False when the key is too long to stand before its colon. */
  private key(key: string, indent: number): boolean {
    const simple = !key.includes('\n') && (key.length * 3 <= KEY_MAX || utf8.encode(key).length <= KEY_MAX);
    if (!simple) this.out += '? ';
    this.text(key, indent + 2, simple ? 'key' : 'long key');
    if (simple) return true;
    this.newline();
    this.out += ' '.repeat(indent);
    return false;
  }

  private scalar(v: Json, indent: number): void {
    if (typeof v === 'string') this.text(v, indent, 'value');
    else if (typeof v === 'number') this.out += numberText(v);
    else if (typeof v === 'object' && v !== null) this.out += Array.isArray(v) ? '[]' : '{}';
    else this.out += String(v);
  }

  private text(s: string, indent: number, as: 'key' | 'long key' | 'value'): void {
    const a = analyse(s);
    const fold = as !== 'key';
    if (s.includes('\n')) {
      if (as === 'value' && a.block) this.literal(s, indent);
      else this.double(s, indent, fold);
    } else if (!plainText(s)) this.double(s, indent, fold);
    else if (a.plain) this.folded(s, indent, fold);
    else if (a.single) this.folded(s, indent, fold, "'");
    else this.double(s, indent, fold);
  }

  private literal(s: string, indent: number): void {
    const hint = s[0] === ' ' || s[0] === '\n' ? '2' : '';
    const chomp = !s.endsWith('\n') ? '-' : s === '\n' || s.endsWith('\n\n') ? '+' : '';
    this.out += `|${hint}${chomp}`;
    this.newline();
    const lines = s.split('\n');
    lines.forEach((line, i) => {
      if (line !== '') this.out += ' '.repeat(indent) + line;
      if (i < lines.length - 1) this.newline();
    });
  }

  /** Plain or single-quoted text, broken at single spaces past the width. */
  private folded(s: string, indent: number, fold: boolean, quote = ''): void {
    const body = quote === '' ? s : s.replaceAll("'", "''");
    this.out += quote;
    if (!fold || this.column + body.length <= WIDTH) {
      this.out += body + quote;
      return;
    }
    const pieces = body.split(/(?<=[^ ]) (?=[^ ])/);
    pieces.forEach((piece, i) => {
      if (i > 0 && this.column > WIDTH) this.breakLine(indent);
      else if (i > 0) this.out += ' ';
      this.out += piece;
    });
    this.out += quote;
  }

  private breakLine(indent: number): void {
    this.newline();
    this.out += ' '.repeat(indent);
  }

  private double(s: string, indent: number, fold: boolean): void {
    this.out += '"';
    const chars = Array.from(s);
    let spaces = false;
    chars.forEach((c, i) => {
      if (c !== ' ') {
        this.out += escaped(c);
        spaces = false;
        return;
      }
      if (fold && !spaces && this.column > WIDTH && i > 0 && i < chars.length - 1) {
        this.breakLine(indent);
        if (chars[i + 1] === ' ') this.out += '\\';
      } else this.out += ' ';
      spaces = true;
    });
    this.out += '"';
  }
}

/** keys.sort(naturally) in steps: parts are sorted and merged. */
function* sortSteps(keys: string[]): Steps<string[]> {
  let runs: string[][] = [];
  for (let at = 0; at < keys.length; at += SORTED_STEP) {
    runs.push(keys.slice(at, at + SORTED_STEP).sort(naturally));
    yield;
  }
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let i = 0; i < runs.length; i += 2) merged.push(yield* merge(runs[i] as string[], runs[i + 1] ?? []));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge(a: string[], b: string[]): Steps<string[]> {
  const out: string[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const takesFirst = j === b.length || (i < a.length && naturally(a[i] as string, b[j] as string) <= 0);
    out.push((takesFirst ? a[i++] : b[j++]) as string);
    if (out.length % (8 * SORTED_STEP) === 0) yield;
  }
  yield;
  return out;
}

/** A collection that is written on lines of its own. */
export function isBlock(v: Json): v is Json[] | JsonObject {
  if (typeof v !== 'object' || v === null) return false;
  if (Array.isArray(v)) return v.length > 0;
  for (const k in v) if (v[k] !== undefined) return true;
  return false;
}

/** What must be escaped: what YAML does not call printable, the byte order mark, and the separators that old readers take for line breaks. */
const UNPRINTABLE =
  /[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|[\u{10000}-\u{10ffff}]/u;
const INDICATOR = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?: |$|\n))|:(?=[ \n]|$)|[ \n]#/;

/** Which styles can hold a text. go-yaml's emitter takes everything beyond the basic plane for unprintable. */
export function analyse(s: string): { plain: boolean; single: boolean; block: boolean } {
  const special = UNPRINTABLE.test(s) || / \n/.test(s);
  const edge = /^[ \n]|[ \n]$/.test(s);
  return {
    plain: !special && !edge && !s.includes('\n') && !INDICATOR.test(s),
    single: !special && !/\n /.test(s),
    block: !special && !s.endsWith(' '),
  };
}

const SHORT: Record<string, string> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\x85': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

/** A character inside double quotes. */
export function escaped(c: string): string {
  const short = SHORT[c];
  if (short !== undefined) return short;
  if (!UNPRINTABLE.test(c)) return c;
  const point = c.codePointAt(0) ?? 0;
  const hex = point.toString(16).toUpperCase();
  if (point <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return point <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** Go's shortest %g, with an exponent from 1e+21 on for integers and from 1e+06 on for fractions. */
function numberText(v: number): string {
  if (Number.isSafeInteger(v)) return String(v);
  const [mantissa = '', exponent = '0'] = v.toExponential().split('e');
  const e = Number(exponent);
  if (e >= -4 && e < 21 && !(e >= 6)) return String(v);
  const sign = e < 0 ? '-' : '+';
  return `${mantissa}e${sign}${String(Math.abs(e)).padStart(2, '0')}`;
}

const LETTER = /\p{L}/u;
const DIGIT = /\p{Nd}/u;

const isLetter = (c: number) => (c >= 97 && c <= 122) || (c >= 65 && c <= 90);
const isDigit = (c: number) => c >= 48 && c <= 57;
/** Runs of digits up to here are exact as numbers, with a digit before them. */
const EXACT_DIGITS = 14;

/** go-yaml's order of keys: runs of digits by their number, letters after everything else. */
function naturally(x: string, y: string): number {
  const shorter = Math.min(x.length, y.length);
  let at = 0;
  while (at < shorter && x.charCodeAt(at) === y.charCodeAt(at)) at++;
  const [c, d] = [x.charCodeAt(at), y.charCodeAt(at)];
  // Beyond ASCII, and at an end, the code points count.
  if (at === shorter || c > 127 || d > 127) return naturallyByPoints(x, y);
  if (isLetter(c) || isLetter(d)) return isLetter(c) === isLetter(d) ? c - d : isLetter(d) ? -1 : 1;
  const [m, n] = [digitsEnd(x, at), digitsEnd(y, at)];
  if (m === at && n === at) return c - d;
  if (Math.max(m, n) - at > EXACT_DIGITS || x.charCodeAt(m) > 127 || y.charCodeAt(n) > 127)
    return naturallyByPoints(x, y);
  let before = at - 1;
  while (before >= 0 && x.charCodeAt(before) === 48) before--;
  const inNumber =
    (c === 48 || d === 48) && before >= 0 && x.charCodeAt(before) !== 48 && isDigit(x.charCodeAt(before));
  const lead = inNumber ? '1' : '';
  return Number(lead + x.slice(at, m)) - Number(lead + y.slice(at, n)) || m - n || c - d;
}
function digitsEnd(s: string, from: number): number {
  let to = from;
  while (isDigit(s.charCodeAt(to))) to++;
  return to;
}

function naturallyByPoints(x: string, y: string): number {
  const a = Array.from(x);
  const b = Array.from(y);
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [p, q] = [a[i] as string, b[i] as string];
    if (p === q) continue;
    const [pl, ql] = [LETTER.test(p), LETTER.test(q)];
    if (pl && ql) return (p.codePointAt(0) ?? 0) - (q.codePointAt(0) ?? 0);
    if (pl || ql) return ql ? -1 : 1;
    const inNumber = (p === '0' || q === '0') && /[1-9]0*$/.test(a.slice(0, i).join(''));
    const [m, n] = [runOf(a, i), runOf(b, i)];
    const lead = inNumber ? '1' : '';
    const by = Number(lead + m || '0') - Number(lead + n || '0');
    if (by !== 0 && m.length === n.length) return by;
    const whole = BigInt(lead + m || '0') - BigInt(lead + n || '0');
    if (whole !== 0n) return whole < 0n ? -1 : 1;
    if (m.length !== n.length) return m.length - n.length;
    return (p.codePointAt(0) ?? 0) - (q.codePointAt(0) ?? 0);
  }
  return a.length - b.length;
}

function runOf(chars: string[], from: number): string {
  let run = '';
  for (let i = from; i < chars.length && DIGIT.test(chars[i] as string); i++) run += chars[i];
  return run;
}
