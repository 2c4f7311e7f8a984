import { crossing } from '../../kube/meta/crossing.ts';
import type { Env } from '../../kube/meta/env.ts';
import { decodeBatch, decodeJoined } from '../../kube/store/frames.ts';
import {
  type Batch,
  type Range,
  type Revision,
  type Stale,
  StaleError,
  StoreError,
  type WatchOptions,
} from '../../kube/store/store.ts';
import { InOrder } from './inorder.ts';
import type { StoreStub } from './remote.ts';
import type { SharedFrame, SharedFrames } from './sharedframes.ts';
import {
  ACK,
  ACK_UNITS,
  AGAIN,
  BROKEN,
  errorOf,
  PING,
  PONG,
  SAME,
  unopened,
  type WatchRequest,
  watchUrl,
} from './watch-wire.ts';

/** The client's end of a watch's WebSocket. */
export interface ClientSocket {
  binaryType?: string;
  accept(): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(
    type: 'message' | 'close' | 'error',
    f: (e: { data?: unknown; code?: number; reason?: string }) => void,
  ): void;
}

/** Text kept for a reader that is behind; past it the socket is closed, and opened again when the reader has caught up. */
const PENDING_UNITS = 16 * 1024 * 1024;
/** A link on which nothing came for two of these is dead. The platform answers without waking the object. */
const PING_MS = 30_000;
/** How long a watch waits for a frame that went to another watch of its isolate before it asks for it, and then for the answer before it begins anew. */
const MISSING_MS = 10;
const ANSWER_MS = 5_000;
/** Before the first repeat of a failed connection, doubled up to the last; jittered, since a deploy drops all sockets at once. */
const RECONNECT_MS = 100;
const RECONNECT_MS_MAX = 3_000;

/** A watch that goes on by revision whenever its socket is lost. */
export class RemoteWatch implements AsyncIterableIterator<Batch> {
  readonly #connect: () => StoreStub;
  readonly #env: Pick<Env, 'after' | 'random'>;
  readonly #range: Range;
  readonly #options: WatchOptions;
  /** What watches of this isolate have in common. */
  readonly #shared: SharedFrames | undefined;
  #inOrder: InOrder | undefined;
  #missing: string | undefined;
  /** The reader is so far behind that the socket is left once it comes for more. */
  #behind = false;
  /** Everything up to here has come. */
  #reached: Revision;
  #socket: ClientSocket | null = null;
  #pending: Batch[] = [];
  #pendingUnits = 0;
  /** Received since the last acknowledgement. */
  #units = 0;
  #ended = false;
  #failures = 0;
  /** The store said that it can't go on. */
  #broken: StoreError | null = null;
  #started = false;
  #heard = true;
  #wake: (() => void) | null = null;
  #cancelPing: (() => void) | null = null;

