import assert from 'node:assert/strict';
import { rangeOf } from './key.ts';
import {
  type Case,
  deletePod,
  JOIN,
  only,
  page,
  podKey,
  pods,
  put,
  putPod,
  remove,
  Tap,
  throwsCode,
  value,
  won,
} from './suite-kit.ts';
import { PROGRESS_MS } from './window.ts';

const labelled = (v: string) => ({ labels: [{ key: 'select', op: 'In' as const, values: [v] }] });
const onNode = (node: string) => ({ fields: [{ field: 'spec.nodeName', op: '=' as const, value: node }] });

/** Watches: replay, following, selectors, progress, ends. */
export const watchCases: Case[] = [
  {
    name: 'a watch from now says at once that nothing is missing, then follows',
    async run({ store }) {
      const r = await put(store, 'a');
      const tap = new Tap(store.watch(pods(), r));
      assert.deepEqual(await tap.upTo(r), []);
      const [r1, r2, r3] = [await put(store, 'b'), await put(store, 'b', { mark: 2 }), await remove(store, 'b')];
      assert.deepEqual(await tap.take(3), [`ADDED b@${r1}`, `MODIFIED b@${r2}`, `DELETED b@${r3}`]);
      await tap.stop();
    },
  },
  {
    name: 'a watch that may join its events gets each once, also those of another schema, for each of several watchers',
    async run({ store }) {
      const r = await put(store, 'a', { mark: 'ü' });
      const taps = [1, 2].map(() => new Tap(store.watch(pods(), r, { join: JOIN })));
      for (const tap of taps) assert.deepEqual(await tap.upTo(r), []);
      const expected = [`ADDED b@${await put(store, 'b', { mark: 'ü' })}`];
      const other = { ...putPod('c'), value: { ...value('c'), schema: 's2' } };
      expected.push(`ADDED c@${(await won(store, [other])).revision}`);
      expected.push(`MODIFIED b@${await put(store, 'b', { mark: 2 })}`, `DELETED b@${await remove(store, 'b')}`);
      for (const tap of taps) {
        assert.deepEqual(await tap.take(4), expected);
        await tap.stop();
      }
    },
  },
  {
    name: 'a watch from the past replays what happened since, in order',
    async run({ store }) {
      const start = await put(store, 'a');
      const expected: string[] = [];
      for (const name of ['b', 'a', 'c'])
        expected.push(`${name === 'a' ? 'MODIFIED' : 'ADDED'} ${name}@${await put(store, name, { mark: 2 })}`);
      expected.push(`DELETED a@${await remove(store, 'a')}`);
      const tap = new Tap(store.watch(pods(), start));
      assert.deepEqual(await tap.take(4), expected);
      const next = await put(store, 'd');
      assert.deepEqual(await tap.take(1), [`ADDED d@${next}`]);
      await tap.stop();
    },
  },
  {
    name: 'a watch from zero replays the whole life',
    async run({ store }) {
      const r1 = await put(store, 'a');
      const r2 = await remove(store, 'a');
      const tap = new Tap(store.watch(pods(), 0));
      assert.deepEqual(await tap.take(2), [`ADDED a@${r1}`, `DELETED a@${r2}`]);
      await tap.stop();
    },
  },
  {
    name: 'events carry the body of their revision; a deletion the last one',
    async run({ store }) {
      const start = await put(store, 'a', { mark: 1 });
      const live = new Tap(store.watch(pods(), start));
      await live.upTo(start);
      await put(store, 'a', { mark: 2 });
      await remove(store, 'a');
      const replayed = new Tap(store.watch(pods(), start));
      for (const tap of [live, replayed]) {
        while (tap.events.length < 2) await tap.step();
        assert.deepEqual(
          tap.events.map((e) => e.value),
          [value('a', { mark: 2 }).text, value('a', { mark: 2 }).text],
        );
        assert.deepEqual(
          tap.events.map((e) => [e.version, e.schema]),
          [
            ['v1', 's1'],
            ['v1', 's1'],
          ],
        );
        await tap.stop();
      }
    },
  },
  {
    name: 'the ops of one commit come as events of their own revisions',
    async run({ store }) {
      const start = await put(store, 'a');
      const tap = new Tap(store.watch(pods(), start));
      await tap.upTo(start);
      await won(store, [deletePod('a'), putPod('b'), putPod('c')]);
      assert.deepEqual(await tap.take(3), [`DELETED a@${start + 1}`, `ADDED b@${start + 2}`, `ADDED c@${start + 3}`]);
      await tap.stop();
    },
  },
  ...[true, false].map(
    (live): Case => ({
      name: `a row that starts to match is ADDED, one that stops is DELETED with its last body (${live ? 'live' : 'replayed'})`,
      async run({ store }) {
        const start = await put(store, 'other');
        const open = () => new Tap(store.watch(pods(), start, { select: labelled('true') }));
        let tap = open();
        if (live) await tap.upTo(start);
        const r1 = await put(store, 'foo', { labels: { select: 'true' } });
        const r2 = await put(store, 'foo');
        await put(store, 'foo', { mark: 'unseen' });
        const r3 = await put(store, 'foo', { labels: { select: 'true' } });
        const r4 = await put(store, 'foo', { labels: { select: 'true' }, node: 'bar' });
        const r5 = await remove(store, 'foo');
        if (!live) {
          await tap.stop();
          tap = open();
        }
        while (tap.events.length < 5) await tap.step();
        assert.equal(tap.events[1]?.value, value('foo', { labels: { select: 'true' } }).text);
        assert.deepEqual(await tap.take(5), [
          `ADDED foo@${r1}`,
          `DELETED foo@${r2}`,
          `ADDED foo@${r3}`,
          `MODIFIED foo@${r4}`,
          `DELETED foo@${r5}`,
        ]);
        await tap.stop();
      },
    }),
  ),
  {
    name: 'a watch by node sees pods come to its node and leave it',
    async run({ store }) {
      const start = await put(store, 'a');
      const taps = ['n1', 'n2'].map((n) => new Tap(store.watch(pods(), start, { select: onNode(n) })));
      for (const tap of taps) await tap.upTo(start);
      const r1 = await put(store, 'a', { node: 'n1' });
      const r2 = await put(store, 'a', { node: 'n1', mark: 2 });
      const r3 = await put(store, 'a', { node: 'n2' });
      const r4 = await remove(store, 'a');
      assert.deepEqual(await taps[0]?.take(3), [`ADDED a@${r1}`, `MODIFIED a@${r2}`, `DELETED a@${r3}`]);
      assert.deepEqual(await taps[1]?.take(2), [`ADDED a@${r3}`, `DELETED a@${r4}`]);
      for (const tap of taps) await tap.stop();
    },
  },
  {
    name: 'a watch of unassigned pods loses them when they are bound',
    async run({ store }) {
      const start = (await store.info()).revision;
      const tap = new Tap(store.watch(pods(), start, { select: onNode('') }));
      await tap.upTo(start);
      const r1 = await put(store, 'a');
      const r2 = await put(store, 'a', { node: 'n1' });
      assert.deepEqual(await tap.take(2), [`ADDED a@${r1}`, `DELETED a@${r2}`]);
      await tap.stop();
    },
  },
  {
    name: 'a watch sees its own resource, namespace or name and nothing else',
    async run({ store }) {
      const start = await put(store, 'x');
      const byName = { fields: [{ field: 'metadata.name', op: '=' as const, value: 'foo' }] };
      const taps = [
        new Tap(store.watch(pods(), start)),
        new Tap(store.watch(pods('ns'), start)),
        new Tap(store.watch(only(podKey('foo', 'ns')), start)),
        new Tap(store.watch(pods(), start, { select: byName })),
        new Tap(store.watch({ from: podKey('f', 'ns'), to: podKey('g', 'ns') }, start)),
        new Tap(store.watch(rangeOf('', 'nodes'), start)),
      ];
      for (const tap of taps) await tap.upTo(start);
      await won(store, [
        putPod('foo', { namespace: 'ns' }),
        putPod('foo', { namespace: 'ns-2' }),
        putPod('foobar', { namespace: 'ns' }),
        { ...putPod('foo'), key: 'podtemplates/ns/foo' },
        { ...putPod('foo'), key: 'nodes/foo' },
        putPod('zoo', { namespace: 'ns' }),
      ]);
      const at = (n: number) => start + n;
      const [foo, foo2, bar, node, zoo] = [1, 2, 3, 5, 6].map(at);
      const seen = [];
      for (const [i, n] of [4, 3, 1, 2, 2, 1].entries()) seen.push(await taps[i]?.take(n));
      assert.deepEqual(seen, [
        [`ADDED foo@${foo}`, `ADDED foo@${foo2}`, `ADDED foobar@${bar}`, `ADDED zoo@${zoo}`],
        [`ADDED foo@${foo}`, `ADDED foobar@${bar}`, `ADDED zoo@${zoo}`],
        [`ADDED foo@${foo}`],
        [`ADDED foo@${foo}`, `ADDED foo@${foo2}`],
        [`ADDED foo@${foo}`, `ADDED foobar@${bar}`],
        [`ADDED foo@${node}`],
      ]);
      for (const tap of taps) {
        assert.deepEqual(tap.events, []);
        await tap.stop();
      }
    },
  },
  {
    name: 'a watch that sees none of what changes is told how far it is',
    clock: true,
    async run({ store, advance }) {
      const start = await put(store, 'a');
      const tap = new Tap(store.watch(rangeOf('', 'nodes'), start));
      await tap.upTo(start);
      const later = await put(store, 'b');
      await advance(PROGRESS_MS + 1);
      assert.deepEqual(await tap.upTo(later), []);
      assert.equal(tap.revision, later);
      await tap.stop();
    },
  },
  {
    name: 'a watch after what was compacted is refused, after what was kept is served',
    async run({ store }) {
      const r1 = await put(store, 'a');
      const r2 = await put(store, 'a', { mark: 2 });
      const r3 = await put(store, 'a', { mark: 3 });
      await store.compact(r2);
      await throwsCode('compacted', () => new Tap(store.watch(pods(), r1)).step());
      await throwsCode('compacted', () => new Tap(store.watch(pods(), 0)).step());
      const tap = new Tap(store.watch(pods(), r2));
      assert.deepEqual(await tap.take(1), [`MODIFIED a@${r3}`]);
      await tap.stop();
    },
  },
  {
    name: 'a deletion after a compaction still carries its last body',
    async run({ store }) {
      const r1 = await put(store, 'a', { mark: 'old' });
      await put(store, 'b');
      await store.compact(r1 + 1);
      const r2 = await remove(store, 'a');
      const tap = new Tap(store.watch(pods(), r1 + 1));
      while (tap.events.length < 1) await tap.step();
      assert.deepEqual([tap.events[0]?.revision, tap.events[0]?.value], [r2, value('a', { mark: 'old' }).text]);
      await tap.stop();
    },
  },
  {
    name: 'a watch after a revision that has not been reached is refused',
    async run({ store }) {
      const r = await put(store, 'a');
      await throwsCode('future', () => new Tap(store.watch(pods(), r + 1)).step());
    },
  },
  {
    name: 'returning ends a watch, also one that waits',
    async run({ store }) {
      const r = await put(store, 'a');
      const tap = new Tap(store.watch(pods(), r));
      await tap.upTo(r);
      const waiting = tap.step();
      await tap.stop();
      assert.equal(await waiting, false);
      await put(store, 'b');
      assert.equal(await tap.step(), false);
    },
  },
  {
    name: 'a reader that is far behind loses nothing',
    async run({ store }) {
      const start = await put(store, 'a');
      const tap = new Tap(store.watch(pods(), start));
      await tap.upTo(start);
      const expected: string[] = [];
      for (let i = 0; i < 15; i++) {
        const commit = await won(
          store,
          Array.from({ length: 100 }, (_, j) => putPod(`p${i}-${j}`)),
        );
        for (const [j, r] of commit.revisions.entries()) expected.push(`ADDED p${i}-${j}@${r}`);
      }
      assert.deepEqual(await tap.take(1_500), expected);
      await tap.stop();
    },
  },
  {
    name: 'watches opened while others write see each revision once, in order',
    async run({ store }) {
      const start = await put(store, 'a');
      const writes = Promise.all(Array.from({ length: 60 }, (_, i) => put(store, `p${i}`)));
      const taps = Array.from({ length: 5 }, () => new Tap(store.watch(pods(), start)));
      const seen = await Promise.all(taps.map((tap) => tap.take(60)));
      await writes;
      for (const events of seen) {
        assert.deepEqual(
          events.map((e) => Number(e.split('@')[1])),
          Array.from({ length: 60 }, (_, i) => start + 1 + i),
        );
      }
      for (const tap of taps) await tap.stop();
    },
  },
  {
    name: 'a list and a watch from its revision make the whole, whatever happens between',
    async run({ store }) {
      for (const name of ['a', 'b', 'c']) await put(store, name);
      const list = await page(store, pods());
      await remove(store, 'b');
      await put(store, 'd');
      const tap = new Tap(store.watch(pods(), list.revision));
      const state = new Set(list.entries.map((e) => e.key));
      while (tap.events.length < 2) await tap.step();
      for (const e of tap.events) e.type === 'DELETED' ? state.delete(e.key) : state.add(e.key);
      assert.deepEqual(
        [...state].sort(),
        (await page(store, pods())).entries.map((e) => e.key),
      );
      await tap.stop();
    },
  },
  {
    name: 'a row that outlives its time is seen as deleted',
    clock: true,
    async run({ store, advance }) {
      const [start] = (await won(store, [{ ...putPod('a'), ttlMs: 1_000 }])).revisions;
      const tap = new Tap(store.watch(pods(), start ?? 0));
      await tap.upTo(start ?? 0);
      await advance(1_001);
      assert.deepEqual(await tap.take(1), [`DELETED a@${(start ?? 0) + 1}`]);
      await tap.stop();
    },
  },
];
