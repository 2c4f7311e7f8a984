import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../kube/store/store.ts';
import { openRows, rowsOf } from './rowcaches.ts';

const row = (revision: number, value: string): Entry => ({
  key: 'pods/default/a',
  revision,
  created: 1,
  value,
  version: 'v1',
  schema: 's',
  facts: { uid: 'u' },
});

test('a row that the store of the isolate remembers is kept once', () => {
  const store = openRows('one');
  const theirs = row(2, '{"a":1}');
  store.put(theirs);
  const rows = rowsOf('one');
  rows.put(row(2, '{"a":1}'));
  assert.equal(rows.get(theirs.key), theirs);
  rows.drop(theirs.key);
  assert.equal(rows.get(theirs.key), undefined, 'what the store remembers may not be durable yet');
});

test('a row that only resembles what a store remembers is kept as it came', () => {
  openRows('two').put(row(2, '{"lost":1}'));
  const rows = rowsOf('two');
  for (const mine of [row(2, '{"a":1}'), row(3, '{"lost":1}')]) {
    rows.put(mine);
    assert.equal(rows.get(mine.key), mine);
  }
  const another = rowsOf('three');
  another.put(row(2, '{"lost":1}'));
  assert.deepEqual(another.get('pods/default/a'), row(2, '{"lost":1}'));
});

test('a new opening of a store begins with nothing', () => {
  const old = openRows('four');
  const theirs = row(2, '{}');
  old.put(theirs);
  const now = openRows('four');
  assert.equal(now.get(theirs.key), undefined);
  const rows = rowsOf('four');
  rows.put(row(2, '{}'));
  assert.notEqual(rows.get(theirs.key), theirs);
});
