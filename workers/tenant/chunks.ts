import { corruptRow } from './checksum.ts';
import type { Cell, Sql } from './sql.ts';

/** Rows in an order: the query for them, and the one for the places and sizes of the same. */
export interface Walk {
  rows: string;
  sizes: string;
  /** The column of `rows` that has the place. */
  place: number;
  /** The last one first. */
  down: boolean;
}

/**
 * A walk by `place`, one of the `columns`. The query for some columns begins with the row at ?1, or with the next one if there is none, and ends after ?2 rows; what else it
 * takes is from ?3 on. `size` is that of a row's body in bytes.
 */
export function walkOf(
  query: (columns: string) => string,
  columns: string,
  place: string,
  o: { size?: string; down?: boolean } = {},
): Walk {
  const { size = 'octet_length(h.value)', down = false } = o;
  return { rows: query(columns), sizes: query(`${place}, ${size}`), place: columns.split(', ').indexOf(place), down };
}

/** Where the rows are. */
interface Walked {
  sql: Sql;
  /** No body has more bytes. */
  longest: number;
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
export function* inChunks(w: Walked, walk: Walk, from: Cell, ...args: Cell[]): Iterable<Cell[]> {
  const certain = Math.floor(BYTES / Math.max(1, w.longest));
  let most = ROWS_FIRST;
  for (let at = from, isFirst = true; ; isFirst = false, most = ROWS) {
    const { rows, beyond } =
      certain < CERTAIN_ROWS ? measured(w, walk, at, most, args) : chunk(w, walk, at, Math.min(most, certain), args);
    const first = rows[0]?.[walk.place];
    if (first === undefined) return;
    if (!comesAfter(first, beyond, walk.down) || !(isFirst || first === at)) throw outOfOrder(first);
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

function chunk({ sql }: Walked, walk: Walk, at: Cell, count: number, args: Cell[]): Chunk {
  const rows = sql.all(walk.rows, at, count + 1, ...args);
  return { rows, beyond: rows.length > count ? rows.pop()?.[walk.place] : undefined };
}

function measured({ sql }: Walked, walk: Walk, at: Cell, most: number, args: Cell[]): Chunk {
  const found = sql.all(walk.sizes, at, most + 1, ...args);
  const count = fitting(found, most);
  const rows = count === 0 ? [] : sql.all(walk.rows, at, count, ...args);
  const first = found[0]?.[0] ?? null;
  if (rows.length !== count || (count > 0 && rows[0]?.[walk.place] !== first)) throw outOfOrder(first);
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
