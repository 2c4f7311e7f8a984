import type { Duplex } from 'node:stream';
import { DATA_BYTES_MAX, dataHeader, type Frame, FrameReader, FrameWriter, RESET } from './frames.ts';
import type { Headers } from './headers.ts';
import { SpdyError, SpdyStream, type StreamOwner } from './stream.ts';

/** Streams at a time: a port-forward has two per connection, an exec has five. */
const STREAMS_MAX = 1_000;

interface Opening {
  stream: SpdyStream;
  resolve(s: SpdyStream): void;
  reject(e: Error): void;
}

/**
 * A SPDY/3.1 connection over a byte stream, as Kubernetes uses it. Its peers (Go's spdystream) neither send nor obey
 * WINDOW_UPDATE, so the transport's own flow control does the work: while any stream's reader is behind, the transport
 * isn't read, and a writer waits until the transport takes its bytes.
 */
export class SpdySession {
  /** Resolves once the connection is over; never rejects. */
  readonly closed: Promise<void>;
  readonly #transport: Duplex;
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #opening = new Map<number, Opening>();
  readonly #behind = new Set<SpdyStream>();
  /** Writers that wait for the transport. */
  readonly #waiting: ((e?: Error | null) => void)[] = [];
  readonly #pings = new Map<number, () => void>();
  readonly #accept: ((s: SpdyStream) => boolean) | null;
  readonly #owner: StreamOwner;
  #nextId: number;
  #nextPing: number;
  #lastPeerId = 0;
  #goneAway = false;
  #error: Error | null = null;

