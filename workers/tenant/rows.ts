import type { Facts } from '../../kube/meta/facts.ts';
import type { Entry, Key, Range, Revision } from '../../kube/store/store.ts';
import type { Base } from './base.ts';
import { corruptRow, headOf, type Summed, sumOf } from './checksum.ts';
import { inChunks, walkOf } from './chunks.ts';
import { type Cell, cell, type Sql } from './sql.ts';
import { hasTerm } from './terms.ts';

const REST = 'h.created, h.value, h.version, h.schema, h.enc, h.facts, h.prev, h.at, h.by, h.sum, h.head';
/** The columns of entryOf(), of the table or alias `h`. */
export const COLUMNS = `h.key, h.revision, ${REST}`;
/** The same by what points to the row: where that is damaged, the checksum tells. */
const STANDING = `c.key, c.revision, ${REST}`;

/** A row of COLUMNS as it was written; throws StoreError 'corrupt' where it is another. Rows of the release before have no checksum. */
export function summedOf(row: readonly Cell[]): Summed {
  const [key, revision, created, value, version, schema, enc, facts, prev, at, by, sum, head] = row as Columns;
  // What points to a row finds none: the columns of an outer join.
  if (version === null) throw corruptRow(key, revision, 'the row is missing');
  const summed: Summed = { key, revision, prev, created, at, value, version, schema, enc, facts, by };
  if (!isShaped(summed) || (sum !== null && sum !== sumOf(summed)) || (head !== null && head !== headOf(summed)))
    throw corruptRow(key, revision);
  return summed;
}

/** SQLite keeps the type with the value: damage can turn one into another. */
const isShaped = (r: Summed): boolean =>
  typeof r.key === 'string' &&
  typeof r.revision === 'number' &&
  (r.value === null || typeof r.value === 'string') &&
  typeof r.version === 'string' &&
  typeof r.schema === 'string' &&
  (r.enc === null || typeof r.enc === 'string') &&
  (r.by === null || typeof r.by === 'string') &&
  typeof r.facts === 'string';

type Columns = [
  key: string,
  revision: number,
  created: number,
  value: string | null,
  version: string,
  schema: string,
  enc: string | null,
  facts: string,
  prev: number,
  at: number,
  by: string | null,
  sum: number | null,
  head: number | null,
];

const HEAD_REST = `h.created, CASE WHEN h.value IS NULL THEN NULL ELSE '' END, h.version, h.schema, h.enc, h.facts, h.prev, h.at,
  h.by, NULL, h.head`;
/** The columns of headFrom(), of the alias `h`: all but the body. */
export const HEAD_COLUMNS = `h.key, h.revision, ${HEAD_REST}`;

/** A row of HEAD_COLUMNS, its facts looked at by their checksum; `value` is '' or null. Throws StoreError 'corrupt'. */
export function headFrom(row: readonly Cell[]): Summed & { parsed: Facts } {
  const head = summedOf(row);
  return { ...head, parsed: factsFrom(head) };
}

/** Facts of a release before have no checksum. */
function factsFrom({ key, revision, facts }: Summed): Facts {
  try {
    return JSON.parse(facts) as Facts;
  } catch {
    throw corruptRow(key, revision, 'its facts cannot be read');
  }
}

/** A row of COLUMNS; throws StoreError 'corrupt'. */
export const entryOf = (row: readonly Cell[]): Entry => entryFrom(summedOf(row));
/** The entry of a row whose checksum has been looked at. */
export function entryFrom(row: Summed): Entry {
  const { key, revision, created, value, version, schema, enc } = row;
  const entry: Entry = {
    key,
    revision,
    created,
    value: value ?? '',
    version,
    schema,
    facts: factsFrom(row),
  };
  if (enc !== null) entry.enc = enc;
  return entry;
}

/** A store's rows: its own over the base layer's. */
export interface Layers {
  sql: Sql;
  base: Base;
  /** Base keys that have rows or a tombstone of their own. */
  overlaid: Set<Key>;
  /** No body has more bytes. */
  longest: number;
}

