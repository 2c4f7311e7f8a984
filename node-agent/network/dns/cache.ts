import { HEADER_BYTES, MessageError, type Query, RCODE, readReply, TYPE, u16 } from './message.ts';

/** Answers that are kept: a node's programs ask for few names again and again. */
const ENTRIES_MAX = 1_000;
/** An answer is kept as long as it says, but no longer: CoreDNS as kubeadm sets it up. */
const TTL_MAX = 30;
/** Bigger answers are rare, and not worth their memory. */
const BYTES_MAX = 4_096;

interface Entry {
  bytes: Buffer;
  storedMs: number;
  endMs: number;
  /** Where its lifetimes are. */
  ttls: number[];
}

/** Answers of other servers, for as long as they may be kept. */
export class Cache {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  constructor(now: () => number) {
    this.#now = now;
  }
  get size(): number {
    return this.#entries.size;
  }

  /** The answer to this query, as old as it is by now; undefined where it isn't known, or longer than `bytesMax`. */
  get(q: Query, bytesMax: number): Buffer | undefined {
    const key = keyOf(q);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.bytes.length > bytesMax) return undefined;
    const now = this.#now();
    if (now >= entry.endMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const bytes = Buffer.from(entry.bytes);
    bytes.writeUInt16BE(q.id, 0);
    // The question as it was asked: its case may differ.
    bytes.set(q.raw, HEADER_BYTES);
    const age = Math.ceil((now - entry.storedMs) / 1000);
    for (const at of entry.ttls) bytes.writeUInt32BE(Math.max(0, bytes.readUInt32BE(at) - age), at);
    return bytes;
  }

  /** Keeps an answer if it says for how long, and says something that lasts: records, or that there are none. */
  put(q: Query, bytes: Buffer): void {
    if (bytes.length > BYTES_MAX || u16(bytes, 4) !== 1) return;
    try {
      const reply = readReply(bytes);
      if (reply.truncated || (reply.rcode !== RCODE.ok && reply.rcode !== RCODE.noName)) return;
      const records = [...reply.answers, ...reply.authorities, ...reply.additionals].filter((r) => r.type !== TYPE.OPT);
      const start = reply.authorities.find((r) => r.type === TYPE.SOA);
      if (reply.answers.length === 0 && start === undefined) return;
      const ttls = records.map((r) => r.ttl);
      // How long there is nothing is the last number of the SOA record (RFC 2308 5).
      if (reply.answers.length === 0 && start) ttls.push(Buffer.from(bytes).readUInt32BE(start.end - 4));
      const ttl = Math.min(TTL_MAX, ...ttls);
      if (ttl <= 0) return;
      const now = this.#now();
      if (this.#entries.size >= ENTRIES_MAX)
        for (const oldest of this.#entries.keys()) if (this.#entries.delete(oldest)) break;
      const key = keyOf(q);
      this.#entries.delete(key);
      this.#entries.set(key, {
        bytes: Buffer.from(bytes),
        storedMs: now,
        endMs: now + ttl * 1000,
        ttls: records.map((r) => r.ttlAt),
      });
    } catch (error) {
      // Whoever asked gets it as it is; it is only not kept.
      if (!(error instanceof MessageError)) throw error;
    }
  }
}

/** Queries with one answer: CD, the EDNS record and DO change what is said. */
function keyOf(q: Query): string {
  const { labels, type, class: of } = q.question;
  const edns = q.edns ? (q.edns.dnssec ? 'd' : 'e') : '';
  return `${labels.join('.').toLowerCase()} ${type} ${of} ${q.flags & 0x0010} ${edns}`;
}
