import type { Facts } from '../../kube/meta/facts.ts';
import type { Key, PutOp, Revision } from '../../kube/store/store.ts';
import { type ArchiveRow, rowsOf } from '../../kube/wire/archive.ts';
import { insert, noteLength, setTtl, writeRow } from './apply.ts';
import { heldByKinds } from './held.ts';
import { forget } from './history.ts';
import { policyChanged } from './policy.ts';
import { reserve } from './reservations.ts';
import { setMeta } from './schema.ts';
import type { ClusterSpec, State } from './state.ts';
import { TermWrites } from './terms.ts';
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

/** Writes a batch of rows (rowLines()) into a cluster in the making: one step. Each gets a revision of its own. Fails for a row that comes twice. */
export function importRows(s: State, lines: Uint8Array): number {
  const now = s.env.now();
  const rows = rowsOf(lines);
  s.sql.transaction(() => {
    const standing: [Key, Revision][] = [];
    const terms = new TermWrites();
    for (const row of rows) {
      const below = s.base.get(row.key);
      // Who has the layer has its rows.
      if (below) {
        if (!row.base) writeRow(s, putOf(row), below, { now, by: row.by ?? null }, { changes: [], terms });
      } else if (row.value !== null) {
        terms.note(row.key, undefined, insertRow(s, row, row.value, now));
        standing.push([row.key, s.revision]);
      }
    }
    // In two calls instead of several for each row.
    s.sql.run(STAND_ALL, JSON.stringify(standing));
    terms.write(s.sql);
    s.usage.save();
    // No later step may give a revision that a row of these had.
    setMeta(s.sql, 'revision', s.revision);
  });
  return rows.length;
}
const STAND_ALL = 'INSERT INTO current (key, revision) SELECT value ->> 0, value ->> 1 FROM json_each(?)';

/** A row that nothing was in place of, but for `current` and its index; its facts. */
function insertRow(s: State, row: ArchiveRow, value: string, now: number): Facts {
  const { key, version, schema, enc, by, facts: text } = row;
  const facts = JSON.parse(text) as Facts;
  const revision = ++s.revision;
  insert(s.sql, {
    revision,
    key,
    prev: 0,
    created: revision,
    at: now,
    value,
    version,
    schema,
    enc: enc ?? null,
    facts: text,
    by: by ?? null,
  });
  noteLength(s, value.length);
  s.usage.wrote(key, null, { key, revision, created: revision, value, version, schema, facts }, s.base.size);
  if (facts.policy !== undefined) policyChanged(s, key, revision, undefined, facts);
  if (row.ttlMs !== undefined) setTtl(s, key, now + row.ttlMs);
  if (heldByKinds.mayClaim(key)) reserve(s.sql, heldByKinds.claims({ key, version, value }));
  return facts;
}

/** What stands in place of a row of the base layer. */
function putOf({ key, value, version, schema, facts }: ArchiveRow): PutOp {
  if (value === null) return { key, expect: undefined, value: null };
  return { key, expect: undefined, value: { text: value, version, schema }, facts: JSON.parse(facts) as Facts };
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
