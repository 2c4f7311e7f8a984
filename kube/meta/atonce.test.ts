import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atOnce } from './atonce.ts';

describe('some at once', () => {
  for (const [limit, items, most] of [
    [3, 10, 3],
    [3, 2, 2],
    [3, 0, 0],
  ] as const)
    it(`${items} items, at most ${limit}: each once, in order, never more`, async () => {
      const begun: number[] = [];
      let [now, peak] = [0, 0];
      await atOnce(limit, Array.from({ length: items }).keys(), async (i) => {
        begun.push(i);
        peak = Math.max(peak, ++now);
        for (let turns = i % 3; turns >= 0; turns--) await null;
        now--;
      });
      assert.deepEqual(begun, [...Array.from({ length: items }).keys()]);
      assert.deepEqual([now, peak], [0, most]);
    });

  it('a failure is told, what is left goes on', async () => {
    const done: number[] = [];
    const all = atOnce(2, [0, 1, 2, 3, 4], async (i) => {
      if (i === 0) throw new Error('zero');
      done.push(i);
    });
    await assert.rejects(all, /zero/);
    for (let turns = 0; turns < 10; turns++) await null;
    assert.deepEqual(done, [1, 2, 3, 4]);
  });
});