  /** `accept` makes it the server: it is asked for each new stream and says whether it takes it. */
  constructor(transport: Duplex, accept: ((s: SpdyStream) => boolean) | null = null) {
    this.#transport = transport;
    this.#accept = accept;
    this.#nextId = accept ? 2 : 1;
    this.#nextPing = this.#nextId;
    this.#owner = {
      send: (id, data, fin, sent) => this.#send(id, data, fin, sent),
      reset: (id) => this.#write({ type: 'reset', id, status: RESET.cancel }),
      behind: (stream, behind) => this.#setBehind(stream, behind),
      forget: (id) => void this.#streams.delete(id),
    };
    this.closed = new Promise((resolve) => transport.once('close', resolve));
    transport.on('data', (chunk: Buffer) => this.#received(chunk));
    transport.on('drain', () => this.#wake());
    transport.on('error', (e) => this.#fail(e));
    transport.once('end', () => this.close()); // nobody half closes a connection: the peer is gone
    transport.once('close', () => {
      this.#fail(null);
      this.#wake();
    });
  }

  /** A new stream, once the peer has taken it. SpdyError when it refuses or the connection ends. */
  open(headers: Headers): Promise<SpdyStream> {
    if (this.#transport.destroyed || this.#goneAway) return Promise.reject(new SpdyError('connection is closed'));
    if (this.#streams.size >= STREAMS_MAX) return Promise.reject(new SpdyError('too many streams'));
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(id, headers, this.#owner);
    this.#streams.set(id, stream);
    const opened = new Promise<SpdyStream>((resolve, reject) => this.#opening.set(id, { stream, resolve, reject }));
    this.#write({ type: 'synStream', id, fin: false, headers });
    return opened;
  }

  /** Resolves when the peer answers; never when it's gone. */
  ping(): Promise<void> {
    const id = this.#nextPing;
    this.#nextPing += 2;
    const answered = new Promise<void>((resolve) => this.#pings.set(id, resolve));
    this.#write({ type: 'ping', id });
    return answered;
  }

  /** Tells the peer to open no more streams; those that are open go on. */
  goAway(): void {
    this.#goneAway = true;
    this.#write({ type: 'goAway', lastId: this.#lastPeerId });
  }

  /** Ends the connection with all its streams; they fail with `why` if given, else they just end. */
  close(why?: Error): void {
    this.#fail(why ?? null);
    this.#transport.destroy();
  }

  #write(frame: Frame): void {
    if (!this.#transport.destroyed && this.#transport.writable) this.#transport.write(this.#writer.encode(frame));
  }

  #send(id: number, data: Buffer, fin: boolean, sent: (e?: Error | null) => void): void {
    const t = this.#transport;
    if (t.destroyed || !t.writable) {
      sent(this.#error ?? new SpdyError('connection is closed'));
      return;
    }
    t.cork();
    for (let at = 0; at < data.length || (at === 0 && fin); at += DATA_BYTES_MAX) {
      const part = data.subarray(at, at + DATA_BYTES_MAX);
      t.write(dataHeader(id, part.length, fin));
      if (part.length > 0) t.write(part);
    }
    t.uncork();
    if (!t.writableNeedDrain) {
      sent();
      return;
    }
    this.#waiting.push(sent);
  }

  /** The transport takes more, or nothing any more: whoever waits to write goes on. */
  #wake(): void {
    const over = this.#transport.destroyed ? (this.#error ?? new SpdyError('connection is closed')) : null;
    for (const sent of this.#waiting.splice(0)) sent(over);
  }

  #setBehind(stream: SpdyStream, behind: boolean): void {
    if (behind) this.#behind.add(stream);
    else if (!this.#behind.delete(stream)) return;
    if (this.#behind.size > 0) this.#transport.pause();
    else this.#transport.resume();
  }

  #received(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.read(chunk)) this.#handle(frame);
    } catch (e) {
      this.close(e instanceof Error ? e : new SpdyError(String(e)));
    }
  }

  #handle(f: Frame): void {
    switch (f.type) {
      case 'data':
        this.#streams.get(f.id)?.received(f.data, f.fin);
        return;
      case 'synStream':
        this.#incoming(f.id, f.headers, f.fin);
        return;
      case 'synReply': {
        const opening = this.#opening.get(f.id);
        this.#opening.delete(f.id);
        opening?.resolve(opening.stream);
        if (f.fin) opening?.stream.received(Buffer.alloc(0), true);
        return;
      }
      case 'headers':
        if (f.fin) this.#streams.get(f.id)?.received(Buffer.alloc(0), true);
        return;
      case 'reset':
        this.#wasReset(f.id, f.status);
        return;
      case 'ping':
        if (f.id % 2 === this.#nextPing % 2) {
          this.#pings.get(f.id)?.();
          this.#pings.delete(f.id);
        } else this.#write(f);
        return;
      case 'goAway':
        this.#goneAway = true;
    }
  }

  #incoming(id: number, headers: Headers, fin: boolean): void {
    const expected = this.#accept !== null && id % 2 === 1 && id > this.#lastPeerId;
    if (!expected || this.#goneAway || this.#streams.size >= STREAMS_MAX) {
      const status = expected ? RESET.refused : RESET.protocolError;
      this.#write({ type: 'reset', id, status });
      return;
    }
    this.#lastPeerId = id;
    const stream = new SpdyStream(id, headers, this.#owner);
    this.#streams.set(id, stream);
    if (!this.#accept?.(stream)) {
      stream.destroy();
      return;
    }
    this.#write({ type: 'synReply', id, fin: false, headers: {} });
    if (fin) stream.received(Buffer.alloc(0), true);
  }

  #wasReset(id: number, status: number): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.reset();
    const opening = this.#opening.get(id);
    this.#opening.delete(id);
    opening?.reject(new SpdyError(`stream was refused (${status})`));
  }

  #fail(error: Error | null): void {
    this.#error ??= error;
    this.#goneAway = true;
    const why = this.#error ?? new SpdyError('connection is closed');
    for (const o of this.#opening.values()) o.reject(why);
    this.#opening.clear();
    for (const s of [...this.#streams.values()]) {
      if (error) s.destroy(error);
      else s.received(Buffer.alloc(0), true); // a clean end of the connection ends what could be read
    }
  }
}
