import type { Env } from '../../kube/meta/env.ts';
import type { Change } from '../../kube/store/fanout.ts';
import type { Rows } from '../../kube/store/rowcache.ts';
import { type Entry, type Key, MAX_VALUE_BYTES, type Revision, StoreError } from '../../kube/store/store.ts';
import { openRows } from '../rowcaches.ts';
import { Base, type BaseLayer } from './base.ts';
import type { Held } from './leases.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Requests } from './requests.ts';
import { type Jump, jumpsOf, lastRestore, type Restore } from './restores.ts';
import { getRow, type Layers } from './rows.ts';
import { createMeta, getMeta, hasMeta, migrate, setMeta } from './schema.ts';
import { cell, type Sql } from './sql.ts';
import type { TermWrites } from './terms.ts';
import { checkTrees } from './trees.ts';
import { Usage } from './usage.ts';

/** What a cluster is made of, in one row. */
export interface ClusterSpec {
  /** Hash of its base layer; '' = none. */
  base: string;
  /** The first 24 characters of the uids of base rows: `xxxxxxxx-xxxx-4xxx-8xxx-`. */
  uidPrefix: string;
  createdMs: number;
}
interface ClusterRow extends ClusterSpec {
  /** 'importing': rows of an archive or of another cluster are being written; nobody sees it yet. */
  state: 'live' | 'importing' | 'deleted';
}

/** A store object's memory of its tables: everything here can be read again from them. */
export interface State extends Layers {
  env: Pick<Env, 'now' | 'after'>;
  revision: Revision;
  /** Watches resume and reads `at` answer from here on. */
  compacted: Revision;
  /** Watches and loops resume from here on where it's after `compacted`: a restore ended them all. */
  resumable: Revision;
  /** A restore is under way: `revision` and policy stay those before it, the tables of what stands don't. */
  restoring: Restore | null;
  /** Over what restores have jumped. */
  jumps: Jump[];
  /** How far superseded rows have really been deleted. */
  swept: Revision;
  policy: Revision;
  /** Removed policy rows up to here are forgotten. */
  policyFloor: Revision;
  /** All policy texts, in UTF-16 units. */
  policyUnits: number;
  /** Any row has a time to live. */
  hasTtl: boolean;
  /** Length of all superseded bodies; after a crash short by what was written since the last compaction. */
  pastBytes: number;
  /** No body is longer, in UTF-16 units. */
  longest: number;
  schema: number;
  /** Standing rows as they were written or last looked at by a commit. */
  recent: Rows;
  requests: Requests;
  /** Resources of which any object has a claim. */
  claimers: Set<string>;
  /** Leases lent in memory (leases.ts). */
  lent: Map<string, Held>;
  usage: Usage;
}

/** What one transaction changed, to be told when it is done. */
export interface Changed {
  changes: Change[];
  /** Who gives this writes the index of all rows at the end; without it each row's is written with the row. */
  terms?: TermWrites;
}

/** Gives an empty object a cluster: one row. A cluster that is or was there is refused. */
export function createCluster(sql: Sql, spec: ClusterSpec, state: 'live' | 'importing' = 'live'): void {
  if (hasMeta(sql) && getMeta(sql, 'cluster') !== null)
    throw new StoreError('no-cluster', 'the object already holds a cluster, or did');
  sql.transaction(() => {
    createMeta(sql);
    setMeta(sql, 'cluster', JSON.stringify({ ...spec, state } satisfies ClusterRow));
  });
}

