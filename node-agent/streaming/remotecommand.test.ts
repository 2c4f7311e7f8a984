import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { execStream, exitCodeOf } from './remotecommand.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream } from './spdy/stream.ts';

type Streams = Partial<Record<string, SpdyStream>>;
interface Peer {
  /** What the server does once all streams that it expects are open. */
  serve(s: Streams, session: SpdySession): void | Promise<void>;
  /** How many streams that are. */
  expect: number;
  protocol?: string;
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A CRI streaming server: upgrades to SPDY and hands the streams over once they are all there. */
async function serverOf(peer: Peer): Promise<string> {
  const server = createServer((_, res) => res.writeHead(404).end('no such thing\n'));
  server.on('upgrade', (_req, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${peer.protocol ?? 'v4.channel.k8s.io'}\r\n\r\n`,
    );
    const streams: Streams = {};
    const session: SpdySession = new SpdySession(socket, (s) => {
      streams[s.headers.streamtype ?? ''] = s;
      if (Object.keys(streams).length === peer.expect) setImmediate(() => void peer.serve(streams, session));
      return true;
    });
    closers.push(() => session.close());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec/token`;
}

function collector() {
  const seen = { text: '' };
  const stream = new Writable({
    write(chunk, _, done) {
      seen.text += chunk;
      done();
    },
  });
  return { seen, stream };
}

const nonZero = (code: number) =>
  JSON.stringify({
    metadata: {},
    status: 'Failure',
    message: `command terminated with exit code ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });

describe('a command over a CRI streaming URL', () => {
  test('opens a stream for each thing asked for, the error stream first', async () => {
    let ids: [string, number][] = [];
    const url = await serverOf({
      expect: 4,
      serve(s) {
        ids = Object.entries(s).map(([type, stream]) => [type, stream?.id ?? 0]);
        s.error?.write('{"status":"Success","metadata":{}}');
        for (const stream of Object.values(s)) stream?.end();
      },
    });
    const stdin = Readable.from([]);
    const status = await execStream(url, { stdin, stdout: collector().stream, stderr: collector().stream });
    assert.deepEqual(ids, [
      ['error', 1],
      ['stdin', 3],
      ['stdout', 5],
      ['stderr', 7],
    ]);
    assert.equal(exitCodeOf(status), 0);
  });

  test('a terminal has a resize stream and no stderr', async () => {
    const sizes: string[] = [];
    const url = await serverOf({
      expect: 3,
      async serve(s) {
        for await (const size of s.resize ?? []) sizes.push(String(size));
        s.error?.end();
        s.stdout?.end();
      },
    });
    const io = { stdout: collector().stream, stderr: collector().stream, tty: true };
    await execStream(url, { ...io, resize: Readable.from([{ Width: 80, Height: 24 }]) });
    assert.deepEqual(sizes, ['{"Width":80,"Height":24}']);
  });

  test('all output is written before the status is told, though the status came first', async () => {
    const url = await serverOf({
      expect: 2,
      serve(s) {
        s.error?.end(nonZero(3));
        setTimeout(() => s.stdout?.end('late'), 50);
      },
    });
    const out = collector();
    const status = await execStream(url, { stdout: out.stream });
    assert.deepEqual([exitCodeOf(status), out.seen.text], [3, 'late']);
  });

  const statuses: [string, string, number | null, RegExp][] = [
    ['a Status with an exit code', nonZero(42), 42, /exit code 42/],
    ['a Status without one', JSON.stringify({ status: 'Failure', message: 'no' }), null, /^no$/],
    ['a Success', JSON.stringify({ status: 'Success', metadata: {} }), 0, /^$/],
    ['plain text', 'container is gone', null, /error executing remote command: container is gone/],
    ['more than a Status can be', 'x'.repeat(100_000), null, /error stream is too long/],
  ];
  for (const [what, text, code, message] of statuses) {
    test(`an error stream with ${what} is understood`, async () => {
      const url = await serverOf({ expect: 1, serve: (s) => void s.error?.end(text) });
      const status = await execStream(url, {});
      assert.equal(status.kind, 'Status');
      assert.equal(exitCodeOf(status), code);
      assert.match(status.message ?? '', message);
    });
  }

  test('a connection that breaks before the status was told is a Failure, after what came', async () => {
    const url = await serverOf({
      expect: 2,
      serve(s, session) {
        s.stdout?.write('partial');
        setTimeout(() => session.close(), 50);
      },
    });
    const out = collector();
    const status = await execStream(url, { stdout: out.stream });
    assert.equal(out.seen.text, 'partial');
    assert.equal(exitCodeOf(status), null);
    assert.match(status.message ?? '', /the connection ended before the command did/);
  });

  test('input that the peer never takes does not hold back the end once output has ended', async () => {
    const url = await serverOf({ expect: 3, serve: (s) => void s.stdout?.end() });
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(64 << 10));
      },
    });
    const status = await execStream(url, { stdin: endless, stdout: collector().stream }, 100);
    assert.match(status.message ?? '', /takes no more input/);
    endless.destroy();
  });

  test('a server that refuses is told with its own words', async () => {
    const server = createServer((_, res) => res.writeHead(404).end('404 page not found\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const status = await execStream(`http://127.0.0.1:${port}/exec/x`, {});
    server.close();
    assert.match(status.message ?? '', /unable to upgrade connection: 404 page not found/);
  });

  test('another subprotocol than was asked for is refused', async () => {
    const url = await serverOf({ expect: 1, serve: () => undefined, protocol: 'v1.channel.k8s.io' });
    assert.match((await execStream(url, {})).message ?? '', /unexpected subprotocol "v1.channel.k8s.io"/);
  });

  test('a client that leaves before or during the command gets a Failure', async () => {
    const url = await serverOf({ expect: 1, serve: () => undefined });
    assert.equal((await execStream(url, { signal: AbortSignal.abort() })).status, 'Failure');
    assert.equal((await execStream(url, { signal: AbortSignal.timeout(50) })).status, 'Failure');
  });
});
