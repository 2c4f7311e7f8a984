import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime, printTime, ZERO_TIME_SECONDS } from './timestamp.ts';

const TIMES: [string, number, number][] = [
  ['1970-01-01T00:00:00Z', 0, 0],
  ['2026-11-21T12:34:56Z', 1795264496, 0],
  ['1969-12-31T23:59:59Z', -1, 0],
  ['2000-02-29T00:00:00Z', 951782400, 0],
  ['0001-01-01T00:00:00Z', ZERO_TIME_SECONDS, 0],
  ['9999-12-31T23:59:59Z', 253402300799, 0],
];

test('times are read and printed to the second', () => {
  for (const [text, seconds, nanos] of TIMES) {
    assert.deepEqual(parseTime(text), { seconds, nanos }, text);
    assert.equal(printTime(seconds), text);
  }
  for (let s = -5e9; s < 5e9; s += 86400 * 31 + 12345) {
    assert.equal(printTime(s), `${new Date(s * 1000).toISOString().slice(0, 19)}Z`);
    assert.equal(parseTime(printTime(s))?.seconds, s);
  }
});

test('zones and fractions are read, fractions cut to nanoseconds', () => {
  assert.deepEqual(parseTime('1970-01-01T01:30:00+01:30'), { seconds: 0, nanos: 0 });
  assert.deepEqual(parseTime('1969-12-31T23:00:00-01:00'), { seconds: 0, nanos: 0 });
  assert.deepEqual(parseTime('1970-01-01T00:00:00.000001Z'), { seconds: 0, nanos: 1000 });
  assert.deepEqual(parseTime('1970-01-01T00:00:00.1234567899Z'), { seconds: 0, nanos: 123456789 });
  assert.equal(printTime(0, 1), '1970-01-01T00:00:00.000001Z');
});

test('what is no time is null', () => {
  for (const t of [
    '',
    'x',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01',
  ]) {
    assert.equal(parseTime(t), null, t);
  }
});
