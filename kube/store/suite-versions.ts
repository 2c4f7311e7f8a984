import assert from 'node:assert/strict';
import type { Key, Store, Version, Versions, VersionsOptions } from './store.ts';
import { type Case, deletePod, podKey, put, putPod, remove, value, won } from './suite-kit.ts';

const KEY = podKey('a');

async function versions(store: Store, key: Key = KEY, o?: VersionsOptions): Promise<Versions> {
  const answer = await store.versions(key, o);
  assert.ok(answer.ok, 'the read was stale');
  return answer;
}
/** `7 alice`, `8 -` for a version by nobody, `9 alice deleted`. */
const print = (v: Version): string => `${v.revision} ${v.by ?? '-'}${v.entry === null ? ' deleted' : ''}`;

/** Versions of a row: who wrote what, when. */
export const versionCases: Case[] = [
  {
    name: 'the versions of a row come newest first, with who wrote them',
    async run({ store }) {
      const a = (await won(store, [putPod('a', { mark: 1 })], { by: 'alice' })).revision;
      await put(store, 'b');
      const b = (await won(store, [putPod('a', { mark: 2 })], { by: 'bob' })).revision;
      const c = (await won(store, [deletePod('a')], { by: 'carol' })).revision;
      const d = (await won(store, [putPod('a', { mark: 4 })])).revision;
      const answer = await versions(store);
      assert.deepEqual(answer.versions.map(print), [`${d} -`, `${c} carol deleted`, `${b} bob`, `${a} alice`]);
      assert.deepEqual([answer.revision, answer.next], [(await store.info()).revision, undefined]);
      assert.deepEqual(
        answer.versions.map((v) => v.entry?.value),
        [value('a', { mark: 4 }).text, undefined, value('a', { mark: 2 }).text, value('a', { mark: 1 }).text],
      );
      assert.deepEqual(
        answer.versions.map((v) => v.entry?.created),
        [d, undefined, a, a],
      );
    },
  },
  {
    name: 'a row that never was has no versions',
    async run({ store }) {
      await put(store, 'ab');
      assert.deepEqual((await versions(store)).versions, []);
    },
  },
  {
    name: 'versions come in pages',
    async run({ store }) {
      const revisions: number[] = [];
      for (let mark = 0; mark < 5; mark++) revisions.unshift(await put(store, 'a', { mark }));
      const seen: number[] = [];
      let pages = 0;
      for (let before: number | undefined; ; pages++) {
        const p = await versions(store, KEY, before === undefined ? { limit: 2 } : { limit: 2, before });
        seen.push(...p.versions.map((v) => v.revision));
        before = p.next;
        if (before === undefined) break;
      }
      assert.deepEqual([seen, pages], [revisions, 2]);
    },
  },
  {
    name: 'after compaction a row has the version that stood then and what came after',
    async run({ store }) {
      await won(store, [putPod('a', { mark: 1 })], { by: 'alice' });
      const stood = (await won(store, [putPod('a', { mark: 2 })], { by: 'bob' })).revision;
      const at = await put(store, 'b');
      const last = (await won(store, [putPod('a', { mark: 3 })], { by: 'carol' })).revision;
      await store.compact(at);
      assert.deepEqual((await versions(store)).versions.map(print), [`${last} carol`, `${stood} bob`]);
    },
  },
  {
    name: 'a deletion that compaction has passed is no version',
    async run({ store }) {
      await put(store, 'a');
      await remove(store, 'a');
      const at = await put(store, 'b');
      await store.compact(at);
      assert.deepEqual((await versions(store)).versions, []);
      const again = await put(store, 'a');
      assert.deepEqual((await versions(store)).versions.map(print), [`${again} -`]);
    },
  },
  {
    name: 'versions carry the time of their commit',
    clock: true,
    async run({ store, advance }) {
      await put(store, 'a', { mark: 1 });
      await advance(5_000);
      await put(store, 'a', { mark: 2 });
      const [second, first] = (await versions(store)).versions;
      assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 5_000);
    },
  },
  {
    name: 'a caller whose assumptions fail is told so instead of versions',
    async run({ store }) {
      await won(store, [putPod('a', { policy: 'P' })]);
      const answer = await store.versions(KEY, { assume: { policy: 999 } });
      assert.ok(!answer.ok && answer.stale);
    },
  },
];
