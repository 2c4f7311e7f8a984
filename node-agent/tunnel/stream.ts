import { request } from 'node:https';
import * as v from 'valibot';
import WebSocket from 'ws';
import type { Env } from '../../kube/meta/env.ts';
import type { Status } from '../../kube/meta/status.ts';
import { type Dial, type Head, StreamFrame } from '../../kube/wire/messages.ts';
import type { Api } from '../api.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** What serving a stream needs of the agent. */
export interface StreamParts {
  api: Api;
  kubelet: Kubelet;
  runtime: Runtime;
  logRoot: string;
  env: Env;
}

/** Relay sockets carry opaque bytes; frames above this are refused (platform's own limit of a WebSocket message). */
const FRAME_BYTES_MAX = 1024 * 1024;

function target(api: Api, dial: Dial): string {
  return `${api.connection.url}${dial.path}?ticket=${encodeURIComponent(dial.ticket)}`;
}
const headers = (api: Api, head: Head) => ({
  authorization: `Bearer ${api.token()}`,
  'coracle-head': encodeURIComponent(JSON.stringify(head)),
});

/** Dials a relay with the answer's head. `use` gets the open socket before the first message can come; its result is the promise's. */
export function dialRelay<T>(api: Api, dial: Dial, head: Head, use: (socket: WebSocket) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const ca = api.ca();
    const socket = new WebSocket(target(api, dial).replace(/^http/, 'ws'), {
      headers: headers(api, head),
      ...(ca ? { ca } : {}),
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
    });
    // Not after an await: a message may be in the very packet that opened the socket.
    socket.once('open', () => resolve(use(socket)));
    socket.on('error', (error) => {
      reject(error);
      socket.terminate();
    });
  });
}

/** Tells the waiting client that there will be no stream. */
export const refuse = (parts: StreamParts, dial: Dial, status: Status): Promise<void> =>
  refuseWith(
    parts,
    dial,
    { code: status.code, message: status.message ?? '' },
    'application/json',
    JSON.stringify(status),
  );

/** The same without a Status, as an internal error. */
export const refuseInText = (parts: StreamParts, dial: Dial, text: string): Promise<void> =>
  refuseWith(parts, dial, { code: 500, message: text }, 'text/plain; charset=utf-8', text);

function refuseWith(
  { api, env }: StreamParts,
  dial: Dial,
  { code, message }: { code: number; message: string },
  type: string,
  error: string,
): Promise<void> {
  // kubectl tries again in the old way and shows that failure instead.
  env.log('info', 'stream.refused', { kind: dial.kind, pod: dial.pod, code, message });
  const head: Head = { status: code, headers: { 'content-type': type }, error };
  const ca = api.ca();
  return new Promise((resolve, reject) => {
    const r = request(
      target(api, dial),
      { method: 'POST', headers: headers(api, head), ...(ca ? { ca } : {}) },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve());
      },
    );
    r.on('error', reject);
    r.end();
  });
}

/**
 * Makes the sender of an HTTP body over a relay: chunks leave only as credit allows. It resolves when all have left, or the client or the link has gone;
 * the relay closes the socket.
 */
export function bodySender(socket: WebSocket): (chunks: AsyncIterable<Uint8Array>) => Promise<void> {
  let credit = 0;
  let wake: (() => void) | undefined;
  let gone = false;
  socket.on('message', (data, binary) => {
    const frame = v.safeParse(v.pipe(v.string(), v.parseJson(), StreamFrame), binary ? '' : String(data));
    if (frame.success && frame.output.type === 'credit') credit += frame.output.bytes;
    wake?.();
  });
  socket.on('close', () => {
    gone = true;
    wake?.();
  });
  return async (chunks) => {
    let error: string | undefined;
    try {
      for await (const chunk of chunks) {
        for (let from = 0; from < chunk.length; ) {
          while (credit === 0 && !gone) await new Promise<void>((r) => (wake = r));
          if (gone) return;
          const part = chunk.subarray(from, from + Math.min(credit, FRAME_BYTES_MAX));
          from += part.length;
          credit -= part.length;
          socket.send(part);
        }
      }
    } catch (e) {
      error = e instanceof Error ? e.message : String(e);
    }
    if (!gone) socket.send(JSON.stringify({ type: 'end', ...(error === undefined ? {} : { error }) }));
  };
}
