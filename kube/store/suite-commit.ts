import assert from 'node:assert/strict';
import { MAX_OPS, MAX_VALUE_BYTES, REQUEST_MEMORY_MS } from './store.ts';
import {
  type Case,
  deletePod,
  factsOf,
  get,
  names,
  page,
  podKey,
  pods,
  put,
  putPod,
  remove,
  throwsCode,
  value,
  won,
} from './suite-kit.ts';

const PORTS = { name: 'nodeports', ports: { from: 30000, to: 30002 } };
const IPS = { name: 'ips', cidr: '10.96.0.0/29' };

/** Writes: races, revisions, claims, counters, fences, repeats. */
export const commitCases: Case[] = [
  {
    name: 'a create of what exists is lost and shows what was found',
    async run({ store }) {
      await put(store, 'a', { mark: 1 });
      const commit = await store.commit([putPod('a', { mark: 2 }, 0)]);
      assert.ok(!commit.ok && 'lost' in commit && commit.lost === 'race');
      assert.equal(commit.found[0]?.value, value('a', { mark: 1 }).text);
      assert.equal((await get(store, podKey('a')))?.value, value('a', { mark: 1 }).text);
    },
  },
  {
    name: 'an update or delete at another revision is lost, at the right one it wins',
    async run({ store }) {
      const r1 = await put(store, 'a');
      const r2 = await put(store, 'a', { mark: 2 });
      for (const op of [putPod('a', {}, r1), deletePod('a', 'default', r1), putPod('a', {}, r2 + 7)]) {
        const commit = await store.commit([op]);
        assert.ok(!commit.ok && 'lost' in commit && commit.lost === 'race');
        assert.equal(commit.found[0]?.revision, r2);
      }
      const r3 = (await won(store, [putPod('a', { mark: 3 }, r2)])).revision;
      await won(store, [deletePod('a', 'default', r3)]);
      assert.equal(await get(store, podKey('a')), undefined);
    },
  },
  {
    name: 'an op with a condition is written where it holds, else nothing happens and nobody fails',
    async run({ store }) {
      await put(store, 'owner', {});
      await put(store, 'child', { owners: ['o1'] });
      const when = async (w: { owned: string } | { absent: { key: string; uid: string }[] }) => {
        const done = await won(store, [
          putPod('x', {}),
          { ...putPod('y', {}), expect: undefined, when: w },
          deletePod('x'),
        ]);
        const written = (await get(store, podKey('y'))) !== undefined;
        assert.equal((done.revisions[1] ?? 0) > 0, written);
        await store.commit([deletePod('y')]);
        return written;
      };
      const uid = (await get(store, podKey('owner')))?.facts.uid ?? '';
      assert.equal(await when({ owned: 'o1' }), true);
      assert.equal(await when({ owned: 'o2' }), false);
      assert.equal(await when({ absent: [{ key: podKey('owner'), uid }] }), false);
      assert.equal(await when({ absent: [{ key: podKey('owner'), uid: 'other' }] }), true);
      assert.equal(await when({ absent: [{ key: podKey('nobody'), uid }] }), true);
      // What the same commit writes counts.
      const born = await won(store, [putPod('z', { owners: ['o9'] }), { ...putPod('y', {}), when: { owned: 'o9' } }]);
      assert.ok((born.revisions[1] ?? 0) > 0);
    },
  },
  {
    name: 'an update of what is gone finds nothing',
    async run({ store }) {
      const r1 = await put(store, 'a');
      await remove(store, 'a');
      assert.deepEqual(await store.commit([putPod('a', {}, r1)]), { ok: false, lost: 'race', found: [null] });
    },
  },
  {
    name: 'an unconditional delete of nothing changes nothing',
    async run({ store }) {
      const before = (await store.info()).revision;
      assert.deepEqual((await won(store, [deletePod('a')])).revisions, [0]);
      assert.equal((await store.info()).revision, before);
    },
  },
  {
    name: 'each changed key takes one revision, in order, and the commit tells them all',
    async run({ store }) {
      const before = (await store.info()).revision;
      const commit = await won(store, [
        putPod('b'),
        putPod('a'),
        deletePod('none'),
        { charge: 'pods', by: 1 },
        putPod('c'),
      ]);
      assert.deepEqual(commit.revisions, [before + 1, before + 2, 0, 0, before + 3]);
      assert.equal(commit.revision, before + 3);
      assert.deepEqual(
        (await page(store, pods())).entries.map((e) => e.revision),
        [before + 2, before + 1, before + 3],
      );
      assert.equal((await store.info()).revision, before + 3);
    },
  },
  {
    name: 'a recreated row has a new creation revision',
    async run({ store }) {
      const first = await put(store, 'a');
      await remove(store, 'a');
      const second = await put(store, 'a');
      assert.ok(second > first + 1);
      assert.equal((await get(store, podKey('a')))?.created, second);
    },
  },
  {
    name: 'all or none: one lost op leaves every other undone',
    async run({ store }) {
      await put(store, 'a', { mark: 1 });
      const before = (await store.info()).revision;
      const commit = await store.commit([putPod('b'), { charge: 'pods', by: 1 }, deletePod('a'), putPod('a', {}, 0)]);
      assert.equal(commit.ok, false);
      assert.deepEqual(names(await page(store, pods())), ['a']);
      assert.equal((await store.info()).revision, before);
      assert.equal((await store.commit([{ charge: 'pods', by: 1, limit: 1 }])).ok, true);
    },
  },
  {
    name: 'a lost commit tells what was found for each op that names a key',
    async run({ store }) {
      await put(store, 'a');
      const commit = await store.commit([putPod('b', {}, 0), { charge: 'pods', by: 1 }, putPod('a', {}, 0)]);
      assert.ok(!commit.ok && 'lost' in commit && commit.lost === 'race');
      assert.deepEqual(
        commit.found.map((f) => (f ? f.key : f)),
        [null, undefined, podKey('a')],
      );
    },
  },
  {
    name: 'of many writers at one revision exactly one wins',
    async run({ store }) {
      const r = await put(store, 'a');
      const all = await Promise.all(Array.from({ length: 20 }, (_, mark) => store.commit([putPod('a', { mark }, r)])));
      assert.equal(all.filter((c) => c.ok).length, 1);
      const winner = all.findIndex((c) => c.ok);
      assert.equal((await get(store, podKey('a')))?.value, value('a', { mark: winner }).text);
    },
  },
  {
    name: 'commits made at once take distinct revisions without a hole',
    async run({ store }) {
      const before = (await store.info()).revision;
      const all = await Promise.all(Array.from({ length: 50 }, (_, i) => won(store, [putPod(`p${i}`, {}, 0)])));
      const revisions = all.map((c) => c.revision).sort((a, b) => a - b);
      assert.deepEqual(
        revisions,
        Array.from({ length: 50 }, (_, i) => before + 1 + i),
      );
    },
  },
  {
    name: 'a body of 1.5 MiB is stored and one byte more is refused',
    async run({ store }) {
      const head = '{"metadata":{"name":"a"},"d":"';
      const text = (bytes: number) => `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
      const op = (bytes: number) => ({ ...putPod('a'), value: { ...value('a'), text: text(bytes) } });
      await won(store, [op(MAX_VALUE_BYTES)]);
      assert.equal((await get(store, podKey('a')))?.value.length, MAX_VALUE_BYTES);
      await throwsCode('too-large', () => store.commit([op(MAX_VALUE_BYTES + 1)]));
      // Counted in UTF-8.
      const wide = { ...value('a'), text: `${head}${'ü'.repeat(MAX_VALUE_BYTES / 2)}"}` };
      await throwsCode('too-large', () => store.commit([{ ...putPod('a'), value: wide }]));
    },
  },
  {
    name: 'a commit of too many ops is refused',
    async run({ store }) {
      const ops = Array.from({ length: MAX_OPS + 1 }, (_, i) => putPod(`p${i}`));
      await throwsCode('too-large', () => store.commit(ops));
      await won(store, ops.slice(1));
      assert.equal((await page(store, pods(), { factsOnly: true })).count, MAX_OPS);
    },
  },
  {
    name: 'a claim takes a free value until none is left, and puts it into bodies and fields of the commit',
    async run({ store }) {
      const taken = new Set<string>();
      for (const name of ['a', 'b', 'c']) {
        const op = putPod(name, { mark: '@ip@' });
        const facts = { ...factsOf(name), fields: { 'spec.clusterIP': '@ip@' } };
        const commit = await won(store, [
          { ...op, facts },
          { claim: PORTS, owner: op.key, token: '@ip@' },
        ]);
        const got = commit.claimed?.[1] ?? '';
        assert.match(got, /^3000[012]$/);
        taken.add(got);
        const entry = await get(store, op.key);
        assert.equal(entry?.value, value(name, { mark: got }).text);
        assert.equal(entry?.facts.fields?.['spec.clusterIP'], got);
      }
      assert.equal(taken.size, 3);
      const full = await store.commit([putPod('d'), { claim: PORTS, owner: podKey('d') }]);
      assert.deepEqual(full, { ok: false, lost: 'claim', op: 1, exhausted: true });
      assert.equal(await get(store, podKey('d')), undefined);
    },
  },
  {
    name: "a claim of one value is lost while another holds it, and is the holder's to repeat",
    async run({ store }) {
      const want = '30001';
      await won(store, [putPod('a'), { claim: PORTS, want, owner: podKey('a') }]);
      const lost = await store.commit([putPod('b'), { claim: PORTS, want, owner: podKey('b') }]);
      assert.deepEqual(lost, { ok: false, lost: 'claim', op: 1, exhausted: false });
      assert.equal((await won(store, [{ claim: PORTS, want, owner: podKey('a') }])).claimed?.[0], want);
      const outside = await store.commit([{ claim: PORTS, want: '29999', owner: podKey('b') }]);
      assert.deepEqual(outside, { ok: false, lost: 'claim', op: 0, exhausted: false });
    },
  },
  {
    name: 'deleting the owner gives its claims back',
    async run({ store }) {
      const want = '30001';
      await won(store, [putPod('a'), { claim: PORTS, want, owner: podKey('a') }]);
      await remove(store, 'a');
      await won(store, [putPod('b'), { claim: PORTS, want, owner: podKey('b') }]);
    },
  },
  {
    name: 'a claim can be given back while its owner lives, by its owner only',
    async run({ store }) {
      const want = '30001';
      await won(store, [putPod('a'), { claim: PORTS, want, owner: podKey('a') }]);
      await won(store, [{ unclaim: PORTS.name, value: want, owner: podKey('b') }]);
      assert.equal((await store.commit([{ claim: PORTS, want, owner: podKey('b') }])).ok, false);
      await won(store, [{ unclaim: PORTS.name, value: want, owner: podKey('a') }]);
      await won(store, [{ claim: PORTS, want, owner: podKey('b') }]);
    },
  },
  {
    name: 'a lost commit claims nothing',
    async run({ store }) {
      await put(store, 'a');
      await store.commit([{ claim: PORTS, want: '30000', owner: podKey('b') }, putPod('a', {}, 0)]);
      await store.commit([
        { claim: PORTS, want: '30000', owner: podKey('b') },
        { charge: 'x', by: 2, limit: 1 },
      ]);
      await won(store, [{ claim: PORTS, want: '30000', owner: podKey('c') }]);
    },
  },
  {
    name: "addresses leave out the network's own and broadcast; two claims of one commit differ",
    async run({ store }) {
      const claims = Array.from({ length: 6 }, () => ({ claim: IPS, owner: podKey('a') }));
      const got = (await won(store, [putPod('a'), ...claims])).claimed?.slice(1) ?? [];
      assert.deepEqual(
        [...got].sort(),
        [1, 2, 3, 4, 5, 6].map((n) => `10.96.0.${n}`),
      );
      assert.equal((await store.commit([{ claim: IPS, want: '10.96.0.7', owner: podKey('a') }])).ok, false);
    },
  },
  {
    name: 'IPv6 addresses are written as Go writes them, and blocks are cut from a range',
    async run({ store }) {
      const v6 = { name: 'v6', cidr: 'fd00:10:96::/126' };
      const got = (await won(store, [{ claim: v6, owner: 'x/y' }])).claimed?.[0];
      assert.match(got ?? '', /^fd00:10:96::[123]$/);
      assert.equal((await won(store, [{ claim: v6, want: 'fd00:10:96::3', owner: 'x/y' }])).ok, true);
      const blocks = { name: 'podcidrs', cidr: '10.244.0.0/22', block: 24 };
      const cut = [];
      for (const n of [1, 2, 3, 4])
        cut.push((await won(store, [{ claim: blocks, owner: `nodes/n${n}` }])).claimed?.[0]);
      assert.deepEqual(cut.sort(), ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']);
      assert.equal((await store.commit([{ claim: blocks, owner: 'nodes/n5' }])).ok, false);
    },
  },
  {
    name: 'values of the lower band are taken last, as upstream keeps them for who asks by name',
    async run({ store }) {
      const pool = { name: 'band', cidr: '10.1.0.0/24' };
      const first = (await won(store, [{ claim: pool, owner: 'x/y' }])).claimed?.[0] ?? '';
      assert.ok(Number(first.split('.')[3]) > 16, first);
      assert.equal((await won(store, [{ claim: pool, want: '10.1.0.1', owner: 'x/y' }])).claimed?.[0], '10.1.0.1');
    },
  },
  {
    name: 'a counter never passes its limit and tells what is used',
    async run({ store }) {
      await won(store, [{ charge: 'ns/pods', by: 2, limit: 3 }]);
      assert.deepEqual(await store.commit([putPod('a'), { charge: 'ns/pods', by: 2, limit: 3 }]), {
        ok: false,
        lost: 'charge',
        op: 1,
        used: 2,
      });
      await won(store, [{ charge: 'ns/pods', by: 1, limit: 3 }]);
      await won(store, [{ charge: 'ns/pods', by: -1, limit: 0 }]);
      await won(store, [{ charge: 'ns/pods', by: 1, limit: 3 }]);
      assert.equal((await store.commit([{ charge: 'ns/pods', by: 1, limit: 3 }])).ok, false);
    },
  },
  {
    name: 'a repeated request is answered as the first was, once',
    async run({ store }) {
      const ops = [putPod('a', {}, 0), { claim: PORTS, owner: podKey('a') }, { charge: 'x', by: 1 }];
      const first = await won(store, ops, { request: 'r1' });
      assert.equal(first.repeated, undefined);
      await put(store, 'a', { mark: 'later' });
      const second = await won(store, ops, { request: 'r1' });
      assert.deepEqual(second, { ...first, repeated: true });
      assert.equal((await get(store, podKey('a')))?.value, value('a', { mark: 'later' }).text);
      assert.equal((await store.commit(ops, { request: 'r2' })).ok, false);
    },
  },
  {
    name: 'a request that was lost is tried anew',
    async run({ store }) {
      await put(store, 'a');
      assert.equal((await store.commit([putPod('a', {}, 0)], { request: 'r1' })).ok, false);
      await remove(store, 'a');
      assert.equal((await won(store, [putPod('a', {}, 0)], { request: 'r1' })).repeated, undefined);
    },
  },
  {
    name: 'requests made at once under one id are one write',
    async run({ store }) {
      const all = await Promise.all([1, 2, 3].map(() => won(store, [putPod('a', {}, 0)], { request: 'r1' })));
      assert.equal(all.filter((c) => c.repeated).length, 2);
      assert.equal(new Set(all.map((c) => c.revision)).size, 1);
    },
  },
  {
    name: 'a request id is forgotten after a while',
    clock: true,
    async run({ store, advance }) {
      await won(store, [putPod('a')], { request: 'r1' });
      await advance(REQUEST_MEMORY_MS + 1);
      assert.equal((await won(store, [putPod('a')], { request: 'r1' })).repeated, undefined);
    },
  },
  {
    name: 'a row with a time to live deletes itself, unless it is written anew',
    clock: true,
    async run({ store, advance }) {
      await won(store, [
        { ...putPod('a'), ttlMs: 1_000 },
        { ...putPod('b'), ttlMs: 1_000 },
        { ...putPod('c'), ttlMs: 9_000 },
      ]);
      await advance(500);
      await won(store, [putPod('b')]);
      await advance(1_000);
      assert.deepEqual(names(await page(store, pods())), ['b', 'c']);
      await advance(8_000);
      assert.deepEqual(names(await page(store, pods())), ['b']);
    },
  },
];
