import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Revision } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import {
  deletePod,
  factsOf,
  get,
  only,
  page,
  podKey,
  pods,
  put,
  putPod,
  remove,
  SCHEMA,
  Tap,
  throwsCode,
  value,
  won,
} from '../../kube/store/suite-kit.ts';
import { REPLAY_REVISIONS, SCRUB_MS, TRAVEL_MS } from '../../kube/store/window.ts';
import { BASE_CREATED, BASE_UID, type BaseLayer } from '../../workers/tenant/base.ts';
import { cell, type Sql } from '../../workers/tenant/sql.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster, deleteCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';
import { open } from './world.ts';

const rowsOf = (sql: Sql, table: string): number => Number(cell(sql, `SELECT COUNT(*) FROM ${table}`));

async function fill(store: SqliteStore, revisions: number): Promise<void> {
  for (let i = 0; i < revisions; i += 100)
    await won(
      store,
      Array.from({ length: 100 }, (_, j) => putPod(`p${j}`, { mark: i })),
    );
}

it('compaction leaves the newest version of each row and nothing else', async () => {
  const { store, sql, clock } = open();
  await fill(store, 2_000);
  await won(
    store,
    Array.from({ length: 50 }, (_, j) => deletePod(`p${j}`)),
  );
  const done = store.compact((await store.info()).revision);
  await clock.advance(100);
  await done;
  assert.equal(rowsOf(sql, 'history'), 50);
  assert.equal(rowsOf(sql, 'current'), 50);
  assert.equal((await page(store, pods())).count, 50);
});

it('history is forgotten by age, never inside the replay window, and then the store sleeps', async () => {
  const { store, sql, clock, alarms } = open();
  await fill(store, REPLAY_REVISIONS + 500);
  assert.equal((await store.info()).compacted, 0);
  await clock.advance(TRAVEL_MS / 2);
  assert.equal((await store.info()).compacted, 0);
  await clock.advance(TRAVEL_MS);
  const { compacted, revision } = await store.info();
  assert.equal(compacted, revision - REPLAY_REVISIONS);
  assert.ok(rowsOf(sql, 'history') <= REPLAY_REVISIONS + 100);
  const set = alarms.length;
  await clock.advance(30 * TRAVEL_MS);
  assert.equal(alarms.length, set, 'a quiet store set another alarm');
});

it('bodies of a deleted Secret leave history, its deletion stays visible', async () => {
  const { store, sql, clock } = open();
  const key = 'secrets/default/s';
  const secret = { ...putPod('s', { mark: 'c2VjcmV0' }), key };
  const start = (await won(store, [secret])).revision;
  await won(store, [secret]);
  await put(store, 'p');
  await won(store, [{ key, expect: undefined, value: null }]);
  assert.ok((await get(store, key, { at: start }))?.value.includes('c2VjcmV0'));
  await clock.advance(SCRUB_MS + 1);
  assert.equal(Number(cell(sql, `SELECT COUNT(*) FROM history WHERE value LIKE '%c2VjcmV0%'`)), 0);
  const tap = new Tap(store.watch(only(key), start));
  assert.deepEqual(await tap.take(2), [`MODIFIED s@${start + 1}`, `DELETED s@${start + 3}`]);
  await tap.stop();
});

it('more rows than one alarm takes expire one alarm after the other', async () => {
  const { store, clock } = open();
  for (let i = 0; i < 10; i++) {
    await won(
      store,
      Array.from({ length: 100 }, (_, j) => ({ ...putPod(`p${i}-${j}`), ttlMs: 1_000 })),
    );
  }
  await clock.advance(1_000);
  await clock.advance(10);
  assert.equal((await page(store, pods())).count, 0);
});

it('a row that expires marks the loops that watch it', async () => {
  const woken: string[] = [];
  const { store, clock } = open({ wake: (loop, revision) => void woken.push(`${loop} ${revision}`) });
  const { revision } = await won(store, [{ ...putPod('a'), ttlMs: 1_000 }]);
  await store.register('gc', ['pods']);
  await clock.advance(1_001);
  assert.deepEqual(woken, [`gc ${revision + 1}`]);
  assert.equal(store.cleared('gc', revision), false);
});

it('request ids are forgotten while others write', async () => {
  const { store, sql, clock } = open();
  for (let i = 0; i < 600; i++) await won(store, [putPod('a')], { request: `r${i}` });
  await clock.advance(200_000);
  for (let i = 0; i < 12; i++) await put(store, 'a');
  assert.equal(rowsOf(sql, 'answers'), 0);
});

it('a repeat is known to the next life of the object, for as long as requests are remembered', async () => {
  const { store, sql, clock } = open();
  const claim = { claim: { name: 'ports', ports: { from: 1, to: 9 } }, want: '7', owner: 'pods/default/b' };
  const one = await won(store, [putPod('a', {}, 0)], { request: 'r1' });
  const two = await won(store, [putPod('b', {}, 0), claim], { request: 'r2' });
  const next = new SqliteStore({ sql, env: clock.env, sync: async () => {}, schedule: () => {} });
  assert.deepEqual(await won(next, [putPod('a', {}, 0)], { request: 'r1', repeat: true }), { ...one, repeated: true });
  assert.deepEqual(await won(next, [putPod('b', {}, 0), claim], { request: 'r2', repeat: true }), {
    ...two,
    repeated: true,
  });
  await clock.advance(120_001);
  assert.equal((await next.commit([putPod('a', {}, 0)], { request: 'r1', repeat: true })).ok, false);
  assert.ok(rowsOf(sql, 'answers') <= 2);
});

