import assert from 'node:assert/strict';
import { EVERYTHING, rangeOf } from './key.ts';
import { PAGE_BYTES, type ReadOptions } from './store.ts';
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

const text = (parts: readonly Uint8Array[] = []): string => parts.map((p) => new TextDecoder().decode(p)).join('');

/** Gets, lists, pages, selectors, the past. */
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
    name: "pages of a limit cover the list once, tell what remains, and stay at the first one's revision",
    async run({ store }) {
      for (const name of ['a', 'b', 'c', 'd', 'e']) await put(store, name);
      const first = await page(store, pods(), { limit: 2 });
      assert.deepEqual([names(first), first.next, first.remaining], [['a', 'b'], podKey('b'), 3]);
      await put(store, 'bb');
      await remove(store, 'd');
      await put(store, 'e', { mark: 2 });
      const at = first.revision;
      const second = await page(store, pods(), { limit: 2, at, after: podKey('b') });
      assert.deepEqual([names(second), second.remaining, second.revision], [['c', 'd'], 1, at]);
      const third = await page(store, pods(), { limit: 2, at, after: podKey('d') });
      assert.deepEqual([names(third), third.next, third.remaining], [['e'], undefined, undefined]);
      assert.equal(third.entries[0]?.value, value('e').text);
    },
  },
  {
    name: 'a limit that is exactly met leaves nothing to follow',
    async run({ store }) {
      for (const name of ['a', 'b']) await put(store, name);
      const p = await page(store, pods(), { limit: 2 });
      assert.deepEqual([p.count, p.next, p.remaining], [2, undefined, undefined]);
    },
  },
  {
    name: 'a page is cut by bytes, and a row larger than what is left starts the next one',
    async run({ store }) {
      const mark = 'x'.repeat(PAGE_BYTES / 4);
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await put(store, name, { mark });
      const first = await page(store, pods());
      assert.deepEqual([names(first), first.next, first.remaining], [['a', 'b', 'c'], podKey('c'), 3]);
      const second = await page(store, pods(), { after: podKey('c'), at: first.revision });
      assert.deepEqual([names(second), second.next], [['d', 'e', 'f'], undefined]);
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
    name: 'pages with a selector hold matching rows only and tell no number that remains',
    async run({ store }) {
      for (let i = 0; i < 9; i++) await put(store, `p${i}`, { labels: { odd: String(i % 2) } });
      const select = { labels: [{ key: 'odd', op: 'In' as const, values: ['1'] }] };
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const p = await page(store, pods(), { select, limit: 3, ...(after === undefined ? {} : { after }) });
        assert.equal(p.remaining, undefined);
        assert.ok(p.count <= 3);
        seen.push(...names(p));
        after = p.next;
      } while (after !== undefined);
      assert.deepEqual(seen, ['p1', 'p3', 'p5', 'p7']);
    },
  },
  {
    name: "a joined page is the list's items without parsing",
    async run({ store }) {
      const a = await put(store, 'a');
      const b = await put(store, 'b', { mark: 'ü' });
      const p = await page(store, pods(), { join: SCHEMA });
      assert.deepEqual([p.entries, p.count], [[], 2]);
      const items = JSON.parse(`[${text(p.items)}]`) as { metadata: { name: string; resourceVersion: string } }[];
      assert.deepEqual(
        items.map((i) => [i.metadata.name, i.metadata.resourceVersion]),
        [
          ['a', String(a)],
          ['b', String(b)],
        ],
      );
      const lines = text((await page(store, pods(), { join: { ...SCHEMA, separator: '\n' } })).items).split('\n');
      assert.deepEqual(
        lines.map((line) => JSON.parse(line)),
        items,
      );
      assert.equal(text((await page(store, pods('none'), { join: SCHEMA })).items), '');
    },
  },
  {
    name: 'a joined page is cut and continued like any other',
    async run({ store }) {
      for (const name of ['a', 'b', 'c']) await put(store, name);
      const p = await page(store, pods(), { join: SCHEMA, limit: 2 });
      assert.deepEqual([p.count, p.next, p.remaining], [2, podKey('b'), 1]);
      const select = { labels: [{ key: 'no', op: 'Exists' as const, values: [] }] };
      assert.equal(text((await page(store, pods(), { join: SCHEMA, select })).items), '');
    },
  },
  {
    name: 'a page with a row of another version, schema or encryption is not joined',
    async run({ store }) {
      await put(store, 'a');
      for (const other of [{ version: 'v2' }, { schema: 's2' }, { enc: 'k1' }]) {
        await won(store, [{ ...putPod('b'), value: { ...value('b'), ...other } }]);
        const p = await page(store, pods(), { join: SCHEMA });
        assert.deepEqual([p.items, names(p)], [undefined, ['a', 'b']]);
      }
    },
  },
  {
    name: 'a page that the reader knows is not sent again as long as nothing of it has changed',
    async run({ store }) {
      for (const name of ['a', 'b', 'c', 'd']) await put(store, name);
      const first = await page(store, pods(), { join: SCHEMA, limit: 2 });
      const again = (o: ReadOptions = {}) =>
        page(store, pods(), {
          join: SCHEMA,
          limit: 2,
          known: { revision: first.revision, next: first.next },
          ...o,
        });
      const same = await again();
      assert.deepEqual([same.same, same.revision, same.remaining], [true, first.revision, 2]);
      assert.equal((await again({ at: first.revision })).same, true);
      // Beside and behind the page.
      const r = await put(store, 'x', { namespace: 'other' });
      await remove(store, 'd');
      const later = await again();
      assert.deepEqual([later.same, later.revision, later.remaining], [true, r + 1, 2]);
      const selected = await again({ select: { labels: [{ key: 'no', op: 'Exists', values: [] }] } });
      assert.deepEqual([selected.same, selected.count], [undefined, 0]);
      await put(store, 'b', { mark: 2 });
      const changed = await again();
      assert.deepEqual([changed.same, changed.count, changed.next], [undefined, 2, podKey('b')]);
    },
  },
  {
    name: 'a page that the reader knows is sent anew after a row came, went or was the last that followed',
    async run({ store }) {
      for (const name of ['b', 'd', 'f']) await put(store, name);
      const limited = { join: SCHEMA, limit: 2 };
      const p = await page(store, pods(), limited);
      const known = { revision: p.revision, next: p.next };
      const end = await page(store, pods(), { join: SCHEMA });
      const whole = { revision: end.revision, next: end.next };
      await put(store, 'g');
      assert.equal((await page(store, pods(), { join: SCHEMA, known: whole })).count, 4, 'one came behind the last');
      await remove(store, 'g');
      await remove(store, 'f');
      const last = await page(store, pods(), { ...limited, known });
      assert.deepEqual([last.same, last.count, last.next], [undefined, 2, undefined], 'none follow any more');
      const now = { revision: last.revision, next: undefined };
      await put(store, 'c');
      assert.equal((await page(store, pods(), { join: SCHEMA, known: now })).count, 3, 'one came between');
      await remove(store, 'b');
      const { revision } = await page(store, pods(), { join: SCHEMA });
      assert.equal((await page(store, pods(), { join: SCHEMA, known: now })).count, 2, 'one went');
      await put(store, 'e');
      await store.compact(revision + 1);
      assert.equal((await page(store, pods(), { join: SCHEMA, known: now })).count, 3, 'history has gone');
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
      const of = async (...a: Parameters<typeof store.related>) => (await store.related(...a)).map((e) => e.key);
      assert.deepEqual(await of('owner', 'o1'), ['jobs.batch/default/j', podKey('a'), podKey('b')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods' }), [podKey('a'), podKey('b')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods', limit: 1 }), [podKey('a')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods', after: podKey('a') }), [podKey('b')]);
      assert.deepEqual(await of('owner', 'o2'), [podKey('b')]);
      assert.deepEqual(await of('node', 'n1'), [podKey('a'), podKey('b')]);
      assert.deepEqual(await of('ref', 'secrets/default/s'), [podKey('b')]);
      await won(store, [putPod('b', { owners: ['o2'] }), deletePod('a')]);
      assert.deepEqual(await of('owner', 'o1', { resource: 'pods' }), []);
      assert.deepEqual(await of('node', 'n1'), []);
      assert.deepEqual(await of('ref', 'secrets/default/s'), []);
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
