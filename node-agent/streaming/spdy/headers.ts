import { constants, inflateRawSync } from 'node:zlib';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.ts';

/** Names are lower case; several values of one name are joined by NUL, as SPDY has it. */
export type Headers = Record<string, string>;

/** What one header block may unfold to. Kubernetes' streams have a handful of short headers. */
export const HEADER_BYTES_MAX = 64 << 10;
/** Deflate looks back at most this far. */
const WINDOW_BYTES = 32 << 10;
/** A stored deflate block's largest content. */
const STORED_BYTES_MAX = 0xffff;
const ZLIB_FDICT = 0x20;
/** An empty stored block: what a sync flush ends with. Go's reader gives out what it has only when it sees one. */
const FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

/** A broken header block: the connection can't go on, for all blocks are one compressed stream. */
export class HeaderError extends Error {}

function serialize(headers: Headers): Buffer {
  const entries = Object.entries(headers);
  const parts: Buffer[] = [];
  const number = (n: number) => {
    const b = Buffer.alloc(4);
    b.writeUInt32BE(n);
    parts.push(b);
  };
  number(entries.length);
  for (const text of entries.flat()) {
    const b = Buffer.from(text, 'latin1');
    number(b.length);
    parts.push(b);
  }
  return Buffer.concat(parts);
}

function parse(b: Buffer): Headers {
  let at = 0;
  const number = () => {
    if (at + 4 > b.length) throw new HeaderError('header block is cut off');
    at += 4;
    return b.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > b.length) throw new HeaderError('header block is cut off');
    at += length;
    return b.toString('latin1', at - length, at);
  };
  const headers: Headers = {};
  for (let left = number(); left > 0; left--) {
    const name = text().toLowerCase();
    headers[name] = text();
  }
  return headers;
}

/**
 * Writes header blocks as one zlib stream of stored blocks: valid for every reader, needs no state, and
 * costs a few bytes more on a few frames per connection.
 */
export class HeaderWriter {
  #started = false;

  encode(headers: Headers): Buffer {
    const plain = serialize(headers);
    if (plain.length > STORED_BYTES_MAX) throw new HeaderError('headers are too long');
    const block = Buffer.alloc(5);
    block.writeUInt16LE(plain.length, 1);
    block.writeUInt16LE(~plain.length & 0xffff, 3);
    const start = this.#started ? [] : [Buffer.from([0x78, 0x01])]; // deflate, 32 KiB window, no dictionary
    this.#started = true;
    return Buffer.concat([...start, block, plain, FLUSH]);
  }
}

/**
 * Reads header blocks. The sender flushes after each, so each ends on a byte and can be inflated by itself with what came
 * before it as the dictionary: synchronous, and bounded however much a block would unfold to.
 */
export class HeaderReader {
  #window: Buffer | null = null;

  decode(block: Buffer): Headers {
    const raw = this.#window === null ? this.#begin(block) : block;
    const dictionary = this.#window ?? Buffer.alloc(0);
    let plain: Buffer;
    try {
      plain = inflateRawSync(raw, {
        ...(dictionary.length > 0 ? { dictionary } : {}),
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: HEADER_BYTES_MAX,
      });
    } catch (e) {
      throw new HeaderError(`header block does not inflate: ${e instanceof Error ? e.message : e}`);
    }
    this.#window = Buffer.concat([dictionary, plain]).subarray(-WINDOW_BYTES);
    return parse(plain);
  }

  /** Reads the zlib stream's own header: which dictionary it starts with. */
  #begin(block: Buffer): Buffer {
    const [method = 0, flags = 0] = block;
    if (block.length < 2 || (method & 0x0f) !== 8 || ((method << 8) | flags) % 31 !== 0) {
      throw new HeaderError('header block is not zlib');
    }
    if ((flags & ZLIB_FDICT) === 0) {
      this.#window = Buffer.alloc(0);
      return block.subarray(2);
    }
    if (block.length < 6 || block.readUInt32BE(2) !== DICTIONARY_ID) throw new HeaderError('unknown dictionary');
    this.#window = DICTIONARY;
    return block.subarray(6);
  }
}
