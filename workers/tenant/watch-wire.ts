import type { Assume, EventJoin, Range, Selection, StoreErrorCode } from '../../kube/store/store.ts';
import { StoreError } from '../../kube/store/store.ts';

/** The client's sign of life and its answer, which the platform gives without waking the object. */
export const PING = 'ping';
export const PONG = 'pong';
/** Asks for a progress frame. */
export const PROGRESS = 'progress';
/** Says that another ACK_UNITS have come. Without it a socket that isn't read would fill the object's memory. */
export const ACK = 'ack';
/** Rare enough that acknowledging costs nothing, often enough to see who doesn't read. In UTF-16 units, of binary frames in bytes. */
export const ACK_UNITS = 4 * 1024 * 1024;

/** Begins a text frame that stands for the batch of this id, which goes to another watch of the isolate. */
export const SAME = '=';
/** Begins the answer of a watch to whose isolate the batch of this id didn't come: it is sent whole, or the socket closed where it isn't kept any more. */
export const AGAIN = 'again ';

/** A watch as it is asked for. */
export interface WatchRequest {
  range: Range;
  after: number | null;
  select?: Selection;
  join?: EventJoin;
  assume?: Assume;
  /** Watches of one isolate get what is equal for them once; without it a watch gets every frame whole. */
  isolate?: string;
}

/** The URL of a watch's upgrade. The host means nothing: the stub says which object. */
export function watchUrl(w: WatchRequest): string {
  return `https://store/watch?q=${encodeURIComponent(JSON.stringify(w))}`;
}

/** The watch of a URL that watchUrl() made. */
export function parseWatch(url: string): WatchRequest {
  return JSON.parse(new URL(url).searchParams.get('q') ?? '{}') as WatchRequest;
}

const STATUS: Readonly<Record<StoreErrorCode, number>> = {
  compacted: 410,
  future: 400,
  'too-large': 413,
  overloaded: 429,
  full: 507,
  'unknown-outcome': 504,
  unavailable: 503,
  'no-cluster': 404,
  corrupt: 500,
};

/** A StoreError as an HTTP answer; errorOf() reads it back from the text. */
export function refusal(e: StoreError): Response {
  return new Response(e.message, { status: STATUS[e.code] });
}

const CODES = new RegExp(`(?:^|: )(${Object.keys(STATUS).join('|')}): ([^]*)$`);

/** The StoreError that a message was made of; RPC keeps an error's message and little else. Null for any other. */
export function errorOf(message: string): StoreError | null {
  const m = CODES.exec(message);
  return m ? new StoreError(m[1] as StoreErrorCode, m[2] ?? '') : null;
}

/** Closes the socket of a watch that can't go on; the reason is the StoreError's message. WebSocket's own "internal error". */
export const BROKEN = 1011;
/** A close reason is 123 bytes at most. */
export const REASON_MAX = 100;

/** The platform's word for what it tells its log alone, as that a file is no database: the StoreError for it, or null. */
export function unopened(message: string): StoreError | null {
  return /^internal error; reference = /.test(message)
    ? new StoreError('corrupt', `the store cannot be opened (${message})`)
    : null;
}
