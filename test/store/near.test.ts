import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMembers } from '../../kube/store/members.ts';
import type { Assume, ReadOptions, Store } from '../../kube/store/store.ts';
import { storeSuite } from '../../kube/store/suite.ts';
import { get, only, page, podKey, pods, put, remove, SCHEMA } from '../../kube/store/suite-kit.ts';
import { comeNear, leave, nearTo } from '../../workers/tenant/near.ts';
import { RemoteStore } from '../../workers/tenant/remote.ts';
import type { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { open } from './world.ts';

// What requests of a store's own isolate are told without a call: the same as the store says, or nothing.

let names = 0;
/** A store as requests near it see it, and how often that needed a call. */
function nearby(store: SqliteStore, name = `store-${++names}`): { store: Store; name: string; calls(): number } {
  comeNear(name, store);
  const near = nearTo(name, () => undefined);
  let calls = 0;
  const called = <T>(t: T): T => {
    calls++;
    return t;
  };
  const seen = withMembers(store as Store, {
    read: async (range, o) => near.read(range, o) ?? called(store.read(range, o)),
    confirm: async (assume) => near.confirm(assume) ?? called(store.confirm(assume)),
  });
  return { store: seen, name, calls: () => calls };
}

storeSuite('SqliteStore, read from near', async () => {
  const { store, clock, sql } = open();
  return { store: nearby(store).store, advance: (ms) => clock.advance(ms), close: async () => sql.close?.() };
});

test('a row that the store remembers and a page that the reader has need no call', async () => {
  const w = open();
  const { store, calls } = nearby(w.store);
  await put(store, 'a');
  await put(store, 'b', { mark: 1 });
  assert.equal((await get(store, podKey('a')))?.revision, 1);
  assert.equal(calls(), 0);
  const { revision, next, remaining } = await page(store, pods(), { join: SCHEMA, limit: 1 });
  const known = { revision, next, remaining };
  assert.equal(calls(), 1, 'nobody has the page yet');
  assert.deepEqual(await page(store, pods(), { join: SCHEMA, limit: 1, known }), {
    ...{ ok: true, revision: 2, entries: [], count: 0, same: true, remaining: 1 },
  });
  assert.deepEqual((await page(store, pods(), { join: SCHEMA, known: { revision, next: undefined } })).rest, true);
  assert.equal(calls(), 1);
  await put(store, 'b', { mark: 2 });
  assert.equal((await get(store, podKey('b')))?.revision, 3, 'at once after its writer was answered');
  assert.equal(calls(), 1);
  await page(store, pods(), { join: SCHEMA, limit: 1, known });
  assert.equal(calls(), 2, 'something has changed');
  await remove(store, 'a');
  assert.equal(await get(store, podKey('a')), undefined);
  assert.equal(calls(), 3, 'what is not there is asked for');
});

test('what is not durable yet is asked for, and assumptions that are not known to hold', async () => {
  let flush: (() => void) | undefined;
  let isHeld = false;
  const w = open({ sync: () => (isHeld ? new Promise((r) => (flush = r)) : Promise.resolve()) });
  const near = nearTo(nearby(w.store).name, () => undefined);
  await put(w.store, 'a');
  const row = only(podKey('a'));
  const read = (o?: ReadOptions) => near.read(row, o)?.entries[0]?.revision;
  assert.equal(read(), 1);
  isHeld = true;
  const written = put(w.store, 'a', { mark: 2 });
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.deepEqual([w.store.state.revision, read()], [2, undefined]);
  assert.equal(near.confirm({}), undefined);
  flush?.();
  await written;
  assert.equal(read(), 2);
  const { policy } = w.store.state;
  const { uid } = (await get(w.store, podKey('a')))?.facts ?? { uid: '' };
  const holds: [Assume, boolean][] = [
    [{ policy }, true],
    [{ policy: policy + 1 }, false],
    [{ policy, exist: [{ key: podKey('a'), uid }] }, true],
    [{ policy, exist: [{ key: podKey('a'), uid: 'of another' }] }, false],
    [{ policy, exist: [{ key: podKey('b') }] }, false],
    [{ policy, watch: true }, false],
  ];
  for (const [assume, does] of holds) {
    assert.deepEqual([read({ assume }) !== undefined, near.confirm(assume)?.ok === true], [does, does]);
  }
  assert.equal(read({ at: 2 }), 2);
  assert.equal(read({ at: 1 }), undefined, 'the past is not remembered');
});

test('a store that has left, and one whose object lives again, is not asked any more', async () => {
  const w = open();
  const { name } = nearby(w.store);
  await put(w.store, 'a');
  const read = () => nearTo(name, () => undefined).read(only(podKey('a')))?.entries[0]?.revision;
  assert.equal(read(), 1);
  const next = w.reopen();
  comeNear(name, next);
  assert.equal(read(), undefined, 'it remembers nothing yet');
  await put(next, 'a', { mark: 2 });
  assert.equal(read(), 2);
  leave(name);
  assert.equal(read(), undefined);
});

test('what is read from near is given out after a turn where somebody else may wait for one', async () => {
  const w = open();
  const { name } = nearby(w.store);
  await put(w.store, 'a');
  let turns: (() => void)[] = [];
  let isAlone = false;
  const near = nearTo(name, () => (isAlone ? undefined : new Promise((r) => turns.push(r))));
  const called = () => assert.fail('no call is needed');
  const store = new RemoteStore(called, { ...w.clock.env, uuid: () => '', random: () => 0 }, undefined, near);
  for (const ask of [() => store.read(only(podKey('a'))), () => store.confirm({})]) {
    let ok: boolean | undefined;
    const answer = ask().then((a) => (ok = a.ok));
    for (let i = 0; i < 10; i++) await Promise.resolve();
    assert.equal(ok, undefined);
    for (const turn of turns) turn();
    await answer;
    assert.equal(ok, true);
  }
  turns = [];
  isAlone = true;
  assert.equal((await store.read(only(podKey('a')))).ok, true);
  assert.equal(turns.length, 0);
});
