const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const CODES = Uint8Array.from(ALPHABET, (c) => c.charCodeAt(0));
const PAD = 61;
/** Negative, so that one bad character makes a whole group negative. */
const BAD = -1;
const VALUES = new Int32Array(256).fill(BAD);
for (let i = 0; i < 64; i++) VALUES[CODES[i] as number] = i;
const ascii = new TextDecoder();

/** ES2026, in newer engines (workerd, Deno): ten times faster on a large Secret, slower on a small one. */
interface NativeBase64 {
  fromBase64?(text: string, options: { lastChunkHandling: 'strict' }): Uint8Array;
}
const native = Uint8Array as unknown as NativeBase64;
const NATIVE_MIN = 512;

/** Standard base64 with padding of `bytes[from..to)`, as Go prints a []byte. */
export function base64Of(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const n = to - from;
  if (n === 0) return '';
  const out = new Uint8Array(Math.ceil(n / 3) * 4);
  let o = 0;
  let i = from;
  for (const whole = to - (n % 3); i < whole; i += 3) {
    const v = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number);
    out[o++] = CODES[v >> 18] as number;
    out[o++] = CODES[(v >> 12) & 63] as number;
    out[o++] = CODES[(v >> 6) & 63] as number;
    out[o++] = CODES[v & 63] as number;
  }
  if (i < to) {
    const two = i + 1 < to;
    const v = ((bytes[i] as number) << 8) | (two ? (bytes[i + 1] as number) : 0);
    out[o++] = CODES[v >> 10] as number;
    out[o++] = CODES[(v >> 4) & 63] as number;
    out[o++] = two ? (CODES[(v << 2) & 63] as number) : PAD;
    out[o] = PAD;
  }
  return ascii.decode(out);
}

/** The bytes of a base64 text; a number is the offset of the first bad character (Go: "illegal base64 data at input byte N"). CR and LF are skipped. */
export function bytesOfBase64(text: string): Uint8Array | number {
  if (text.length >= NATIVE_MIN && native.fromBase64) {
    const fast = decodeNative(native.fromBase64, text);
    if (fast !== null) return fast;
  }
  const out = new Uint8Array(Math.ceil((text.length * 3) / 4));
  const groups = decodeGroups(text, out);
  return decodeRest(text, groups * 4, out, groups * 3);
}

/** null when the text must be read character by character: native code skips blanks, which Go refuses, and names no offset. */
function decodeNative(from: NonNullable<NativeBase64['fromBase64']>, text: string): Uint8Array | null {
  try {
    const bytes = from.call(Uint8Array, text, { lastChunkHandling: 'strict' });
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    return bytes.length === (text.length / 4) * 3 - padding ? bytes : null;
  } catch {
    // Not base64: the slow path says where.
    return null;
  }
}

/** Decodes whole groups from the beginning up to the first that holds anything but digits; the number of groups. */
function decodeGroups(text: string, out: Uint8Array): number {
  const count = text.length >> 2;
  for (let g = 0, i = 0, o = 0; g < count; g++, i += 4, o += 3) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    if ((a | b | c | d) > 255) return g;
    const high = ((VALUES[a] as number) << 18) | ((VALUES[b] as number) << 12);
    const v = high | ((VALUES[c] as number) << 6) | (VALUES[d] as number);
    if (v < 0) return g;
    out[o] = v >> 16;
    out[o + 1] = v >> 8;
    out[o + 2] = v;
  }
  return count;
}

function decodeRest(text: string, from: number, out: Uint8Array, at: number): Uint8Array | number {
  let i = from;
  let o = at;
  let held = 0;
  let bits = 0;
  let chars = 0;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const v = c < 256 ? (VALUES[c] as number) : BAD;
    if (v !== BAD) {
      held = (held << 6) | v;
      bits += 6;
      chars++;
      if (bits >= 8) {
        bits -= 8;
        out[o++] = held >> bits;
        held &= (1 << bits) - 1;
      }
    } else if (c === PAD) {
      break;
    } else if (c !== 10 && c !== 13) {
      return i;
    }
  }
  const bad = paddingError(text, i, chars % 4);
  return bad < 0 ? out.subarray(0, o) : bad;
}

/** -1 when what follows the last digit, from `i` on, is the padding that `rest` digits of a group need; else the offset that Go names. */
function paddingError(text: string, i: number, rest: number): number {
  if (i === text.length) return rest === 0 ? -1 : text.length - rest;
  if (rest < 2) return i;
  let next = afterNewlines(text, i + 1);
  if (rest === 2) {
    if (next === text.length) return text.length;
    if (text.charCodeAt(next) !== PAD) return next - 1;
    next = afterNewlines(text, next + 1);
  }
  return next === text.length ? -1 : next;
}

function afterNewlines(text: string, i: number): number {
  while (text.charCodeAt(i) === 10 || text.charCodeAt(i) === 13) i++;
  return i;
}
