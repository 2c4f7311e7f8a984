import { parseJson } from '../../kube/codec/json.ts';
import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Facts } from '../../kube/meta/facts.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { ClaimOp, Key, Op, PutOp, Revision } from '../../kube/store/store.ts';
import { type ArchiveRow, rowsOf } from '../../kube/wire/archive.ts';
import { writeRow } from './apply.ts';
import { forget } from './history.ts';
import { reserve } from './reservations.ts';
import { setMeta } from './schema.ts';
import type { ClusterSpec, State } from './state.ts';
import { nextExpiry, type Timer } from './timers.ts';

/** A cluster to be made of rows that come in batches. */
export interface Import {
  spec: ClusterSpec;
  /** The newest revision that the cluster, where it comes from, is known to have reached. */
  newest: Revision;
  /** It is the very cluster that was deleted here: it takes the place of its tombstone. */
  again: boolean;
}
/** What an import ends with. */
export interface ImportEnd {
  counters: Record<string, number>;
  /** Loops to be woken. */
  loops: string[];
}

/**
 * A revision above all that a cluster, or an earlier life of it, has given: 10 for each millisecond since the epoch, for no store writes as many for long.
 * So a client that knew the other one sees a revision that it can't go on from, and not one that it takes for its own.
 */
export function firstRevision(newest: Revision, nowMs: number): Revision {
  return Math.max(newest, nowMs * REVISIONS_PER_MS);
}
const REVISIONS_PER_MS = 10;

/** Writes a batch of rows (rowLines()) into a cluster in the making: one step. Each gets a revision of its own. */
export function importRows(s: State, lines: Uint8Array): number {
  const now = s.env.now();
  const rows = rowsOf(lines);
  s.sql.transaction(() => {
    for (const row of rows) importRow(s, row, now);
    // No row may remind of the revisions that its first ones had.
    setMeta(s.sql, 'revision', s.revision);
  });
  return rows.length;
}

function importRow(s: State, row: ArchiveRow, now: number): void {
  const { key, value, version, schema, enc, ttlMs, by } = row;
  const below = s.base.get(key);
  // Who has the layer has its rows.
  if (row.base && below) return;
  const op: PutOp = { key, expect: undefined, value: null };
  if (value !== null) {
    op.value = enc === undefined ? { text: value, version, schema } : { text: value, version, schema, enc };
    op.facts = JSON.parse(row.facts) as Facts;
    if (ttlMs !== undefined) op.ttlMs = ttlMs;
  }
  writeRow(s, op, s.overlaid.has(key) ? null : (below ?? null), { now, by: by ?? null }, { changes: [] });
  if (value !== null) reserve(s.sql, claimsOf(key, value));
}

/** What an object holds of the pools, from its text: the same claims as when it was written. */
function claimsOf(key: Key, text: string): Op[] {
  const kind = kindByStorage(parseKey(key).resource);
  if (!kind?.claims) return [];
  const object = parseJson(text) as unknown as KubeObject;
  return kind.claims(object, null, key).flatMap((c): ClaimOp[] => {
    // One without a value has not been given any yet.
    return c.want === undefined ? [] : [{ claim: c.claim, want: c.want, owner: c.owner }];
  });
}

/** The last step of an import, in the transaction that makes the cluster live: nothing before this revision is remembered, and every loop has work. */
export function endImport(s: State, { counters, loops }: ImportEnd): void {
  for (const [name, used] of Object.entries(counters))
    s.sql.run('INSERT OR REPLACE INTO counters (name, used) VALUES (?, ?)', name, used);
  forget(s, s.revision);
  // Every row stands: there is nothing to sweep.
  setMeta(s.sql, 'swept', s.revision);
  const timer = (name: Timer, at: number) =>
    s.sql.run('INSERT OR REPLACE INTO timers (name, at) VALUES (?, ?)', name, at);
  const dies = nextExpiry(s.sql);
  if (dies !== null) timer('ttl', dies);
  // A loop that begins reads everything; the alarm wakes it until it has.
  for (const loop of loops) s.sql.run('INSERT OR REPLACE INTO dirty (loop, revision) VALUES (?, ?)', loop, s.revision);
  timer('outbox', s.env.now());
}

/** Revisions of an import begin after this. */
export function beginAfter(s: State, after: Revision): void {
  setMeta(s.sql, 'revision', after);
  setMeta(s.sql, BEGAN_AFTER, after);
  s.revision = Math.max(s.revision, after);
}
/** Where the revisions of an imported cluster began: those of its siblings do too. */
export const BEGAN_AFTER = 'began_after';
