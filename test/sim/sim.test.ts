import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimClock } from './clock.ts';
import { Sim } from './sim.ts';

// Whole clusters; `npm run sim -- --seed N --steps M --nodes K` goes further. Seeds are in the tests' names: one that failed replays with them.

const STEPS = 50;

describe('whatever goes wrong on the way, a cluster keeps its rules and comes to what it should be', () => {
  for (const seed of [1, 2, 3, 4])
    it(`among faults (seed ${seed})`, async () => {
      const r = await new Sim({ seed, steps: STEPS, nodes: 3 }).run();
      assert.ok(r.revisions > 0);
    });
  for (const seed of [11, 12])
    it(`in calm, where a rollout keeps pods available (seed ${seed})`, async () => {
      const r = await new Sim({ seed, steps: STEPS, nodes: 3, calm: true }).run();
      assert.equal(r.counts.killed, 0);
    });
});

it('a seed replays exactly', async () => {
  const run = () => new Sim({ seed: 21, steps: 30, nodes: 2 }).run();
  const [a, b] = [await run(), await run()];
  assert.deepEqual(a, b);
  const other = await new Sim({ seed: 22, steps: 30, nodes: 2 }).run();
  assert.notEqual(other.hash, a.hash);
});

it('what comes due at the same time runs in the order in which it was asked for, and a jump brings all at once', async () => {
  const clock = new SimClock(1);
  const ran: string[] = [];
  for (const [ms, name] of [
    [20, 'c'],
    [10, 'a'],
    [10, 'b'],
    [90, 'd'],
  ] as const)
    clock.after(ms, () => ran.push(`${name} ${clock.nowMs - begun}`));
  const begun = clock.nowMs;
  await clock.run(30);
  clock.jump(100);
  await clock.run(0);
  assert.deepEqual(ran, ['a 10', 'b 10', 'c 20', 'd 130']);
});
