import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { failure, success } from '../../kube/meta/status.ts';
import { type ChannelProtocol, type Channels, channelsOf } from './channels.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** An agent's end as channels, and the raw socket of its client. */
async function pair(protocol?: ChannelProtocol): Promise<{ channels: Channels; client: WebSocket; socket: WebSocket }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  closers.push(() => {
    for (const c of server.clients) c.terminate();
    server.close();
  });
  await new Promise((r) => server.once('listening', r));
  const client = new Promise<WebSocket>((r) => server.once('connection', r));
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  });
  const channels = new Promise<Channels>((r) => socket.once('open', () => r(channelsOf(socket, protocol))));
  return { channels: await channels, client: await client, socket };
}

/** What a client gets until the socket closes: per channel all bytes, and the order in which channels first and last spoke. */
function collect(client: WebSocket): Promise<{ bytes: Map<number, Buffer>; order: number[]; code: number }> {
  const parts: Buffer[] = [];
  client.on('message', (data: Buffer) => parts.push(data));
  return new Promise((resolve) =>
    client.on('close', (code) => {
      const order = parts.map((p) => p[0] ?? -1).filter((c, i, all) => c !== all[i - 1]);
      const byChannel = Map.groupBy(parts, (p) => p[0] ?? -1);
      const bytes = new Map([...byChannel].map(([c, all]) => [c, Buffer.concat(all.map((p) => p.subarray(1)))]));
      resolve({ bytes, order, code });
    }),
  );
}
async function read(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const p of stream) parts.push(p);
  return Buffer.concat(parts);
}
const frame = (channel: number, body: Buffer | string) => Buffer.concat([Buffer.of(channel), Buffer.from(body)]);

describe('the channels of an exec', () => {
  test('all output arrives before the status, though the command ended while most of it was still waiting', async () => {
    const { channels, client } = await pair();
    const got = collect(client);
    const data = randomBytes(8 << 20);
    client.pause();
    setTimeout(() => client.resume(), 50);
    for (let at = 0; at < data.length; at += 64 << 10) channels.stdout.write(data.subarray(at, at + (64 << 10)));
    channels.stderr.write('said last');
    await channels.finish(failure('InternalError', 'no').status);
    const { bytes, order, code } = await got;
    assert.ok(bytes.get(1)?.equals(data), `${bytes.get(1)?.length} of ${data.length} bytes`);
    assert.equal(String(bytes.get(2)), 'said last');
    assert.equal(JSON.parse(String(bytes.get(3))).message, 'no');
    assert.equal(order.at(-1), 3);
    assert.equal(code, 1000);
  });

  test('older protocols: a digit and base64 instead of bytes, a text instead of a Status, nothing when all went well', async () => {
    const table: [ChannelProtocol, ReturnType<typeof failure>['status'] | undefined, string[]][] = [
      ['channel.k8s.io', undefined, ['\x01', '\x01hello']],
      ['channel.k8s.io', failure('InternalError', 'no').status, ['\x01', '\x01hello', '\x03no']],
      ['base64.channel.k8s.io', failure('InternalError', 'no').status, ['1', '1aGVsbG8=', '3bm8=']],
      ['v4.base64.channel.k8s.io', undefined, ['1', '1aGVsbG8=', `3${btoa(JSON.stringify(success()))}`]],
    ];
    for (const [protocol, failed, wanted] of table) {
      const { channels, client } = await pair(protocol);
      const got: string[] = [];
      client.on('message', (data: Buffer) => got.push(data.toString('latin1')));
      const closed = new Promise((r) => client.once('close', r));
      client.send(protocol.includes('base64') ? '0aW4=' : frame(0, 'in'));
      const [input] = await once(channels.stdin, 'data');
      assert.equal(String(input), 'in', protocol);
      channels.stdout.write('hello');
      await channels.finish(failed ?? success());
      await closed;
      assert.deepEqual(got, wanted, protocol);
    }
  });

  test('a chunk larger than a message may be is cut', async () => {
    const { channels, client } = await pair();
    const sizes: number[] = [];
    client.on('message', (m: Buffer) => sizes.push(m.length));
    const got = collect(client);
    channels.stdout.write(Buffer.alloc(600 << 10));
    await channels.finish(success());
    assert.equal((await got).bytes.get(1)?.length, 600 << 10);
    assert.ok(Math.max(...sizes) <= (256 << 10) + 1);
  });

  test('an empty message opens the stream before the command says anything', async () => {
    const { client } = await pair();
    const [first] = await new Promise<Buffer[]>((r) => client.once('message', (m: Buffer) => r([m])));
    assert.deepEqual(first, Buffer.of(1));
  });

  test('input ends where the client closed it (v5), and what was sent before is all there', async () => {
    const { channels, client } = await pair();
    const data = randomBytes(4 << 20);
    for (let at = 0; at < data.length; at += 32 << 10) client.send(frame(0, data.subarray(at, at + (32 << 10))));
    client.send(Buffer.of(255, 0));
    client.send(frame(0, 'too late'));
    assert.ok((await read(channels.stdin)).equals(data));
  });

  test('input ends with the connection of a v4 client, after all that it had sent', async () => {
    const { channels, client } = await pair();
    client.send(frame(0, 'all of it'));
    client.close(1000);
    assert.equal(String(await read(channels.stdin)), 'all of it');
  });

  test('a command that reads slowly holds its client back', async () => {
    const { channels, client } = await pair();
    for (let i = 0; i < 1024; i++) client.send(frame(0, Buffer.alloc(32 << 10)));
    await new Promise((r) => setTimeout(r, 200));
    assert.ok(channels.stdin.readableLength < 1 << 20, `${channels.stdin.readableLength} bytes are held`);
    client.send(Buffer.of(255, 0));
    assert.equal((await read(channels.stdin)).length, 32 << 20);
  });

  test('input that nobody reads does not keep a finished socket open', async () => {
    const { channels, client, socket } = await pair();
    for (let i = 0; i < 256; i++) client.send(frame(0, Buffer.alloc(32 << 10)));
    while (!socket.isPaused) {
      channels.stdin.read(0);
      await new Promise((r) => setImmediate(r));
    }
    const closed = new Promise((r) => socket.once('close', r));
    await channels.finish(success());
    await closed;
  });

  test('sizes of a terminal come in order, and end with the client', async () => {
    const { channels, client } = await pair();
    client.send(frame(4, '{"Width":80,"Height":24}'));
    client.send(frame(4, 'no size'));
    client.send(frame(4, '{"Width":100,"Height":40}'));
    client.close(1000);
    const sizes = [];
    for await (const size of channels.sizes) sizes.push(size);
    assert.deepEqual(sizes, [
      { Width: 80, Height: 24 },
      { Width: 100, Height: 40 },
    ]);
  });

  test('a client that goes while output waits breaks the writer and nothing else', async () => {
    const { channels, client } = await pair();
    client.pause();
    const closed = new Promise((r) => channels.stdout.once('close', r));
    for (let i = 0; i < 512; i++) channels.stdout.write(Buffer.alloc(64 << 10));
    client.terminate();
    await closed;
    await channels.finish(success());
    assert.equal(channels.stdout.destroyed, true);
  });
});
