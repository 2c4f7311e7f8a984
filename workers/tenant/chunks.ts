import { corruptRow } from './checksum.ts';
import type { Cell } from './sql.ts';

/** Two queries over the same rows in the same order. Both begin with the row at `from`, or with the next one if there is none. */
export interface Walk {
  /** No body of theirs has more bytes. */
  longest: number;
  /** Of at most `most` rows: their place in the order, and the bytes of their bodies. Asked where bodies can be large. */
  sizes(from: Cell, most: number): Cell[][];
  /** The first `count` rows. */
  rows(from: Cell, count: number): Cell[][];
  /** The column of `rows` that has the place; default 0. */
  place?: number;
  /** The last one first. */
  down?: boolean;
}

/** Rows that are read at once, the first time and then. */
const ROWS_FIRST = 8;
const ROWS = 64;
/** Their bodies, or one larger. */
const BYTES = 128 * 1024;
/** If so many fit whatever they are, nobody asks for their sizes. */
const CERTAIN_ROWS = 16;

/**
 * Rows of a query whose reader stops when it has enough, some at a time. One cursor that gives them one by one would be open until the collector finds it, and SQLite writes
 * nothing of its log back that came after: a log without an end, and then a long step. Throws StoreError 'corrupt' for places that are out of order.
 */
export function* inChunks(walk: Walk, from: Cell): Iterable<Cell[]> {
  const { place = 0, down = false } = walk;
  const certain = Math.floor(BYTES / Math.max(1, walk.longest));
  let most = ROWS_FIRST;
  for (let at = from, isFirst = true; ; isFirst = false, most = ROWS) {
    const { rows, beyond } =
      certain < CERTAIN_ROWS ? measured(walk, at, most) : chunk(walk, at, Math.min(most, certain));
    const first = rows[0]?.[place];
    if (first === undefined) return;
    if (!comesAfter(first, beyond, down) || !(isFirst || first === at)) throw outOfOrder(first);
    yield* rows;
    if (beyond === undefined) return;
    at = beyond;
  }
}

interface Chunk {
  rows: Cell[][];
  /** The place of the row that follows. */
  beyond: Cell | undefined;
}

function chunk(walk: Walk, at: Cell, count: number): Chunk {
  const rows = walk.rows(at, count + 1);
  return { rows, beyond: rows.length > count ? rows.pop()?.[walk.place ?? 0] : undefined };
}

function measured(walk: Walk, at: Cell, most: number): Chunk {
  const found = walk.sizes(at, most + 1);
  const count = fitting(found, most);
  const rows = count === 0 ? [] : walk.rows(at, count);
  const first = found[0]?.[0] ?? null;
  if (rows.length !== count || (count > 0 && rows[0]?.[walk.place ?? 0] !== first)) throw outOfOrder(first);
  return { rows, beyond: found[count]?.[0] };
}

const outOfOrder = (place: Cell) => corruptRow(String(place), null, 'it is out of order');

/** False for a place that is none. */
const comesAfter = (first: Cell, beyond: Cell | undefined, down: boolean): boolean =>
  first !== null && (beyond === undefined || (beyond !== null && (down ? beyond < first : beyond > first)));

/** How many of the first rows are read at once. */
function fitting(found: Cell[][], most: number): number {
  let bytes = 0;
  let count = 0;
  for (const [, size] of found) {
    bytes += Number(size);
    if (count === most || (count > 0 && bytes > BYTES)) break;
    count++;
  }
  return count;
}
