import assert from 'node:assert/strict';
import { EVERYTHING, rangeOf } from './key.ts';
import {
  type Case,
  deletePod,
  factsOf,
  get,
  names,
  only,
  page,
  podKey,
  pods,
  put,
  putPod,
  remove,
  SCHEMA,
  throwsCode,
  value,
  won,
} from './suite-kit.ts';

/** Gets, lists, selectors, the past. */
export const readCases: Case[] = [
  {
    name: 'an empty range is an empty page at the store revision',
    async run({ store }) {
      const p = await page(store, pods());
      assert.deepEqual([p.entries, p.count, p.next, p.remaining], [[], 0, undefined, undefined]);
      assert.equal(p.revision, (await store.info()).revision);
    },
  },
  {
    name: 'a stored row comes back whole: body, version, schema, facts and revisions',
    async run({ store }) {
      const spec = { labels: { app: 'web' }, node: 'n1', owners: ['o1'], refs: ['secrets/default/s'], uid: 'u1' };
      const created = await put(store, 'a', spec);
      const updated = await put(store, 'a', { ...spec, mark: 2 });
      assert.deepEqual(await get(store, podKey('a')), {
        key: podKey('a'),
        revision: updated,
        created,
        value: value('a', { ...spec, mark: 2 }).text,
        ...SCHEMA,
        facts: factsOf('a', spec),
      });
    },
  },
  {
    name: 'an encrypted row keeps the id of its key',
    async run({ store }) {
      await won(store, [{ ...putPod('a'), value: { ...value('a'), enc: 'k1' } }]);
      assert.equal((await get(store, podKey('a')))?.enc, 'k1');
      await put(store, 'a');
      assert.equal((await get(store, podKey('a')))?.enc, undefined);
    },
  },
  {
    name: 'text beyond ASCII survives',
    async run({ store }) {
      const mark = 'häß 漢字 \u{1f6a2} \u0000 "quoted" \\';
      await put(store, 'a', { mark });
      assert.equal((await get(store, podKey('a')))?.value, value('a', { mark }).text);
    },
  },
  {
    name: 'a list is in key order and of one resource',
    async run({ store }) {
      for (const name of ['b', 'a-2', 'a', 'a.b']) await put(store, name);
      await won(store, [
        { ...putPod('x'), key: 'podtemplates/default/x' },
        { ...putPod('y'), key: 'pods.metrics.k8s.io/default/y' },
      ]);
      assert.deepEqual(names(await page(store, pods())), ['a', 'a-2', 'a.b', 'b']);
    },
  },
  {
    name: 'a namespace whose name is a prefix of another does not see it',
    async run({ store }) {
      for (const namespace of ['foo', 'foo-bar', 'foobar', 'fo']) await put(store, 'p', { namespace });
      assert.deepEqual(
        (await page(store, pods('foo'))).entries.map((e) => e.key),
        ['pods/foo/p'],
      );
      assert.equal((await page(store, pods())).count, 4);
    },
  },
  {
    name: 'a get of one name does not see names that begin with it',
    async run({ store }) {
      await put(store, 'foobar');
      assert.equal((await page(store, rangeOf('', 'pods', 'default', 'foo'))).count, 0);
      await put(store, 'foo');
      assert.deepEqual(names(await page(store, rangeOf('', 'pods', 'default', 'foo'))), ['foo']);
    },
  },
  {
    name: 'cluster-scoped rows are listed by resource',
    async run({ store }) {
      await won(store, [
        { ...putPod('n2'), key: 'nodes/n2' },
        { ...putPod('n1'), key: 'nodes/n1' },
      ]);
      assert.deepEqual(names(await page(store, rangeOf('', 'nodes'))), ['n1', 'n2']);
      assert.deepEqual(names(await page(store, rangeOf('', 'nodes', '', 'n2'))), ['n2']);
    },
  },
  {
    name: 'a label selector selects by facts',
    async run({ store }) {
      await put(store, 'a', { labels: { app: 'web', tier: '1' } });
      await put(store, 'b', { labels: { app: 'db' } });
      await put(store, 'c');
      const of = async (key: string, op: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
        names(await page(store, pods(), { select: { labels: [{ key, op, values }] } }));
      assert.deepEqual(await of('app', 'In', 'web'), ['a']);
      assert.deepEqual(await of('app', 'In', 'web', 'db'), ['a', 'b']);
      assert.deepEqual(await of('app', 'NotIn', 'web'), ['b', 'c']);
      assert.deepEqual(await of('app', 'Exists'), ['a', 'b']);
      assert.deepEqual(await of('app', 'DoesNotExist'), ['c']);
      await put(store, 'a', { labels: { app: 'db' } });
      assert.deepEqual(await of('app', 'In', 'web'), []);
      assert.deepEqual(await of('app', 'In', 'db'), ['a', 'b']);
    },
  },
  {
    name: 'two label requirements both hold',
    async run({ store }) {
      await put(store, 'a', { labels: { app: 'web', tier: '1' } });
      await put(store, 'b', { labels: { app: 'web', tier: '2' } });
      const labels = [
        { key: 'app', op: 'In' as const, values: ['web'] },
        { key: 'tier', op: 'NotIn' as const, values: ['1'] },
      ];
      assert.deepEqual(names(await page(store, pods(), { select: { labels } })), ['b']);
    },
  },
  {
    name: 'a field selector selects by facts, and by name and namespace from the key',
    async run({ store }) {
      await put(store, 'a', { node: 'n1' });
      await put(store, 'b', { node: 'n2' });
      await put(store, 'a', { namespace: 'other' });
      const of = async (field: string, op: '=' | '!=', v: string) =>
        (await page(store, pods(), { select: { fields: [{ field, op, value: v }] } })).entries.map((e) => e.key);
      assert.deepEqual(await of('spec.nodeName', '=', 'n1'), [podKey('a')]);
      assert.deepEqual(await of('spec.nodeName', '=', ''), [podKey('a', 'other')]);
      assert.deepEqual(await of('spec.nodeName', '!=', 'n1'), [podKey('b'), podKey('a', 'other')]);
      assert.deepEqual(await of('metadata.name', '=', 'a'), [podKey('a'), podKey('a', 'other')]);
      assert.deepEqual(await of('metadata.namespace', '!=', 'default'), [podKey('a', 'other')]);
    },
  },
  {
    name: 'facts alone come without bodies',
    async run({ store }) {
      await put(store, 'a', { labels: { app: 'web' } });
      const [entry] = (await page(store, pods(), { factsOnly: true })).entries;
      assert.deepEqual([entry?.value, entry?.facts.labels], ['', { app: 'web' }]);
    },
  },
  {
    name: 'the past is read as it was: rows before an update, before a deletion, before a creation',
    async run({ store }) {
      await put(store, 'a', { mark: 1 });
      const at = await put(store, 'gone', { mark: 1 });
      await put(store, 'a', { mark: 2 });
      await remove(store, 'gone');
      await put(store, 'gone', { mark: 'again' });
      await put(store, 'new');
      const past = await page(store, pods(), { at });
      assert.deepEqual(names(past), ['a', 'gone']);
      assert.deepEqual(
        past.entries.map((e) => e.value),
        [value('a', { mark: 1 }).text, value('gone', { mark: 1 }).text],
      );
      assert.equal(past.revision, at);
      assert.equal(await get(store, podKey('new'), { at }), undefined);
      assert.equal(await get(store, podKey('gone'), { at: at + 2 }), undefined);
      assert.deepEqual(names(await page(store, pods())), ['a', 'gone', 'new']);
    },
  },
  {
    name: 'selectors apply to the past as it was',
    async run({ store }) {
      const at = await put(store, 'a', { labels: { app: 'web' } });
      await put(store, 'a', { labels: { app: 'db' } });
      const select = { labels: [{ key: 'app', op: 'In' as const, values: ['web'] }] };
      assert.deepEqual(names(await page(store, pods(), { at, select })), ['a']);
      assert.deepEqual(names(await page(store, pods(), { select })), []);
    },
  },
  {
    name: 'a revision that has not been reached is refused',
    async run({ store }) {
      const revision = await put(store, 'a');
      await throwsCode('future', () => store.read(pods(), { at: revision + 1 }));
    },
  },
  {
    name: 'compaction forgets the past before a revision and nothing of the present',
    async run({ store }) {
      const first = await put(store, 'a', { mark: 1 });
      await put(store, 'b');
      const second = await put(store, 'a', { mark: 2 });
      await remove(store, 'b');
      await put(store, 'a', { mark: 3 });
      await store.compact(second);
      await throwsCode('compacted', () => store.read(pods(), { at: first }));
      const past = await page(store, pods(), { at: second });
      assert.deepEqual(
        past.entries.map((e) => e.value),
        [value('a', { mark: 2 }).text, value('b').text],
      );
      assert.equal((await get(store, podKey('a')))?.value, value('a', { mark: 3 }).text);
      const info = await store.info();
      assert.deepEqual([info.compacted, info.oldest], [second, second]);
    },
  },
  {
    name: 'compacting twice, or beyond the newest revision, is harmless',
    async run({ store }) {
      const a = await put(store, 'a');
      const b = await put(store, 'b');
      await store.compact(b + 100);
      await store.compact(a);
      assert.equal((await store.info()).compacted, b);
      assert.deepEqual(names(await page(store, pods(), { at: b })), ['a', 'b']);
      assert.equal(await put(store, 'c'), b + 1);
    },
  },
  {
    name: 'rows are found by owner, node and reference, of one resource or all, in pages',
    async run({ store }) {
      await put(store, 'b', { owners: ['o1', 'o2'], node: 'n1', refs: ['secrets/default/s'] });
      await put(store, 'a', { owners: ['o1'], node: 'n1' });
      await won(store, [{ ...putPod('j', { owners: ['o1'] }), key: 'jobs.batch/default/j' }]);
      const volume = 'persistentvolumes/v';
      await won(store, [{ ...putPod('v', { refs: ['secrets/default/s', 'secrets/default/t'] }), key: volume }]);
      const of = async (...a: Parameters<typeof store.related>) => (await store.related(...a)).map((e) => e.key);
      assert.deepEqual(await of('owner', 'o1'), ['jobs.batch/default/j', podKey('a'), podKey('b')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods' }), [podKey('a'), podKey('b')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods', limit: 1 }), [podKey('a')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods', after: podKey('a') }), [podKey('b')]);
      assert.deepEqual(await of('owner', 'o2'), [podKey('b')]);
      assert.deepEqual(await of('node', 'n1'), [podKey('a'), podKey('b')]);
      // A pod names many; who asks knows its node.
      assert.deepEqual(await of('ref', 'secrets/default/s'), [volume]);
      await won(store, [putPod('b', { owners: ['o2'] }), deletePod('a')]);
      await won(store, [{ ...putPod('v', { refs: ['secrets/default/t'] }), key: volume }]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods' }), []);
      assert.deepEqual(await of('node', 'n1'), []);
      assert.deepEqual(await of('ref', 'secrets/default/s'), []);
      assert.deepEqual(await of('ref', 'secrets/default/t'), [volume]);
      assert.deepEqual((await store.related('owner', 'o2'))[0]?.value, value('b').text);
    },
  },
  {
    name: 'a range of any shape is read',
    async run({ store }) {
      for (const name of ['a', 'b', 'c']) await put(store, name);
      assert.deepEqual(names(await page(store, { from: podKey('b'), to: podKey('c') })), ['b']);
      assert.deepEqual(names(await page(store, only(podKey('c')))), ['c']);
      assert.deepEqual(names(await page(store, EVERYTHING)), ['a', 'b', 'c']);
    },
  },
];
