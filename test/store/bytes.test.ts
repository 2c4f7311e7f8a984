import assert from 'node:assert/strict';
import { it } from 'node:test';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { only, podKey, pods, putPod, SCHEMA, won } from '../../kube/store/suite-kit.ts';
import { forget, forgettable, sweep } from '../../workers/tenant/history.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';

const MIB = 1024 * 1024;
const large = (name: string, units: number) => putPod(name, { mark: 'x'.repeat(units) });

function open(sql = nodeSql(), turn: () => Promise<void> = async () => {}) {
  const clock = new VirtualClock();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  let alarmMs: number | null = null;
  const store: SqliteStore = new SqliteStore({
    sql,
    env: clock.env,
    sync: async () => {},
    turn,
    schedule: (at) => {
      alarmMs = at;
    },
  });
  return { clock, sql, store, alarm: () => alarmMs };
}

it('a step of replaying ends by bytes, and the next one goes on where it ended', async () => {
  const { store } = open();
  for (let i = 0; i < 12; i++) await won(store, [large(`p${i}`, MIB)]);
  const seen: number[] = [];
  let after = 0;
  for (let steps = 0; after < 12; steps++) {
    const batch = store.source.replay(pods(), after, null, 500);
    assert.ok(batch.events.length <= 4, `${batch.events.length} events in one step`);
    seen.push(...batch.events.map((e) => e.revision));
    after = batch.revision;
    assert.ok(steps < 12);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
});

it('how many bodies fill a page is found by looking at a bounded number of them', async () => {
  let looks = 0;
  const octets = (x: string) => {
    looks++;
    return x.length;
  };
  const { store } = open(nodeSql(':memory:', { octet_length: octets }));
  const name = (i: number) => `p${String(i).padStart(4, '0')}`;
  for (let i = 0; i < 3_000; i += 100)
    await won(
      store,
      Array.from({ length: 100 }, (_, n) => large(name(i + n), 8 * 1024)),
    );
  looks = 0;
  let rows = 0;
  let calls = 0;
  for (let from = pods().from, next: string | undefined = from; next !== undefined; calls++) {
    const page = await store.read({ from, to: pods().to }, { join: SCHEMA });
    assert.ok(page.ok && page.items, 'pages are joined');
    rows += page.count;
    next = page.next;
    from = `${next}\0`;
  }
  assert.equal(rows, 3_000);
  assert.ok(calls < 30, `${calls} pages`);
  assert.ok(looks <= calls * 600, `${looks} bodies were looked at for ${calls} pages`);
});

it('a queue that holds too many bytes refuses, and takes more once they are written', async () => {
  const { store } = open();
  const all = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => store.commit([large(`p${i}`, MIB)])));
  const refused = all.filter((x) => x.status === 'rejected');
  assert.equal(refused.length, 9);
  for (const r of refused) assert.match(String(r.reason), /overloaded: too many writes are waiting/);
  await won(store, [large('later', MIB)]);
});

it('policy texts end at what one message takes; what makes them smaller is always taken', async () => {
  const { store } = open();
  const policy = (name: string, units: number) => putPod(name, { policy: 'p'.repeat(units) });
  for (let i = 0; i < 24; i++) await won(store, [policy(`p${i}`, MIB - 10)]);
  const over = await store.commit([policy('more', MIB)]);
  assert.ok(!over.ok && 'lost' in over && over.lost === 'limit' && over.limit === 'policyBytes');
  await won(store, [policy('p0', 10)]);
  await won(store, [policy('more', MIB - 10)]);
  assert.equal((await store.commit([policy('p1', MIB * 2)])).ok, false);
});

it('past its bytes history goes a little at a time, oldest first, and ends within them', async () => {
  const { clock, store } = open();
  const bytes = () => store.state.pastBytes;
  for (let i = 0; i < 11_000; i++) await won(store, [putPod('p', { mark: i })]);
  await clock.advance(10 * 60_000);
  const limit = bytes() - 50_000;
  let slices = 0;
  for (; forgettable(store.state, 86_400_000, limit) > store.state.compacted; slices++) {
    const before = store.state.compacted;
    forget(store.state, forgettable(store.state, 86_400_000, limit));
    assert.ok(store.state.compacted - before <= 400, 'one slice forgets a slice');
    while (sweep(store.state));
    assert.ok(slices < 50);
  }
  assert.ok(bytes() <= limit && bytes() > limit - 100_000, `${bytes()} of ${limit}`);
});

it('a slice of sweeping ends by bytes', async () => {
  const { store, sql } = open();
  for (let i = 0; i < 12; i++) await won(store, [large('p', MIB / 4)]);
  forget(store.state, 12);
  assert.equal(sweep(store.state), true);
  const left = Number(sql.all('SELECT COUNT(*) FROM history')[0]?.[0]);
  assert.ok(left >= 6 && left < 12, `${left} left`);
  while (sweep(store.state));
  assert.equal(sql.all('SELECT COUNT(*) FROM history')[0]?.[0], 1);
  assert.equal((await store.read(only(podKey('p')))).ok, true);
});

it('upkeep that meets a damaged row goes on with the others, and does not come again at once', async () => {
  const { clock, sql, store, alarm } = open();
  await won(store, [{ ...putPod('a'), ttlMs: 1_000 }]);
  await won(store, [{ ...putPod('b'), ttlMs: 1_000 }]);
  sql.run(`UPDATE history SET value = 'x' WHERE revision = 1`);
  const fresh = new SqliteStore({ sql, env: clock.env, sync: async () => {}, schedule: () => {} });
  await clock.advance(2_000);
  await fresh.alarm();
  const b = await fresh.read(only(podKey('b')));
  assert.equal(b.ok && b.count, 0);
  await assert.rejects(fresh.read(only(podKey('a'))), { code: 'corrupt' });
  assert.ok(alarm() !== null);
});

it('before the transaction of a large commit, and of no other, others have their turn', async () => {
  let turns = 0;
  const { store } = open(nodeSql(), async () => {
    turns++;
  });
  await won(store, [large('small', 1_000)]);
  assert.equal(turns, 0);
  await won(store, [large('large', MIB)]);
  assert.equal(turns, 1);
});
