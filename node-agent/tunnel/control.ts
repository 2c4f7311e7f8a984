import * as v from 'valibot';
import WebSocket from 'ws';
import { type Env, pause } from '../../kube/meta/env.ts';
import {
  DEAD_MS,
  type Dial,
  FromCloud,
  MAX_FRAME_BYTES,
  PING,
  PING_MS,
  PONG,
  WIRE_VERSION,
} from '../../kube/wire/messages.ts';
import type { Api } from '../api.ts';

/** Reconnects wait from this, doubling with jitter, up to the most: every deploy drops all links at once. With the 20 s that a takeover takes, less than DEAD_MS. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;
/** A dial that isn't answered is tried anew: the way may be open again long before the machine repeats its first packet. */
const DIAL_MS_MAX = 10_000;
/** A link that was gone for longer may have cost this node its Ready condition. */
const GONE_MS = DEAD_MS / 2;

export interface ControlHandler {
  /** A stream to open; must not throw. */
  dial(request: Dial): void;
  /** Something of this node changed. */
  wake(): void;
  /** The channel is open again after so long that the cluster may take this node for dead. */
  back?(): void;
}

/** What is known of the control channel now. */
export interface Link {
  /** When the cloud was last heard of on it, in milliseconds since the epoch; 0 = it isn't open. */
  heardMs: number;
}

/** Keeps the control channel to this node's tunnel object open until `signal` aborts, and `link` up to date. It only ever dials out. */
export async function keepControl(
  api: Api,
  node: string,
  handler: ControlHandler,
  env: Env,
  signal: AbortSignal,
  link: Link = { heardMs: 0 },
): Promise<void> {
  let failures = 0;
  let lostMs = env.now();
  while (!signal.aborted) {
    const gone = () => env.now() - lostMs > GONE_MS;
    const heardMs = await connectOnce(
      api,
      node,
      { ...handler, back: () => gone() && handler.back?.() },
      env,
      signal,
      link,
    );
    failures = heardMs > 0 ? 0 : failures + 1;
    // A link that was cut ends long after the cloud has heard of us for the last time.
    if (heardMs > 0) lostMs = heardMs;
    if (signal.aborted) return;
    const wait = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + env.random() / 2);
    await pause(env, wait, signal);
  }
}

/** One link from dial to end; when the cloud was last heard of on it, 0 when it wasn't welcomed. */
function connectOnce(
  api: Api,
  node: string,
  handler: ControlHandler,
  env: Env,
  signal: AbortSignal,
  link: Link,
): Promise<number> {
  return new Promise((resolve) => {
    const url = `${api.connection.url.replace(/^http/, 'ws')}/.coracle/v1/tunnel?node=${encodeURIComponent(node)}`;
    const ca = api.ca();
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${api.token()}` },
      ...(ca ? { ca } : {}),
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: DIAL_MS_MAX,
      perMessageDeflate: false,
    });
    let welcomed = false;
    let heard = env.now();
    let cancel: () => void = () => undefined;
    const beat = () => {
      if (env.now() - heard > DEAD_MS) return socket.terminate();
      socket.send(PING);
      cancel = env.after(PING_MS, beat);
    };
    const stop = () => socket.close(1000);
    signal.addEventListener('abort', stop, { once: true });
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'hello', wire: WIRE_VERSION, node, agent: 'coracle-agent/0.1' }));
      beat();
    });
    socket.on('message', (data, binary) => {
      heard = env.now();
      if (welcomed) link.heardMs = heard;
      const text = binary ? '' : String(data);
      if (text === PONG) return;
      const message = v.safeParse(v.pipe(v.string(), v.parseJson(), FromCloud), text);
      // A newer cloud may say more than this agent knows: what isn't understood is left alone.
      if (!message.success) return env.log('warn', 'tunnel.message.unknown', { text: text.slice(0, 200) });
      if (message.output.type === 'welcome') {
        welcomed = true;
        link.heardMs = heard;
        handler.back?.();
      } else if (message.output.type === 'dial') handler.dial(message.output);
      else if (message.output.type === 'wake') handler.wake();
      else env.log('info', 'tunnel.bye', { reason: message.output.reason });
    });
    socket.on('error', (error) => env.log('warn', 'tunnel.failed', { error: error.message }));
    socket.on('close', (code) => {
      env.log('info', 'tunnel.closed', { code });
      link.heardMs = 0;
      cancel();
      signal.removeEventListener('abort', stop);
      resolve(welcomed ? heard : 0);
    });
  });
}
