import type { BackBuffer } from './proto-buffer.ts';

// Bytes of JSON's structure.
export const QUOTE = 34;
export const OBJECT = 123;
export const OBJECT_END = 125;
export const LIST = 91;
export const LIST_END = 93;
export const COMMA = 44;
export const COLON = 58;
export const SPACE = 32;
/** Between texts that stand on a line each. */
export const NEWLINE = 10;
const BACKSLASH = 92;

// Over the text that a buffer holds, which must be valid JSON: only what was parsed or printed before. Every search stops at the quote behind the text.

/** Where the string that opens at `from` ends, after its quote; inverted (~) when it has escapes. Four bytes a step. */
export function endOfString(o: BackBuffer, from: number): number {
  const v = o.view;
  let i = from + 1;
  for (;;) {
    const word = v.getInt32(i, true);
    const quotes = word ^ 0x22222222;
    const slashes = word ^ 0x5c5c5c5c;
    // A byte that is zero borrows from the bit above it, which it had not set itself.
    if ((((quotes - 0x01010101) & ~quotes) | ((slashes - 0x01010101) & ~slashes)) & 0x80808080) break;
    i += 4;
  }
  const b = o.bytes;
  for (; ; i++) {
    const c = b[i];
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) return ~endOfEscaped(b, i);
  }
}

function endOfEscaped(b: Uint8Array, from: number): number {
  let i = from;
  for (let c = b[i]; c !== QUOTE; c = b[i]) {
    if (c === undefined) throw new SyntaxError('not JSON');
    i += c === BACKSLASH ? 2 : 1;
  }
  return i + 1;
}

/** Where a number, true, false or null ends. */
function endOfPlain(b: Uint8Array, from: number): number {
  for (let i = from + 1; ; i++) {
    const c = b[i] as number;
    if (c === COMMA || c === OBJECT_END || c === LIST_END || c <= SPACE || c === QUOTE) return i;
  }
}

/** Where the value at `from` ends, whatever it is. */
export function endOfValue(o: BackBuffer, from: number, limit: number): number {
  const b = o.bytes;
  const first = b[from];
  if (first === QUOTE) return positive(endOfString(o, from));
  if (first !== OBJECT && first !== LIST) return endOfPlain(b, from);
  let depth = 1;
  for (let i = from + 1; i < limit; ) {
    const c = b[i];
    if (c === QUOTE) {
      i = positive(endOfString(o, i));
      continue;
    }
    i++;
    if (c === OBJECT || c === LIST) depth++;
    else if ((c === OBJECT_END || c === LIST_END) && --depth === 0) return i;
  }
  throw new SyntaxError('not JSON');
}

const positive = (end: number) => (end < 0 ? ~end : end);
