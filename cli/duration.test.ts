import assert from 'node:assert/strict';
import { it } from 'node:test';
import { secondsOf } from './duration.ts';

for (const [text, seconds] of [
  ['90s', 90],
  ['30m', 1_800],
  ['2h', 7_200],
  ['1h30m', 5_400],
  ['7d', 604_800],
] as const)
  it(`${text} is ${seconds} seconds`, () => assert.equal(secondsOf(text), seconds));

for (const text of ['', '2', 'h', '2 h', '-2h', '1.5h', '2w', '0s', 'none'])
  it(`${JSON.stringify(text)} is no duration`, () =>
    assert.throws(() => secondsOf(text), { name: 'CommandError', exitCode: 2 }));
