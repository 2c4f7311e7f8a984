import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SpdySession } from './spdy/session.ts';
import { SpdyError, type SpdyStream } from './spdy/stream.ts';
import { upgrade } from './upgrade.ts';

/** The subprotocol inside SPDY, and the WebSocket subprotocol of a tunnel that carries such SPDY bytes (KEP-4006). */
export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
export const PORT_FORWARD_TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

/** How long one of the two streams of a connection may wait for the other: kubelet's streamCreationTimeout. */
const PAIR_MS_MAX = 30_000;
/** What an error stream may say. */
const ERROR_BYTES_MAX = 64 << 10;

async function readText(stream: SpdyStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) if (text.length < ERROR_BYTES_MAX) text += String(chunk);
  return text;
}

/** Copies both ways with half closes; resolves when both have ended. */
async function join(a: Duplex, b: Duplex): Promise<void> {
  await Promise.all([pipeline(a, b, { end: true }), pipeline(b, a, { end: true })]);
}

/**
 * Connects `local` with a port of the pod that `url` (Runtime.portForward) stands for, over a connection of its own, so
 * that a slow reader holds up nobody else. Resolves when both ways have ended; throws what the runtime says went wrong.
 */
export async function portForwardStream(url: string, port: number, local: Duplex, signal?: AbortSignal): Promise<void> {
  const { socket } = await upgrade(url, [PORT_FORWARD_PROTOCOL], signal);
  const session = new SpdySession(socket);
  const abort = () => session.close(new SpdyError('the client is gone'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const stream = (streamtype: string) => session.open({ streamtype, port: String(port), requestid: '0' });
    const [error, data] = await Promise.all([stream('error'), stream('data')]);
    error.end();
    const failed = readText(error).then((text) => {
      if (text) throw new SpdyError(text);
    });
    await Promise.race([
      Promise.all([join(local, data), failed]),
      failed.then(() => new Promise<never>(() => undefined)),
    ]);
  } finally {
    signal?.removeEventListener('abort', abort);
    session.close();
    local.destroy();
  }
}

/**
 * Relays a client's own SPDY bytes (a tunnel of PORT_FORWARD_TUNNEL_PROTOCOL) to the runtime as they are, as the kubelet
 * does: the runtime's server pairs the streams and dials the ports. Resolves when either side is done.
 */
export async function relayPortForward(url: string, tunnel: Duplex, signal?: AbortSignal): Promise<void> {
  const { socket } = await upgrade(url, [PORT_FORWARD_PROTOCOL], signal);
  const abort = () => tunnel.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  // Neither side half closes: when one way is over, so is the other, even if what it still carries finds no reader.
  const ways = [pipeline(tunnel, socket), pipeline(socket, tunnel)];
  for (const way of ways) way.catch(() => undefined);
  try {
    await Promise.race(ways);
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.destroy();
    tunnel.destroy();
  }
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  timer: NodeJS.Timeout;
}

/**
 * The server side of port-forward over a byte stream that carries SPDY: pairs the client's data and error streams by
 * request and joins each with what `dial` gives for its port; a failure goes to the error stream. Resolves when the
 * client is gone.
 */
export function servePortForward(transport: Duplex, dial: (port: number) => Promise<Duplex>): Promise<void> {
  const pairs = new Map<string, Pair>();
  const serve = async (data: SpdyStream, error: SpdyStream) => {
    const port = Number(data.headers.port);
    try {
      await join(data, await dial(port));
      error.end();
    } catch (e) {
      const why = e instanceof Error ? e.message : String(e);
      error.end(`an error occurred forwarding ${port}: ${why}`);
      data.destroy();
    }
  };
  const accept = (s: SpdyStream): boolean => {
    const { streamtype = '', port = '', requestid = '' } = s.headers;
    const known = streamtype === 'data' || streamtype === 'error';
    if (!known || !/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65535) return false;
    const key = requestid || `${s.id - (streamtype === 'data' ? 2 : 0)}`; // old clients send none: the error stream's id
    let pair = pairs.get(key);
    if (!pair) {
      const timer = setTimeout(() => {
        pairs.delete(key);
        pair?.data?.destroy();
        pair?.error?.end('timed out waiting for the other stream of this request');
      }, PAIR_MS_MAX);
      pair = { timer };
      pairs.set(key, pair);
    }
    if (pair[streamtype]) return false;
    pair[streamtype] = s;
    if (streamtype === 'error') s.resume();
    if (pair.data && pair.error) {
      clearTimeout(pair.timer);
      pairs.delete(key);
      void serve(pair.data, pair.error);
    }
    return true;
  };
  const session = new SpdySession(transport, accept);
  return session.closed.then(() => {
    for (const p of pairs.values()) clearTimeout(p.timer);
  });
}
