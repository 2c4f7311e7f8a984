import { HeaderError, HeaderReader, type Headers, HeaderWriter } from './headers.ts';

/** SPDY/3.1 frames (draft mbelshe-httpbis-spdy-00). A data frame longer than what has arrived comes in parts. */
export type Frame =
  | { type: 'data'; id: number; fin: boolean; data: Uint8Array }
  | { type: 'synStream'; id: number; fin: boolean; headers: Headers }
  | { type: 'synReply'; id: number; fin: boolean; headers: Headers }
  | { type: 'headers'; id: number; fin: boolean; headers: Headers }
  | { type: 'reset'; id: number; status: number }
  | { type: 'ping'; id: number }
  | { type: 'goAway'; lastId: number }
  /** Nothing to do with: SETTINGS, WINDOW_UPDATE and types that we don't know. */
  | { type: 'ignored'; kind: number };

/** RST_STREAM status codes, section 2.6.3. */
export const RESET = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5, internalError: 6 } as const;

/** Longest data frame that we write: keeps the streams of one connection interleaved. */
export const DATA_BYTES_MAX = 32 << 10;
/** Longest control frame that we read: a header block can't be longer than what it unfolds to, and little else is long. */
const CONTROL_BYTES_MAX = 64 << 10;

const VERSION = 3;
const HEADER = 8;
const FIN = 1;
const KIND = { synStream: 1, synReply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 };

/** The peer broke the protocol: the connection ends. */
export class FrameError extends Error {}

const u32 = (...numbers: number[]) => {
  const b = Buffer.alloc(4 * numbers.length);
  for (const [i, n] of numbers.entries()) b.writeUInt32BE(n >>> 0, 4 * i);
  return b;
};

function control(kind: number, flags: number, ...payload: Buffer[]): Buffer {
  let length = 0;
  for (const p of payload) length += p.length;
  return Buffer.concat([u32(0x80000000 | (VERSION << 16) | kind, (flags << 24) | length), ...payload]);
}

/** The 8 bytes before `length` bytes of data. */
export function dataHeader(id: number, length: number, fin: boolean): Buffer {
  return u32(id, ((fin ? FIN : 0) << 24) | length);
}

/** Writes the frames of one direction of a connection. Header blocks depend on the ones before: the order counts. */
export class FrameWriter {
  readonly #headers = new HeaderWriter();

  encode(f: Frame): Buffer {
    switch (f.type) {
      case 'data':
        return Buffer.concat([dataHeader(f.id, f.data.length, f.fin), f.data]);
      case 'synStream':
        return control(
          KIND.synStream,
          f.fin ? FIN : 0,
          u32(f.id, 0),
          Buffer.alloc(2), // highest priority, no credential slot
          this.#headers.encode(f.headers),
        );
      case 'synReply':
      case 'headers':
        return control(KIND[f.type], f.fin ? FIN : 0, u32(f.id), this.#headers.encode(f.headers));
      case 'reset':
        return control(KIND.reset, 0, u32(f.id, f.status));
      case 'ping':
        return control(KIND.ping, 0, u32(f.id));
      case 'goAway':
        return control(KIND.goAway, 0, u32(f.lastId, 0));
      case 'ignored':
        return control(f.kind, 0);
    }
  }
}

/** Reads the frames of one direction of a connection. Holds at most one control frame, and no data. */
export class FrameReader {
  readonly #headers = new HeaderReader();
  #rest: Buffer = Buffer.alloc(0);
  /** The data frame that is under way: what is still to come of it. */
  #open: { id: number; left: number; fin: boolean } | null = null;

  /** The frames that `chunk` completes, in order. Throws FrameError for what SPDY/3 doesn't allow. */
  *read(chunk: Uint8Array): Generator<Frame> {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let b = this.#rest.length > 0 ? Buffer.concat([this.#rest, fresh]) : fresh;
    for (;;) {
      if (this.#open) {
        const open = this.#open;
        const data = b.subarray(0, open.left);
        if (data.length === 0 && open.left > 0) break;
        open.left -= data.length;
        b = b.subarray(data.length);
        if (open.left === 0) this.#open = null;
        yield { type: 'data', id: open.id, fin: open.fin && open.left === 0, data };
        continue;
      }
      if (b.length < HEADER) break;
      const word = b.readUInt32BE(0);
      const flags = b[4] ?? 0;
      const length = b.readUIntBE(5, 3);
      if (word >>> 31 === 0) {
        if (word === 0) throw new FrameError('data on stream 0');
        this.#open = { id: word, left: length, fin: (flags & FIN) !== 0 };
        b = b.subarray(HEADER);
        continue;
      }
      if (((word >>> 16) & 0x7fff) !== VERSION) throw new FrameError(`not SPDY/3: version ${(word >>> 16) & 0x7fff}`);
      if (length > CONTROL_BYTES_MAX) throw new FrameError(`control frame of ${length} bytes`);
      if (b.length < HEADER + length) break;
      const payload = b.subarray(HEADER, HEADER + length);
      b = b.subarray(HEADER + length);
      yield this.#control(word & 0xffff, flags, payload);
    }
    this.#rest = Buffer.from(b); // a copy: the chunk's memory belongs to the socket
  }

  #control(kind: number, flags: number, p: Buffer): Frame {
    const number = (at: number) => {
      if (p.length < at + 4) throw new FrameError(`control frame ${kind} is cut off`);
      return p.readUInt32BE(at) & 0x7fffffff;
    };
    const fin = (flags & FIN) !== 0;
    const headers = (at: number) => {
      try {
        return this.#headers.decode(p.subarray(at));
      } catch (e) {
        throw e instanceof HeaderError ? new FrameError(e.message) : e;
      }
    };
    switch (kind) {
      case KIND.synStream:
        return { type: 'synStream', id: number(0), fin, headers: headers(10) };
      case KIND.synReply:
        return { type: 'synReply', id: number(0), fin, headers: headers(4) };
      case KIND.headers:
        return { type: 'headers', id: number(0), fin, headers: headers(4) };
      case KIND.reset:
        return { type: 'reset', id: number(0), status: number(4) };
      case KIND.ping:
        return { type: 'ping', id: p.length < 4 ? number(0) : p.readUInt32BE(0) };
      case KIND.goAway:
        return { type: 'goAway', lastId: number(0) };
      default:
        return { type: 'ignored', kind };
    }
  }
}
