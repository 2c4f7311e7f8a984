import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import type { Dial, Head } from '../../kube/wire/messages.ts';
import { serveProxy } from './proxy.ts';
import type { StreamParts } from './stream.ts';

/** What the cloud's relay gets of the agent: a socket with a head, or a refusal. */
interface Arrival {
  head: Head;
  socket?: WebSocket;
}

const listen = async (s: Server) => {
  s.listen(0, '127.0.0.1');
  await once(s, 'listening');
  return (s.address() as AddressInfo).port;
};
const headOf = (r: IncomingMessage) => JSON.parse(decodeURIComponent(String(r.headers['coracle-head']))) as Head;

describe('a request through the proxy', () => {
  let relay: Server;
  let pod: Server;
  let arrived: Promise<Arrival>;
  let parts: StreamParts;
  let port: number;
  let handle: (q: IncomingMessage, a: ServerResponse) => void;
  let open: WebSocketServer;
  /** Says no to whoever dials. */
  let away = false;
  const connections = new Set<Socket>();

  beforeEach(async () => {
    let arrive: (a: Arrival) => void;
    arrived = new Promise((r) => (arrive = r));
    away = false;
    relay = createServer((q, a) => {
      arrive({ head: headOf(q) });
      a.end();
    });
    const sockets = new WebSocketServer({ noServer: true });
    relay.on('upgrade', (q, socket, first) => {
      if (away) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      sockets.handleUpgrade(q, socket, first, (s) => arrive({ head: headOf(q), socket: s }));
    });
    pod = createServer((q, a) => handle(q, a));
    open = new WebSocketServer({ noServer: true });
    pod.on('upgrade', (q, socket, first) => {
      if (q.url === '/none') return socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno\n');
      open.handleUpgrade(q, socket, first, (s) => s.on('message', (data, binary) => s.send(data, { binary })));
    });
    for (const server of [relay, pod]) server.on('connection', (c) => connections.add(c));
    const url = `http://127.0.0.1:${await listen(relay)}`;
    port = await listen(pod);
    parts = { api: { connection: { url }, token: () => 't', ca: () => undefined } } as unknown as StreamParts;
  });
  afterEach(() => {
    for (const s of [relay, pod]) s.close();
    for (const c of connections) c.destroy();
    connections.clear();
  });

  const dial = (options: object): Dial =>
    ({
      path: '/r',
      ticket: 'x',
      kind: 'proxy',
      namespace: 'd',
      pod: 'p',
      ...options,
      options: { address: '127.0.0.1', port, path: '/', ...options },
    }) as unknown as Dial;
  /** All that comes after the head, as the cloud takes it; `granted` bytes of it. */
  async function answer(a: Arrival, granted = 1 << 20): Promise<{ head: Head; body: string }> {
    const { socket } = a;
    let head = a.head;
    let body = '';
    socket?.send(JSON.stringify({ type: 'credit', bytes: granted }));
    for await (const [data, binary] of socket ? messages(socket) : []) {
      if (binary) body += data;
      else {
        const frame = JSON.parse(data) as { type: string; head?: Head };
        if (frame.head) head = frame.head;
        if (frame.type === 'end') break;
      }
    }
    return { head, body };
  }
  async function* messages(s: WebSocket): AsyncIterable<[string, boolean]> {
    const queue: [string, boolean][] = [];
    let wake: () => void = () => undefined;
    s.on('message', (data, binary) => {
      queue.push([String(data), binary]);
      wake();
    });
    for (;;) {
      const next = queue.shift();
      if (next) yield next;
      else await new Promise<void>((r) => (wake = r));
    }
  }

  test('is dialled for at once and answered when the pod does', async () => {
    let reply: () => void = () => undefined;
    handle = (q, a) => {
      reply = () => a.writeHead(201, { 'x-own': '1' }).end(`${q.method} ${q.url}`);
    };
    const asked = once(pod, 'request');
    void serveProxy(parts, dial({ path: '/a%20b', query: 'x=1', method: 'DELETE' }));
    const a = await arrived;
    assert.equal(a.head.status, 102);
    const got = answer(a);
    await asked;
    reply();
    const { head, body } = await got;
    assert.deepEqual([head.status, head.headers?.['x-own'], body], [201, '1', 'DELETE /a%20b?x=1']);
  });

  test('that no pod takes is a 503', async () => {
    pod.close();
    void serveProxy(parts, dial({}));
    const { head, body } = await answer(await arrived);
    assert.equal(head.status, 503);
    assert.match(body, /error trying to reach service: connect ECONNREFUSED/);
  });

  for (const [when, begin] of [
    ['before the pod answers', () => undefined],
    ['while the pod says nothing more', (a: ServerResponse) => a.write('first')],
  ] as const)
    test(`ends when the client goes ${when}`, async () => {
      const gone = new Promise((resolve) => {
        handle = (_, a) => {
          a.on('close', resolve);
          begin(a);
        };
      });
      const asked = once(pod, 'request');
      const served = serveProxy(parts, dial({}));
      const { socket } = await arrived;
      await asked;
      socket?.close(1000, 'the client went away');
      await gone;
      await served;
    });

  const protocols: [string, string[] | undefined, object][] = [
    ['without a subprotocol', undefined, { upgrade: true }],
    ['with subprotocols', ['chat', 'other'], {}],
  ];
  for (const [how, offered, more] of protocols)
    test(`a WebSocket ${how} is joined with the pod's`, async () => {
      const seen = once(pod, 'upgrade');
      const headers = { cookie: 'c=1' };
      void serveProxy(parts, { ...dial({ ...more, headers }), ...(offered ? { protocols: offered } : {}) });
      const { head, socket } = await arrived;
      const [question] = (await seen) as [IncomingMessage];
      assert.equal(question.headers.cookie, 'c=1');
      assert.deepEqual([head.status, head.headers?.['sec-websocket-protocol']], [101, offered?.[0]]);
      socket?.send('text');
      const [data, binary] = (await once(socket as WebSocket, 'message')) as [Buffer, boolean];
      assert.deepEqual([String(data), binary], ['text', false]);
      const [own] = open.clients;
      const closed = once(own as WebSocket, 'close');
      socket?.close(4000, 'done');
      assert.equal(((await closed) as [number])[0], 4000);
    });

  test('a pod that takes no WebSocket gives its answer', async () => {
    void serveProxy(parts, dial({ upgrade: true, path: '/none' }));
    const { head, body } = await answer(await arrived);
    assert.deepEqual([head.status, body], [403, 'no\n']);
  });

  test('a WebSocket that nobody waits for any more is closed again', async () => {
    away = true;
    await assert.rejects(serveProxy(parts, dial({ upgrade: true })));
    const [own] = open.clients;
    if (own && own.readyState !== WebSocket.CLOSED) await once(own, 'close');
  });
});
