import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { put } from '../../kube/store/suite-kit.ts';
import { nodeSql } from '../../test/store/node-sqlite.ts';
import { SqliteStore } from './sqlite.ts';
import { createCluster } from './state.ts';

const COMMITS = 20;

/** So many sequential clients that come back `thinkMs` after an answer; flushes until each has made its commits, and how long that took. */
async function run(clients: number, flushMs: number, thinkMs: number): Promise<{ flushes: number; tookMs: number }> {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const pause = (ms: number) => new Promise<void>((go) => clock.env.after(ms, go));
  let flushes = 0;
  const sync = () => {
    flushes++;
    return pause(flushMs);
  };
  const store = new SqliteStore({ sql, env: clock.env, sync, schedule: () => undefined });
  const began = clock.nowMs;
  let endMs = 0;
  const client = async (c: number) => {
    // As they come in life: not at once.
    await pause(c * (flushMs / 3));
    for (let i = 0; i < COMMITS; i++) {
      await put(store, `c${c}-${i}`);
      endMs = clock.nowMs;
      await pause(thinkMs);
    }
  };
  const all = Array.from({ length: clients }, (_, c) => client(c));
  await clock.advance(1_000_000);
  await Promise.all(all);
  return { flushes, tookMs: endMs - began };
}

describe('commits while a flush takes long', () => {
  const rows = [
    ['two clients share each flush instead of taking turns', 2, 40, 5, COMMITS + 2],
    ['six clients share each flush', 6, 40, 5, COMMITS + 4],
    ['clients that think for longer than a wait may last take turns', 2, 40, 30, COMMITS * 2],
  ] as const;
  for (const [name, clients, flushMs, thinkMs, most] of rows)
    it(name, async () => {
      const { flushes } = await run(clients, flushMs, thinkMs);
      assert.ok(flushes <= most, `${flushes} flushes`);
      assert.ok(flushes >= COMMITS);
    });

  it('one client never waits', async () => {
    const { flushes, tookMs } = await run(1, 40, 5);
    assert.deepEqual({ flushes, tookMs }, { flushes: COMMITS, tookMs: COMMITS * 45 - 5 });
  });

  it('nobody waits where a flush is short', async () => {
    const { tookMs } = await run(2, 3, 2);
    // Turns: each commit waits for the other's flush at most.
    assert.ok(tookMs <= 1 + COMMITS * 6, `${tookMs} ms`);
  });
});
