import { formatTime } from '../../kube/meta/time.ts';
import { EVERYTHING } from '../../kube/store/key.ts';
import { type Key, type Revision, StoreError } from '../../kube/store/store.ts';
import { type ArchiveRow, BLOCK_BYTES, rowLines } from '../../kube/wire/archive.ts';
import { corruptRow } from './checksum.ts';
import { inChunks, walkOf } from './chunks.ts';
import { concernsFork } from './forking.ts';
import { unchangedSince } from './history.ts';
import { COLUMNS, summedOf } from './rows.ts';
import { cell } from './sql.ts';
import { type ClusterSpec, clusterSpec, type State } from './state.ts';
import { type RestoreTarget, targetRevision } from './travel.ts';
import { writtenMs } from './versions.ts';

/** What a cluster was at one revision, but for its rows. */
export interface ArchiveHead {
  revision: Revision;
  /** The newest revision: what is made of this cluster begins above it. */
  newest: Revision;
  /** When the revision was written; the present for the newest. RFC 3339. */
  time: string;
  /** Version of the store's tables. */
  schema: number;
  spec: ClusterSpec;
  /** Empty for the past: counters have no history. */
  counters: Record<string, number>;
}
/** A step through a cluster's rows: rowLines() of them. */
export interface ArchivePage {
  rows: number;
  lines: Uint8Array;
  /** A fork has all of them as they are. */
  same: boolean;
  /** The key to go on after; absent at the end. */
  next?: Key;
}

/** Rows that a page reads at most: with BLOCK_BYTES it keeps a step of the store under 5 ms. */
const PAGE_ROWS = 64;
/** Keys that a page of the past passes over at most: those that came later, or were deleted before. */
const PASSED_ROWS = 250;

/** The cluster as of a revision or a time (default: now). Throws StoreError 'compacted' and 'future'. */
export function archiveHead(s: State, spec: ClusterSpec, target?: RestoreTarget): ArchiveHead {
  const at = target === undefined ? s.revision : targetRevision(s, target);
  const present = at === s.revision;
  const counters = present ? s.sql.all('SELECT name, used FROM counters') : [];
  return {
    revision: at,
    newest: s.revision,
    time: formatTime((present ? undefined : writtenMs(s, at)) ?? s.env.now()),
    schema: s.schema,
    spec,
    counters: Object.fromEntries(counters.map(([name, used]) => [String(name), Number(used)])),
  };
}

/** The rows of the base layer as they were at a revision: those that stood unchanged, and those that the cluster had deleted. */
export function archiveBase(s: State, at: Revision): ArchivePage {
  const rows: ArchiveRow[] = [];
  for (const entry of s.base.range(EVERYTHING)) {
    const { key, value, version, schema, facts } = entry;
    const own = s.overlaid.has(key) ? versionAt(s, key, at) : undefined;
    if (own === undefined) rows.push({ key, version, schema, base: true, facts: JSON.stringify(facts), value });
    else if (own.value === null) rows.push(rowOf(s, own));
  }
  return { rows: rows.length, lines: rowLines(rows), same: false };
}

const NEWEST_AT = `SELECT ${COLUMNS} FROM history h WHERE h.key = ? AND h.revision <= ? ORDER BY h.revision DESC LIMIT 1`;
function versionAt(s: State, key: Key, at: Revision) {
  const [row] = s.sql.all(NEWEST_AT, key, at);
  return row ? summedOf(row) : undefined;
}

const STANDING = walkOf(
  (columns) =>
    `SELECT ${columns} FROM current c LEFT JOIN history h ON h.revision = c.revision WHERE c.key >= ?1 ORDER BY c.key LIMIT ?2`,
  `c.key, ${COLUMNS}`,
  'c.key',
);
// Steps from key to key through the index, and to each key's newest version at that time; keys without one come too, so that they can be counted.
const PAST = walkOf(
  (columns) => `WITH RECURSIVE k(key) AS (
    SELECT MIN(key) FROM history WHERE key >= ?1
    UNION ALL SELECT (SELECT MIN(x.key) FROM history x WHERE x.key > k.key) FROM k WHERE k.key IS NOT NULL)
  SELECT ${columns} FROM k LEFT JOIN history h ON h.revision =
    (SELECT y.revision FROM history y WHERE y.key = k.key AND y.revision <= ?3 ORDER BY y.revision DESC LIMIT 1)
  WHERE k.key IS NOT NULL LIMIT ?2`,
  `k.key, ${COLUMNS}`,
  'k.key',
);

/** The cluster's own rows as of a revision, in key order, after a key ('' = from the first on). One step of a few milliseconds. */
export function archivePage(s: State, at: Revision, after: Key): ArchivePage {
  if (at < s.compacted)
    throw new StoreError('compacted', `revision ${at} has been compacted: the oldest is ${s.compacted}`);
  // While a restore is under way, what stands isn't what is at any revision.
  const standing = s.restoring === null && unchangedSince(s, { from: `${after}\0`, to: EVERYTHING.to }, at);
  const from = after === '' ? '' : `${after}\0`;
  const found = standing ? inChunks(s, STANDING, from) : inChunks(s, PAST, from, at);
  const rows: ArchiveRow[] = [];
  let last = after;
  let units = 0;
  let passed = 0;
  let more = false;
  for (const [pointer, ...cells] of found) {
    if (rows.length >= PAGE_ROWS || units >= BLOCK_BYTES || passed >= PASSED_ROWS) {
      more = true;
      break;
    }
    const key = String(pointer);
    if (key <= last) throw corruptRow(key, null, 'it is out of order');
    last = key;
    const absent = cells[1] === null;
    if (standing && (absent || cells[0] !== key)) throw corruptRow(key, null, 'the row is missing');
    const row = absent ? null : summedOf(cells);
    if (row === null || row.value === null) {
      passed++;
      continue;
    }
    units += row.value.length + row.facts.length;
    rows.push(rowOf(s, row));
  }
  const { uidPrefix } = clusterSpec(s.sql);
  const same = !rows.some((row) => concernsFork(row.key, row.facts, uidPrefix));
  const page: ArchivePage = { rows: rows.length, lines: rowLines(rows), same };
  return more ? { ...page, next: last } : page;
}

function rowOf(s: State, row: ReturnType<typeof summedOf>): ArchiveRow {
  const { key, version, schema, enc, facts, value, by } = row;
  const out: ArchiveRow = { key, version, schema, facts, value };
  if (enc !== null) out.enc = enc;
  if (by !== null) out.by = by;
  const dies = s.hasTtl ? cell(s.sql, 'SELECT at FROM ttl WHERE key = ?', key) : undefined;
  if (typeof dies === 'number') out.ttlMs = Math.max(1, dies - s.env.now());
  return out;
}