  constructor(
    connect: () => StoreStub,
    env: Pick<Env, 'after' | 'random'>,
    range: Range,
    after: Revision,
    options: WatchOptions,
    shared?: SharedFrames,
  ) {
    this.#connect = connect;
    this.#env = env;
    this.#range = range;
    this.#reached = after;
    this.#options = options;
    this.#shared = shared;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Batch>> {
    while (!this.#ended) {
      const batch = this.#pending.shift();
      if (batch) {
        if (this.#pending.length === 0) this.#pendingUnits = 0;
        return { done: false, value: batch };
      }
      if (this.#broken) {
        this.#ended = true;
        throw this.#broken;
      }
      if (this.#behind && this.#socket) this.#leave(this.#socket, 'behind');
      if (!this.#socket) await this.#open();
      else await this.#wait();
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Batch>> {
    this.#ended = true;
    this.#cancelPing?.();
    this.#pending = [];
    if (this.#socket) this.#leave(this.#socket, 'done');
    this.#wake?.();
    return { done: true, value: undefined };
  }

  #wait(): Promise<void> {
    const { promise, resolve } = crossing<void>();
    this.#wake = () => {
      this.#wake = null;
      resolve();
    };
    return promise;
  }

  async #open(): Promise<void> {
    if (this.#failures > 0) await this.#pause();
    if (this.#ended) return;
    try {
      const socket = await this.#upgrade();
      if (this.#ended) socket.close(1000, 'done');
      else this.#attach(socket);
    } catch (e) {
      if (e instanceof StaleError || (e instanceof StoreError && (e.code !== 'overloaded' || !this.#started))) {
        this.#ended = true;
        throw e;
      }
      const never = this.#started ? null : unopened(e instanceof Error ? e.message : String(e));
      if (never) {
        this.#ended = true;
        throw never;
      }
      this.#failures++;
    }
  }

  #pause(): Promise<void> {
    const ms = Math.min(RECONNECT_MS * 2 ** (this.#failures - 1), RECONNECT_MS_MAX);
    return new Promise((resolve) => this.#env.after(ms * (0.5 + this.#env.random()), resolve));
  }

  async #upgrade(): Promise<ClientSocket> {
    const { select, join, assume } = this.#options;
    const request: WatchRequest = { range: this.#range, after: this.#reached };
    if (select) request.select = select;
    if (join) request.join = join;
    if (this.#shared) request.isolate = this.#shared.isolate;
    // Once the watch is running, what it was opened on may change.
    if (assume && !this.#started) request.assume = assume;
    const response = await this.#connect().fetch(watchUrl(request), { headers: { Upgrade: 'websocket' } });
    if (response.webSocket) return response.webSocket;
    const text = await response.text();
    if (response.status === 409) throw new StaleError(JSON.parse(text) as Stale);
    throw errorOf(text) ?? new Error(`HTTP ${response.status}: ${text}`);
  }

  #attach(socket: ClientSocket): void {
    this.#socket = socket;
    this.#units = 0;
    this.#inOrder = new InOrder(this.#shared, this.#reached, (frame) => this.#pass(frame));
    this.#missing = undefined;
    this.#behind = false;
    this.#started = true;
    socket.addEventListener('message', (e) => this.#message(socket, e.data));
    socket.addEventListener('close', (e) => {
      if (socket === this.#socket && e.code === BROKEN) this.#broken = errorOf(e.reason ?? '');
      this.#lost(socket);
    });
    socket.addEventListener('error', () => this.#lost(socket));
    // Newer compatibility dates give Blobs otherwise.
    socket.binaryType = 'arraybuffer';
    socket.accept();
    this.#heard = true;
    this.#ping(socket);
  }

  #message(socket: ClientSocket, data: unknown): void {
    this.#heard = true;
    if (data === PONG || socket !== this.#socket) return;
    this.#failures = 0;
    const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : String(data);
    this.#units += frame.length;
    while (this.#units >= ACK_UNITS) {
      this.#units -= ACK_UNITS;
      socket.send(ACK);
    }
    this.#inOrder?.take(this.#decode(frame));
    if (this.#behind) this.#leave(socket, 'behind');
    else this.#await(socket);
  }

  /** A frame, or the id of the one that it stands for. */
  #decode(frame: string | Uint8Array): SharedFrame | string {
    if (typeof frame === 'string' && frame.startsWith(SAME)) return frame.slice(SAME.length);
    const batch = typeof frame === 'string' ? decodeBatch(frame) : decodeJoined(frame);
    const came = { batch, units: frame.length };
    if (batch.id !== undefined) this.#shared?.keep(batch.id, came);
    return came;
  }

  /** Also runs in another watch's request, so it does no I/O. */
  #pass({ batch, units }: SharedFrame): void {
    this.#reached = batch.revision;
    this.#pending.push(batch);
    this.#pendingUnits += units;
    if (this.#pendingUnits > PENDING_UNITS) {
      this.#behind = true;
      this.#inOrder?.end();
    }
    this.#wake?.();
  }

  /**
   * Sees to it that what is missing comes. The sockets of an isolate are not in step: what one is told of may come to the other a little later, or not at all when that
   * one's client has left.
   */
  #await(socket: ClientSocket): void {
    const id = this.#inOrder?.missing;
    if (id === this.#missing) return;
    this.#missing = id;
    if (id === undefined) return;
    const after = (ms: number, f: () => void) =>
      this.#env.after(ms, () => {
        if (socket !== this.#socket || this.#missing !== id) return;
        this.#inOrder?.follow();
        if (this.#inOrder?.missing === id) f();
        else this.#await(socket);
      });
    after(MISSING_MS, () => {
      socket.send(AGAIN + id);
      after(ANSWER_MS, () => this.#leave(socket, 'missed'));
    });
  }

  /** The watch is opened anew from where it is. */
  #leave(socket: ClientSocket, reason: string): void {
    this.#socket = null;
    this.#inOrder?.end();
    socket.close(1000, reason);
    this.#wake?.();
  }

  #lost(socket: ClientSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#inOrder?.end();
    this.#failures++;
    this.#wake?.();
  }

  #ping(socket: ClientSocket): void {
    this.#cancelPing?.();
    this.#cancelPing = this.#env.after(PING_MS, () => {
      if (socket !== this.#socket) return;
      if (!this.#heard) {
        socket.close(1000, 'silent');
        this.#lost(socket);
        return;
      }
      this.#heard = false;
      socket.send(PING);
      this.#ping(socket);
    });
  }
}
