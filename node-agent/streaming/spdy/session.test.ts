import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { dataHeader, FrameWriter } from './frames.ts';
import { SpdySession } from './session.ts';
import { SpdyError, type SpdyStream, UNREAD_BYTES_MAX } from './stream.ts';

/** A client and a server over a pipe in memory; the server's streams arrive in `taken`. */
function pair(accept: (s: SpdyStream) => boolean = () => true) {
  const [a, b] = duplexPair({ highWaterMark: 16 << 10 });
  const taken: SpdyStream[] = [];
  const server = new SpdySession(b, (s) => {
    const yes = accept(s);
    if (yes) taken.push(s);
    return yes;
  });
  return { client: new SpdySession(a), server, taken, ends: [a, b] as const };
}

async function text(s: SpdyStream): Promise<string> {
  let out = '';
  for await (const chunk of s) out += chunk;
  return out;
}

async function opened(p: ReturnType<typeof pair>, headers = {}): Promise<[SpdyStream, SpdyStream]> {
  const mine = await p.client.open(headers);
  return [mine, p.taken.find((s) => s.id === mine.id) as SpdyStream];
}

describe('a SPDY session', () => {
  test('opens streams with their headers, odd ids rising', async () => {
    const p = pair();
    const [a, b] = await Promise.all([p.client.open({ streamtype: 'error' }), p.client.open({ streamtype: 'data' })]);
    assert.deepEqual([a.id, b.id], [1, 3]);
    assert.deepEqual(
      p.taken.map((s) => s.headers),
      [{ streamtype: 'error' }, { streamtype: 'data' }],
    );
  });

  test('carries bytes both ways and ends each way by itself', async () => {
    const p = pair();
    const [mine, theirs] = await opened(p);
    mine.end('question');
    assert.equal(await text(theirs), 'question');
    theirs.write('an');
    theirs.end('swer');
    assert.equal(await text(mine), 'answer');
  });

  test('keeps streams apart while many talk at once', async () => {
    const p = pair();
    const streams = await Promise.all(Array.from({ length: 20 }, () => opened(p)));
    const got = streams.map(([, theirs]) => text(theirs));
    for (const [i, [mine]] of streams.entries()) mine.end(`${i} `.repeat(20_000));
    for (const [i, g] of (await Promise.all(got)).entries()) assert.ok(g === `${i} `.repeat(20_000), `stream ${i}`);
  });

  test('a refused stream fails to open, others do not', async () => {
    const p = pair((s) => s.headers.streamtype !== 'bad');
    await assert.rejects(p.client.open({ streamtype: 'bad' }), SpdyError);
    await opened(p, { streamtype: 'good' });
  });

  test('a reset ends what the peer reads and fails what it writes', async () => {
    const p = pair();
    const [mine, theirs] = await opened(p);
    theirs.write('last words');
    await turn();
    theirs.destroy();
    assert.equal(await text(mine), 'last words');
    const failed = new Promise<Error>((resolve) => mine.once('error', resolve));
    mine.write('too late');
    assert.match((await failed).message, /reset/);
  });

  test('a reader that is behind stops the writer instead of filling memory, and goes on later', async () => {
    const p = pair();
    const [mine, theirs] = await opened(p);
    const chunk = Buffer.alloc(16 << 10, 'x');
    let written = 0;
    const total = 4 << 20;
    const writing = (async () => {
      while (written < total) {
        written += chunk.length;
        if (!mine.write(chunk)) await new Promise((r) => mine.once('drain', r));
      }
      mine.end();
    })();
    for (let i = 0; i < 500; i++) await turn();
    assert.ok(written < 512 << 10, `${written} bytes were taken from the writer, none were read`);
    let read = 0;
    for await (const b of theirs) read += b.length;
    await writing;
    assert.equal(read, total);
  });

  test('a stream whose end comes while its reader is behind holds up no other', async () => {
    const [a, b] = duplexPair();
    const client = new SpdySession(a);
    const opening = Promise.all([client.open({}), client.open({})]);
    const w = new FrameWriter();
    const fin = (id: number) => dataHeader(id, 0, true);
    // In one piece: the reader can't have caught up before the end.
    b.write(
      Buffer.concat([
        ...[1, 3].map((id) => w.encode({ type: 'synReply', id, fin: false, headers: {} })),
        ...[dataHeader(1, UNREAD_BYTES_MAX, false), Buffer.alloc(UNREAD_BYTES_MAX), fin(1)],
      ]),
    );
    const [long, status] = await opening;
    b.write(Buffer.concat([dataHeader(3, 2, false), Buffer.from('ok'), fin(3)]));
    assert.equal((await text(long)).length, UNREAD_BYTES_MAX);
    const late = delay(1_000, 'nothing', { ref: false });
    assert.equal(await Promise.race([text(status), late]), 'ok');
  });

  test('pings are answered, both ways', async () => {
    const p = pair();
    await p.client.ping();
    await p.server.ping();
  });

  test('after going away no stream is opened, open ones go on', async () => {
    const p = pair();
    const [mine, theirs] = await opened(p);
    p.server.goAway();
    await p.client.ping();
    await assert.rejects(p.client.open({}), /closed/);
    mine.end('still here');
    assert.equal(await text(theirs), 'still here');
  });

  test('the end of the connection ends what is read and fails what is being opened', async () => {
    const p = pair(() => true);
    const [mine] = await opened(p);
    const reading = text(mine);
    p.server.close();
    p.ends[0].destroy();
    assert.equal(await reading, '');
    await assert.rejects(p.client.open({}), /closed/);
    await p.client.closed;
  });

  test('a peer that speaks nonsense loses the connection, its streams fail', async () => {
    const p = pair();
    const [mine] = await opened(p);
    const reading = text(mine);
    p.ends[1].write(Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 0]));
    await assert.rejects(reading, /not SPDY\/3/);
    await p.client.closed;
  });
});
