import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Op, PutOp } from '../../kube/store/store.ts';
import { nodeSql } from '../../test/store/node-sqlite.ts';
import { DEFAULT_LIMITS, LIMITS_KEY, type Limits } from './limits.ts';
import { SqliteStore } from './sqlite.ts';
import { createCluster } from './state.ts';

const env = { now: () => 1_000, after: () => () => undefined };

function open(limits: Partial<Limits>, sql = nodeSql()) {
  const isNew = sql.all(`SELECT 1 FROM sqlite_master WHERE name = 'meta'`).length === 0;
  if (isNew) createCluster(sql, { base: '', uidPrefix: '', createdMs: 0 });
  const store = new SqliteStore({
    sql,
    env,
    sync: async () => undefined,
    schedule: () => undefined,
    limits: { ...DEFAULT_LIMITS, ...limits },
  });
  return { store, sql };
}
const put = (name: string, length = 100): PutOp => ({
  key: `configmaps/default/${name}`,
  expect: 0,
  value: { text: `{"metadata":{}}`.padEnd(length), version: 'v1', schema: '' },
  facts: { uid: name },
});
const change = (name: string, length: number): PutOp => ({ ...put(name, length), expect: undefined });
const remove = (name: string): Op => ({ key: `configmaps/default/${name}`, expect: undefined, value: null });

test('no object beyond the limit comes to be; what is there changes and goes, and makes room', async () => {
  const { store } = open({ objects: 2 });
  assert.ok((await store.commit([put('a')])).ok);
  assert.ok((await store.commit([put('b')])).ok);
  assert.deepEqual(await store.commit([put('c')]), {
    ok: false,
    lost: 'limit',
    limit: 'objects',
    asked: 1,
    used: 2,
    max: 2,
  });
  assert.ok((await store.commit([change('a', 200)])).ok, 'an update');
  const race = await store.commit([put('a')]);
  assert.ok(!race.ok && 'lost' in race && race.lost === 'race', 'a name that is taken is said to be');
  assert.ok((await store.commit([remove('b'), put('c')])).ok, 'one goes, one comes');
  assert.equal(store.state.usage.objects, 2);
});

test('at the limit of bytes no object comes to be, what is there grows by a tenth at most, and shrinks', async () => {
  const { store } = open({ bytes: 1_000 });
  assert.ok((await store.commit([put('a', 950)])).ok);
  const over = await store.commit([put('b', 100)]);
  assert.ok(!over.ok && 'lost' in over && over.lost === 'limit' && over.limit === 'bytes');
  assert.ok((await store.commit([change('a', 1_090)])).ok);
  assert.ok(!(await store.commit([change('a', 1_200)])).ok);
  assert.ok((await store.commit([change('a', 500)])).ok);
  assert.ok((await store.commit([put('b', 100)])).ok);
  assert.equal(store.state.usage.bytes, 600);
});

test('one commit that loses at a limit takes nothing from the others of its transaction', async () => {
  const { store } = open({ objects: 2 });
  const done = await Promise.all(['a', 'b', 'c', 'd'].map((n) => store.commit([put(n)])));
  assert.deepEqual(
    done.map((d) => d.ok),
    [true, true, false, false],
  );
});

test('a store that opens anew counts nothing and knows what it holds; one of an older release counts once', async () => {
  const { store, sql } = open({});
  await store.commit([put('a'), put('b', 300)]);
  assert.deepEqual(sql.all(`SELECT value FROM meta WHERE name = 'usage'`), [['2 400']]);
  const again = open({}, sql).store.state.usage;
  assert.deepEqual([again.objects, again.bytes], [2, 400]);
  sql.run(`DELETE FROM meta WHERE name = 'usage'`);
  const counted = open({}, sql).store.state.usage;
  assert.deepEqual([counted.objects, counted.bytes], [2, 400]);
});

test("a cluster's own limits replace the endpoint's at once, and after the store has slept", async () => {
  const { store, sql } = open({ objects: 100 });
  const row = (limits: object): Op => ({
    key: LIMITS_KEY,
    expect: undefined,
    value: { text: '{"metadata":{"name":"main"}}', version: 'coracle.dev/v1', schema: '' },
    facts: { uid: 'l', policy: JSON.stringify(limits) },
  });
  assert.ok((await store.commit([row({ objects: 1 })])).ok);
  assert.ok(!(await store.commit([put('a')])).ok);
  assert.ok(!(await open({ objects: 100 }, sql).store.commit([put('a')])).ok);
  assert.ok((await store.commit([row({ objects: 2 })])).ok);
  assert.ok((await store.commit([put('a')])).ok);
});
