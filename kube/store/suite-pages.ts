import assert from 'node:assert/strict';
import { PAGE_BYTES, type ReadOptions } from './store.ts';
import { type Case, names, page, podKey, pods, put, putPod, remove, SCHEMA, value, won } from './suite-kit.ts';

const text = (parts: readonly Uint8Array[] = []): string => parts.map((p) => new TextDecoder().decode(p)).join('');

/** Lists in pages: of a limit, of bytes, joined, known to the reader. */
export const pageCases: Case[] = [
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
      const mark = 'x'.repeat(PAGE_BYTES / 8);
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await put(store, name, { mark });
      const first = await page(store, pods());
      assert.deepEqual([names(first), first.next, first.remaining], [['a', 'b', 'c'], podKey('c'), 3]);
      const second = await page(store, pods(), { after: podKey('c'), at: first.revision });
      assert.deepEqual([names(second), second.next], [['d', 'e', 'f'], undefined]);
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
      const { rest } = await again({ limit: 0 });
      assert.deepEqual([rest, same.rest], [true, undefined], 'nothing else has changed either');
      const { revision, next, remaining } = first;
      const told = { known: { revision, next, remaining } };
      assert.deepEqual((await again(told)).remaining, 2);
      // Beside and behind the page.
      const r = await put(store, 'x', { namespace: 'other' });
      await remove(store, 'd');
      const later = await again();
      assert.deepEqual([later.same, later.revision, later.remaining], [true, r + 1, 2]);
      const all = await again({ limit: 0 });
      assert.deepEqual([all.same, all.rest], [true, undefined], 'd has gone');
      await put(store, 'e');
      assert.deepEqual((await again(told)).remaining, 3, 'another one follows');
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
];
