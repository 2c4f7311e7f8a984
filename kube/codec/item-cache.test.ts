import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Struct } from '../schema/schema.ts';
import { schemas } from '../schema/schemas.ts';
import { joinBytes } from './framing.ts';
import { type Found, ItemCache, type Shelf } from './item-cache.ts';
import { transcodeItems } from './protobuf.ts';

const MIB = 1024 * 1024;
const configMap = schemas.kind({ group: '', version: 'v1', kind: 'ConfigMap' }) as Struct;
const text = new TextEncoder();

/** A row as the store joins it. */
const row = (revision: number, data: string) =>
  `{"metadata":{"resourceVersion":"${revision}","name":"a"},"data":{"k":"${data}"}}`;
const page = (rows: readonly string[]) => [text.encode(rows.join('\n'))];

/** Equal end to end; deepEqual has its limits. */
function same(x: readonly Uint8Array[], y: readonly Uint8Array[]): boolean {
  const [a, b] = [joinBytes(x), joinBytes(y)];
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function found(cache: ItemCache, shelf: Shelf, revision: number): number[] | undefined {
  const at: Found = { bytes: new Uint8Array(), from: 0, to: 0, text: 0 };
  return cache.find(shelf, revision, at) ? [at.text, ...at.bytes.slice(at.from, at.to)] : undefined;
}

test('what was put is found by its shelf and revision, and nothing else is', () => {
  const cache = new ItemCache();
  const [a, b] = [cache.shelf('a'), cache.shelf('b')];
  cache.put(a, 7, 70, Uint8Array.of(1, 2, 3));
  cache.put(b, 7, 71, Uint8Array.of(4));
  cache.put(a, 8, 80, Uint8Array.of());
  assert.equal(cache.shelf('a'), a);
  assert.deepEqual(found(cache, a, 7), [70, 1, 2, 3]);
  assert.deepEqual(found(cache, b, 7), [71, 4]);
  assert.deepEqual(found(cache, a, 8), [80]);
  assert.equal(found(cache, b, 8), undefined);
});

test('the oldest go when there is no room, and what is large is never kept', () => {
  const cache = new ItemCache();
  const shelf = cache.shelf('a');
  const item = (n: number) => new Uint8Array(60_000).fill(n);
  for (let revision = 1; revision <= 300; revision++) cache.put(shelf, revision, revision, item(revision % 256));
  assert.equal(found(cache, shelf, 1), undefined);
  for (const revision of [200, 300]) {
    assert.deepEqual(found(cache, shelf, revision), [revision, ...item(revision % 256)], String(revision));
  }
  assert.ok(shelf.size * 60_000 <= 8 * MIB, `${shelf.size} items`);
  cache.put(shelf, 301, 0, new Uint8Array(65_537));
  assert.equal(found(cache, shelf, 301), undefined);
});

test('a list of rows that were listed before is the same, whatever changed among them', () => {
  const kept = { cache: new ItemCache(), shelf: new Map<number, number>() };
  const first = Array.from({ length: 50 }, (_, i) => row(i + 1, `value ${i}`));
  // Other revisions, other lengths, one gone, and long enough for several pieces.
  const second = first.filter((_, i) => i !== 7).map((r, i) => (i % 5 === 0 ? row(100 + i, 'é'.repeat(i * 600)) : r));
  for (const rows of [first, first, second, [...second].reverse(), second.slice(1, 2), []]) {
    const want = joinBytes(transcodeItems(configMap, page(rows)));
    assert.deepEqual(joinBytes(transcodeItems(configMap, page(rows), kept)), want);
  }
  assert.equal(kept.shelf.size, 60);
});

test('rows that were kept come back while others push them out', () => {
  const kept = { cache: new ItemCache(), shelf: new Map<number, number>() };
  const rows = Array.from({ length: 700 }, (_, i) => row(i + 1, String(i % 10).repeat(40_000)));
  const want = transcodeItems(configMap, page(rows));
  for (const order of ['as they are', 'again']) {
    assert.ok(same(transcodeItems(configMap, page(rows), kept), want), order);
  }
  const mixed = [...rows.slice(600), ...rows.slice(0, 200), ...rows.slice(600)];
  assert.ok(same(transcodeItems(configMap, page(mixed), kept), transcodeItems(configMap, page(mixed))));
});
