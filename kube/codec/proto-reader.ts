import { ProtoError } from './proto-error.ts';

const SAFE_HIGH = 0x200000;
const KEEP_MAX = 1 << 20;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });
const ascii = new TextDecoder();

let scratch = new Uint8Array(1 << 14);

/**
 * All bytes with their top bit cleared, as one string in which offset i is byte i. ASCII fields are then slices of it:
 * one native decode for the whole message instead of one for each field (four times faster on a Pod).
 */
function maskedText(bytes: Uint8Array): string {
  const n = bytes.length;
  const room = (n + 3) & ~3;
  let into = scratch;
  if (into.length < room) {
    into = new Uint8Array(Math.max(room, into.length * 2) & ~3);
    if (into.length <= KEEP_MAX) scratch = into;
  }
  into.set(bytes);
  const words = new Uint32Array(into.buffer, 0, room >> 2);
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & 0x7f7f7f7f;
  return ascii.decode(into.subarray(0, n));
}

/** Reads the pieces of one protobuf message; every length is checked against the end before it is used. */
export class Reader {
  readonly bytes: Uint8Array;
  at = 0;
  private text: string | null = null;
  /** Upper half of the varint that wide() read. */
  private high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** A varint that is a tag or a length, up to 2^53; `end` is where the message ends. */
  varint(end: number): number {
    const b = this.bytes;
    if (this.at < end) {
      const c = b[this.at] as number;
      if (c < 128) {
        this.at++;
        return c;
      }
    }
    const low = this.wide(end);
    if (this.high === 0) return low;
    if (this.high >= SAFE_HIGH) throw new ProtoError('proto: negative length found during unmarshaling');
    return this.high * 4294967296 + low;
  }

  /** The lower 32 bits of a varint, unsigned; the upper ones go to `high`. */
  private wide(end: number): number {
    const b = this.bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift >= 64) throw new ProtoError('proto: integer overflow');
      if (this.at >= end) throw new ProtoError('unexpected EOF');
      const c = b[this.at++] as number;
      const bits = c & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >> 4;
      } else high |= bits << (shift - 32);
      if (c < 128) break;
    }
    this.high = high >>> 0;
    return low >>> 0;
  }

  int32(end: number): number {
    const c = this.bytes[this.at] as number;
    if (this.at < end && c < 128) {
      this.at++;
      return c;
    }
    return this.wide(end) | 0;
  }

  /** A bigint only where a number would lose digits. */
  int64(end: number): number | bigint {
    const c = this.bytes[this.at] as number;
    if (this.at < end && c < 128) {
      this.at++;
      return c;
    }
    const low = this.wide(end);
    const high = this.high | 0;
    if (high >= -SAFE_HIGH && high < SAFE_HIGH) {
      const v = high * 4294967296 + low;
      if (v >= Number.MIN_SAFE_INTEGER) return v;
    }
    return (BigInt(high) << 32n) | BigInt(low);
  }

  bool(end: number): boolean {
    return this.wide(end) !== 0 || this.high !== 0;
  }

  double(end: number): number {
    if (this.at + 8 > end) throw new ProtoError('unexpected EOF');
    const v = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8).getFloat64(0, true);
    this.at += 8;
    return v;
  }

  /** Where the length-delimited value that starts here ends. */
  limit(end: number): number {
    const n = this.varint(end);
    const to = this.at + n;
    if (to > end) throw new ProtoError('unexpected EOF');
    return to;
  }

  /** The text up to `to`; bytes that aren't UTF-8 become U+FFFD. */
  string(to: number): string {
    const from = this.at;
    this.at = to;
    if (from === to) return '';
    const b = this.bytes;
    let all = 0;
    for (let i = from; i < to; i++) all |= b[i] as number;
    if (all > 127) return utf8.decode(b.subarray(from, to));
    this.text ??= maskedText(b);
    return this.text.slice(from, to);
  }

  /** Steps over a field of a wire type that nobody reads. */
  skip(wire: number, end: number): void {
    let depth = 0;
    for (let w = wire; ; ) {
      if (w === 0) this.wide(end);
      else if (w === 1) this.at += 8;
      else if (w === 2) this.at = this.limit(end);
      else if (w === 3) depth++;
      else if (w === 4) depth--;
      else if (w === 5) this.at += 4;
      else throw new ProtoError(`proto: illegal wireType ${w}`);
      if (depth < 0) throw new ProtoError('proto: unexpected end of group');
      if (this.at > end) throw new ProtoError('unexpected EOF');
      if (depth === 0) return;
      w = this.varint(end) & 7;
    }
  }
}
