import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BODY_BYTES_MAX, readLimited, takeRest } from './body.ts';

const CHUNK = new Uint8Array(64 * 1024);
/** A body of so many chunks; `given` counts what has been taken of it. */
function bodyOf(chunks: number): { given: number; stream: ReadableStream<Uint8Array> } {
  const body = {
    given: 0,
    stream: new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (body.given === chunks) return controller.close();
          body.given++;
          controller.enqueue(CHUNK);
        },
      },
      { highWaterMark: 0 },
    ),
  };
  return body;
}
const requestOf = (body: ReadableStream<Uint8Array> | null, headers: Record<string, string> = {}) =>
  new Request('https://test.example/', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);

describe('bodies', () => {
  const whole = BODY_BYTES_MAX / CHUNK.length;

  it('are read up to the limit', async () => {
    assert.equal((await readLimited(bodyOf(whole).stream)).length, BODY_BYTES_MAX);
    assert.equal((await readLimited(null)).length, 0);
  });

  it('past it are refused when they have been taken in, and no more than so much of them', async () => {
    const refusal = { code: 413, message: 'Request entity too large: limit is 3145728' };
    const long = bodyOf(whole * 2);
    await assert.rejects(readLimited(long.stream), refusal);
    assert.equal(long.given, whole * 2);
    const endless = bodyOf(Number.POSITIVE_INFINITY);
    await assert.rejects(readLimited(endless.stream), refusal);
    assert.ok(endless.given < whole * 12);
  });

  it('that nobody read are taken in, but for small ones', async () => {
    const [unread, small, endless] = [bodyOf(99), bodyOf(1), bodyOf(Number.POSITIVE_INFINITY)];
    await takeRest(requestOf(unread.stream));
    await takeRest(requestOf(small.stream, { 'content-length': String(CHUNK.length) }));
    await takeRest(requestOf(endless.stream));
    assert.deepEqual([unread.given, small.given], [99, 0]);
    assert.ok(endless.given < whole * 12);
    await takeRest(requestOf(null));
  });

  it('that were read, or whose client has gone, are left as they are', async () => {
    const read = requestOf(bodyOf(2).stream);
    await read.arrayBuffer();
    await takeRest(read);
    await takeRest(requestOf(new ReadableStream({ pull: (c) => c.error(new Error('gone')) })));
  });
});
