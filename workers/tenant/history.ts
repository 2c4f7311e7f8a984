import { eventFor } from '../../kube/store/fanout.ts';
import type { Test } from '../../kube/store/select.ts';
import {
  type Batch,
  type Entry,
  type Key,
  type Range,
  type Revision,
  StoreError,
  type WatchEvent,
} from '../../kube/store/store.ts';
import { REPLAY_MS, REPLAY_REVISIONS, TRAVEL_BYTES } from '../../kube/store/window.ts';
import { corruptRow, headOf, sumOf } from './checksum.ts';
import { inChunks, walkOf } from './chunks.ts';
import { forgetPolicy } from './policy.ts';
import { COLUMNS, entryOf, rowOf, summedOf } from './rows.ts';
import { setMeta } from './schema.ts';
import { type Cell, cell } from './sql.ts';
import type { State } from './state.ts';

// `+key` keeps SQLite from choosing the index by key, which would sort all versions of the range.
const SINCE = walkOf(
  (columns) => `SELECT ${columns} FROM history h
  WHERE h.revision >= ?1 AND h.revision <= ?3 AND +h.key >= ?4 AND +h.key < ?5 ORDER BY h.revision LIMIT ?2`,
  COLUMNS,
  'h.revision',
);

/** Watches and loops resume from this revision on. */
export const resumableAfter = (s: State): Revision => Math.max(s.compacted, s.resumable);

/** Bodies that one step of replaying reads, in UTF-16 units, or one larger change: some 2 ms, until they are with the client. */
const REPLAY_BYTES = 256 * 1024;

/** What happened in a range after a revision, looking at `limit` revisions; throws StoreError 'compacted'. */
export function replay(s: State, range: Range, after: Revision, test: Test | null, limit: number): Batch {
  const first = resumableAfter(s);
  if (after < first) {
    throw new StoreError('compacted', `revision ${after} has been compacted: watches resume after ${first}`);
  }
  const to = Math.min(after + limit, s.revision);
  const events: WatchEvent[] = [];
  const tell = (revision: Revision, key: string, prev: Entry | null, next: Entry | null) => {
    const event = eventFor({ revision, key, prev, next }, test);
    if (event) events.push(event);
  };
  for (let r = after + 1; r <= Math.min(to, s.base.size); r++) {
    const row = s.base.at(r);
    if (row && row.key >= range.from && row.key < range.to) tell(r, row.key, null, row);
  }
  let bytes = 0;
  for (const cells of inChunks(s, SINCE, after + 1, to, range.from, range.to)) {
    const row = entryOf(cells);
    const before = Number(cells[8]);
    const deletion = cells[3] === null;
    // Without a selector only a deletion shows anything of what was there before.
    const prev = before === 0 ? null : test === null && !deletion ? row : rowOf(s, before);
    if (before !== 0 && prev?.key !== row.key) throw corruptRow(row.key, before, 'the row is missing');
    tell(row.revision, row.key, prev, deletion ? null : row);
    bytes += row.value.length + (prev && prev !== row ? prev.value.length : 0);
    if (bytes >= REPLAY_BYTES) return { revision: row.revision, events };
  }
  return { revision: to, events };
}

/** Revisions looked through to learn that a range stands as it did: a millisecond. */
const UNCHANGED_MAX = 2_000;

/** True when nothing in the range changed since a revision, as mostly between two pages of a list: then the present answers. */
export function unchangedSince(s: State, range: Range, at: Revision): boolean {
  return changesSince(s, range, at, range.to) === 'none';
}

/** Where in a range rows came, changed or went since a revision: before a key, only from it on, nowhere; or nobody can tell soon. */
export function changesSince(s: State, range: Range, at: Revision, key: Key): 'before' | 'behind' | 'none' | 'unknown' {
  if (at === s.revision) return 'none';
  if (s.revision - at > UNCHANGED_MAX || at < s.base.size) return 'unknown';
  const query = 'SELECT MAX(key < ?) FROM history WHERE revision > ? AND +key >= ? AND +key < ?';
  const isBefore = cell(s.sql, query, key, at, range.from, range.to);
  return isBefore === null ? 'none' : isBefore === 1 ? 'before' : 'behind';
}

/** Forgets the past before a revision, at once for readers; sweep() deletes the rows. */
export function forget(s: State, before: Revision): void {
  const to = Math.min(before, s.revision);
  if (to <= s.compacted) return;
  s.sql.transaction(() => {
    setMeta(s.sql, 'compacted', to);
    forgetPolicy(s, to);
    setMeta(s.sql, 'policy_floor', s.policyFloor);
    // The newest row may be a deletion that sweeping removes.
    setMeta(s.sql, 'revision', s.revision);
    s.compacted = to;
  });
}

/** Rows that one slice of sweeping looks at, at most: so many of 1 KB take some 5 ms. */
export const SWEEP_ROWS = 400;
/** Bodies that one slice deletes, in UTF-16 units: each page of 4 KiB that gets free is read and noted. */
const SWEEP_BYTES = 1024 * 1024;

/**
 * Deletes versions that were superseded in the forgotten past: what each row up to `compacted` replaced, and deletions
 * themselves, save those that hide a base row. True when more is left.
 */
