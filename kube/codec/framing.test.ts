import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FRAME_MAX,
  type FrameReader,
  joinInPlace,
  jsonEvent,
  jsonEventOfBytes,
  lengthFrame,
  lengthReader,
  newlineReader,
} from './framing.ts';

const utf8 = new TextEncoder();
const text = new TextDecoder();
const bodies = ['{"a":1}', '{"b":"é"}', `{"c":"${'x'.repeat(300)}"}`, '{}'];

function join(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Feeds a stream in chunks of a size, in one buffer that is reused as a socket would. */
function readAll(reader: FrameReader, stream: Uint8Array, size: number): string[] {
  const out: string[] = [];
  const chunk = new Uint8Array(size);
  for (let i = 0; i < stream.length; i += size) {
    const part = stream.subarray(i, i + size);
    chunk.set(part);
    for (const f of reader.push(chunk.subarray(0, part.length))) out.push(text.decode(f));
  }
  reader.end();
  return out;
}

test('frames come out whole however the stream is cut', () => {
  const byLength = join(bodies.map((b) => lengthFrame(utf8.encode(b))));
  const byLine = utf8.encode(bodies.map((b) => `${b}\n`).join('\n'));
  for (const size of [1, 2, 3, 4, 5, 7, 64, 1000]) {
    assert.deepEqual(readAll(lengthReader(), byLength, size), bodies, `length, ${size}`);
    assert.deepEqual(readAll(newlineReader(), byLine, size), bodies, `newline, ${size}`);
  }
});

test('an empty frame is a frame', () => {
  assert.deepEqual(lengthReader().push(lengthFrame(new Uint8Array(0))), [new Uint8Array(0)]);
});

test('a length is four bytes, the highest first', () => {
  assert.deepEqual([...lengthFrame(new Uint8Array(258)).subarray(0, 4)], [0, 0, 1, 2]);
});

test('a JSON event is one line', () => {
  const want = '{"type":"ADDED","object":{"a":"é"}}\n';
  assert.equal(text.decode(jsonEvent('ADDED', '{"a":"é"}')), want);
  assert.equal(text.decode(jsonEventOfBytes('ADDED', utf8.encode('{"a":"é"}'))), want);
});

test('a stream that ends inside a frame, and a frame without measure, are errors', () => {
  for (const reader of [lengthReader(), newlineReader()]) {
    assert.deepEqual(reader.push(utf8.encode('\0\0\0')), []);
    assert.throws(() => reader.end(), { message: 'unexpected EOF' });
  }
  assert.throws(() => lengthReader().push(Uint8Array.of(0x7f, 0, 0, 0)), {
    message: `frame is longer than ${FRAME_MAX} bytes`,
  });
  const endless = newlineReader();
  const mib = new Uint8Array(1024 * 1024);
  assert.throws(
    () => {
      for (let i = 0; i < 20; i++) endless.push(mib);
    },
    { name: 'FrameError' },
  );
});

test('parts that lie in one buffer as they follow each other are not copied; any other part is', () => {
  const whole = joinInPlace(['{"items":[', '1,2,3,4,5,6,7,8,9,10', ']}'].map((t) => utf8.encode(t)));
  const items = whole.subarray(10, 30);
  const again = (...[head, tail]: string[]) => joinInPlace([utf8.encode(head), items, utf8.encode(tail)]);
  assert.equal(again('{"items":[', ']}').buffer, whole.buffer);
  assert.deepEqual(again('{"items":[', ']}'), whole);
  for (const [head, tail] of [
    ['{"items":[', '],'],
    ['{"itemz":[', ']}'],
    ['{"items":[', ']} '],
    [' {"items":[', ']}'],
    ['[', ''],
  ] as const)
    assert.equal(text.decode(again(head, tail)), `${head}1,2,3,4,5,6,7,8,9,10${tail}`);
  assert.deepEqual([...joinInPlace([])], []);
});
