import assert from 'node:assert/strict';
import { it } from 'node:test';
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
import type { SqliteOptions } from '../../workers/tenant/sqliteoptions.ts';
import { restore, standing, tables } from './restores.ts';
import { open } from './world.ts';

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
