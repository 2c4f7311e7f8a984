import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { constants, createDeflate } from 'node:zlib';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.ts';
import { type Frame, FrameError, FrameReader, FrameWriter } from './frames.ts';
import { HEADER_BYTES_MAX, type Headers } from './headers.ts';

const bytes = (text: string) => Buffer.from(text);
const FRAMES: Frame[] = [
  { type: 'synStream', id: 1, fin: false, headers: { streamtype: 'error', port: '80', requestid: '0' } },
  { type: 'synReply', id: 1, fin: false, headers: {} },
  { type: 'synStream', id: 3, fin: true, headers: { streamtype: 'data', empty: '' } },
  { type: 'data', id: 1, fin: false, data: bytes('hello') },
  { type: 'data', id: 1, fin: true, data: bytes('') },
  { type: 'headers', id: 3, fin: true, headers: { 'x-late': 'é' } },
  { type: 'reset', id: 3, status: 5 },
  { type: 'ping', id: 7 },
  { type: 'goAway', lastId: 3 },
  { type: 'ignored', kind: 4 },
  { type: 'data', id: 0x7fffffff, fin: true, data: bytes('end') },
];
const written = () => {
  const writer = new FrameWriter();
  return Buffer.concat(FRAMES.map((f) => writer.encode(f)));
};
const plain = (f: Frame) => (f.type === 'data' ? { ...f, data: Buffer.from(f.data).toString() } : f);

/** Data frames of one stream that follow one another, joined, since a reader may give them in parts. */
function joined(frames: Frame[]): unknown[] {
  const out: { type: string; id?: number; data?: string; fin?: boolean }[] = [];
  for (const f of frames.map(plain)) {
    const last = out.at(-1);
    if (f.type === 'data' && last?.type === 'data' && last.id === f.id && !last.fin) {
      last.data += f.data as string;
      last.fin = f.fin;
    } else out.push({ ...(f as { type: string }) });
  }
  return out;
}

/** Header blocks as a real compressor makes them: one zlib stream over the SPDY dictionary, flushed after each. */
async function compressed(blocks: Headers[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: DICTIONARY });
  const out: Buffer[] = [];
  let current: Buffer[] = [];
  deflate.on('data', (b: Buffer) => current.push(b));
  for (const headers of blocks) {
    const number = (n: number) => Buffer.from([n >>> 24, n >>> 16, n >>> 8, n]);
    const text = (s: string) => Buffer.concat([number(s.length), bytes(s)]);
    const entries = Object.entries(headers);
    deflate.write(Buffer.concat([number(entries.length), ...entries.flat().map(text)]));
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    out.push(Buffer.concat(current));
    current = [];
  }
  return out;
}
const synStream = (id: number, block: Buffer) =>
  Buffer.concat([
    Buffer.from([0x80, 3, 0, 1, 0, 0, (block.length + 10) >> 8, (block.length + 10) & 0xff]),
    Buffer.from([0, 0, 0, id, 0, 0, 0, 0, 0, 0]),
    block,
  ]);

describe('SPDY frames', () => {
  test('what is written is read, whole or cut anywhere', () => {
    const all = written();
    const expected = joined(FRAMES);
    assert.deepEqual(joined([...new FrameReader().read(all)]), expected);
    for (const size of [1, 2, 3, 7, 11, 64]) {
      const reader = new FrameReader();
      const seen: Frame[] = [];
      for (let at = 0; at < all.length; at += size) seen.push(...reader.read(all.subarray(at, at + size)));
      assert.deepEqual(joined(seen), expected, `in pieces of ${size}`);
    }
  });

  test('a long data frame comes in parts as it arrives, its end with the last', () => {
    const frame = new FrameWriter().encode({ type: 'data', id: 1, fin: true, data: Buffer.alloc(100_000, 'x') });
    const reader = new FrameReader();
    const first = [...reader.read(frame.subarray(0, 50_000))];
    assert.deepEqual(
      first.map((f) => f.type === 'data' && [f.data.length, f.fin]),
      [[49_992, false]],
    );
    const rest = [...reader.read(frame.subarray(50_000))];
    assert.deepEqual(
      rest.map((f) => f.type === 'data' && [f.data.length, f.fin]),
      [[50_008, true]],
    );
  });

  test('header blocks that a real compressor made are read, each with what came before as its context', async () => {
    const blocks: Headers[] = [
      { streamtype: 'error', method: 'GET', 'content-type': 'text/plain' },
      { streamtype: 'data', method: 'GET', 'content-type': 'text/plain' },
      { streamtype: 'data', port: '8080', requestid: '12' },
      {},
    ];
    const packed = await compressed(blocks);
    assert.equal(packed[0]?.readUInt32BE(2), DICTIONARY_ID, 'zlib names the dictionary as we do');
    const reader = new FrameReader();
    const read = packed.flatMap((block, i) => [...reader.read(synStream(2 * i + 1, block))]);
    assert.deepEqual(
      read.map((f) => f.type === 'synStream' && f.headers),
      blocks,
    );
  });

  test('a block that unfolds beyond the limit is refused', async () => {
    const [bomb] = await compressed([{ x: 'a'.repeat(HEADER_BYTES_MAX) }]);
    assert.throws(() => [...new FrameReader().read(synStream(1, bomb as Buffer))], FrameError);
  });

  const broken: [string, Buffer, RegExp][] = [
    ['another version', Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]), /not SPDY\/3: version 2/],
    ['data on stream 0', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), /stream 0/],
    ['a control frame of 16 MiB', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), /control frame of 16777215/],
    ['a reset that is cut off', Buffer.from([0x80, 3, 0, 3, 0, 0, 0, 2, 0, 0]), /cut off/],
    ['headers that are not zlib', synStream(1, Buffer.from([1, 2, 3, 4])), /not zlib/],
    ['an unknown dictionary', synStream(1, Buffer.from([0x78, 0xbb, 1, 2, 3, 4])), /unknown dictionary/],
    ['headers that do not inflate', synStream(1, Buffer.from([0x78, 0x01, 0xff, 0xff])), /does not inflate/],
  ];
  for (const [what, input, text] of broken) {
    test(`${what} is a FrameError`, () => {
      assert.throws(
        () => [...new FrameReader().read(input)],
        (e) => e instanceof FrameError && text.test(e.message),
      );
    });
  }
});
