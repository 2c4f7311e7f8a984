import { resourceOfKey } from '../../kube/store/key.ts';
import type { ClaimOp, Entry, Key, PutOp, Revision } from '../../kube/store/store.ts';
import { StoreError } from '../../kube/store/store.ts';
import { TRAVEL_MS } from '../../kube/store/window.ts';
import { writeRow } from './apply.ts';
import { newestAt } from './history.ts';
import { releaseOf, reserve } from './reservations.ts';
import { addJump, type Restore, saveRestore, seenAt } from './restores.ts';
import { setMeta } from './schema.ts';
import { createdMs, type State } from './state.ts';
import { lastBody, stoodAt, writtenMs } from './versions.ts';

// Bringing a whole cluster back to a past revision, in slices. docs/adr/0021-restore-writes-the-past-anew.md says why it is made so.

/** What the store can't know of its rows. */
export interface RestoreRules {
  /** False where rows of that key never claim anything: their bodies aren't read for it. */
  mayClaim(key: Key): boolean;
  /** What a row has claimed, each with `want`. */
  claims(row: RowBody): ClaimOp[];
  /** How long a row lives from now on; undefined = for ever. */
  ttlMs(row: RowBody): number | undefined;
}
/** What a kind says that of: a row's text, of the version it is stored in. */
export type RowBody = Pick<Entry, 'key' | 'value' | 'version'>;

/** A revision, or the newest at a time. */
export type RestoreTarget = { revision: Revision } | { timeMs: number };

/**
 * What stays as it is: the cluster's keys and tokens (what was revoked must not come back, who was let in since stays), the endpoint's limits for
 * it, and what stands for machines, which don't go back in time.
 */
const KEPT: ReadonlySet<string> = new Set([
  'clusterkeys.coracle.dev',
  'statictokens.coracle.dev',
  'clusterlimits.coracle.dev',
  'nodes',
  'csinodes.storage.k8s.io',
]);
/** Of one slice, some 3 ms: revisions looked at, rows compared (each may be written), and their bodies in UTF-16 units. */
const SLICE_REVISIONS = 128;
const SLICE_ROWS = 16;
const SLICE_UNITS = 96 * 1024;
/** Names of lost objects that are told; the rest is a number. */
const LOST_MAX = 20;

/** The revision that a target means. Throws StoreError 'compacted' or 'future'. */
export function targetRevision(s: State, target: RestoreTarget): Revision {
  if ('revision' in target) {
    const { revision } = target;
    if (revision > s.revision)
      throw new StoreError('future', `revision ${revision} has not been reached: the newest is ${s.revision}`);
    if (revision < oldest(s))
      throw new StoreError('compacted', `revision ${revision} has left history: the oldest is ${oldest(s)}`);
    return seenAt(s.jumps, revision);
  }
  if (target.timeMs > s.env.now()) throw new StoreError('future', 'the time has not come yet');
  const found = newestAt(s, target.timeMs);
  // What stands at the window's edge may be older or younger than the time, where its row has gone.
  const written =
    found > s.compacted ? target.timeMs : (writtenMs(s, found) ?? (s.compacted === 0 ? createdMs(s.sql) : Infinity));
  if (written > target.timeMs || found < oldest(s))
    throw new StoreError('compacted', `the time has left history: the oldest revision is ${oldest(s)}`);
  return found;
}

const oldest = (s: State): Revision => Math.max(s.compacted, s.base.size);

/** Begins a restore; from now on nothing else may write until restoreSlice() says 'done'. */
export function beginRestore(s: State, to: Revision, by: string): Restore {
  const r: Restore = {
    to,
    before: s.revision,
    atMs: s.env.now(),
    by,
    phase: 'rows',
    cursor: to,
    after: s.revision,
    changed: 0,
    lost: [],
    lostCount: 0,
  };
  s.sql.transaction(() => {
    // Policy texts are told all at once, at the end: nobody must decide on half of the past.
    s.sql.run(
      'CREATE TABLE IF NOT EXISTS restored_policy (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, policy TEXT, uid TEXT NOT NULL, sum INTEGER) WITHOUT ROWID',
    );
    saveRestore(s.sql, r);
  });
  s.restoring = r;
  return r;
}

