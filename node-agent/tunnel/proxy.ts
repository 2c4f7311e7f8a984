import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import * as v from 'valibot';
import WebSocket from 'ws';
import { unavailable } from '../../kube/meta/status.ts';
import { CREDIT_BYTES, type Dial, type Head, StreamFrame } from '../../kube/wire/messages.ts';
import { KUBELET_PORT, serveKubelet } from './kubelet.ts';
import { bodySender, dialRelay, refuse, type StreamParts } from './stream.ts';

/** What the API server wants to be asked: its pod, or an address that belongs to a service. */
const Options = v.object({
  scheme: v.optional(v.picklist(['http', 'https']), 'http'),
  address: v.optional(v.string()),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535)),
  path: v.string(),
  query: v.optional(v.string(), ''),
  method: v.optional(v.string(), 'GET'),
  headers: v.optional(v.record(v.string(), v.string()), {}),
  /** A body follows over the relay. */
  body: v.optional(v.boolean(), false),
  /** The client wants a WebSocket. */
  upgrade: v.optional(v.boolean(), false),
});
type Options = v.InferOutput<typeof Options>;

/** Of one connection, not of the answer. */
const HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Serves one request through the proxy subresource of a pod or service: asks the pod, and gives its answer. */
export async function serveProxy(parts: StreamParts, dial: Dial): Promise<void> {
  const { kubelet } = parts;
  const parsed = v.safeParse(Options, dial.options);
  if (!parsed.success) return refuse(parts, dial, unavailable(`proxy: ${v.summarize(parsed.issues)}`).status);
  const o = parsed.output;
  // Nothing but this node is named: its kubelet is meant.
  if (dial.pod === '' && o.address === undefined && o.port === KUBELET_PORT && o.method === 'GET')
    return serveKubelet(parts, dial, o.path, o.query);
  const host = o.address || ((await kubelet.observed(dial.namespace, dial.pod))?.pod.status?.podIP ?? '');
  if (host === '') return refuse(parts, dial, unavailable('error trying to reach service: no address').status);
  return o.upgrade || dial.protocols !== undefined ? joinSockets(parts, dial, o, host) : exchange(parts, dial, o, host);
}

const unreachable = (e: Error) => unavailable(`error trying to reach service: ${e.message}`).status;
const authority = (host: string, port: number) => `${host.includes(':') ? `[${host}]` : host}:${port}`;
const target = (o: Options) => `${o.path}${o.query === '' ? '' : `?${o.query}`}`;

type Outgoing = ReturnType<typeof httpRequest>;

/** Asks the pod; `write` sends the body and ends the request. */
function ask(o: Options, host: string, write: (request: Outgoing) => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers: OutgoingHttpHeaders = { ...o.headers, host: authority(host, o.port) };
    const how = { host, port: o.port, path: target(o), method: o.method, headers, agent: false as const };
    // Upstream's transport to pods doesn't look at their certificates either.
    const r = o.scheme === 'https' ? httpsRequest({ ...how, rejectUnauthorized: false }) : httpRequest(how);
    r.once('response', resolve);
    r.once('error', reject);
    write(r);
  });
}

function headOf(answer: IncomingMessage): Head {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers))
    if (value !== undefined && !HOP.has(name)) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return { status: answer.statusCode ?? 502, headers };
}

/** Dials the relay first, for the request's body, and because the pod may take its time; the answer's head goes over the socket then. */
async function exchange({ api }: StreamParts, dial: Dial, o: Options, host: string): Promise<void> {
  let grant: () => void = () => undefined;
  const { socket, send, answer } = await dialRelay(api, dial, { status: 102 }, (socket) => {
    grant = () => socket.send(JSON.stringify({ type: 'credit', bytes: CREDIT_BYTES }));
    const answer = ask(o, host, (r) => {
      socket.on('close', () => r.destroy());
      if (!o.body) return r.end();
      socket.on('message', (data: Buffer, binary) => {
        if (binary) take(r, data);
        else if (isEnd(String(data))) r.end();
      });
    });
    return { socket, send: bodySender(socket), answer: answer.catch((e: Error) => e) };
  });
  let left = CREDIT_BYTES;
  function take(r: Outgoing, data: Buffer): void {
    left -= data.length;
    const more = () => {
      if (left > 0) return;
      left = CREDIT_BYTES;
      grant();
    };
    if (r.write(data)) more();
    else r.once('drain', more);
  }
  if (o.body) grant();
  const got = await answer;
  if (!(got instanceof Error)) {
    socket.send(JSON.stringify({ type: 'head', head: headOf(got) }));
    return send(got);
  }
  const status = unreachable(got);
  socket.send(
    JSON.stringify({ type: 'head', head: { status: status.code, headers: { 'content-type': 'application/json' } } }),
  );
  return send(once(Buffer.from(JSON.stringify(status))));
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes;
}

function isEnd(text: string): boolean {
  const frame = v.safeParse(v.pipe(v.string(), v.parseJson(), StreamFrame), text);
  return frame.success && frame.output.type === 'end';
}

/** A WebSocket of the client's is joined with one to the pod; a pod that wants none gives its answer. */
async function joinSockets(parts: StreamParts, dial: Dial, o: Options, host: string): Promise<void> {
  const { api } = parts;
  const url = `${o.scheme === 'https' ? 'wss' : 'ws'}://${authority(host, o.port)}${target(o)}`;
  const how = { headers: o.headers, rejectUnauthorized: false, perMessageDeflate: false };
  const pod = new WebSocket(url, dial.protocols ?? [], how);
  const opened = await new Promise<Error | IncomingMessage | null>((resolve) => {
    pod.once('open', () => resolve(null));
    pod.once('unexpected-response', (_, answer) => resolve(answer));
    pod.on('error', resolve);
  });
  if (opened instanceof Error) return refuse(parts, dial, unreachable(opened));
  pod.on('error', () => pod.terminate());
  try {
    if (opened !== null) {
      const send = await dialRelay(api, dial, headOf(opened), (socket) => {
        socket.on('close', () => opened.destroy());
        return bodySender(socket);
      });
      await send(opened);
      return pod.terminate();
    }
    // What the pod says before the client is there waits in its socket.
    pod.pause();
    const headers: Record<string, string> = pod.protocol === '' ? {} : { 'sec-websocket-protocol': pod.protocol };
    await dialRelay(api, dial, { status: 101, headers }, (client) => {
      couple(client, pod);
      couple(pod, client);
    });
    pod.resume();
  } catch (error) {
    // Nobody came for it.
    pod.terminate();
    throw error;
  }
}

/** Frames of one go to the other, as fast as that takes them. */
function couple(from: WebSocket, to: WebSocket): void {
  from.on('message', (data: Buffer, binary) => {
    from.pause();
    to.send(data, { binary }, () => from.resume());
  });
  from.on('close', (code, why) => (code === 1005 || code === 1006 ? to.close() : to.close(code, String(why))));
}
