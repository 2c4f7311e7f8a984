import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inChunks, walkOf } from './chunks.ts';
import type { Cell, Sql } from './sql.ts';

type Row = [place: string, body: string];
const KB = 1024;

/** A table in an order, which is not that of its places where it is damaged. */
function tableOf(table: Row[], longest = 1024 * KB) {
  const read: number[] = [];
  const all = (query: string, ...args: Cell[]): Cell[][] => {
    const [at, most] = args as [string, number];
    const begin = table.findIndex(([place]) => place >= at);
    const found = begin < 0 ? [] : table.slice(begin, begin + most);
    if (query === WALK.sizes) return found.map(([place, body]) => [place, body.length]);
    read.push(found.length);
    return found;
  };
  return { read, longest, sql: { all } as unknown as Sql };
}
const WALK = walkOf((columns) => columns, 'place, body', 'place');
const rows = (n: number, bytes: number): Row[] =>
  Array.from({ length: n }, (_, i) => [`k${String(i).padStart(4, '0')}`, 'x'.repeat(bytes)]);
const all = (t: ReturnType<typeof tableOf>) => [...inChunks(t, WALK, '')].map(([place]) => place);

test('all rows come once and in order, a few at first and then more', () => {
  for (const n of [0, 1, 8, 9, 72, 73, 200]) {
    const table = rows(n, 10);
    assert.deepEqual(
      all(tableOf(table)),
      table.map(([place]) => place),
    );
  }
  const walk = tableOf(rows(200, 10));
  all(walk);
  assert.deepEqual(walk.read, [8, 64, 64, 64]);
  // Nobody asks for sizes: one row more tells that there is one.
  const short = tableOf(rows(200, 10), 10);
  const { all: asked } = short.sql;
  short.sql.all = (query, ...args) => (query === WALK.sizes ? assert.fail('sizes') : asked(query, ...args));
  assert.equal(all(short).length, 200);
  assert.deepEqual(short.read, [9, 65, 65, 64]);
});

test('large rows are read one by one, and none that nobody takes', () => {
  const walk = tableOf(rows(20, 200 * KB));
  let taken = 0;
  for (const _ of inChunks(walk, WALK, '')) if (++taken === 3) break;
  assert.deepEqual(walk.read, [1, 1, 1]);
});

test('rows up to 128 KiB are read at once', () => {
  const walk = tableOf(rows(100, 10 * KB));
  all(walk);
  assert.deepEqual(walk.read, [8, 12, 12, 12, 12, 12, 12, 12, 8]);
});

test('places out of order are refused, also where a chunk would end between them', () => {
  for (let at = 0; at < 20; at++) {
    const table = rows(20, 60 * KB);
    table[at] = ['z', ''];
    // The last one is in order.
    for (const longest of [1024 * KB, KB]) assert.equal(isRefused(tableOf(table, longest)), at < 19, `row ${at}`);
  }
});

/** By inChunks(), or by a reader of a range, who looks at each place. */
function isRefused(walk: ReturnType<typeof tableOf>): boolean {
  let last = '';
  try {
    for (const [place] of inChunks(walk, WALK, '')) {
      if (String(place) <= last) return true;
      last = String(place);
    }
    return false;
  } catch (e) {
    assert.equal((e as { code?: string }).code, 'corrupt');
    return true;
  }
}
