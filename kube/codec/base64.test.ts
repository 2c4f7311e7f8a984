import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64Of, bytesOfBase64 } from './base64.ts';

test('bytes of every length go to base64 and back', () => {
  for (let n = 0; n < 300; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 73 + n) & 255);
    const text = base64Of(bytes);
    assert.equal(text, btoa(String.fromCharCode(...bytes)));
    assert.deepEqual(bytesOfBase64(text), bytes);
  }
  assert.equal(base64Of(Uint8Array.of(1, 2, 3, 4), 1, 3), 'AgM=');
});

test('long text is read as strictly as short', () => {
  const good = 'QUJD'.repeat(300);
  assert.equal((bytesOfBase64(good) as Uint8Array).length, 900);
  assert.deepEqual(bytesOfBase64(`${good}\r\nQQ==\n`), bytesOfBase64(`${good}QQ==`));
  assert.equal(bytesOfBase64(`${good} QQ==`), 1200);
  assert.equal(bytesOfBase64(`${good}QQ`), 1200);
  assert.equal(bytesOfBase64(`${good}Q Q=`), 1201);
  assert.equal(bytesOfBase64(`${good}QQ==QQ==`), 1204);
  assert.equal(bytesOfBase64(`${good}é`), 1200);
  assert.equal(bytesOfBase64(`${good}ŁŁŁŁ`), 1200);
});

// Recorded from Go's base64.StdEncoding; a number is the offset in CorruptInputError.
const TEXTS: [string, string | number][] = [
  ['', ''],
  ['aGVsbG8=', 'hello'],
  ['aGVs\r\nbG8=\n', 'hello'],
  ['aGVsbG8', 4],
  ['aGVsbG8==', 8],
  ['a', 0],
  ['ab=', 3],
  ['ab==x', 4],
  ['a*bc', 1],
  ['ab', 0],
  ['abcd=', 4],
  ['ab=c', 2],
  ['a===', 1],
  ['=', 0],
  ['ab-_', 2],
];

test('text that is not base64 is refused at the offset that Go names', () => {
  for (const [text, want] of TEXTS) {
    const got = bytesOfBase64(text);
    assert.equal(typeof got === 'number' ? got : new TextDecoder().decode(got), want, text);
  }
});
