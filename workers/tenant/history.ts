import { eventFor } from '../../kube/store/fanout.ts';
import type { Test } from '../../kube/store/select.ts';
import {
  type Batch,
  type Entry,
  type Range,
  type Revision,
  StoreError,
  type WatchEvent,
} from '../../kube/store/store.ts';
import { REPLAY_MS, REPLAY_REVISIONS, TRAVEL_BYTES } from '../../kube/store/window.ts';
import { corruptRow, headOf, sumOf } from './checksum.ts';
import { forgetPolicy } from './policy.ts';
import { COLUMNS, entryOf, rowOf, summedOf } from './rows.ts';
import { setMeta } from './schema.ts';
import { cell } from './sql.ts';
import type { State } from './state.ts';

// `+key` keeps SQLite from choosing the index by key, which would sort all versions of the range.
const SINCE = `SELECT ${COLUMNS} FROM history h
  WHERE h.revision > ? AND h.revision <= ? AND +h.key >= ? AND +h.key < ? ORDER BY h.revision`;

/** Watches and loops resume from this revision on. */
export const resumableAfter = (s: State): Revision => Math.max(s.compacted, s.resumable);

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
  for (const cells of s.sql.all(SINCE, after, to, range.from, range.to)) {
    const row = entryOf(cells);
    const before = Number(cells[8]);
    const deletion = cells[3] === null;
    // Without a selector only a deletion shows anything of what was there before.
    const prev = before === 0 ? null : test === null && !deletion ? row : rowOf(s, before);
    if (before !== 0 && prev?.key !== row.key) throw corruptRow(row.key, before, 'the row is missing');
    tell(row.revision, row.key, prev, deletion ? null : row);
  }
  return { revision: to, events };
}

/** Revisions looked through to learn that a range stands as it did: a millisecond. */
const UNCHANGED_MAX = 2_000;

/** True when nothing in the range changed since a revision, as mostly between two pages of a list: then the present answers. */
export function unchangedSince(s: State, range: Range, at: Revision): boolean {
  if (s.revision - at > UNCHANGED_MAX || at < s.base.size) return false;
  const query = 'SELECT 1 FROM history WHERE revision > ? AND +key >= ? AND +key < ? LIMIT 1';
  return cell(s.sql, query, at, range.from, range.to) === undefined;
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

/** Rows that one slice of sweeping looks at: 400 take about 8 ms. */
const SWEEP_ROWS = 400;

/**
 * Deletes versions that were superseded in the forgotten past: what each row up to `compacted` replaced, and deletions
 * themselves, save those that hide a base row. True when more is left.
 */
export function sweep(s: State): boolean {
  if (s.swept >= s.compacted) return false;
  const rows = s.sql.all(
    'SELECT revision, prev, value IS NULL, key FROM history WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?',
    s.swept,
    s.compacted,
    SWEEP_ROWS,
  );
  const done = rows.length < SWEEP_ROWS ? s.compacted : Number(rows[rows.length - 1]?.[0]);
  s.sql.transaction(() => {
    for (const [revision, prev, deletion, key] of rows) {
      if (Number(prev) > s.base.size) {
        s.pastBytes -= Number(
          cell(s.sql, 'DELETE FROM history WHERE revision = ? RETURNING length(value)', Number(prev)) ?? 0,
        );
      }
      if (deletion === 1 && !s.overlaid.has(String(key)))
        s.sql.run('DELETE FROM history WHERE revision = ?', Number(revision));
    }
    setMeta(s.sql, 'swept', done);
    setMeta(s.sql, 'past_bytes', s.pastBytes);
    s.swept = done;
  });
  return s.swept < s.compacted;
}

/** The revision before which nothing has to be kept: older than `travelMs`, or too large, but never inside the replay window. */
export function forgettable(s: State, travelMs: number): Revision {
  const now = s.env.now();
  const replayable = Math.min(s.revision - REPLAY_REVISIONS, newestAt(s, now - REPLAY_MS));
  let target = newestAt(s, now - travelMs);
  if (s.pastBytes > TRAVEL_BYTES) target = Math.max(target, s.compacted + Math.ceil((s.revision - s.compacted) / 2));
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
const SCRUBBED = `SELECT ${COLUMNS} FROM history h
  WHERE h.key = ? AND h.revision < ? AND h.value IS NOT NULL AND h.value <> ? ORDER BY h.revision LIMIT ?`;

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
  return s.sql.transaction(() => {
    const versions = s.sql.all(SCRUBBED, key, revision, value, SCRUB_ROWS).map(summedOf);
    for (const row of versions) {
      s.pastBytes -= (row.value?.length ?? 0) - value.length;
      const plain = { ...row, value, enc: null };
      s.sql.run(
        'UPDATE history SET value = ?, enc = NULL, sum = ?, head = ? WHERE revision = ?',
        value,
        sumOf(plain),
        headOf(plain),
        row.revision,
      );
    }
    if (versions.length < SCRUB_ROWS) s.sql.run('DELETE FROM scrub WHERE revision = ?', revision);
    return true;
  });
}
