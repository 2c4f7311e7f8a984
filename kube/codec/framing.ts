/** Upstream's frame length is 4 bytes, big endian (apimachinery pkg/util/framer). */
const HEADER = 4;
/** No object is larger than 1.5 MiB stored; a frame of this size is an attack or a lost boundary. */
export const FRAME_MAX = 16 * 1024 * 1024;
const NEWLINE = 10;
const utf8 = new TextEncoder();

/** A frame that is longer than FRAME_MAX, or a stream that ends inside one. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** One event of a JSON watch: `object` is JSON text already; ends with a newline. */
export function jsonEvent(type: string, object: string): Uint8Array {
  return utf8.encode(`{"type":"${type}","object":${object}}\n`);
}

/** One event of a JSON watch around an object that is bytes already; nothing is decoded. */
export function jsonEventOfBytes(type: string, object: Uint8Array): Uint8Array {
  const head = utf8.encode(`{"type":"${type}","object":`);
  const out = new Uint8Array(head.length + object.length + 2);
  out.set(head);
  out.set(object, head.length);
  out[out.length - 2] = 125;
  out[out.length - 1] = NEWLINE;
  return out;
}

/** A length-delimited frame around bytes: a protobuf watch sends encodeWatchEvent's in it. */
export function lengthFrame(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + body.length);
  new DataView(out.buffer).setUint32(0, body.length);
  out.set(body, HEADER);
  return out;
}

/** Takes a stream's chunks as they come and gives whole frames. */
export interface FrameReader {
  /** Frames that this chunk completed, without their framing; views of the chunk where it held them whole. */
  push(chunk: Uint8Array): Uint8Array[];
  /** Call at the end of the stream: throws FrameError when it ended inside a frame. */
  end(): void;
}

/** Bytes of an unfinished frame, in the pieces that came: joined once, when the frame is whole. */
class Pending {
  private pieces: Uint8Array[] = [];
  size = 0;

  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.size += piece.length;
    if (this.size > FRAME_MAX + HEADER) throw new FrameError(`frame is longer than ${FRAME_MAX} bytes`);
    // The sender of a chunk may reuse its buffer.
    this.pieces.push(piece.slice());
  }

  take(last: Uint8Array): Uint8Array {
    if (this.size === 0) return last;
    this.add(last);
    const all = new Uint8Array(this.size);
    let at = 0;
    for (const p of this.pieces) {
      all.set(p, at);
      at += p.length;
    }
    this.pieces = [];
    this.size = 0;
    return all;
  }
}

/** Reads JSON values that end with a newline; empty lines are skipped. */
export function newlineReader(): FrameReader {
  const pending = new Pending();
  return {
    push(chunk) {
      const frames: Uint8Array[] = [];
      let from = 0;
      for (let i = chunk.indexOf(NEWLINE); i >= 0; i = chunk.indexOf(NEWLINE, from)) {
        const line = pending.take(chunk.subarray(from, i));
        if (line.length > 0) frames.push(line);
        from = i + 1;
      }
      pending.add(chunk.subarray(from));
      return frames;
    },
    end() {
      if (pending.size > 0) throw new FrameError('unexpected EOF');
    },
  };
}

/** Reads frames with a length before them. */
export function lengthReader(): FrameReader {
  const pending = new Pending();
  return {
    push(chunk) {
      const frames: Uint8Array[] = [];
      let rest = pending.take(chunk);
      for (;;) {
        if (rest.length < HEADER) break;
        const size = new DataView(rest.buffer, rest.byteOffset).getUint32(0);
        if (size > FRAME_MAX) throw new FrameError(`frame is longer than ${FRAME_MAX} bytes`);
        if (rest.length < HEADER + size) break;
        frames.push(rest.subarray(HEADER, HEADER + size));
        rest = rest.subarray(HEADER + size);
      }
      pending.add(rest);
      return frames;
    },
    end() {
      if (pending.size > 0) throw new FrameError('unexpected EOF');
    },
  };
}

/** Parts end to end; a part that is alone is given back itself. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const only = parts[0];
  if (parts.length === 1 && only) return only;
  let size = 0;
  for (const f of parts) size += f.length;
  const all = new Uint8Array(size);
  let at = 0;
  for (const f of parts) {
    all.set(f, at);
    at += f.length;
  }
  return all;
}

/** As joinBytes(), but without a copy where the parts are one already: an answer that goes out again. */
export const joinInPlace = (parts: readonly Uint8Array[]): Uint8Array => inPlace(parts) ?? joinBytes(parts);

/** The parts as one, if the longest is a view of a buffer that has the others around it. */
export function inPlace(parts: readonly Uint8Array[]): Uint8Array | undefined {
  const longest = parts.reduce((best, part) => (part.length > best.length ? part : best), new Uint8Array(0));
  const { buffer } = longest;
  let from = longest.byteOffset;
  for (const part of parts.slice(0, parts.indexOf(longest))) from -= part.length;
  let at = from;
  for (const part of parts) {
    if (part !== longest && !isAt(buffer, at, part)) return undefined;
    at += part.length;
  }
  return new Uint8Array(buffer, from, at - from);
}
function isAt(buffer: ArrayBufferLike, at: number, bytes: Uint8Array): boolean {
  if (at < 0 || at + bytes.length > buffer.byteLength) return false;
  const there = new Uint8Array(buffer, at, bytes.length);
  return bytes.every((b, i) => b === there[i]);
}