/** One slice of the restore under way, in the caller's transaction; what the restore is then, for the caller to put in place of `s.restoring`. */
export function restoreSlice(s: State, rules: RestoreRules): Restore {
  const r = { ...(s.restoring as Restore) };
  if (r.phase === 'rows') copyRows(s, r, rules);
  else if (r.phase === 'claims') takeClaims(s, r, rules);
  if (r.phase === 'done') finish(s, r);
  saveRestore(s.sql, r);
  s.usage.save();
  return r;
}

/** Each key once, by its newest version: what changed since, not what there is. */
function copyRows(s: State, r: Restore, rules: RestoreRules): void {
  const rows = s.sql.all(CHANGED, r.before, r.cursor, r.before, SLICE_REVISIONS) as [Revision, Key, newer: number][];
  let compared = 0;
  let units = 0;
  for (const [revision, key, newer] of rows) {
    if (compared >= SLICE_ROWS || units >= SLICE_UNITS) return;
    r.cursor = revision;
    if (newer || KEPT.has(resourceOfKey(key))) continue;
    compared++;
    units += sameUnits(s, r, key, revision) ?? copyRow(s, r, rules, key);
  }
  if (rows.length < SLICE_REVISIONS) {
    r.phase = 'claims';
    r.cursor = r.before;
  }
}

const CHANGED = `SELECT revision, key,
    EXISTS (SELECT 1 FROM history n WHERE n.key = h.key AND n.revision > h.revision AND n.revision <= ?)
  FROM history h WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?`;

const SAME = `SELECT a.revision, b.value IS NULL, octet_length(a.value),
    a.value IS b.value AND a.version = b.version AND a.schema = b.schema AND a.enc IS b.enc
  FROM history b LEFT JOIN history a ON a.revision = (SELECT MAX(revision) FROM history WHERE key = b.key AND revision <= ?)
  WHERE b.revision = ?`;
/** The length of what has come back by itself, or has come and gone: most of what changed. Undefined where something is to be written, or the base layer has to be asked. */
function sameUnits(s: State, r: Restore, key: Key, revision: Revision): number | undefined {
  const [then, gone, length, same] = s.sql.all(SAME, r.to, revision)[0] ?? [];
  if (then === null) return gone && !s.base.get(key) ? 0 : undefined;
  return same ? 2 * Number(length) : undefined;
}

/** Writes what stood at a key; the length of the bodies that were read for it. */
function copyRow(s: State, r: Restore, rules: RestoreRules, key: Key): number {
  const then = stoodAt(s, key, r.to)?.entry ?? null;
  const now = stoodAt(s, key, r.before)?.entry ?? null;
  if (then === null ? now === null : now !== null && sameBody(then, now)) return unitsOf(then, now);
  if (then !== null && isScrubbed(then)) {
    r.lostCount++;
    if (r.lost.length < LOST_MAX) r.lost.push(key);
    return unitsOf(then, now);
  }
  const op =
    then === null ? { key, expect: undefined, value: null } : putOf(then, now ?? lastBody(s, key, r.before), rules);
  // The new revisions come after all others, but nobody sees them before the end.
  const { revision } = s;
  s.revision = r.after;
  try {
    r.after = writeRow(s, op, now, { now: r.atMs, by: r.by }, { changes: [] });
  } finally {
    s.revision = revision;
  }
  r.changed++;
  releaseOf(s.sql, key);
  if (key.startsWith('secrets/')) keepBody(s, key, r, op.value === null);
  return unitsOf(then, now);
}

const unitsOf = (...rows: (Entry | null)[]): number => rows.reduce((n, e) => n + (e?.value.length ?? 0), 0);

const sameBody = (a: Entry, b: Entry): boolean =>
  a.value === b.value && a.version === b.version && a.schema === b.schema && a.enc === b.enc;