// LEFT JOINs, so that a row that is gone is noticed.
const GET = `SELECT ${STANDING} FROM current c LEFT JOIN history h ON h.revision = c.revision WHERE c.key = ?`;
const AT = `SELECT ${COLUMNS} FROM history h WHERE h.revision = ?`;
const RANGE = walkOf(
  (columns) => `SELECT ${columns} FROM current c LEFT JOIN history h ON h.revision = c.revision
  WHERE c.key >= ?1 AND c.key < ?3 ORDER BY c.key LIMIT ?2`,
  STANDING,
  'c.key',
);
const BY_TERM = walkOf(
  (columns) => `SELECT ${columns} FROM facts f LEFT JOIN current c ON c.key = f.key
  LEFT JOIN history h ON h.revision = c.revision WHERE f.term = ?4 AND f.key >= ?1 AND f.key < ?3 ORDER BY f.key LIMIT ?2`,
  `f.key, c.revision, ${REST}`,
  'f.key',
);
// Steps from key to key through the index, and to each key's newest version at that time.
const past = (columns: string) => `WITH RECURSIVE k(key) AS (
    SELECT MIN(key) FROM history WHERE key >= ?1 AND key < ?3
    UNION ALL SELECT (SELECT MIN(x.key) FROM history x WHERE x.key > k.key AND x.key < ?3) FROM k WHERE k.key IS NOT NULL)
  SELECT ${columns} FROM k CROSS JOIN history h ON h.revision =
    (SELECT y.revision FROM history y WHERE y.key = k.key AND y.revision <= ?4 ORDER BY y.revision DESC LIMIT 1)
  WHERE k.key IS NOT NULL AND h.value IS NOT NULL LIMIT ?2`;
const PAST = walkOf(past, `k.key, h.revision, ${REST}`, 'k.key');

/** The row that stands at a key. */
export function getRow(l: Layers, key: Key): Entry | null {
  if (isInBase(l, key)) return l.base.get(key) ?? null;
  const row = l.sql.all(GET, key)[0];
  if (row) return entryOf(row);
  stands(l, key);
  return null;
}

/**
 * The two columns that isStanding() takes, for the key that is the SQL expression `key`: the index by key is another tree than `current`, so if one of them
 * is damaged, the other tells of the row.
 */
export const standingOf = (key: string): string => `(SELECT revision FROM current WHERE key = ${key}),
  (SELECT CASE WHEN value IS NOT NULL THEN revision END FROM history WHERE key = ${key} ORDER BY revision DESC LIMIT 1)`;
const STANDS = `SELECT ${standingOf('?1')}`;

/** Whether a row stands at a key: a third of the cost of getRow() where none does. */
export const stands = (l: Layers, key: Key): boolean =>
  isInBase(l, key) || isStanding(key, l.sql.all(STANDS, key)[0] ?? []);

/** With what standingOf() says of a key. Throws StoreError 'corrupt' where the two differ. */
export function isStanding(key: Key, [standing, newest]: readonly Cell[]): boolean {
  if (standing !== newest) throw corruptRow(key, Number(newest ?? standing), 'it stands and does not stand');
  return standing !== null;
}

/** Whether what stands at a key is the base layer's row. */
export const isInBase = (l: Layers, key: Key): boolean => l.base.has(key) && !l.overlaid.has(key);

/** A version of a row by its revision, with an empty body for a deletion. */
export function rowOf(l: Layers, revision: Revision): Entry | null {
  if (revision <= l.base.size) return l.base.at(revision) ?? null;
  const row = l.sql.all(AT, revision)[0];
  return row ? entryOf(row) : null;
}

/** What stands in a range, in key order; only rows of a fact when `term` is given (base rows of the range always come). */
export function rowsIn(l: Layers, range: Range, term: string | null): Iterable<Entry> {
  const own = term === null ? standing(l, range) : selected(l, range, term);
  if (!l.base.touches(range)) return own;
  return merge(l, range, own, (e) => !l.overlaid.has(e.key));
}

function* standing(l: Layers, range: Range): Iterable<Entry> {
  let first = '';
  let last = '';
  for (const row of inChunks(l, RANGE, range.from, range.to)) {
    const entry = entryOf(row);
    if (entry.key <= last) throw corruptRow(entry.key, entry.revision, 'it is out of order');
    first ||= entry.key;
    last = entry.key;
    yield entry;
  }
  if (range.to !== `${range.from}\0`) checkFence(l.sql, range, first, last);
  else if (last === '') stands(l, range.from);
}

// What the index has before the first row and after the last one, with the key that the row itself has.
const FENCE = `SELECT * FROM (SELECT c.key, c.revision, h.key FROM current c LEFT JOIN history h ON h.revision = c.revision
    WHERE c.key >= ?2 ORDER BY c.key LIMIT 1)
  UNION ALL SELECT * FROM (SELECT c.key, c.revision, h.key FROM current c LEFT JOIN history h ON h.revision = c.revision
    WHERE c.key < ?1 ORDER BY c.key DESC LIMIT 1)`;

