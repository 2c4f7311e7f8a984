import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Revision } from '../../kube/store/store.ts';
import {
  get,
  names,
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
import { cell, type Sql } from '../../workers/tenant/sql.ts';
import { nodeSql } from './node-sqlite.ts';
import { finished, restore, standing, tables } from './restores.ts';
import { open } from './world.ts';

it('the middle of a restore is its end: nobody ever saw half of it', async () => {
  const w = open();
  for (const name of ['a', 'b', 'c']) await put(w.store, name, { mark: 1 });
  const then = (await w.store.info()).revision;
  for (const name of ['a', 'b', 'c']) await put(w.store, name, { mark: 2 });
  const r = await restore(w, { revision: then });
  assert.equal(r.after, r.before + 3);
  for (const at of [r.before + 1, r.before + 2, r.after]) {
    const p = await page(w.store, pods(), { at });
    assert.deepEqual([p.revision, p.entries.map((e) => e.value.includes('"mark":1'))], [r.after, [true, true, true]]);
  }
  assert.equal((await page(w.store, pods(), { at: r.before })).entries[0]?.value, value('a', { mark: 2 }).text);
  await put(w.store, 'a', { mark: 3 });
  const again = await restore(w, { revision: r.before + 1 });
  assert.equal(again.to, r.after);
  w.reopen();
  assert.equal((await page(w.store, pods(), { at: r.before + 2 })).revision, r.after);
});

it('meanwhile writes are refused, and reads are those of the beginning', async () => {
  const w = open();
  for (let i = 0; i < 100; i++) await put(w.store, `p${i}`, { mark: 1, labels: { app: 'x' } });
  const then = (await w.store.info()).revision;
  for (let i = 0; i < 100; i++) await put(w.store, `p${i}`, { mark: 2, policy: `P${i}` });
  const { revision, policy } = await w.store.info();
  const was = await standing(w);
  const begun = await w.store.restorer.restore({ revision: then }, 'operator');
  assert.equal(begun?.phase, 'rows');
  // A slice runs, none of it shows.
  await w.clock.turn();
  assert.ok(Number(cell(w.sql, 'SELECT MAX(revision) FROM history')) > revision, 'no slice has run');
  assert.equal(await w.store.restorer.restore({ revision: then }, 'another'), null);
  await throwsCode('overloaded', () => put(w.store, 'x'));
  await throwsCode('overloaded', () => w.store.related('node', 'n1'));
  assert.throws(() => w.store.changes([], then), /overloaded/);
  assert.deepEqual([(await w.store.info()).revision, (await w.store.info()).policy], [revision, policy]);
  assert.deepEqual(await standing(w), was);
  const joined = await w.store.read(pods(), { join: SCHEMA, limit: 3 });
  assert.ok(joined.ok && joined.revision === revision && joined.count === 3);
  assert.equal((await w.store.confirm({ policy, exist: [{ key: podKey('p1'), uid: 'uid-p1' }] })).ok, true);
  const r = await finished(w);
  assert.equal(r.changed, 100);
  assert.equal(await put(w.store, 'x'), r.after + 1);
});

it('what waited in the queue when a restore began is refused, not lost', async () => {
  const w = open();
  const then = await put(w.store, 'a', { mark: 1 });
  await put(w.store, 'a', { mark: 2 });
  const [begun, write] = await Promise.allSettled([
    w.store.restorer.restore({ revision: then }, ''),
    put(w.store, 'b'),
  ]);
  assert.equal(begun.status, 'fulfilled');
  assert.equal(write.status, 'rejected');
  await finished(w);
  assert.deepEqual(names(await page(w.store, pods())), ['a']);
});

it('a restore goes on after a kill in the middle of it, at whatever slice', async () => {
  for (const slices of [0, 1, 3, 6, 7, 20]) {
    const w = open();
    for (let i = 0; i < 150; i++) await put(w.store, `p${i}`, { mark: 1, node: 'n1', policy: `P${i}` });
    const then = (await w.store.info()).revision;
    const [was, facts] = [await standing(w), tables(w.sql)];
    for (let i = 0; i < 150; i += 2) await put(w.store, `p${i}`, { mark: 2, node: 'n2', policy: 'Q' });
    for (let i = 0; i < 150; i += 3) await remove(w.store, `p${i}`);
    await w.store.restorer.restore({ revision: then }, 'operator');
    for (let i = 0; i < slices; i++) await w.clock.turn();
    w.reopen();
    await w.clock.advance(2_000);
    assert.equal(w.store.restorer.last()?.phase, 'done', `killed after ${slices}`);
    assert.deepEqual(await standing(w), was);
    assert.deepEqual(tables(w.sql), facts);
    const all = w.sql.all('SELECT revision FROM history');
    assert.equal(new Set(all.map(String)).size, all.length);
  }
});

it('the alarm brings a restore to its end where nobody calls', async () => {
  const w = open();
  const then = await put(w.store, 'a', { mark: 1 });
  await put(w.store, 'a', { mark: 2 });
  // This life never gets to a slice.
  const { store } = w;
  await store.restorer.restore({ revision: then }, '');
  w.reopen();
  await w.clock.advance(1_500);
  assert.equal(w.store.restorer.last()?.phase, 'done');
});

it('watches end with 410, older revisions are 410, and reads of the past go on', async () => {
  const w = open();
  const then = await put(w.store, 'a', { mark: 1 });
  const before = await put(w.store, 'a', { mark: 2 });
  const tap = new Tap(w.store.watch(pods(), before));
  await tap.step();
  const r = await restore(w, { revision: then });
  await throwsCode('compacted', () => tap.step());
  for (const after of [then, before]) await throwsCode('compacted', () => new Tap(w.store.watch(pods(), after)).step());
  const again = new Tap(w.store.watch(pods(), r.after));
  const next = await put(w.store, 'b');
  assert.deepEqual(await again.take(1), [`ADDED b@${next}`]);
  await again.stop();
  assert.deepEqual([(await w.store.info()).compacted, (await w.store.info()).oldest], [r.after, 0]);
  assert.equal((await get(w.store, podKey('a'), { at: before }))?.value, value('a', { mark: 2 }).text);
  w.reopen();
  await throwsCode('compacted', () => new Tap(w.store.watch(pods(), before)).step());
});

it('Views hear of policies once, at the end, and siblings too', async () => {
  const pushed: Revision[] = [];
  const w = open({ policyMoved: async (policy) => void pushed.push(policy) });
  await put(w.store, 'role', { policy: 'narrow', mark: 1 });
  const then = await put(w.store, 'gone', { policy: 'old' });
  await put(w.store, 'role', { policy: 'wide', mark: 2 });
  await remove(w.store, 'gone');
  await put(w.store, 'new', { policy: 'new' });
  const { policy } = await w.store.info();
  const r = await restore(w, { revision: then });
  const stale = await w.store.confirm({ policy });
  assert.ok(!stale.ok);
  assert.deepEqual([stale.policy, stale.whole, pushed.at(-1)], [r.after, false, r.after]);
  assert.deepEqual(Object.fromEntries(stale.changes.map((c) => [c.key, c.policy])), {
    [podKey('role')]: 'narrow',
    [podKey('gone')]: 'old',
    [podKey('new')]: null,
  });
});

it('loops are marked, woken, and told to read everything anew', async () => {
  const woken: string[] = [];
  const w = open({ wake: (loop) => void woken.push(loop) });
  await w.store.register('gc', ['secrets']);
  await w.store.register('scheduler', ['pods']);
  const then = await put(w.store, 'a', { mark: 1 });
  const before = await put(w.store, 'a', { mark: 2 });
  for (const loop of ['gc', 'scheduler']) w.store.cleared(loop, before);
  woken.length = 0;
  const r = await restore(w, { revision: then });
  await w.clock.advance(100);
  assert.deepEqual(woken.sort(), ['gc', 'scheduler']);
  assert.equal(w.store.changes(['pods'], before).whole, true);
  assert.equal(w.store.cleared('gc', before), false);
  assert.equal(w.store.cleared('gc', r.after), true);
});

it('a slice that fails leaves nothing half done, and the next alarm goes on', async () => {
  const inner = nodeSql();
  let broken = false;
  let failures = 0;
  const sql: Sql = {
    ...inner,
    run(query, ...args) {
      if (broken && query.startsWith('INSERT INTO history')) throw new Error('disk full');
      inner.run(query, ...args);
    },
  };
  const { store, clock } = open({ sql, restoreFailed: () => void failures++ });
  const then = await put(store, 'a', { mark: 1 });
  const before = await put(store, 'a', { mark: 2 });
  await won(store, [{ ...putPod('c'), ttlMs: 500 }]);
  broken = true;
  await store.restorer.restore({ revision: then }, '');
  await clock.advance(10_000);
  assert.ok(failures > 5 && failures < 15, `tried ${failures} times in 10 s`);
  assert.equal(store.restorer.last()?.phase, 'rows');
  assert.equal((await store.info()).revision, before + 1);
  await throwsCode('overloaded', () => put(store, 'b'));
  broken = false;
  await clock.advance(3_000);
  assert.equal(store.restorer.last()?.phase, 'done');
  assert.equal((await get(store, podKey('a')))?.value, value('a', { mark: 1 }).text);
});

it('a slice looks at few rows, however many there are', async () => {
  const inner = nodeSql();
  let writes = 0;
  let most = 0;
  const sql: Sql = {
    ...inner,
    run(query, ...args) {
      if (query.startsWith('INSERT INTO history')) writes++;
      inner.run(query, ...args);
    },
    transaction(f) {
      writes = 0;
      const result = inner.transaction(f);
      most = Math.max(most, writes);
      return result;
    },
  };
  const w = open({ sql });
  for (let i = 0; i < 1_000; i++) await put(w.store, `p${i}`, { mark: 1 });
  const then = (await w.store.info()).revision;
  for (let i = 0; i < 1_000; i++) await put(w.store, `p${i}`, { mark: 2 });
  most = 0;
  assert.equal((await restore(w, { revision: then })).changed, 1_000);
  assert.ok(most > 0 && most <= 64, `${most} rows in one step`);
  assert.deepEqual(await get(w.store, podKey('p1'), { at: then }).then((e) => e?.value), value('p1', { mark: 1 }).text);
});
