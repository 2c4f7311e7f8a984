import assert from 'node:assert/strict';
import type { Stale } from './store.ts';
import { type Case, get, only, podKey, pods, put, putPod, remove, Tap, won } from './suite-kit.ts';

const stale = (answer: { ok: boolean }): Stale => {
  assert.ok('stale' in answer, `expected a stale answer, got ${JSON.stringify(answer)}`);
  return answer as Stale;
};
const byKey = (s: Stale) => s.changes.map((c) => `${c.key}=${c.policy}`).sort((a, b) => (a < b ? -1 : 1));

/** Assumptions, the policy revision, leases and fences. */
export const assumeCases: Case[] = [
  {
    name: 'the policy revision moves when a policy text appears, changes or goes, and at nothing else',
    async run({ store }) {
      const policy = async () => (await store.info()).policy;
      assert.equal(await policy(), 0);
      await put(store, 'plain');
      assert.equal(await policy(), 0);
      const r1 = await put(store, 'role', { policy: 'A' });
      assert.equal(await policy(), r1);
      await put(store, 'role', { policy: 'A', mark: 2 });
      assert.equal(await policy(), r1);
      const r2 = await put(store, 'role', { policy: 'B' });
      assert.equal(await policy(), r2);
      const r3 = await remove(store, 'role');
      assert.equal(await policy(), r3);
      await remove(store, 'plain');
      assert.equal(await policy(), r3);
    },
  },
  {
    name: 'a caller at the policy revision is answered, one behind is told what changed',
    async run({ store }) {
      const r1 = await put(store, 'one', { policy: 'A' });
      await put(store, 'two', { policy: 'B' });
      await put(store, 'one', { policy: 'A2' });
      const now = await remove(store, 'two');
      for (const answer of [
        await store.read(pods(), { assume: { policy: r1 } }),
        await store.commit([putPod('x')], { assume: { policy: r1 } }),
        await store.confirm({ policy: r1 }),
      ]) {
        const s = stale(answer);
        assert.deepEqual([s.policy, s.whole, s.missing], [now, false, []]);
        assert.deepEqual(byKey(s), [`${podKey('one')}=A2`, `${podKey('two')}=null`]);
      }
      assert.equal(await get(store, podKey('x')), undefined);
      assert.deepEqual(await store.confirm({ policy: now }), { ok: true, revision: now, policy: now });
      assert.equal((await store.commit([putPod('x')], { assume: { policy: now } })).ok, true);
    },
  },
  {
    name: 'a caller that knows nothing, or too little, starts anew with all of it',
    async run({ store }) {
      const r1 = await put(store, 'one', { policy: 'A' });
      await put(store, 'two', { policy: 'B', uid: 'u2' });
      const r3 = await remove(store, 'one');
      const none = stale(await store.confirm({ policy: 0 }));
      assert.deepEqual(
        [none.whole, none.policy, none.changes],
        [true, r3, [{ key: podKey('two'), policy: 'B', uid: 'u2' }]],
      );
      await put(store, 'three');
      await store.compact((await store.info()).revision);
      assert.equal(stale(await store.confirm({ policy: r1 })).whole, true);
      assert.equal(stale(await store.confirm({ policy: r3 + 100 })).whole, true);
      assert.equal((await store.confirm({ policy: r3 })).ok, true);
    },
  },
  {
    name: 'what must exist is checked, with its uid, in the same step',
    async run({ store }) {
      await put(store, 'ns', { uid: 'u1' });
      const exist = [{ key: podKey('ns'), uid: 'u1' }, { key: podKey('ns') }];
      assert.equal((await store.commit([putPod('a')], { assume: { exist } })).ok, true);
      const wrong = [...exist, { key: podKey('ns'), uid: 'u2' }, { key: podKey('none') }];
      assert.deepEqual(stale(await store.commit([putPod('b')], { assume: { exist: wrong } })).missing, [2, 3]);
      assert.deepEqual(stale(await store.read(only(podKey('a')), { assume: { exist: wrong } })).missing, [2, 3]);
      assert.equal(await get(store, podKey('b')), undefined);
      await remove(store, 'ns');
      await put(store, 'ns', { uid: 'u3' });
      assert.deepEqual(stale(await store.confirm({ exist })).missing, [0]);
    },
  },
  {
    name: 'a watch whose assumption fails does not start',
    async run({ store }) {
      const r = await put(store, 'one', { policy: 'A' });
      await put(store, 'one', { policy: 'B' });
      await assert.rejects(
        async () => new Tap(store.watch(pods(), r, { assume: { policy: r } })).step(),
        (e: unknown) => {
          assert.equal((e as Error).name, 'StaleError');
          assert.equal((e as { stale: Stale }).stale.changes[0]?.policy, 'B');
          return true;
        },
      );
    },
  },
  {
    name: "a lease is one holder's until it expires; renewing keeps the epoch, taking over raises it",
    clock: true,
    async run({ store, advance }) {
      const first = await store.grant('scheduler', 'a', 1_000);
      assert.deepEqual([first.held, first.holder, first.epoch], [true, 'a', 1]);
      const refused = await store.grant('scheduler', 'b', 1_000);
      assert.deepEqual(
        [refused.held, refused.holder, refused.epoch, refused.expiresMs],
        [false, 'a', 1, first.expiresMs],
      );
      await advance(900);
      assert.deepEqual((await store.grant('scheduler', 'a', 1_000)).epoch, 1);
      await advance(1_001);
      const taken = await store.grant('scheduler', 'b', 1_000);
      assert.deepEqual([taken.held, taken.holder, taken.epoch], [true, 'b', 2]);
      assert.equal((await store.grant('scheduler', 'a', 1_000)).held, false);
    },
  },
  {
    name: 'a lease given back is free, by its holder only, and its next holder has a higher epoch',
    async run({ store }) {
      await store.grant('l', 'a', 60_000);
      await store.release('l', 'b');
      assert.equal((await store.grant('l', 'b', 60_000)).held, false);
      await store.release('l', 'a');
      const next = await store.grant('l', 'b', 60_000);
      assert.deepEqual([next.held, next.epoch], [true, 2]);
      await store.release('none', 'b');
    },
  },
  {
    name: 'a fenced commit counts only under the lease at that epoch',
    async run({ store }) {
      const { epoch } = await store.grant('l', 'a', 60_000);
      await won(store, [putPod('a')], { fence: { lease: 'l', epoch } });
      await store.release('l', 'a');
      const lost = { ok: false, lost: 'fence' };
      assert.deepEqual(await store.commit([putPod('b')], { fence: { lease: 'l', epoch } }), lost);
      const next = await store.grant('l', 'b', 60_000);
      assert.deepEqual(await store.commit([putPod('b')], { fence: { lease: 'l', epoch } }), lost);
      assert.deepEqual(await store.commit([putPod('b')], { fence: { lease: 'none', epoch: 1 } }), lost);
      assert.equal(await get(store, podKey('b')), undefined);
      await won(store, [putPod('b')], { fence: { lease: 'l', epoch: next.epoch } });
    },
  },
  {
    name: 'a fence falls when the lease expires',
    clock: true,
    async run({ store, advance }) {
      const { epoch } = await store.grant('l', 'a', 1_000);
      await advance(1_001);
      assert.deepEqual(await store.commit([putPod('b')], { fence: { lease: 'l', epoch } }), {
        ok: false,
        lost: 'fence',
      });
    },
  },
];