/** A Secret whose body has left history: scrub() in history.ts leaves its name. */
function isScrubbed(e: Entry): boolean {
  if (!e.key.startsWith('secrets/')) return false;
  const [, namespace, name] = e.key.split('/');
  return e.value === JSON.stringify({ metadata: { name, namespace } });
}

/** A Secret that a restore deletes keeps its body as long as history lasts, for the restore to be undone; one that lives again keeps it anyway. */
function keepBody(s: State, key: Key, r: Restore, deleted: boolean): void {
  if (deleted) s.sql.run('UPDATE scrub SET at = ? WHERE revision = ?', r.atMs + TRAVEL_MS, r.after);
  else s.sql.run('DELETE FROM scrub WHERE key = ?', key);
}

function putOf(then: Entry, last: Entry | null, rules: RestoreRules): PutOp {
  const { key, version, schema, enc, facts } = then;
  const text = last ? raised(then, last) : then.value;
  const op: PutOp = {
    key,
    expect: undefined,
    value: { text, version, schema, ...(enc === undefined ? {} : { enc }) },
    facts,
  };
  const ttlMs = rules.ttlMs(then);
  return ttlMs === undefined ? op : { ...op, ttlMs };
}

/**
 * The body with a generation after the last one of the same object, if that had come further: who has seen that one must not take the old spec, whose
 * observedGeneration is older still, for one it has dealt with.
 */
function raised(then: Entry, last: Entry): string {
  if (then.facts.uid !== last.facts.uid) return then.value;
  const [was, is] = [generationOf(then.value), generationOf(last.value)];
  if (was === null || is === null || is.value <= was.value) return then.value;
  return `${then.value.slice(0, was.from)}${is.value + 1}${then.value.slice(was.to)}`;
}

/** metadata.generation comes after nothing but names and the uid (api/row.ts), which need no escapes. */
const GENERATION = /^\{"metadata":\{(?:"[A-Za-z]+":"[^"\\]*",)*"generation":([0-9]+)[,}]/;
function generationOf(text: string): { value: number; from: number; to: number } | null {
  const found = GENERATION.exec(text);
  if (!found?.[1]) return null;
  const to = found[0].length - 1;
  return { value: Number(found[1]), from: to - found[1].length, to };
}

/** Once all that was claimed since is free again. */
function takeClaims(s: State, r: Restore, rules: RestoreRules): void {
  const rows = s.sql.all(
    'SELECT revision, key FROM history WHERE revision > ? ORDER BY revision LIMIT ?',
    r.cursor,
    SLICE_REVISIONS,
  ) as [Revision, Key][];
  let read = 0;
  for (const [revision, key] of rows) {
    if (read >= SLICE_ROWS) return;
    r.cursor = revision;
    if (!rules.mayClaim(key)) continue;
    read++;
    const row = stoodAt(s, key, revision)?.entry;
    // Each by itself: one that is taken all the same must not cost the others.
    if (row) for (const claim of rules.claims(row)) reserve(s.sql, [claim]);
  }
  if (rows.length < SLICE_REVISIONS) r.phase = 'done';
}

/** The one step in which everybody comes to see it. */
function finish(s: State, r: Restore): void {
  s.sql.run(
    'INSERT OR REPLACE INTO policy (key, revision, policy, uid, sum) SELECT key, revision, policy, uid, sum FROM restored_policy',
  );
  // The table stays: SQLite drops none while any reader's cursor is open, and the platform closes those when it likes.
  s.sql.run('DELETE FROM restored_policy');
  setMeta(s.sql, 'past_bytes', s.pastBytes);
  if (r.after === r.before) return;
  setMeta(s.sql, 'revision', r.after);
  // Who watches or follows changes begins anew.
  setMeta(s.sql, 'resumable', r.after);
  addJump(s.sql, [r.before, r.after], s.compacted);
  s.sql.run('INSERT OR REPLACE INTO dirty (loop, revision) SELECT DISTINCT loop, ? FROM interest', r.after);
}