/** Drops every table but `meta`. False where a reader that stopped early still holds one, until it is collected as garbage: then they are emptied. */
function dropTables(sql: Sql): boolean {
  const names = sql.all(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name <> 'meta'`,
  );
  try {
    sql.transaction(() => {
      for (const [name] of names) sql.run(`DROP TABLE "${name}"`);
    });
    return true;
  } catch (e) {
    if (!String(e).includes('LOCKED')) throw e;
    for (const [name] of names) sql.run(`DELETE FROM "${name}"`);
    return false;
  }
}

/** The last step of an import: from here on the cluster is there. */
export function makeLive(sql: Sql): void {
  setMeta(sql, 'cluster', JSON.stringify({ ...clusterRow(sql), state: 'live' } satisfies ClusterRow));
}

/** Takes a tombstone away, for the cluster that was there to come back from its backup. */
export function liftTombstone(sql: Sql): void {
  if (!hasMeta(sql) || clusterRow(sql).state !== 'deleted') return;
  sql.transaction(() => {
    // Tables that are still held are empty: the cluster that comes back takes them as they are.
    if (dropTables(sql)) sql.run('DROP TABLE meta');
    else sql.run(`DELETE FROM meta WHERE name <> 'schema'`);
  });
}

/** Leaves a tombstone and nothing else. */
export function deleteCluster(sql: Sql): void {
  if (!hasMeta(sql)) throw new StoreError('no-cluster', 'the cluster does not exist');
  const row = clusterRow(sql);
  sql.transaction(() => {
    const schema = getMeta(sql, 'schema');
    const dropped = dropTables(sql);
    sql.run('DELETE FROM meta');
    if (!dropped && schema !== null) setMeta(sql, 'schema', schema);
    setMeta(sql, 'cluster', JSON.stringify({ ...row, state: 'deleted' }));
  });
}

function clusterRow(sql: Sql): ClusterRow {
  const text = String(getMeta(sql, 'cluster'));
  try {
    const row = JSON.parse(text) as ClusterRow;
    if (['live', 'importing', 'deleted'].includes(row.state)) return row;
  } catch {
    // Said below.
  }
  throw new StoreError('corrupt', `the cluster's own row cannot be read: ${text}`);
}

/** When the cluster began: its base rows. */
export const createdMs = (sql: Sql): number => clusterRow(sql).createdMs;

/** What the cluster was made of. */
export function clusterSpec(sql: Sql): ClusterSpec {
  const { base, uidPrefix, createdMs } = clusterRow(sql);
  return { base, uidPrefix, createdMs };
}

/** Opens the cluster's tables, brought up to date; throws StoreError 'no-cluster' where there is none in that state. */
export function openState(
  sql: Sql,
  env: State['env'],
  layer: (hash: string) => BaseLayer | undefined,
  wanted: 'live' | 'importing' = 'live',
  limits: Limits = DEFAULT_LIMITS,
): State {
  if (!hasMeta(sql)) throw new StoreError('no-cluster', 'the cluster does not exist');
  const row = clusterRow(sql);
  if (row.state !== wanted)
    throw new StoreError(
      'no-cluster',
      `the cluster ${row.state === 'deleted' ? 'has been deleted' : 'is not there yet'}`,
    );
  const rows = row.base === '' ? EMPTY : layer(row.base);
  if (!rows) throw new StoreError('corrupt', `this release does not have the base layer ${row.base}`);
  const base = new Base(rows, row.uidPrefix, new Date(row.createdMs).toISOString().replace(/\.[0-9]+Z$/, 'Z'));
  const schema = migrate(sql);
  checkTrees(sql);
  const state: State = {
    sql,
    env,
    base,
    schema,
    overlaid: new Set(),
    revision: 0,
    compacted: 0,
    resumable: 0,
    restoring: null,
    jumps: [],
    swept: 0,
    policy: 0,
    policyFloor: 0,
    policyUnits: 0,
    hasTtl: false,
    pastBytes: 0,
    longest: 0,
    recent: openRows(''),
    lent: new Map(),
    requests: new Requests(sql),
    claimers: new Set(),
    usage: new Usage(sql, limits),
  };
  load(state);
  return state;
}

const CLAIMERS = "SELECT DISTINCT substr(owner, 1, instr(owner, '/') - 1) FROM claims";
const EMPTY: BaseLayer = { hash: '', rows: [] };

/** Reads the memory of the tables again: at the start, after a transaction that failed, after rows were written past apply(). */
export function load(s: State): void {
  s.recent = openRows(String(getMeta(s.sql, 'name') ?? ''));
  s.requests = new Requests(s.sql);
  s.usage.load();
  s.claimers = new Set(s.sql.all(CLAIMERS).map((r) => String(r[0])));
  const number = (name: string) => {
    const n = Number(getMeta(s.sql, name) ?? 0);
    if (!Number.isSafeInteger(n) || n < 0)
      throw new StoreError('corrupt', `the store's own row "${name}" cannot be read`);
    return n;
  };
  const newest = (query: string) => Number(cell(s.sql, query) ?? 0);
  s.lent.clear();
  s.overlaid = new Set(s.sql.all('SELECT key FROM overlaid').map((r) => String(r[0])));
  s.compacted = number('compacted');
  s.swept = number('swept');
  s.resumable = number('resumable');
  s.policyFloor = number('policy_floor');
  s.policyUnits = Number(cell(s.sql, 'SELECT TOTAL(octet_length(policy)) FROM policy'));
  // Compaction may have deleted the newest row, a deletion; it leaves its revision in `compacted`, and a jump leaves one in `revision`.
  s.revision = Math.max(s.base.size, number('revision'), s.compacted, newest('SELECT MAX(revision) FROM history'));
  s.jumps = jumpsOf(s.sql);
  const restore = lastRestore(s.sql);
  s.restoring = restore !== null && restore.phase !== 'done' ? restore : null;
  if (s.restoring) s.revision = s.restoring.before;
  s.policy = Math.max(s.base.policy, s.policyFloor, number('policy'), newest('SELECT MAX(revision) FROM policy'));
  s.pastBytes = Math.max(0, Number(getMeta(s.sql, 'past_bytes')) || 0);
  const none = s.revision === s.base.size;
  s.longest = Number(getMeta(s.sql, 'longest') ?? (none ? 0 : MAX_VALUE_BYTES));
  s.hasTtl = cell(s.sql, 'SELECT 1 FROM ttl LIMIT 1') === 1;
}

/** The row that stands at a key, remembered. */
export function known(s: State, key: Key): Entry | null {
  const recent = s.recent.get(key);
  if (recent) return recent;
  const row = getRow(s, key);
  if (row) s.recent.put(row);
  return row;
}