export function sweep(s: State, limit = SWEEP_ROWS): boolean {
  if (s.swept >= s.compacted) return false;
  const rows = s.sql.all(
    'SELECT revision, prev, value IS NULL, key FROM history WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?',
    s.swept,
    s.compacted,
    limit,
  );
  s.sql.transaction(() => {
    let done = rows.length < limit ? s.compacted : Number(rows[rows.length - 1]?.[0]);
    let bytes = 0;
    for (const [revision, prev, deletion, key] of rows) {
      if (bytes >= SWEEP_BYTES) {
        done = Number(revision) - 1;
        break;
      }
      if (Number(prev) > s.base.size) bytes += Number(cell(s.sql, DELETE, Number(prev)) ?? 0);
      if (deletion === 1 && !s.overlaid.has(String(key)))
        s.sql.run('DELETE FROM history WHERE revision = ?', Number(revision));
    }
    s.pastBytes = Math.max(0, s.pastBytes - bytes);
    setMeta(s.sql, 'swept', done);
    setMeta(s.sql, 'past_bytes', s.pastBytes);
    s.swept = done;
  });
  return s.swept < s.compacted;
}
const DELETE = 'DELETE FROM history WHERE revision = ? RETURNING length(value)';

/** The revision before which nothing has to be kept: older than `travelMs`, or too large, but never inside the replay window. */
export function forgettable(s: State, travelMs: number, travelBytes = TRAVEL_BYTES): Revision {
  const now = s.env.now();
  const replayable = Math.min(s.revision - REPLAY_REVISIONS, newestAt(s, now - REPLAY_MS));
  let target = newestAt(s, now - travelMs);
  // A little at a time: what was kept for a day shall not go at once.
  if (s.pastBytes > travelBytes && s.swept >= s.compacted) target = Math.max(target, s.compacted + SWEEP_ROWS);
  return Math.max(s.compacted, Math.min(target, replayable));
}

/** When time alone will make more forgettable; null when only new revisions can. */
export function forgettableFrom(s: State, travelMs: number): number | null {
  if (s.revision - REPLAY_REVISIONS <= s.compacted) return null;
  const at = cell(s.sql, 'SELECT at FROM history WHERE revision > ? ORDER BY revision LIMIT 1', s.compacted);
  return typeof at === 'number' ? at + travelMs : null;
}

/** The newest revision at or before a time; revisions are in order of time, so it is searched by halves. */
export function newestAt(s: State, atMs: number): Revision {
  let low = s.compacted;
  let high = s.revision;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const at = cell(
      s.sql,
      'SELECT at FROM history WHERE revision >= ? AND revision <= ? ORDER BY revision LIMIT 1',
      middle,
      high,
    );
    if (at === undefined || Number(at) > atMs) high = middle - 1;
    else low = middle;
  }
  return low;
}

/** Versions of Secrets whose bodies one slice takes away. */
const SCRUB_ROWS = 50;
/** Bodies of one such slice, in UTF-16 units, or one larger body. */
const SCRUB_BYTES = 1024 * 1024;
const SCRUBBED = walkOf(
  (columns) => `SELECT ${columns} FROM history h
  WHERE h.revision >= ?1 AND h.key = ?3 AND h.revision < ?4 AND h.value IS NOT NULL AND h.value <> ?5 ORDER BY h.revision LIMIT ?2`,
  COLUMNS,
  'h.revision',
);

/**
 * Takes the bodies of Secrets out of history whose deletion is past its time: versions keep their name alone, so that a watch
 * that resumes still sees the row go. True when more is due.
 */
export function scrub(s: State): boolean {
  const [due] = s.sql.all('SELECT revision, key FROM scrub WHERE at <= ? ORDER BY revision LIMIT 1', s.env.now());
  if (due === undefined) return false;
  const [revision, key] = due as [number, string];
  const value = JSON.stringify({
    metadata: { name: key.slice(key.lastIndexOf('/') + 1), namespace: key.split('/')[1] },
  });
  s.sql.transaction(() => {
    const bodies = someBodies(s, key, revision, value);
    for (const row of bodies) scrubRow(s, row, value);
    if (bodies.length === 0) s.sql.run('DELETE FROM scrub WHERE revision = ?', revision);
  });
  return true;
}

function someBodies(s: State, key: string, before: Revision, value: string): Cell[][] {
  const rows: Cell[][] = [];
  let bytes = 0;
  for (const row of inChunks(s, SCRUBBED, 0, key, before, value)) {
    rows.push(row);
    bytes += String(row[3]).length;
    if (rows.length === SCRUB_ROWS || bytes > SCRUB_BYTES) break;
  }
  return rows;
}

/** A body goes also where its row is damaged; its other columns then stay as they are, and stay refused. */
function scrubRow(s: State, row: Cell[], value: string): void {
  let head: number | null = null;
  try {
    head = headOf({ ...summedOf(row), enc: null });
  } catch {
    s.sql.run('UPDATE history SET value = ?, enc = NULL WHERE revision = ?', value, row[1] as Revision);
    return;
  }
  const revision = row[1] as Revision;
  s.pastBytes = Math.max(0, s.pastBytes - String(row[3]).length + value.length);
  s.sql.run(
    'UPDATE history SET value = ?, enc = NULL, sum = ?, head = ? WHERE revision = ?',
    value,
    sumOf({ revision, value }),
    head,
    revision,
  );
}