/**
 * After a range has been read, from a first key to a last ('' = none was found): a damaged key of `current` can end the range early or let it begin late.
 * It then stands beside what was read, and isn't the key of its row.
 */
export function checkFence(sql: Sql, range: Range, first: Key, last: Key): void {
  for (const [key, revision, own] of sql.all(FENCE, first || range.from, last ? `${last}\0` : range.from)) {
    if (key !== own || (String(key) >= range.from && String(key) < range.to))
      throw corruptRow(String(own ?? key), Number(revision), 'it is out of order');
  }
}

function* selected(l: Layers, range: Range, term: string): Iterable<Entry> {
  let first = '';
  let last = '';
  for (const row of inChunks(l, BY_TERM, range.from, range.to, term)) {
    const entry = entryOf(row);
    checkTerm(entry, entry.facts, term);
    first ||= entry.key;
    last = entry.key;
    yield entry;
  }
  for (const [found, ...row] of l.sql.all(TERM_FENCE, term, first || range.from, last ? `${last}\0` : range.from)) {
    const head = headFrom(row);
    checkTerm(head, head.parsed, String(found));
  }
}

// As FENCE, for the index of facts.
const TERM_FENCE = `SELECT f.term, f.key, c.revision, ${HEAD_REST} FROM (
    SELECT * FROM (SELECT term, key FROM facts WHERE (term, key) >= (?1, ?3) ORDER BY term, key LIMIT 1)
    UNION ALL SELECT * FROM (SELECT term, key FROM facts WHERE (term, key) < (?1, ?2) ORDER BY term DESC, key DESC LIMIT 1)) f
  LEFT JOIN current c ON c.key = f.key LEFT JOIN history h ON h.revision = c.revision`;

function checkTerm({ key, revision }: { key: Key; revision: Revision }, facts: Facts, term: string): void {
  if (!hasTerm(facts, term)) throw corruptRow(key, revision, 'the index of its facts does not match');
}

/** What stood in a range at a past revision, in key order. */
export function rowsAt(l: Layers, range: Range, at: Revision): Iterable<Entry> {
  const own = entries(inChunks(l, PAST, range.from, range.to, at));
  if (!l.base.touches(range)) return own;
  return merge(l, range, own, (e) => e.revision <= at && !(l.overlaid.has(e.key) && overlaidAt(l.sql, e.key, at)));
}

const COUNT = 'SELECT COUNT(*) FROM current WHERE key >= ? AND key < ?';
const COUNT_PAST = past('1').replace('SELECT 1 FROM k', 'SELECT COUNT(*) FROM (SELECT 1 FROM k').concat(')');
/** Each row of the past takes two steps through an index: more of them are "many". */
const COUNTED_PAST_MAX = 500;

/** Counts the rows of a range that follow a key, now or at a past revision (Infinity for many there); undefined where the base layer has part in it. */
export function counter(l: Layers, range: Range, at: Revision | null): ((after: Key) => number) | undefined {
  if (l.base.touches(range)) return undefined;
  if (at === null) return (after) => Number(cell(l.sql, COUNT, `${after}\0`, range.to));
  return (after) => {
    const count = Number(cell(l.sql, COUNT_PAST, `${after}\0`, COUNTED_PAST_MAX + 1, range.to, at));
    return count > COUNTED_PAST_MAX ? Number.POSITIVE_INFINITY : count;
  };
}

const overlaidAt = (sql: Sql, key: Key, at: Revision): boolean =>
  cell(sql, 'SELECT 1 FROM history WHERE key = ? AND revision <= ? LIMIT 1', key, at) === 1;

function* entries(rows: Iterable<Cell[]>): Iterable<Entry> {
  for (const row of rows) yield entryOf(row);
}

function* merge(l: Layers, range: Range, own: Iterable<Entry>, visible: (e: Entry) => boolean): Iterable<Entry> {
  const below = l.base.range(range)[Symbol.iterator]();
  const nextBelow = (): Entry | null => {
    for (let r = below.next(); !r.done; r = below.next()) if (visible(r.value)) return r.value;
    return null;
  };
  let base = nextBelow();
  for (const entry of own) {
    for (; base && base.key < entry.key; base = nextBelow()) yield base;
    yield entry;
  }
  for (; base; base = nextBelow()) yield base;
}
