import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect as connectH2, type Http2SecureServer } from 'node:http2';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket, { WebSocketServer } from 'ws';
import { machineEnv } from '../env.ts';
import { SpdySession } from '../streaming/spdy/session.ts';
import type { SpdyStream } from '../streaming/spdy/stream.ts';
import type { Identity } from './certificate.ts';
import { targetOf } from './forward.ts';
import { createFront } from './start.ts';
import { testIdentity } from './testing/identity.ts';

const env = machineEnv(() => undefined);
const MIB = 1 << 20;

describe("a node's front of the API", () => {
  let identity: Identity;
  let front: Http2SecureServer;
  let port: number;
  let answer: (req: IncomingMessage, res: ServerResponse) => void = (_, res) => res.end();
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const plane = createServer(async (req, res) => {
    let body = '';
    if (req.headers['x-unread'] === undefined) for await (const part of req) body += part;
    seen.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body });
    answer(req, res);
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  let speak: (socket: WebSocket, req: IncomingMessage) => void = () => undefined;
  plane.on('upgrade', (req, socket, head) => {
    seen.push({ method: 'UPGRADE', url: req.url ?? '', headers: { ...req.headers }, body: '' });
    if (req.url?.includes('refused')) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"code": 403}');
      return;
    }
    // The library takes names with a slash for malformed.
    if (req.headers['sec-websocket-protocol']?.includes('/')) delete req.headers['sec-websocket-protocol'];
    sockets.handleUpgrade(req, socket, head, (ws) => speak(ws, req));
  });
  before(async () => {
    identity = await testIdentity();
    plane.listen(0, '127.0.0.1');
    await once(plane, 'listening');
    const url = `http://127.0.0.1:${(plane.address() as AddressInfo).port}/clusters/a1`;
    front = createFront(targetOf(url, undefined), env, identity);
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    port = (front.address() as AddressInfo).port;
  });
  after(() => {
    front.close();
    plane.close();
    plane.closeAllConnections();
  });

  const open = (path: string, o: object = {}) =>
    request({ host: '127.0.0.1', port, path, ca: identity.cert, agent: false, ...o });
  async function ask(path: string, o: object = {}, body?: string) {
    const r = open(path, o);
    r.end(body);
    const [res] = (await once(r, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of res) text += part;
    return { code: res.statusCode, headers: res.headers, text };
  }
  function h2() {
    const session = connectH2(`https://127.0.0.1:${port}`, { ca: identity.cert });
    return {
      session,
      stream: (headers: Record<string, string>, body?: string) => {
        const s = session.request(headers, { endStream: body === undefined });
        if (body !== undefined) s.end(body);
        return s;
      },
    };
  }

  it('passes a request on below the cluster, with its token, and adds where it comes from', async () => {
    answer = (_, res) => {
      res.writeHead(201, { 'x-answer': 'yes', connection: 'close' });
      res.end('made');
    };
    const headers = { authorization: 'Bearer t', 'x-forwarded-for': '192.0.2.9', 'content-type': 'application/json' };
    const got = await ask('/api/v1/pods?a=b%20c', { method: 'POST', headers }, '{"a":1}');
    const at = seen.at(-1);
    assert.deepEqual([got.code, got.text, got.headers['x-answer']], [201, 'made', 'yes']);
    assert.deepEqual([at?.method, at?.url, at?.body], ['POST', '/clusters/a1/api/v1/pods?a=b%20c', '{"a":1}']);
    assert.deepEqual(
      [at?.headers.authorization, at?.headers['x-forwarded-for'], at?.headers['content-type']],
      ['Bearer t', '192.0.2.9, 127.0.0.1', 'application/json'],
    );
  });

  it('speaks h2, many requests over one connection, bodies in and out', async () => {
    answer = (req, res) => res.end(`${req.method} ${req.url} ${seen.at(-1)?.body}`);
    const { session, stream } = h2();
    const told = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const s = stream({ ':method': 'PUT', ':path': `/n/${i}` }, `body ${i}`);
        let text = '';
        for await (const part of s) text += part;
        return text;
      }),
    );
    session.close();
    assert.ok(told.every((t, i) => t.startsWith(`PUT /clusters/a1/n/${i} body`)));
    assert.equal(new Set(seen.slice(-20).map((s) => s.body)).size, 20);
  });

  for (const version of ['HTTP/1.1', 'h2'])
    it(`gives a watch's head and each event as they come, and hangs up with its client: ${version}`, async () => {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      let say: (text: string) => void = () => undefined;
      answer = (_, res) => {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.flushHeaders();
        say = (text) => void res.write(text);
        res.once('close', end);
      };
      if (version === 'h2') {
        const { session, stream } = h2();
        const s = stream({ ':path': '/watch' });
        const [head] = await once(s, 'response');
        assert.equal(head[':status'], 200);
        say('one\n');
        assert.equal(String((await once(s, 'data'))[0]), 'one\n');
        s.close();
        await ended;
        session.close();
        return;
      }
      const r = open('/watch');
      r.end();
      const [res] = (await once(r, 'response')) as [IncomingMessage];
      say('one\n');
      assert.equal(String((await once(res, 'data'))[0]), 'one\n');
      r.on('error', () => undefined);
      r.destroy();
      await ended;
    });

  it('takes no more of an answer than its client reads', async () => {
    let written = 0;
    answer = (_, res) => {
      const chunk = Buffer.alloc(MIB);
      const more = () => {
        while (written < 256 * MIB) {
          written += MIB;
          if (!res.write(chunk)) return void res.once('drain', more);
        }
        res.end();
      };
      more();
    };
    const r = open('/big');
    r.end();
    const [res] = (await once(r, 'response')) as [IncomingMessage];
    res.pause();
    // Until it is stuck: what the buffers of four sockets take.
    for (let before = -1; before !== written; ) {
      before = written;
      await delay(100);
    }
    assert.ok(written < 64 * MIB, `${written / MIB} MiB were sent to a client that reads nothing`);
    let read = 0;
    for await (const part of res) read += (part as Buffer).length;
    assert.equal(read, 256 * MIB);
  });

  it('cuts an answer short that was cut short', async () => {
    answer = (_, res) => {
      res.writeHead(200, { 'content-length': '10' });
      res.write('12345');
      setImmediate(() => res.destroy());
    };
    await assert.rejects(ask('/cut'));
    const { session, stream } = h2();
    await assert.rejects(async () => {
      for await (const _ of stream({ ':path': '/cut' })) _;
    });
    session.close();
  });

  it('refuses paths that lead out of the cluster', async () => {
    answer = (_, res) => res.end();
    const before = seen.length;
    for (const path of ['/../b/api', '/api/%2e%2E/x', '/..%5c/x', '/a/..'])
      assert.deepEqual([path, (await ask(path)).code], [path, 400]);
    assert.equal(seen.length, before);
    assert.equal((await ask('/api/v1/namespaces/a..b/pods?x=/../y')).code, 200);
  });

  it('asks to come back when the control plane is away', async () => {
    const away = createFront(targetOf('http://127.0.0.1:9', undefined), env, identity);
    away.listen(0, '127.0.0.1');
    await once(away, 'listening');
    const there = (away.address() as AddressInfo).port;
    const got = await ask('/api', { port: there });
    const status = JSON.parse(got.text) as { kind: string; reason: string; code: number };
    assert.deepEqual(
      [got.code, got.headers['retry-after'], status.kind, status.reason, status.code],
      [503, '1', 'Status', 'ServiceUnavailable', 503],
    );
    const r = open('/exec', { port: there, headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    r.end();
    const [refused] = (await once(r, 'response')) as [IncomingMessage];
    assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [503, '1']);
    refused.resume();
    away.close();
  });

  it('takes a new certificate without a pause', async () => {
    const next = await testIdentity();
    front.setSecureContext(next);
    await assert.rejects(ask('/x'));
    answer = (_, res) => res.end('with the next');
    assert.equal((await ask('/x', { ca: next.cert })).text, 'with the next');
    identity = next;
  });

  it('passes WebSockets through, and refusals of them', async () => {
    speak = (ws) => ws.on('message', (data, binary) => ws.send(data, { binary }));
    const at = `wss://127.0.0.1:${port}`;
    const ws = new WebSocket(`${at}/echo?a=1`, ['v5.channel.k8s.io'], { ca: identity.cert });
    await once(ws, 'open');
    assert.deepEqual([ws.protocol, seen.at(-1)?.url], ['v5.channel.k8s.io', '/clusters/a1/echo?a=1']);
    const data = Buffer.alloc(MIB, 7);
    ws.send(data);
    assert.deepEqual((await once(ws, 'message'))[0], data);
    ws.close();
    await once(ws, 'close');
    const no = new WebSocket(`${at}/refused`, { ca: identity.cert });
    const [, res] = (await once(no, 'unexpected-response')) as [unknown, IncomingMessage];
    assert.deepEqual([res.statusCode, res.headers['content-type']], [403, 'application/json']);
    res.resume();
  });

  /** A client of before WebSockets: upgrades to SPDY/3.1. */
  async function spdy(path: string, protocol: string) {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': protocol,
      authorization: 'Bearer t',
    };
    const r = open(path, { method: 'POST', headers });
    r.end();
    return new Promise<{ res: IncomingMessage; session?: SpdySession; raw?: import('node:stream').Duplex }>(
      (resolve) => {
        r.once('upgrade', (res, raw, head) => {
          if (head.length > 0) raw.unshift(head);
          resolve({ res, raw });
        });
        r.once('response', (res) => {
          res.resume();
          resolve({ res });
        });
      },
    );
  }
  const all = async (s: SpdyStream) => {
    const parts: Buffer[] = [];
    for await (const part of s as AsyncIterable<Buffer>) parts.push(part);
    return Buffer.concat(parts);
  };

  it('makes a WebSocket of an exec over SPDY: input and its end, outputs, sizes, the status', async () => {
    const input = Buffer.alloc(2 * MIB, 'input');
    const success = JSON.stringify({ metadata: {}, status: 'Success' });
    const sizes: string[] = [];
    speak = (ws) => {
      let got = 0;
      ws.on('message', (data: Buffer) => {
        if (data[0] === 0) got += data.length - 1;
        if (data[0] === 4) sizes.push(data.subarray(1).toString());
        if (data[0] !== 255) return;
        ws.send(Buffer.concat([Buffer.of(1), Buffer.from(`read ${got} of ${data[1]}`)]));
        ws.send(Buffer.concat([Buffer.of(2), Buffer.from('err')]));
        ws.send(Buffer.concat([Buffer.of(1), Buffer.alloc(MIB - 1, 'o')]));
        ws.send(Buffer.concat([Buffer.of(3), Buffer.from(success)]), () => ws.close(1000));
      });
    };
    const path = '/api/v1/namespaces/a/pods/p/exec?command=cat&stdin=true&stdout=true&stderr=true';
    const { res, raw } = await spdy(path, 'v4.channel.k8s.io, v3.channel.k8s.io');
    assert.ok(raw);
    assert.deepEqual(
      [res.statusCode, res.headers['x-stream-protocol-version'], seen.at(-1)?.headers['sec-websocket-protocol']],
      [101, 'v4.channel.k8s.io', 'v5.channel.k8s.io'],
    );
    assert.deepEqual([seen.at(-1)?.url, seen.at(-1)?.headers.authorization], [`/clusters/a1${path}`, 'Bearer t']);
    const session = new SpdySession(raw);
    const [error, stdin, stdout, stderr] = await Promise.all(
      ['error', 'stdin', 'stdout', 'stderr'].map((streamtype) => session.open({ streamtype })),
    );
    assert.ok(error && stdin && stdout && stderr);
    stdin.resume();
    stdin.end(input);
    const [out, err, status] = await Promise.all([all(stdout), all(stderr), all(error)]);
    const said = `read ${input.length} of 0`;
    assert.equal(out.subarray(0, said.length).toString(), said);
    assert.deepEqual([out.length, err.toString(), status.toString()], [said.length + MIB - 1, 'err', success]);
    session.close();
  });

  it('gives the sizes of a terminal on', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    speak = (ws) =>
      ws.on('message', (data: Buffer) => {
        if (data[0] === 4) resolve(data.subarray(1).toString());
      });
    const { raw } = await spdy('/api/v1/namespaces/a/pods/p/attach?tty=true&stdout=true', 'v4.channel.k8s.io');
    assert.ok(raw);
    const session = new SpdySession(raw);
    const streams = await Promise.all(['error', 'stdout', 'resize'].map((streamtype) => session.open({ streamtype })));
    streams[2]?.write('{"Width":80,"Height":24}\n');
    assert.equal((await promise).trim(), '{"Width":80,"Height":24}');
    session.close();
  });

  it('tunnels the bytes of a port-forward over SPDY', async () => {
    speak = (ws) => ws.on('message', (data, binary) => ws.send(data, { binary }));
    sockets.once('headers', (lines) => lines.push('Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io'));
    const { res, raw } = await spdy('/api/v1/namespaces/a/pods/p/portforward', 'portforward.k8s.io');
    assert.ok(raw);
    assert.deepEqual(
      [res.headers['x-stream-protocol-version'], seen.at(-1)?.headers['sec-websocket-protocol']],
      ['portforward.k8s.io', 'SPDY/3.1+portforward.k8s.io'],
    );
    raw.write('bytes');
    assert.equal(String((await once(raw, 'data'))[0]), 'bytes');
    raw.destroy();
  });

  it('tells a client of SPDY why not: other protocols, what the control plane refuses', async () => {
    assert.equal((await spdy('/api/v1/namespaces/a/pods/p/exec', 'channel.k8s.io')).res.statusCode, 403);
    assert.equal((await spdy('/refused/exec', 'v4.channel.k8s.io')).res.statusCode, 403);
  });
});
