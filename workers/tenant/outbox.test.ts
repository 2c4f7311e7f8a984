import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { podKey, putPod, won } from '../../kube/store/suite-kit.ts';
import { nodeSql } from '../../test/store/node-sqlite.ts';
import { SqliteStore } from './sqlite.ts';
import { createCluster } from './state.ts';

/** A store whose loops are only written down: `loop attempt`. The alarm is the last that was asked for, as the platform has one. */
function world() {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const woken: string[] = [];
  const alarm = { atMs: Number.POSITIVE_INFINITY, fired: 0 };
  const open = () =>
    new SqliteStore({
      sql,
      env: clock.env,
      sync: async () => {},
      schedule: (at) => {
        alarm.atMs = at;
      },
      wake: (loop, _revision, attempt) => void woken.push(`${loop} ${attempt}`),
    });
  let store = open();
  return {
    woken,
    alarm,
    store: () => store,
    restart() {
      store = open();
    },
    async advance(ms: number) {
      const end = clock.nowMs + ms;
      while (alarm.atMs <= end) {
        clock.nowMs = Math.max(clock.nowMs, alarm.atMs);
        alarm.atMs = Number.POSITIVE_INFINITY;
        alarm.fired++;
        await store.alarm();
      }
      clock.nowMs = end;
    },
  };
}

describe('a loop that has something to do', () => {
  it('is woken for the names that it wants, and gets their changes alone', async () => {
    const w = world();
    await w.store().register('a', ['pods/*/x', 'nodes']);
    await won(w.store(), [putPod('y')]);
    assert.deepEqual(w.woken, []);
    w.restart();
    const { revision } = await won(w.store(), [putPod('x')]);
    assert.deepEqual(w.woken, ['a 0']);
    assert.deepEqual(
      w
        .store()
        .changes(['pods/*/x', 'nodes'], 0)
        .rows.map((r) => [r.key, r.revision]),
      [[podKey('x'), revision]],
    );
  });

  it('is woken at once, then each 5 s with the next number until it has cleared its mark', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    const { revision } = await won(w.store(), [putPod('x')]);
    assert.deepEqual(w.woken, ['a 0']);
    await w.advance(4_999);
    assert.equal(w.woken.length, 1);
    await w.advance(1);
    await w.advance(5_000);
    assert.deepEqual(w.woken, ['a 0', 'a 1', 'a 2']);
    assert.equal(w.store().cleared('a', revision - 1), false);
    assert.equal(w.store().cleared('a', revision), true);
    await w.advance(60_000);
    assert.equal(w.woken.length, 3);
  });

  it('that clears its mark in time costs no alarm', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    for (let i = 0; i < 3; i++) {
      const { revision } = await won(w.store(), [putPod(`x${i}`)]);
      assert.equal(w.store().cleared('a', revision), true);
      await w.advance(60_000);
    }
    assert.deepEqual([w.woken, w.alarm.fired], [['a 0', 'a 0', 'a 0'], 0]);
  });

  it('has 5 s of its own, whenever another was marked', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    await w.store().register('b', ['nodes']);
    await won(w.store(), [putPod('x')]);
    await w.advance(4_000);
    await won(w.store(), [{ ...putPod('n'), key: 'nodes/n' }]);
    await w.advance(1_000);
    assert.deepEqual(w.woken, ['a 0', 'b 0', 'a 1']);
    await w.advance(4_000);
    assert.deepEqual(w.woken.at(-1), 'b 1');
  });

  it('is woken by a store that was started again, its first replica first', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    await won(w.store(), [putPod('x')]);
    await w.advance(5_000);
    w.restart();
    await w.advance(10_000);
    assert.deepEqual(w.woken, ['a 0', 'a 1', 'a 0', 'a 1']);
  });
});
