const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const CODES = Uint8Array.from(ALPHABET, (c) => c.charCodeAt(0));
const PAD = 61;
const BAD = 255;
const VALUES = new Uint8Array(256).fill(BAD);
for (let i = 0; i < 64; i++) VALUES[CODES[i] as number] = i;
const ascii = new TextDecoder();

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
  const out = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let o = 0;
  let held = 0;
  let bits = 0;
  let chars = 0;
  let i = 0;
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
