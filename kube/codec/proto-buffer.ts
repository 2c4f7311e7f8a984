/** A buffer of this size is kept between messages; a larger one is dropped, so that one huge object doesn't hold memory. */
const KEEP_MAX = 1 << 20;
const START = 1 << 14;
/** Bytes behind a held text: searches look at four at a time, and stop at the quote that comes first. */
const STOP = 8;
const QUOTE = 34;
/** Up to this length a loop over the characters beats TextEncoder's call (measured in V8 13). */
const LOOP_MAX = 40;
/** Up to this length a loop copies faster than copyWithin, whose call costs 20 ns (measured in V8 13). */
const COPY_LOOP_MAX = 14;
const utf8 = new TextEncoder();

/**
 * Bytes written from the back to the front, as Go's generated marshallers do: a message's length is known once its body stands,
 * so nothing is measured twice and nothing is shifted.
 */
export class BackBuffer {
  bytes: Uint8Array;
  /** Of `bytes`. */
  view: DataView;
  /** Where the written part begins. */
  at: number;
  /** Where the held text ends, `STOP` included; 0 without one. */
  private low = 0;

  constructor(size = START) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.at = size;
  }

  /** Bytes that stand. */
  get written(): number {
    return this.bytes.length - this.at;
  }

  reset(): void {
    if (this.bytes.length > KEEP_MAX) this.replace(new Uint8Array(START));
    this.at = this.bytes.length;
    this.low = 0;
  }

  private replace(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /**
   * Begins anew with a text at the front (its bytes, end to end), to be read while the back is written: copies inside one buffer are the cheapest.
   * Its length in UTF-8.
   */
  hold(text: string | readonly Uint8Array[]): number {
    this.reset();
    if (typeof text !== 'string') return this.held(this.gather(text));
    // Nearly all text is ASCII, and protobuf is shorter than JSON.
    this.need(text.length * 2 + STOP);
    let { read, written } = utf8.encodeInto(text, this.bytes.subarray(0, this.bytes.length - STOP));
    if (read < text.length) {
      this.need(text.length * 4 + STOP);
      ({ read, written } = utf8.encodeInto(text, this.bytes));
    }
    return this.held(written);
  }

  private gather(parts: readonly Uint8Array[]): number {
    let size = 0;
    for (const p of parts) size += p.length;
    this.need(size * 2 + STOP);
    let at = 0;
    for (const p of parts) {
      this.bytes.set(p, at);
      at += p.length;
    }
    return size;
  }

  private held(length: number): number {
    this.low = length + STOP;
    this.bytes[length] = QUOTE;
    return length;
  }

  /** A copy of what stands from `at` to the end. */
  take(): Uint8Array {
    return this.bytes.slice(this.at);
  }

  /** Room for `n` more bytes before `at`. */
  need(n: number): void {
    if (this.at - this.low >= n) return;
    const used = this.bytes.length - this.at;
    let size = this.bytes.length * 2;
    while (size - used - this.low < n) size *= 2;
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, this.low));
    next.set(this.bytes.subarray(this.at), size - used);
    this.replace(next);
    this.at = size - used;
  }

  /** An unsigned number up to 2^53 as a varint. */
  varint(v: number): void {
    if (this.at - this.low < 10) this.need(10);
    const b = this.bytes;
    if (v < 128) {
      b[--this.at] = v;
    } else if (v < 16384) {
      b[--this.at] = v >>> 7;
      b[--this.at] = (v & 127) | 128;
    } else {
      this.pair(v >>> 0, Math.floor(v / 4294967296));
    }
  }

  /** A signed integer of 64 bits as a varint: ten bytes when negative. */
  signed(v: number | bigint): void {
    if (typeof v === 'bigint') this.pair(Number(v & 0xffffffffn), Number((v >> 32n) & 0xffffffffn));
    else if (v >= 0) this.varint(v);
    else this.pair(v >>> 0, Math.floor(v / 4294967296) >>> 0);
  }

  private pair(low: number, high: number): void {
    this.need(10);
    let n = 1;
    for (let l = low, h = high; h !== 0 || l > 127; n++) {
      l = ((l >>> 7) | (h << 25)) >>> 0;
      h >>>= 7;
    }
    this.at -= n;
    const b = this.bytes;
    let l = low;
    let h = high;
    for (let i = this.at; ; i++) {
      if (--n === 0) {
        b[i] = l;
        return;
      }
      b[i] = (l & 127) | 128;
      l = ((l >>> 7) | (h << 25)) >>> 0;
      h >>>= 7;
    }
  }

  /** Bytes that stand somewhere else. */
  copyFrom(source: Uint8Array, from: number, to: number): void {
    this.need(to - from);
    this.at -= to - from;
    this.bytes.set(source.subarray(from, to), this.at);
  }

  /** Four bytes, big endian. */
  uint32(v: number): void {
    this.need(4);
    this.at -= 4;
    this.view.setUint32(this.at, v);
  }

  raw(v: Uint8Array): void {
    const n = v.length;
    this.need(n);
    this.at -= n;
    if (n > LOOP_MAX) this.bytes.set(v, this.at);
    else for (let i = 0, b = this.bytes, at = this.at; i < n; i++) b[at + i] = v[i] as number;
  }

  /** Bytes of the held text and their length. */
  copy(from: number, to: number): void {
    const n = to - from;
    this.need(n + 10);
    this.at -= n;
    if (n > COPY_LOOP_MAX) this.bytes.copyWithin(this.at, from, to);
    else for (let i = 0, b = this.bytes, at = this.at; i < n; i++) b[at + i] = b[from + i] as number;
    this.varint(n);
  }

  /** Length and bytes of a field that holds bytes or a message. */
  lengthDelimited(v: Uint8Array): void {
    this.raw(v);
    this.varint(v.length);
  }

  /** Length and UTF-8 of a text; lone surrogates become U+FFFD. */
  string(s: string): void {
    const n = s.length;
    if (n <= LOOP_MAX) {
      this.need(n + 10);
      const b = this.bytes;
      let at = this.at;
      let i = n - 1;
      for (; i >= 0; i--) {
        const c = s.charCodeAt(i);
        if (c > 127) break;
        b[--at] = c;
      }
      if (i < 0) {
        b[--at] = n;
        this.at = at;
        return;
      }
    }
    this.text(s);
  }

  private text(s: string): void {
    const n = s.length;
    this.need(n * 3 + 10);
    const end = this.at;
    // Nearly all text is ASCII: write it in place first.
    const r = utf8.encodeInto(s, this.bytes.subarray(end - n, end));
    if (r.read === n) {
      this.at = end - n;
    } else {
      const from = end - n * 3;
      const w = utf8.encodeInto(s, this.bytes.subarray(from, end)).written;
      this.bytes.copyWithin(end - w, from, from + w);
      this.at = end - w;
    }
    this.varint(end - this.at);
  }
}