it('a transaction that fails as a whole fails everyone in it and leaves no trace', async () => {
  const inner = nodeSql();
  let broken = false;
  const sql: Sql = {
    ...inner,
    run(query, ...args) {
      if (broken && query.startsWith('INSERT INTO current')) throw new Error('disk full');
      inner.run(query, ...args);
    },
  };
  const { store } = open({ sql });
  const r = await put(store, 'a');
  broken = true;
  const all = await Promise.allSettled([put(store, 'b', { policy: 'P' }), put(store, 'c')]);
  assert.deepEqual(
    all.map((x) => x.status),
    ['rejected', 'rejected'],
  );
  broken = false;
  assert.deepEqual([(await store.info()).revision, (await store.info()).policy], [r, 0]);
  assert.equal(await put(store, 'd'), r + 1);
  assert.equal((await page(store, pods())).count, 2);
});

it('a queue that is full refuses', async () => {
  const { store } = open();
  const all = await Promise.allSettled(Array.from({ length: 3_000 }, (_, i) => put(store, `p${i}`)));
  const refused = all.filter((x) => x.status === 'rejected');
  assert.ok(refused.length > 0 && refused.length < 3_000);
  for (const x of refused) assert.equal((x.reason as { code?: string }).code, 'overloaded');
  assert.equal((await page(store, pods(), { factsOnly: true })).count, 3_000 - refused.length);
});

it('a policy write whose revision can not reach the siblings is not acknowledged, and is pushed again', async () => {
  let reach = false;
  const pushed: Revision[] = [];
  const policyMoved = async (policy: Revision) => {
    if (!reach) throw new Error('unreachable');
    pushed.push(policy);
  };
  const { store, clock } = open({ policyMoved });
  await put(store, 'plain');
  await throwsCode('unknown-outcome', () => store.commit([putPod('role', { policy: 'P' })]));
  reach = true;
  await clock.advance(2_000);
  assert.deepEqual(pushed, [2]);
  await put(store, 'plain');
  assert.deepEqual(pushed, [2]);
});

it("rows of the base layer carry the cluster's own uid and creation time", async () => {
  const text = JSON.stringify({
    metadata: { name: 'kube-system', uid: `${BASE_UID}000000000001`, creationTimestamp: BASE_CREATED },
  });
  const facts = { uid: `${BASE_UID}000000000001`, policy: `Active ${BASE_UID}000000000001` };
  const layer: BaseLayer = { hash: 'h', rows: [{ key: 'namespaces/kube-system', text, ...SCHEMA, facts }] };
  const { store, sql } = open({ layer: () => layer }, 'h');
  assert.equal(rowsOf(sql, 'history'), 0);
  const uid = 'aaaaaaaa-bbbb-4ccc-8ddd-000000000001';
  const row = await get(store, 'namespaces/kube-system');
  assert.equal(
    row?.value,
    JSON.stringify({ metadata: { name: 'kube-system', uid, creationTimestamp: '2023-11-14T22:13:20Z' } }),
  );
  assert.deepEqual(row?.facts, { uid, policy: `Active ${uid}` });
  assert.equal((await store.confirm({ policy: 1, exist: [{ key: 'namespaces/kube-system', uid }] })).ok, true);
});

it('a cluster whose base layer this release does not have is not opened on another', () => {
  assert.throws(() => open({}, 'unknown'), /corrupt/);
});

it('a deleted cluster leaves a tombstone that nothing revives', async () => {
  const { store, sql } = open();
  await put(store, 'a');
  deleteCluster(sql);
  assert.throws(() => createCluster(sql, { base: '', uidPrefix: '', createdMs: 0 }), /no-cluster/);
  assert.throws(
    () => new SqliteStore({ sql, env: new VirtualClock().env, sync: async () => {}, schedule: () => {} }),
    /no-cluster/,
  );
  assert.equal(rowsOf(sql, 'sqlite_master'), 1);
});

it('lists by an indexed field and by an unindexed one agree, and both are cut', async () => {
  const { store } = open();
  for (let i = 0; i < 40; i++) {
    const spec = { node: `n${i % 4}` };
    const facts = { ...factsOf(`p${i}`, spec), fields: { 'spec.nodeName': spec.node, 'spec.other': spec.node } };
    await won(store, [{ ...putPod(`p${i}`, spec), value: value(`p${i}`, spec), facts }]);
  }
  const by = async (field: string) =>
    page(store, pods(), { limit: 4, select: { fields: [{ field, op: '=', value: 'n1' }] }, join: SCHEMA });
  const [a, b] = [await by('spec.nodeName'), await by('spec.other')];
  assert.deepEqual(a, b);
  assert.deepEqual([a.count, a.next], [4, podKey('p21')]);
  assert.equal(await remove(store, 'p1'), 41);
});
