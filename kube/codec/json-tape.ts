// Bytes of JSON's structure.
export const QUOTE = 34;
export const OBJECT = 123;
export const LIST_OPEN = 91;
const OBJECT_END = 125;
const LIST_END = 93;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const SPACE = 32;

/** Ints of one entry: start, end, and the index of the entry after it and all that is inside it. */
const STRIDE = 3;
/** Entries kept between texts: about a 200 KB object. */
const KEEP_MAX = 1 << 16;
const BYTES_KEEP_MAX = 1 << 20;
const utf8 = new TextEncoder();
const text8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });

/**
 * Where every value and key of a JSON text stands, in the order of the text, so that values can be skipped and copied without being made.
 * An object's children are key, value, key, value. The text must be valid JSON: only what was parsed or printed before.
 */
export class Tape {
  bytes = new Uint8Array(1 << 14);
  private entries = new Int32Array(STRIDE << 10);
  private count = 0;
  private open = new Int32Array(256);

  /** Reads a text; entry 0 is its value. */
  read(text: string): void {
    if (this.bytes.length > BYTES_KEEP_MAX) this.bytes = new Uint8Array(1 << 14);
    if (this.entries.length > STRIDE * KEEP_MAX) this.entries = new Int32Array(STRIDE << 10);
    if (this.bytes.length < text.length * 3) this.bytes = new Uint8Array(text.length * 3);
    const { written } = utf8.encodeInto(text, this.bytes);
    this.scan(written);
  }

  private scan(n: number): void {
    const b = this.bytes;
    this.count = 0;
    let depth = 0;
    let i = 0;
    while (i < n) {
      const c = b[i] as number;
      if (c === QUOTE) {
        i = this.scanString(i, n);
        // A colon or comma mostly follows at once.
        const after = b[i];
        if (after === COLON || after === COMMA) i++;
      } else if (c === COMMA || c <= SPACE || c === COLON) {
        i++;
      } else if (c === OBJECT || c === LIST_OPEN) {
        if (depth === this.open.length) this.open = grown(this.open);
        this.open[depth++] = this.add(i, 0);
        i++;
      } else if (c === OBJECT_END || c === LIST_END) {
        const at = (this.open[--depth] as number) * STRIDE;
        this.entries[at + 1] = ++i;
        this.entries[at + 2] = this.count;
      } else {
        i = this.scanPlain(i, n);
      }
    }
    if (depth !== 0 || this.count === 0) throw new SyntaxError('not JSON');
  }

  /** A text with escapes has its start negated. */
  private scanString(from: number, n: number): number {
    const b = this.bytes;
    let i = from + 1;
    while (i < n) {
      const c = b[i] as number;
      if (c === QUOTE) {
        this.add(from, i + 1);
        return i + 1;
      }
      if (c === BACKSLASH) break;
      i++;
    }
    for (; i < n && b[i] !== QUOTE; i++) if (b[i] === BACKSLASH) i++;
    this.add(~from, i + 1);
    return i + 1;
  }

  private scanPlain(from: number, n: number): number {
    const b = this.bytes;
    let i = from + 1;
    for (; i < n; i++) {
      const c = b[i] as number;
      if (c === COMMA || c === OBJECT_END || c === LIST_END || c <= SPACE) break;
    }
    this.add(from, i);
    return i;
  }

  private add(start: number, end: number): number {
    const at = this.count * STRIDE;
    if (at === this.entries.length) this.entries = grown(this.entries);
    const e = this.entries;
    e[at] = start;
    e[at + 1] = end;
    e[at + 2] = ++this.count;
    return this.count - 1;
  }

  /** Offset of the value's first byte. */
  start(entry: number): number {
    const s = this.entries[entry * STRIDE] as number;
    return s < 0 ? ~s : s;
  }

  escaped(entry: number): boolean {
    return (this.entries[entry * STRIDE] as number) < 0;
  }

  /** Offset after the value's last byte. */
  end(entry: number): number {
    return this.entries[entry * STRIDE + 1] as number;
  }

  /** The entry after this one and its children. */
  next(entry: number): number {
    return this.entries[entry * STRIDE + 2] as number;
  }

  first(entry: number): number {
    return this.bytes[this.start(entry)] as number;
  }

  /** The value of a string entry. */
  string(entry: number): string {
    const [from, to] = [this.start(entry), this.end(entry)];
    if (this.escaped(entry)) return (JSON.parse(text8.decode(this.bytes.subarray(from, to))) as string).toWellFormed();
    return text8.decode(this.bytes.subarray(from + 1, to - 1));
  }

  /** The JSON text of an entry. */
  text(entry: number): string {
    return text8.decode(this.bytes.subarray(this.start(entry), this.end(entry)));
  }
}

function grown(a: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const b = new Int32Array(a.length * 2);
  b.set(a);
  return b;
}
