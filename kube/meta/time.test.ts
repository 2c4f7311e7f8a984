import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as time from './time.ts';

test('a time becomes UTC with second precision', () => {
  const cases: [text: string, canonical: string | null][] = [
    ['2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z'],
    ['2020-01-01T00:00:00+02:00', '2019-12-31T22:00:00Z'],
    ['2020-01-01T00:00:00.999Z', '2020-01-01T00:00:00Z'],
    ['2020-01-01T1:02:03Z', '2020-01-01T01:02:03Z'],
    ['2020-02-29T00:00:00Z', '2020-02-29T00:00:00Z'],
    ['2021-02-29T00:00:00Z', null],
    ['2020-01-01', null],
  ];
  for (const [text, canonical] of cases) assert.equal(time.canonicalTime(text), canonical, text);
});

test('a micro time has six digits, no fewer in the input', () => {
  assert.equal(time.canonicalMicroTime('2020-01-01T01:00:00.000001+01:00'), '2020-01-01T00:00:00.000001Z');
  assert.equal(time.canonicalMicroTime('2020-01-01T00:00:00Z'), null);
  assert.equal(
    time.timeProblem('2020-01-01T00:00:00Z', true),
    'parsing time "2020-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
  );
});

test('errors of times are those of Go', () => {
  const cases: [text: string, problem: string][] = [
    ['x', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ['2020-13-01T00:00:00Z', 'parsing time "2020-13-01T00:00:00Z": month out of range'],
    ['2020-01-01T00:00:00Zx', 'parsing time "2020-01-01T00:00:00Zx": extra text: "x"'],
    ['2020-01-01T00:00:00Z', ''],
  ];
  for (const [text, problem] of cases) assert.equal(time.timeProblem(text), problem);
});

test('milliseconds go both ways', () => {
  assert.equal(time.timeToMillis('1970-01-01T00:00:01.5Z'), 1500);
  assert.ok(Number.isNaN(time.timeToMillis('nope')));
  assert.equal(time.formatTime(1999), '1970-01-01T00:00:01Z');
  assert.equal(time.formatMicroTime(1500), '1970-01-01T00:00:01.500000Z');
});

test('durations read and print as in Go', () => {
  const cases: [text: string, canonical: string | null][] = [
    ['1.5h', '1h30m0s'],
    ['90s', '1m30s'],
    ['1500us', '1.5ms'],
    ['0', '0s'],
    ['-1m', '-1m0s'],
    ['2562047h47m16.854775807s', '2562047h47m16.854775807s'],
    ['2562047h47m16.854775808s', null],
    ['100', null],
    ['1x', null],
  ];
  for (const [text, canonical] of cases) assert.equal(time.canonicalDuration(text), canonical, text);
  assert.equal(time.durationProblem('100'), 'time: missing unit in duration "100"');
  assert.equal(time.durationToMillis('1m'), 60_000);
});
