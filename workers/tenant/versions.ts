import { cutVersions } from '../../kube/store/page.ts';
import type { Key, Revision, Version, Versions, VersionsOptions } from '../../kube/store/store.ts';
import { inChunks, walkOf } from './chunks.ts';
import { COLUMNS, entryFrom, summedOf } from './rows.ts';
import { type Cell, cell } from './sql.ts';
import { createdMs, type State } from './state.ts';

const NEWEST = walkOf(
  (columns) => `SELECT ${columns} FROM history h
  WHERE h.key = ?3 AND h.revision <= ?1 AND h.revision > ?4 ORDER BY h.revision DESC LIMIT ?2`,
  COLUMNS,
  'h.revision',
  { down: true },
);
const STOOD = `SELECT ${COLUMNS} FROM history h
  WHERE h.key = ? AND h.revision <= ? ORDER BY h.revision DESC LIMIT 1`;
const BODY = `SELECT ${COLUMNS} FROM history h
  WHERE h.key = ? AND h.revision <= ? AND h.value IS NOT NULL ORDER BY h.revision DESC LIMIT 1`;

/** The versions of a key that `read at` can find, newest first. */
export function versionsOf(s: State, key: Key, o: VersionsOptions): Versions {
  return cutVersions(newestFirst(s, key, Math.min(o.before ?? Infinity, s.revision + 1)), s.revision, o.limit);
}

function* newestFirst(s: State, key: Key, before: Revision): Iterable<Version> {
  for (const row of inChunks(s, NEWEST, before - 1, key, s.compacted)) yield versionOf(row);
  // What stood where the window begins.
  const stood = s.sql.all(STOOD, key, s.compacted)[0];
  const version = stood ? versionOf(stood) : baseVersion(s, key);
  if (version?.entry && version.revision < before) yield version;
}

function versionOf(row: readonly Cell[]): Version {
  const r = summedOf(row);
  const version: Version = { revision: r.revision, atMs: r.at, entry: r.value === null ? null : entryFrom(r) };
  if (r.by !== null) version.by = r.by;
  return version;
}

function baseVersion(s: State, key: Key): Version | null {
  const entry = s.base.get(key);
  return entry ? { revision: entry.revision, atMs: createdMs(s.sql), entry } : null;
}

/** The row that stood at a key at a revision, with an empty body if it had been deleted; null = none. */
export function stoodAt(s: State, key: Key, at: Revision): { entry: Version['entry'] } | null {
  const row = s.sql.all(STOOD, key, at)[0];
  if (row) return versionOf(row);
  const base = s.base.get(key);
  return base && base.revision <= at ? { entry: base } : null;
}

/** The newest version of a key that has a body, at a revision or before. */
export function lastBody(s: State, key: Key, until: Revision): Version['entry'] {
  const row = s.sql.all(BODY, key, until)[0];
  return row ? entryFrom(summedOf(row)) : (s.base.get(key) ?? null);
}

/** When a revision was written; undefined where its row has gone. */
export function writtenMs(s: State, revision: Revision): number | undefined {
  const at = cell(s.sql, 'SELECT at FROM history WHERE revision = ?', revision);
  return typeof at === 'number' ? at : undefined;
}
