import { addressBytes } from './address.ts';
import {
  CLASS_IN,
  type Data,
  HEADER_BYTES,
  LABEL_BYTES_MAX,
  POINTER,
  type Query,
  RCODE,
  type Reply,
  type ResourceRecord,
  TYPE,
  UDP_BYTES_MAX,
  u16,
} from './message.ts';

/** Offsets over this can't be pointed at (RFC 1035 4.1.4). */
const POINTER_MAX = 0x3fff;

/** A question alone, as this agent asks it of others; RD set. */
export function writeQuestion(id: number, name: string, type: number): Buffer {
  const w = new Writer(id, 0x0100, Buffer.alloc(0), '');
  w.name(name);
  w.u16(type);
  w.u16(CLASS_IN);
  return w.finish([1, 0, 0, 0]);
}

/**
 * The bytes of an answer of at most `bytesMax`. What doesn't fit is left out: additional records first, which nobody misses, then the answer's end, with TC.
 */
export function writeReply(q: Query, r: Reply, bytesMax: number): Buffer {
  const { answers = [], authorities = [], additionals = [] } = r;
  const whole = attempt(q, r, answers, authorities, additionals, false);
  if (whole.length <= bytesMax) return whole;
  let message = attempt(q, r, answers, authorities, [], false);
  // Each attempt is a fraction of a millisecond; halving finds the most that fits.
  let [fits, tooMany] = [0, answers.length];
  if (message.length <= bytesMax) return message;
  while (fits + 1 < tooMany) {
    const middle = (fits + tooMany) >> 1;
    if (attempt(q, r, answers.slice(0, middle), [], [], true).length <= bytesMax) fits = middle;
    else tooMany = middle;
  }
  message = attempt(q, r, answers.slice(0, fits), [], [], true);
  return message;
}

function attempt(
  q: Query,
  r: Reply,
  answers: readonly ResourceRecord[],
  authorities: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[],
  truncated: boolean,
): Buffer {
  const flags =
    0x8000 |
    (q.opcode << 11) |
    (r.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    q.flags |
    (r.recursive ? 0x0080 : 0) |
    (r.rcode & 15);
  const { labels } = q.question;
  // A dot within a label: no text of ours means this name.
  const name = labels.some((l) => l.includes('.')) ? '' : labels.join('.');
  const w = new Writer(q.id, flags, q.raw, name);
  for (const section of [answers, authorities, additionals]) for (const record of section) w.record(record);
  if (q.edns) w.edns(r.rcode >> 4, q.edns.dnssec);
  const extra = additionals.length + (q.edns ? 1 : 0);
  return w.finish([q.raw.length > 0 ? 1 : 0, answers.length, authorities.length, extra]);
}

/** An answer to bytes that couldn't be read: header alone. */
export function formatError(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(HEADER_BYTES);
  out.writeUInt16BE(u16(bytes, 0), 0);
  out.writeUInt16BE(0x8000 | (u16(bytes, 2) & 0x7900) | RCODE.format, 2);
  return out;
}

/** First size of a message's buffer; it doubles. */
const BUFFER_BYTES = 512;

/** Appends to a message; names that were written before are pointed at. */
class Writer {
  #bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  #at = HEADER_BYTES;
  /** Name, as it was written -> offset. */
  readonly #names = new Map<string, number>();

  constructor(id: number, flags: number, question: Uint8Array, name: string) {
    this.#bytes.writeUInt16BE(id, 0);
    this.#bytes.writeUInt16BE(flags, 2);
    this.#room(question.length);
    this.#bytes.set(question, this.#at);
    if (question.length > 0) this.#remember(name, HEADER_BYTES);
    this.#at += question.length;
  }
  #room(n: number): void {
    if (this.#at + n <= this.#bytes.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + n));
    this.#bytes.copy(bigger, 0, 0, this.#at);
    this.#bytes = bigger;
  }
  /** The name at `offset` and every end of it can be pointed at. */
  #remember(name: string, offset: number): void {
    for (let rest = name; rest !== '' && offset <= POINTER_MAX; ) {
      if (!this.#names.has(rest)) this.#names.set(rest, offset);
      const dot = rest.indexOf('.');
      if (dot < 0) return;
      offset += dot + 1;
      rest = rest.slice(dot + 1);
    }
  }
  u8(n: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = n;
  }
  u16(n: number): void {
    this.#room(2);
    this.#at = this.#bytes.writeUInt16BE(n & 0xffff, this.#at);
  }
  u32(n: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeUInt32BE(n >>> 0, this.#at);
  }
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  /** Compressed with the case kept: only what was written in the same case is pointed at. */
  name(name: string, compress = true): void {
    let rest = name;
    while (rest !== '') {
      const known = this.#names.get(rest);
      if (known !== undefined && compress) {
        this.u16((POINTER << 8) | known);
        return;
      }
      if (known === undefined && this.#at <= POINTER_MAX) this.#names.set(rest, this.#at);
      const dot = rest.indexOf('.');
      const label = Buffer.from(dot < 0 ? rest : rest.slice(0, dot), 'latin1').subarray(0, LABEL_BYTES_MAX);
      this.u8(label.length);
      this.raw(label);
      rest = dot < 0 ? '' : rest.slice(dot + 1);
    }
    this.u8(0);
  }
  record(r: ResourceRecord): void {
    this.name(r.name);
    this.u16(TYPE[r.data.type]);
    this.u16(CLASS_IN);
    this.u32(r.ttl);
    this.u16(0);
    const from = this.#at;
    this.#data(r.data);
    this.#bytes.writeUInt16BE(this.#at - from, from - 2);
  }
  #data(d: Data): void {
    switch (d.type) {
      case 'A':
      case 'AAAA':
        this.raw(addressBytes(d.address) ?? new Uint8Array(d.type === 'A' ? 4 : 16));
        return;
      case 'CNAME':
      case 'PTR':
      case 'NS':
        this.name(d.target);
        return;
      case 'SRV':
        for (const n of [d.priority, d.weight, d.port]) this.u16(n);
        // RFC 2782: without pointers.
        this.name(d.target, false);
        return;
      case 'TXT': {
        const text = Buffer.from(d.text).subarray(0, 255);
        this.u8(text.length);
        this.raw(text);
        return;
      }
      case 'SOA':
        this.name(d.server);
        this.name(d.mailbox);
        this.u32(d.serial);
        for (const n of d.times) this.u32(n);
    }
  }
  edns(extendedRcode: number, dnssec: boolean): void {
    this.u8(0);
    this.u16(TYPE.OPT);
    this.u16(UDP_BYTES_MAX);
    this.u32((extendedRcode << 24) | (dnssec ? 0x8000 : 0));
    this.u16(0);
  }
  finish(counts: readonly [number, number, number, number]): Buffer {
    counts.forEach((n, i) => {
      this.#bytes.writeUInt16BE(n, 4 + 2 * i);
    });
    return this.#bytes.subarray(0, this.#at);
  }
}
