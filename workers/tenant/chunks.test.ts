import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inChunks, type Walk } from './chunks.ts';
import type { Cell } from './sql.ts';

type Row = [place: string, body: string];
const KB = 1024;

/** A table in an order, which is not that of its places where it is damaged. */
function walkOf(table: Row[], longest = 1024 * KB): Walk & { read: number[] } {
  const read: number[] = [];
  const from = (at: Cell, most: number) => {
    const begin = table.findIndex(([place]) => place >= String(at));
    return begin < 0 ? [] : table.slice(begin, begin + most);
  };
  return {
    read,
    longest,
    sizes: (at, most) => from(at, most).map(([place, body]) => [place, body.length]),
    rows(at, count) {
      const rows = from(at, count);
      read.push(rows.length);
      return rows;
    },
  };
}
const rows = (n: number, bytes: number): Row[] =>
  Array.from({ length: n }, (_, i) => [`k${String(i).padStart(4, '0')}`, 'x'.repeat(bytes)]);
const all = (walk: Walk) => [...inChunks(walk, '')].map(([place]) => place);

test('all rows come once and in order, a few at first and then more', () => {
  for (const n of [0, 1, 8, 9, 72, 73, 200]) {
    const table = rows(n, 10);
    assert.deepEqual(
      all(walkOf(table)),
      table.map(([place]) => place),
    );
  }
  const walk = walkOf(rows(200, 10));
  all(walk);
  assert.deepEqual(walk.read, [8, 64, 64, 64]);
  // Nobody asks for sizes: one row more tells that there is one.
  const short = walkOf(rows(200, 10), 10);
  short.sizes = () => assert.fail('sizes');
  assert.equal(all(short).length, 200);
  assert.deepEqual(short.read, [9, 65, 65, 64]);
});

test('large rows are read one by one, and none that nobody takes', () => {
  const walk = walkOf(rows(20, 200 * KB));
  let taken = 0;
  for (const _ of inChunks(walk, '')) if (++taken === 3) break;
  assert.deepEqual(walk.read, [1, 1, 1]);
});

test('rows up to 128 KiB are read at once', () => {
  const walk = walkOf(rows(100, 10 * KB));
  all(walk);
  assert.deepEqual(walk.read, [8, 12, 12, 12, 12, 12, 12, 12, 8]);
});

test('places out of order are refused, also where a chunk would end between them', () => {
  for (let at = 0; at < 20; at++) {
    const table = rows(20, 60 * KB);
    table[at] = ['z', ''];
    // The last one is in order.
    for (const longest of [1024 * KB, KB]) assert.equal(isRefused(walkOf(table, longest)), at < 19, `row ${at}`);
  }
});

/** By inChunks(), or by a reader of a range, who looks at each place. */
function isRefused(walk: Walk): boolean {
  let last = '';
  try {
    for (const [place] of inChunks(walk, '')) {
      if (String(place) <= last) return true;
      last = String(place);
    }
    return false;
  } catch (e) {
    assert.equal((e as { code?: string }).code, 'corrupt');
    return true;
  }
}
