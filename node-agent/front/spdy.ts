import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import WebSocket, { createWebSocketStream } from 'ws';
import { badRequest, forbidden } from '../../kube/meta/status.ts';
import { PORT_FORWARD_PROTOCOL, PORT_FORWARD_TUNNEL_PROTOCOL } from '../streaming/portforward.ts';
import { SpdySession } from '../streaming/spdy/session.ts';
import type { SpdyStream } from '../streaming/spdy/stream.ts';
import { couple, passRefusal, refuseWith, writeHead } from './bare.ts';
import { away, onward, type Target } from './forward.ts';

/** Messages of streams are opaque; the platform's own limit. */
const FRAME_BYTES_MAX = 1 << 20;
/** A message of input is at most this long: what a relay takes, less the channel byte. */
const CHUNK_BYTES_MAX = 256 << 10;
/** How long a client may take to open its streams: kubelet's streamCreationTimeout. */
const STREAMS_MS_MAX = 30_000;
/** Subprotocol of remotecommand within SPDY: the one that all clients since 2016 offer. */
const COMMAND_PROTOCOL = 'v4.channel.k8s.io';
/** The same as WebSocket, which can close stdin. */
const CHANNELS = 'v5.channel.k8s.io';
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const CLOSE = 255;
type Channel = keyof typeof CHANNEL;

/**
 * Serves a client that speaks SPDY/3.1 (exec, attach and port-forward of kubectl and client-go before 1.30): the control plane is asked for a WebSocket, which its
 * streams become. A port-forward's bytes go through as they are.
 */
export function translateSpdy(target: Target, req: IncomingMessage, socket: Duplex): void {
  const [path = '', query = ''] = (req.url ?? '').split('?', 2);
  const forward = path.endsWith('/portforward');
  const mine = forward ? PORT_FORWARD_PROTOCOL : COMMAND_PROTOCOL;
  const offered = String(req.headers['x-stream-protocol-version'] ?? '')
    .split(',')
    .map((p) => p.trim());
  if (!offered.includes(mine)) {
    const why = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${mine}]`;
    refuseWith(socket, forbidden({ group: '', resource: 'pods' }, '', why).status);
    return;
  }
  const options = onward(req, target);
  if (options === null) {
    refuseWith(socket, badRequest('the path leads out of the cluster').status);
    return;
  }
  const {
    host: _,
    'content-length': __,
    'x-stream-protocol-version': ___,
    ...headers
  } = options.headers as Record<string, string>;
  const { url, ca } = target;
  const at = `${url.protocol.replace('http', 'ws')}//${url.host}${options.path}`;
  const other = new WebSocket(at, forward ? [] : [CHANNELS], {
    headers,
    ...(ca ? { ca } : {}),
    ...(forward ? { finishRequest: tunnelled } : {}),
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
  });
  const gone = () => other.terminate();
  socket.once('close', gone);
  other.once('unexpected-response', (_request, answer) => void passRefusal(answer, socket));
  let open = false;
  other.on('error', (error) => {
    if (open) socket.destroy();
    else refuseWith(socket, away(error));
  });
  other.once('open', () => {
    open = true;
    writeHead(socket, 101, [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'SPDY/3.1'],
      ['X-Stream-Protocol-Version', mine],
    ]);
    if (forward) couple(socket, createWebSocketStream(other));
    else converse(socket, other, wantedOf(new URLSearchParams(query)));
  });
}

/** Asks for the tunnel's subprotocol, which the library takes for none: its name has a slash. */
function tunnelled(request: ClientRequest, socket: WebSocket): void {
  request.setHeader('sec-websocket-protocol', PORT_FORWARD_TUNNEL_PROTOCOL);
  socket.once('upgrade', (answer) => {
    if (answer.headers['sec-websocket-protocol'] !== PORT_FORWARD_TUNNEL_PROTOCOL) socket.terminate();
    else delete answer.headers['sec-websocket-protocol'];
  });
  request.end();
}

/** The streams that a client of remotecommand opens for these options. */
function wantedOf(query: URLSearchParams): Channel[] {
  const yes = (name: string) => ['1', 'true'].includes(query.get(name) ?? '');
  const tty = yes('tty');
  const wanted: Channel[] = ['error'];
  if (yes('stdin')) wanted.push('stdin');
  if (yes('stdout')) wanted.push('stdout');
  if (yes('stderr') && !tty) wanted.push('stderr');
  if (tty) wanted.push('resize');
  return wanted;
}

/** Joins the client's streams with the channels of the WebSocket until it closes. */
function converse(socket: Duplex, other: WebSocket, wanted: readonly Channel[]): void {
  const streams = new Map<Channel, SpdyStream>();
  // Nothing is read of the WebSocket before its streams are there.
  other.pause();
  const late = setTimeout(() => session.close(), STREAMS_MS_MAX);
  const session = new SpdySession(socket, (stream) => {
    const type = stream.headers.streamtype as Channel;
    if (!(type in CHANNEL) || streams.has(type)) return false;
    streams.set(type, stream);
    if (type === 'stdin' || type === 'resize') void send(stream, other, CHANNEL[type]);
    else stream.resume();
    if (wanted.every((w) => streams.has(w))) {
      clearTimeout(late);
      other.resume();
    }
    return true;
  });
  void session.closed.then(() => {
    clearTimeout(late);
    other.terminate();
  });
  const byChannel = new Map<number, Channel>(Object.entries(CHANNEL).map(([name, n]) => [n, name as Channel]));
  other.on('message', (data: Buffer) => {
    const stream = streams.get(byChannel.get(data[0] ?? -1) ?? 'resize');
    if (stream === undefined || data.length < 2 || stream.destroyed) return;
    if (stream.write(data.subarray(1))) return;
    other.pause();
    stream.once('drain', () => other.resume());
    stream.once('close', () => other.resume());
  });
  other.on('close', () => {
    const outputs = (['stdout', 'stderr', 'error'] as const).flatMap((w) => streams.get(w) ?? []);
    const ended = outputs.map((s) => new Promise<void>((r) => (s.destroyed ? r() : s.end(() => r()))));
    // The client hangs up once it has all; the last bytes go first.
    void Promise.all(ended).then(() => socket.end());
  });
}

/** Input at the pace at which the WebSocket takes it, and its end. */
async function send(stream: SpdyStream, other: WebSocket, channel: number): Promise<void> {
  const put = (bytes: Buffer) =>
    new Promise<void>((resolve, reject) => other.send(bytes, { binary: true }, (e) => (e ? reject(e) : resolve())));
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>)
      for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX)
        await put(Buffer.concat([Buffer.of(channel), chunk.subarray(at, at + CHUNK_BYTES_MAX)]));
    if (channel === CHANNEL.stdin) await put(Buffer.of(CLOSE, channel));
  } catch {
    // The command or the client is gone: its end is told on the error channel.
    stream.resume();
  }
}
