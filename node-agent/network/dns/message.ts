/** Types of records that are made or read here (IANA, DNS parameters). */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
} as const;
/** Answer codes; those over 15 need EDNS. */
export const RCODE = {
  ok: 0,
  format: 1,
  failure: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;
export const CLASS_IN = 1;
export const HEADER_BYTES = 12;
/** RFC 1035 2.3.4. */
const NAME_BYTES_MAX = 255;
export const LABEL_BYTES_MAX = 63;
/** Without EDNS nobody takes more over UDP (RFC 1035 4.2.1). */
export const UDP_BYTES_PLAIN = 512;
/** What is sent and taken at most over UDP: no path fragments it (dnsflagday.net/2020). */
export const UDP_BYTES_MAX = 1232;
/** First byte of a pointer to a name. */
export const POINTER = 0xc0;

/** What is asked. Labels are latin1 text with the case of the query; no label for the root. */
export interface Question {
  labels: readonly string[];
  type: number;
  class: number;
}

/** A query as far as it matters here. */
export interface Query {
  id: number;
  opcode: number;
  /** RD and CD, to be given back. */
  flags: number;
  question: Question;
  /** Bytes of the question as they came. */
  raw: Uint8Array;
  /** Of the OPT record; null without one. */
  edns: { size: number; version: number; dnssec: boolean } | null;
}

/** Names are dotted text without a dot at the end, labels as they are. */
export type Data =
  | { type: 'A' | 'AAAA'; address: string }
  | { type: 'CNAME' | 'PTR' | 'NS'; target: string }
  | { type: 'SRV'; priority: number; weight: number; port: number; target: string }
  | { type: 'TXT'; text: string }
  | { type: 'SOA'; server: string; mailbox: string; serial: number; times: readonly [number, number, number, number] };

export interface ResourceRecord {
  name: string;
  /** Seconds. */
  ttl: number;
  data: Data;
}

/** What an answer says. */
export interface Reply {
  rcode: number;
  authoritative?: boolean;
  /** Recursion is offered. */
  recursive?: boolean;
  answers?: readonly ResourceRecord[];
  authorities?: readonly ResourceRecord[];
  additionals?: readonly ResourceRecord[];
}

/** A message that can't be answered but with FORMERR, if at all. */
export class MessageError extends Error {}

/** Reads a name at `at`; compressed ones too. Gives its labels and where it ends. */
export function readName(bytes: Uint8Array, at: number): { labels: string[]; end: number } {
  const labels: string[] = [];
  let end = -1;
  let length = 1;
  // A pointer must go back, so that no name is endless.
  for (let limit = at; ; ) {
    const size = bytes[at];
    if (size === undefined) throw new MessageError('the message ends within a name');
    if (size === 0) return { labels, end: end < 0 ? at + 1 : end };
    if (size >= POINTER) {
      const low = bytes[at + 1];
      if (low === undefined) throw new MessageError('the message ends within a name');
      if (end < 0) end = at + 2;
      at = ((size & 0x3f) << 8) | low;
      if (at >= limit) throw new MessageError('a name points forward');
      limit = at;
      continue;
    }
    if (size > LABEL_BYTES_MAX) throw new MessageError('a label is of an unknown kind');
    length += size + 1;
    if (length > NAME_BYTES_MAX || at + 1 + size > bytes.length) throw new MessageError('a name is too long');
    labels.push(Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, size).toString('latin1'));
    at += size + 1;
  }
}

export const u16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);

/** Reads a query. Null for what must not be answered (answers, scraps); throws MessageError for what is answered with FORMERR. */
export function readQuery(bytes: Uint8Array): Query | null {
  if (bytes.length < HEADER_BYTES) return null;
  const flags = u16(bytes, 2);
  if (flags & 0x8000) return null;
  if (u16(bytes, 4) !== 1) throw new MessageError('one question is needed');
  const { labels, end } = readName(bytes, HEADER_BYTES);
  if (end + 4 > bytes.length) throw new MessageError('the message ends within its question');
  const question = { labels, type: u16(bytes, end), class: u16(bytes, end + 2) };
  const records = u16(bytes, 6) + u16(bytes, 8) + u16(bytes, 10);
  return {
    id: u16(bytes, 0),
    opcode: (flags >> 11) & 15,
    flags: flags & 0x0110,
    question,
    raw: bytes.subarray(HEADER_BYTES, end + 4),
    edns: readEdns(bytes, end + 4, records),
  };
}

function readEdns(bytes: Uint8Array, at: number, records: number): Query['edns'] {
  for (let n = 0; n < records; n++) {
    const record = readRecord(bytes, at);
    if (record.type === TYPE.OPT)
      return {
        size: record.class,
        version: (record.ttl >>> 16) & 255,
        dnssec: (record.ttl & 0x8000) !== 0,
      };
    at = record.end;
  }
  return null;
}

/** A record's fields; its data is from `data` to `end`. */
export function readRecord(bytes: Uint8Array, at: number) {
  const name = readName(bytes, at);
  const head = name.end;
  if (head + 10 > bytes.length) throw new MessageError('the message ends within a record');
  const data = head + 10;
  const end = data + u16(bytes, head + 8);
  if (end > bytes.length) throw new MessageError('the message ends within a record');
  const ttl = ((u16(bytes, head + 4) << 16) | u16(bytes, head + 6)) >>> 0;
  return { labels: name.labels, type: u16(bytes, head), class: u16(bytes, head + 2), ttl, ttlAt: head + 4, data, end };
}

/** The sections of an answer that this agent asked for. Throws MessageError. */
export function readReply(bytes: Uint8Array) {
  if (bytes.length < HEADER_BYTES) throw new MessageError('the message has no header');
  const flags = u16(bytes, 2);
  const counts = [u16(bytes, 6), u16(bytes, 8), u16(bytes, 10)];
  let at = HEADER_BYTES;
  for (let n = u16(bytes, 4); n > 0; n--) at = readName(bytes, at).end + 4;
  const sections = counts.map((count) => {
    const records: ReturnType<typeof readRecord>[] = [];
    for (let n = 0; n < count; n++) {
      const record = readRecord(bytes, at);
      records.push(record);
      at = record.end;
    }
    return records;
  });
  return {
    id: u16(bytes, 0),
    isReply: (flags & 0x8000) !== 0,
    truncated: (flags & 0x0200) !== 0,
    rcode: flags & 15,
    answers: sections[0] ?? [],
    authorities: sections[1] ?? [],
    additionals: sections[2] ?? [],
  };
}
