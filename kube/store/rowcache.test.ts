import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowCache } from './rowcache.ts';
import type { Entry } from './store.ts';

const row = (name: string, units = 1000): Entry => ({
  key: `pods/a/${name}`,
  revision: 1,
  created: 1,
  value: 'x'.repeat(units),
  version: 'v1',
  schema: '',
  facts: { uid: '' },
});

test('the least recently used rows leave when it is full, and room is counted by bodies', () => {
  const rows = new RowCache(32_000).of('a');
  for (let i = 0; i < 15; i++) rows.put(row(`p${i}`));
  assert.ok(rows.get('pods/a/p0'));
  for (let i = 15; i < 30; i++) rows.put(row(`p${i}`));
  const left = Array.from({ length: 30 }, (_, i) => i).filter((i) => rows.get(`pods/a/p${i}`));
  assert.ok(left.length >= 15 && left.length <= 21, `${left.length} rows`);
  assert.equal(rows.get('pods/a/p1'), undefined);
});

test('a body that would push out many others is not kept, and takes its older version with it', () => {
  const rows = new RowCache(32_000).of('a');
  rows.put(row('p'));
  rows.put(row('p', 10_000));
  assert.equal(rows.get('pods/a/p'), undefined);
});

test('stores do not see one another, and what is dropped is gone', () => {
  const all = new RowCache(32_000);
  const [a, b] = [all.of('a'), all.of('b')];
  a.put(row('p'));
  assert.equal(b.get('pods/a/p'), undefined);
  a.drop('pods/a/p');
  assert.equal(a.get('pods/a/p'), undefined);
});

test('replacing a row again and again fills nothing', () => {
  const rows = new RowCache(32_000).of('a');
  rows.put(row('other'));
  for (let i = 0; i < 1000; i++) rows.put(row('p'));
  assert.ok(rows.get('pods/a/other'));
});
