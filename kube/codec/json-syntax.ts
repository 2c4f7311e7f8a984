/** Go's encoding/json and sigs.k8s.io/json stop at this depth ("exceeded max depth"). */
export const DEPTH_MAX = 10000;

const END = 'unexpected end of JSON input';
const HEX = /[0-9a-fA-F]/;
const DIGIT = /[0-9]/;
const utf8 = new TextEncoder();

/** Thrown inside and caught by describeSyntaxError only: the first error, as Go says it. */
class Found extends Error {}

/**
 * Why a text is not JSON, in the words of Go's encoding/json. Runs only after JSON.parse refused the text.
 * Go feeds a space at the end of the input, so that `tru` fails as an invalid character ' '.
 */
export function describeSyntaxError(text: string): string {
  const s = new Scan(text);
  try {
    s.document();
  } catch (e) {
    if (e instanceof Found) return e.message;
    throw e;
  }
  return 'invalid JSON';
}

class Scan {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): void {
    // What stands open, innermost last: no recursion, since the depth is the sender's choice.
    const open: ('{' | '[')[] = [];
    for (;;) {
      const began = this.begin(open);
      if (began) continue;
      if (this.close(open)) return;
    }
  }

  /** Reads a value's beginning; true when a container opened whose first value comes next. */
  private begin(open: ('{' | '[')[]): boolean {
    this.space();
    const c = this.text[this.at];
    if (c === undefined) throw new Found(END);
    if (c === '{' || c === '[') {
      open.push(c);
      if (open.length > DEPTH_MAX) throw new Found('exceeded max depth');
      this.at++;
      this.space();
      if (this.text[this.at] === (c === '{' ? '}' : ']')) return false;
      if (c === '{') this.key();
      return true;
    }
    if (c === '"') this.string();
    else if (c === '-' || DIGIT.test(c)) this.number();
    else if (c === 't') this.literal('true');
    else if (c === 'f') this.literal('false');
    else if (c === 'n') this.literal('null');
    else this.invalid('looking for beginning of value');
    return false;
  }

  /** After a value: closes what ends here; true at the end of the text. False when another value must follow. */
  private close(open: ('{' | '[')[]): boolean {
    for (;;) {
      this.space();
      const c = this.text[this.at];
      const inner = open[open.length - 1];
      if (inner === undefined) {
        if (c === undefined) return true;
        this.invalid('after top-level value');
      }
      if (c === undefined) throw new Found(END);
      if (c === (inner === '{' ? '}' : ']')) {
        this.at++;
        open.pop();
      } else if (c === ',') {
        this.at++;
        if (inner === '{') this.key();
        return false;
      } else {
        this.invalid(inner === '{' ? 'after object key:value pair' : 'after array element');
      }
    }
  }

  private key(): void {
    this.space();
    const c = this.text[this.at];
    if (c === undefined) throw new Found(END);
    if (c !== '"') this.invalid('looking for beginning of object key string');
    this.string();
    this.space();
    const colon = this.text[this.at];
    if (colon === undefined) throw new Found(END);
    if (colon !== ':') this.invalid('after object key');
    this.at++;
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      this.at++;
    }
  }

  private string(): void {
    this.at++;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) throw new Found(END);
      if (c < ' ') this.invalid('in string literal');
      this.at++;
      if (c === '"') return;
      if (c === '\\') this.escape();
    }
  }

  private escape(): void {
    const c = this.text[this.at] ?? ' ';
    if (!'bfnrt\\/"u'.includes(c)) this.invalid('in string escape code');
    this.at++;
    if (c !== 'u') return;
    for (let i = 0; i < 4; i++, this.at++) {
      if (!HEX.test(this.text[this.at] ?? ' ')) this.invalid('in \\u hexadecimal character escape');
    }
  }

  private digits(where: string): void {
    if (!DIGIT.test(this.text[this.at] ?? ' ')) this.invalid(where);
    while (DIGIT.test(this.text[this.at] ?? ' ')) this.at++;
  }

  private number(): void {
    if (this.text[this.at] === '-') this.at++;
    if (this.text[this.at] === '0') this.at++;
    else this.digits('in numeric literal');
    if (this.text[this.at] === '.') {
      this.at++;
      this.digits('after decimal point in numeric literal');
    }
    if (this.text[this.at] === 'e' || this.text[this.at] === 'E') {
      this.at++;
      if (this.text[this.at] === '+' || this.text[this.at] === '-') this.at++;
      this.digits('in exponent of numeric literal');
    }
  }

  private literal(word: string): void {
    for (const c of word) {
      if (this.text[this.at] !== c) this.invalid(`in literal ${word} (expecting '${c}')`);
      this.at++;
    }
  }

  private invalid(where: string): never {
    throw new Found(`invalid character ${quoteByte(this.text, this.at)} ${where}`);
  }
}

const SHORT: Record<number, string> = { 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 39: "'", 92: '\\' };

/** Go's quoteChar: the first UTF-8 byte of a character, shown as if it were Latin-1. */
function quoteByte(text: string, at: number): string {
  const point = text.codePointAt(at) ?? 32;
  const byte = point < 128 ? point : (utf8.encode(String.fromCodePoint(point))[0] ?? 32);
  const short = SHORT[byte];
  if (short !== undefined) return `'\\${short}'`;
  if (byte < 32 || byte === 127) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if (byte === 34) return `'"'`;
  return `'${String.fromCharCode(byte)}'`;
}

/** How deep a JSON text nests, as far as it can matter: 0 when it has too few brackets to pass DEPTH_MAX. */
export function depthOf(text: string): number {
  if (occurrences(text, '{', DEPTH_MAX) + occurrences(text, '[', DEPTH_MAX) <= DEPTH_MAX) return 0;
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 123 || c === 91) deepest = Math.max(deepest, ++depth);
    else if (c === 125 || c === 93) depth--;
    else if (c === 34) i = endOfString(text, i);
  }
  return deepest;
}

/** Index of the quote that closes the string that opens at `i`. The text is known to be valid. */
export function endOfString(text: string, i: number): number {
  for (let q = text.indexOf('"', i + 1); ; q = text.indexOf('"', q + 1)) {
    if (q < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(q - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return q;
  }
}

function occurrences(text: string, c: string, enough: number): number {
  let n = 0;
  for (let i = text.indexOf(c); i >= 0 && n <= enough; i = text.indexOf(c, i + 1)) n++;
  return n;
}
