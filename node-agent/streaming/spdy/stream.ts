import { Duplex } from 'node:stream';
import type { Headers } from './headers.ts';

/** Why a stream or a connection ended before its time. */
export class SpdyError extends Error {}

/** Bytes that a stream holds for a reader that is behind before its connection stops reading. */
export const UNREAD_BYTES_MAX = 64 << 10;
/** Bytes that a writer may be ahead of the connection. */
const UNSENT_BYTES_MAX = 64 << 10;

/** What a stream asks of its connection. */
export interface StreamOwner {
  send(id: number, data: Buffer, fin: boolean, sent: (e?: Error | null) => void): void;
  reset(id: number): void;
  /** The stream's reader is behind, or has caught up. */
  behind(stream: SpdyStream, behind: boolean): void;
  forget(id: number): void;
}

/**
 * One stream of a SPDY connection: bytes both ways, each way ended by itself. `end()` is the half close; `destroy()`
 * resets it unless both ways have ended. Must be read (or resumed): an unread stream stops its connection.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  /** Bytes that the connection has taken from it. */
  sentBytes = 0;
  readonly #owner: StreamOwner;
  #localEnd = false;
  #remoteEnd = false;
  #wasReset = false;

  constructor(id: number, headers: Headers, owner: StreamOwner) {
    super({
      readableHighWaterMark: UNREAD_BYTES_MAX,
      writableHighWaterMark: UNSENT_BYTES_MAX,
      allowHalfOpen: true,
      emitClose: true,
    });
    this.id = id;
    this.headers = headers;
    this.#owner = owner;
    // Whoever reads or writes sees an error there; a stream that nobody uses any more must not end the process.
    this.on('error', () => undefined);
  }

  /** Data from the peer. */
  received(data: Uint8Array, fin: boolean): void {
    if (this.destroyed || this.#remoteEnd) return;
    if (data.length > 0 && !this.push(data)) this.#owner.behind(this, true);
    if (!fin) return;
    this.#remoteEnd = true;
    this.push(null);
    // It is never asked to read again, and grows no more: it must not hold up the others, which may tell the command's end.
    this.#owner.behind(this, false);
  }

  /** The peer is done with it altogether. Go's spdystream ends its streams so: what came before counts as complete. */
  reset(): void {
    this.#wasReset = true;
    this.received(Buffer.alloc(0), true);
  }

  override _read(): void {
    this.#owner.behind(this, false);
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (e?: Error | null) => void): void {
    if (this.#wasReset) done(new SpdyError('stream was reset'));
    else {
      this.#owner.send(this.id, chunk, false, (e) => {
        if (!e) this.sentBytes += chunk.length;
        done(e);
      });
    }
  }

  override _final(done: (e?: Error | null) => void): void {
    this.#localEnd = true;
    if (this.#wasReset) done();
    else this.#owner.send(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (e?: Error | null) => void): void {
    this.#owner.behind(this, false);
    if (!this.#wasReset && !(this.#localEnd && this.#remoteEnd)) this.#owner.reset(this.id);
    this.#owner.forget(this.id);
    done(error);
  }
}
