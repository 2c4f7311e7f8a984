import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EVERYTHING } from '../../kube/store/key.ts';
import type { Revision } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import {
  deletePod,
  factsOf,
  get,
  names,
  type PodSpec,
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
import { SCRUB_MS } from '../../kube/store/window.ts';
import type { BaseLayer } from '../../workers/tenant/base.ts';
import type { Restore } from '../../workers/tenant/restores.ts';
import { cell, type Sql } from '../../workers/tenant/sql.ts';
import { type SqliteOptions, SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import type { RestoreTarget } from '../../workers/tenant/travel.ts';
import { nodeSql } from './node-sqlite.ts';

interface World {
  clock: VirtualClock;
  sql: Sql;
  store: SqliteStore;
  /** Ends the store's life and begins another on the same tables. */
  reopen(): SqliteStore;
}

function open(o: Partial<SqliteOptions> = {}, base = ''): World {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, { base, uidPrefix: 'aaaaaaaa-bbbb-4ccc-8ddd-', createdMs: clock.nowMs });
  let life = 0;
  const make = (): SqliteStore => {
    const mine = ++life;
    // What an ended life had set is nobody's any more; the alarm is the object's.
    const env: typeof clock.env = {
      now: clock.env.now,
      after: (ms, f) => clock.env.after(ms, () => mine === life && f()),
    };
    return new SqliteStore({
      sql,
      env,
      sync: async () => {},
      schedule: (at) => void clock.env.after(at - clock.nowMs, () => void w.store.alarm()),
      ...o,
    });
  };
  const w: World = { clock, sql, store: make(), reopen: () => (w.store = make()) };
  return w;
}

/** Restores and sees to its end. */
async function restore(w: World, target: RestoreTarget): Promise<Restore> {
  const begun = await w.store.restorer.restore(target, 'operator');
  assert.ok(begun, 'a restore was under way');
  return finished(w);
}
async function finished(w: World): Promise<Restore> {
  await w.clock.advance(10);
  const r = w.store.restorer.last();
  assert.equal(r?.phase, 'done');
  return r as Restore;
}

/** What stands, without revisions: bodies and facts by key. */
async function standing(w: World, at?: Revision): Promise<Record<string, unknown>> {
  const p = await page(w.store, EVERYTHING, at === undefined ? {} : { at });
  return Object.fromEntries(p.entries.map((e) => [e.key, [e.value, e.facts]]));
}
const tables = (sql: Sql) =>
  [
    'SELECT term, key FROM facts ORDER BY term, key',
    'SELECT pool, idx, value, owner FROM claims ORDER BY pool, idx',
    "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'usage'",
    'SELECT key, policy, uid FROM policy WHERE policy IS NOT NULL ORDER BY key',
  ].map((query) => sql.all(query));

it('what changed, came and went since a revision is as it was, at new revisions', async () => {
  const w = open();
  await put(w.store, 'same', { labels: { app: 'x' } });
  await put(w.store, 'changed', { labels: { app: 'x' }, node: 'n1', mark: 1 });
  const then = await put(w.store, 'gone', { owners: ['o1'] });
  const [was, facts] = [await standing(w), tables(w.sql)];
  await put(w.store, 'changed', { labels: { app: 'y' }, node: 'n2', mark: 2 });
  await remove(w.store, 'gone');
  await put(w.store, 'new', { owners: ['o1'] });
  const brief = await put(w.store, 'brief');
  const before = await remove(w.store, 'brief');
  assert.equal(before, brief + 1);
  const r = await restore(w, { revision: then });
  assert.deepEqual([r.to, r.before, r.after, r.changed, r.lostCount], [then, before, before + 3, 3, 0]);
  assert.deepEqual(await standing(w), was);
  assert.deepEqual(tables(w.sql), facts);
  assert.ok(facts[2]?.length === 1, 'no usage is kept');
  assert.equal((await get(w.store, podKey('same')))?.revision, 1);
  for (const name of ['changed', 'gone']) assert.ok(((await get(w.store, podKey(name)))?.revision ?? 0) > before, name);
  assert.equal(await put(w.store, 'next'), r.after + 1);
  const versions = await w.store.versions(podKey('gone'));
  assert.ok(versions.ok);
  assert.deepEqual(
    versions.versions.map((v) => [v.by, v.entry === null]),
    [
      ['operator', false],
      [undefined, true],
      [undefined, false],
    ],
  );
});

it('a restore is undone by a restore to the revision before it', async () => {
  const w = open();
  for (const name of ['a', 'b', 'c']) await put(w.store, name, { mark: 1, policy: `P${name}` });
  const then = (await w.store.info()).revision;
  await put(w.store, 'a', { mark: 2, labels: { x: 'y' } });
  await remove(w.store, 'b');
  await put(w.store, 'd', { policy: 'Pd' });
  const [was, facts] = [await standing(w), tables(w.sql)];
  const first = await restore(w, { revision: then });
  assert.deepEqual(names(await page(w.store, pods())), ['a', 'b', 'c']);
  const second = await restore(w, { revision: first.before });
  assert.equal(second.before, first.after);
  assert.deepEqual(await standing(w), was);
  assert.deepEqual(tables(w.sql), facts);
});

it('a time is the newest revision of that time, and no time is in the middle of a restore', async () => {
  const w = open();
  await put(w.store, 'a', { mark: 1 });
  await w.clock.advance(1_000);
  const early = w.clock.nowMs;
  await w.clock.advance(1_000);
  await put(w.store, 'a', { mark: 2 });
  await put(w.store, 'b');
  await w.clock.advance(1_000);
  const r = await restore(w, { timeMs: early });
  assert.equal(r.to, 1);
  assert.deepEqual(names(await page(w.store, pods())), ['a']);
  assert.equal((await restore(w, { timeMs: r.atMs })).to, r.after);
  assert.equal((await restore(w, { timeMs: r.atMs - 1 })).to, r.before);
});

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

it('what is not in the window is refused, and nothing has begun', async () => {
  const w = open();
  await put(w.store, 'a', { mark: 1 });
  const at = await put(w.store, 'a', { mark: 2 });
  await w.store.compact(at);
  await throwsCode('compacted', () => w.store.restorer.restore({ revision: at - 1 }, ''));
  await throwsCode('future', () => w.store.restorer.restore({ revision: at + 1 }, ''));
  await throwsCode('compacted', () => w.store.restorer.restore({ timeMs: w.clock.nowMs - 1 }, ''));
  await throwsCode('future', () => w.store.restorer.restore({ timeMs: w.clock.nowMs + 1 }, ''));
  assert.equal(w.store.restorer.last(), null);
  assert.equal(await put(w.store, 'a', { mark: 3 }), at + 1);
});

it('a restore that finds nothing to do moves no revision and ends no watch', async () => {
  const w = open();
  const then = await put(w.store, 'a', { mark: 1 });
  await put(w.store, 'a', { mark: 2 });
  const before = await put(w.store, 'a', { mark: 1 });
  const tap = new Tap(w.store.watch(pods(), before));
  await tap.step();
  const r = await restore(w, { revision: then });
  assert.deepEqual([r.before, r.after, r.changed], [before, before, 0]);
  const next = await put(w.store, 'b');
  assert.deepEqual(await tap.take(1), [`ADDED b@${next}`]);
  await tap.stop();
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
  // Some slices have run, none of it shows.
  for (let i = 0; i < 100; i++) await Promise.resolve();
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
    for (let i = 0; i < slices; i++) await w.clock.advance(0);
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

it('keys, tokens, nodes and leases stay as they are', async () => {
  const w = open();
  const kept = ['clusterkeys.coracle.dev/main', 'statictokens.coracle.dev/t', 'nodes/n1', 'csinodes.storage.k8s.io/n1'];
  const write = (key: string, mark: number) =>
    won(w.store, [{ key, expect: undefined, value: value('x', { mark }), facts: { uid: 'u', policy: String(mark) } }]);
  for (const key of kept) await write(key, 1);
  const then = await put(w.store, 'a', { mark: 1 });
  for (const key of kept) await write(key, 2);
  await write('nodes/joined', 1);
  await won(w.store, [{ key: kept[1] ?? '', expect: undefined, value: null }]);
  const lease = await w.store.grant('loop/x', 'me', 60_000);
  await put(w.store, 'a', { mark: 2 });
  const r = await restore(w, { revision: then });
  assert.equal(r.changed, 1);
  assert.deepEqual(Object.keys(await standing(w)).sort(), [
    'clusterkeys.coracle.dev/main',
    'csinodes.storage.k8s.io/n1',
    'nodes/joined',
    'nodes/n1',
    podKey('a'),
  ]);
  assert.equal((await get(w.store, 'nodes/n1'))?.value, value('x', { mark: 2 }).text);
  const fence = { lease: 'loop/x', epoch: lease.epoch };
  assert.equal((await w.store.commit([putPod('b')], { fence })).ok, true);
});

it('a Secret whose body has left history is told as lost; one that a restore deletes keeps its body for the undoing', async () => {
  const w = open();
  const secret = (name: string) => ({ ...putPod(name, { mark: 'c2VjcmV0' }), key: `secrets/default/${name}` });
  const then = (await won(w.store, [secret('old'), secret('late')])).revision;
  await won(w.store, [{ key: 'secrets/default/old', expect: undefined, value: null }]);
  await w.clock.advance(SCRUB_MS + 1);
  await won(w.store, [{ key: 'secrets/default/late', expect: undefined, value: null }, secret('new')]);
  const first = await restore(w, { revision: then });
  assert.deepEqual([first.lost, first.lostCount, first.changed], [['secrets/default/old'], 1, 2]);
  assert.deepEqual(Object.keys(await standing(w)), ['secrets/default/late']);
  await w.clock.advance(2 * SCRUB_MS);
  assert.ok((await get(w.store, 'secrets/default/late'))?.value.includes('c2VjcmV0'));
  await restore(w, { revision: first.before });
  assert.ok((await get(w.store, 'secrets/default/new'))?.value.includes('c2VjcmV0'));
  assert.equal(await get(w.store, 'secrets/default/late'), undefined);
});

it('claims follow the restored rows, whoever has them now', async () => {
  const pool = { name: 'ports', ports: { from: 1, to: 9 } };
  const claims: NonNullable<SqliteOptions['restoring']>['claims'] = (row) => {
    const want = /"mark":"(\d)"/.exec(row.value)?.[1];
    return want === undefined ? [] : [{ claim: pool, want, owner: row.key }];
  };
  const w = open({ restoring: { mayClaim: () => true, claims, ttlMs: () => undefined } });
  const service = (name: string, port: string) => [
    putPod(name, { mark: port }),
    { claim: pool, want: port, owner: podKey(name) },
  ];
  await won(w.store, service('a', '1'));
  const then = (await won(w.store, service('b', '2'))).revision;
  const facts = tables(w.sql);
  // a and b change their ports, c takes a's.
  await won(w.store, [deletePod('a'), deletePod('b')]);
  await won(w.store, service('c', '1'));
  await won(w.store, service('b', '3'));
  await restore(w, { revision: then });
  assert.deepEqual(tables(w.sql), facts);
  assert.deepEqual(await w.store.commit(service('d', '2')), { ok: false, lost: 'claim', op: 1, exhausted: false });
  assert.equal((await w.store.commit(service('d', '3'))).ok, true);
});

it('rows with a time to live begin it anew, and those that have none any more live', async () => {
  const ttlMs = (row: { value: string }) => (row.value.includes('"mark":"short"') ? 5_000 : undefined);
  const w = open({ restoring: { mayClaim: () => false, claims: () => [], ttlMs } });
  const short = { ...putPod('a', { mark: 'short' }), ttlMs: 5_000 };
  await won(w.store, [short]);
  const then = await put(w.store, 'b', { mark: 'long' });
  await won(w.store, [{ ...putPod('b', { mark: 'short' }), ttlMs: 60_000 }]);
  await w.clock.advance(5_001);
  assert.deepEqual(names(await page(w.store, pods())), ['b']);
  await restore(w, { revision: then });
  await w.clock.advance(4_000);
  assert.deepEqual(names(await page(w.store, pods())), ['a', 'b']);
  await w.clock.advance(90_000);
  assert.deepEqual(names(await page(w.store, pods())), ['b']);
});

it('the generation of an object goes on from the last one, its uid stays', async () => {
  const w = open();
  const write = async (generation: number, uid = 'u1') => {
    const text = JSON.stringify({
      metadata: { name: 'a', uid, generation },
      status: { observedGeneration: generation },
    });
    return (
      await won(w.store, [{ key: podKey('a'), expect: undefined, value: { ...value('a'), text }, facts: { uid } }])
    ).revision;
  };
  const generation = async () =>
    (JSON.parse((await get(w.store, podKey('a')))?.value ?? '{}') as { metadata?: { generation: number; uid: string } })
      .metadata;
  const then = await write(2);
  await write(3);
  await write(5);
  await restore(w, { revision: then });
  assert.deepEqual(await generation(), { name: 'a', uid: 'u1', generation: 6 });
  assert.match((await get(w.store, podKey('a')))?.value ?? '', /"observedGeneration":2/);
  await remove(w.store, 'a');
  await restore(w, { revision: then });
  assert.equal((await generation())?.generation, 7);
  await remove(w.store, 'a');
  await write(9, 'u2');
  await restore(w, { revision: then });
  assert.deepEqual(await generation(), { name: 'a', uid: 'u1', generation: 2 });
});

it('rows of the base layer come back as they were', async () => {
  const spec: PodSpec = { policy: 'P', labels: { app: 'x' } };
  const rows = ['a', 'b', 'c'].map((n) => ({
    key: podKey(n),
    text: value(n, spec).text,
    ...SCHEMA,
    facts: factsOf(n, spec),
  }));
  const layer: BaseLayer = { hash: 'h', rows };
  const w = open({ layer: () => layer }, 'h');
  const was = await standing(w);
  const then = (await w.store.info()).revision;
  await put(w.store, 'a', { policy: 'Q' });
  await remove(w.store, 'b');
  await throwsCode('compacted', () => w.store.restorer.restore({ revision: then - 1 }, ''));
  const r = await restore(w, { revision: then });
  assert.equal(r.changed, 2);
  assert.deepEqual(await standing(w), was);
  const confirmed = await w.store.confirm({ policy: 0 });
  assert.ok(!confirmed.ok && confirmed.changes.every((c) => c.policy === 'P') && confirmed.changes.length === 3);
  const page1 = await page(w.store, pods(), { select: { labels: [{ key: 'app', op: 'In', values: ['x'] }] } });
  assert.deepEqual(names(page1), ['a', 'b', 'c']);
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
  const clock = new VirtualClock();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const store: SqliteStore = new SqliteStore({
    sql,
    env: clock.env,
    sync: async () => {},
    schedule: (at) => void clock.env.after(at - clock.nowMs, () => void store.alarm()),
    restoreFailed: () => void failures++,
  });
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
  const w = { clock: new VirtualClock(), sql } as World;
  createCluster(sql, { base: '', uidPrefix: '', createdMs: w.clock.nowMs });
  w.store = new SqliteStore({ sql, env: w.clock.env, sync: async () => {}, schedule: () => {} });
  for (let i = 0; i < 1_000; i++) await put(w.store, `p${i}`, { mark: 1 });
  const then = (await w.store.info()).revision;
  for (let i = 0; i < 1_000; i++) await put(w.store, `p${i}`, { mark: 2 });
  most = 0;
  assert.equal((await restore(w, { revision: then })).changed, 1_000);
  assert.ok(most > 0 && most <= 64, `${most} rows in one step`);
  assert.deepEqual(await get(w.store, podKey('p1'), { at: then }).then((e) => e?.value), value('p1', { mark: 1 }).text);
});
