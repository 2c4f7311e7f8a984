import { joinBytes } from '../codec/framing.ts';
import { type StatusError, tooLarge } from '../meta/status.ts';

// Bodies of requests: how large they may be, and that who sends one hears the answer.

/** apiserver's DefaultMaxRequestBodyBytes. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;
/** What is taken in of a body that nobody wants. */
const TAKEN_BYTES_MAX = 32 * 1024 * 1024;
/** So much of it the platform takes in by itself (kj's HttpServerSettings.canceledUploadGraceBytes). */
const GRACE_BYTES = 64 * 1024;

/** 413, in apiserver's words. */
export const bodyTooLarge = (): StatusError => tooLarge(`Request entity too large: limit is ${BODY_BYTES_MAX}`);

/** A body of any length; throws 413 past the limit. */
export async function readLimited(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of taken(body)) {
    size += chunk.length;
    if (size <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (size > BODY_BYTES_MAX) throw bodyTooLarge();
  return joinBytes(chunks);
}

/** Before a refusal that didn't wait for the body: a client that still sends when its connection ends hears of that end, and not of the refusal. */
export async function takeRest(request: Request): Promise<void> {
  const declared = request.headers.get('content-length');
  if (request.bodyUsed || request.body === null || (declared !== null && Number(declared) <= GRACE_BYTES)) return;
  try {
    for await (const _ of taken(request.body));
  } catch {
    // The client has gone.
  }
}

/** Its chunks, up to what is taken in. */
async function* taken(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    yield chunk;
    size += chunk.length;
    if (size > TAKEN_BYTES_MAX) return;
  }
}
