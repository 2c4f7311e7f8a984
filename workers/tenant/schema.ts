import { StoreError } from '../../kube/store/store.ts';
import { cell, type Sql } from './sql.ts';

/**
 * Our own tables. Version n is migrations 0..n-1 applied. Expand only: code of the release before must open what this one
 * wrote, so a table or column is dropped a release after its last reader.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    // Every version of every row, newest included; `prev` is the revision that it replaced. A null value is a deletion.
    `CREATE TABLE history (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, prev INTEGER NOT NULL, created INTEGER NOT NULL,
      at INTEGER NOT NULL, value TEXT, version TEXT NOT NULL, schema TEXT NOT NULL, enc TEXT, facts TEXT NOT NULL)`,
    'CREATE INDEX history_key ON history (key, revision)',
    // Which version of a key stands. Bodies are written once, in history.
    'CREATE TABLE current (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID',
    // Keys of the base layer that have rows or a tombstone of their own here.
    'CREATE TABLE overlaid (key TEXT PRIMARY KEY) WITHOUT ROWID',
    // `o:<uid>`, `n:<node>`, `r:<key>` (not of pods), `l:<label>=<value>`, `f:<field>=<value>` of what stands.
    'CREATE TABLE facts (term TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (term, key)) WITHOUT ROWID',
    'CREATE TABLE policy (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, policy TEXT, uid TEXT NOT NULL) WITHOUT ROWID',
    'CREATE INDEX policy_revision ON policy (revision)',
    'CREATE TABLE ttl (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
    'CREATE INDEX ttl_at ON ttl (at)',
    `CREATE TABLE claims (pool TEXT NOT NULL, idx INTEGER NOT NULL, value TEXT NOT NULL, owner TEXT NOT NULL,
      PRIMARY KEY (pool, idx)) WITHOUT ROWID`,
    'CREATE INDEX claims_owner ON claims (owner)',
    'CREATE TABLE cursors (pool TEXT PRIMARY KEY, idx INTEGER NOT NULL) WITHOUT ROWID',
    'CREATE TABLE counters (name TEXT PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID',
    `CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires INTEGER NOT NULL)
      WITHOUT ROWID`,
    'CREATE TABLE requests (id TEXT PRIMARY KEY, at INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID',
    'CREATE INDEX requests_at ON requests (at)',
    'CREATE TABLE interest (loop TEXT NOT NULL, resource TEXT NOT NULL, PRIMARY KEY (loop, resource)) WITHOUT ROWID',
    'CREATE TABLE dirty (loop TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID',
    'CREATE TABLE timers (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
    // Bodies of Secrets that were deleted, to leave history when their time has come.
    'CREATE TABLE scrub (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL)',
  ],
  [
    // Who wrote the version (the user's name), and the checksum of its body; null in rows of the release before.
    'ALTER TABLE history ADD COLUMN by TEXT',
    'ALTER TABLE history ADD COLUMN sum INTEGER',
  ],
  [
    // What the commits of one group were answered: `[[request id, answer], ...]`. Takes the place of `requests`, which is still read.
    'CREATE TABLE answers (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, answers TEXT NOT NULL)',
  ],
  [
    // Checksums (checksum.ts): `sum` is over a version's body, `head` over the rest of it; null in rows of a release before.
    'ALTER TABLE history ADD COLUMN head INTEGER',
    'ALTER TABLE policy ADD COLUMN sum INTEGER',
  ],
];

/** The version that this code writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings the tables to SCHEMA_VERSION; tables of a newer release are left as they are. Needs the `meta` table. */
export function migrate(sql: Sql): number {
  const at = Number(cell(sql, `SELECT value FROM meta WHERE name = 'schema'`) ?? 0);
  if (at >= SCHEMA_VERSION) return at;
  if (at === 0 && cell(sql, `SELECT 1 FROM sqlite_master WHERE name = 'history'`) === 1)
    throw new StoreError('corrupt', `the store's own row "schema" cannot be read`);
  sql.transaction(() => {
    const steps = MIGRATIONS.slice(at).flat();
    // A new cluster waits for it.
    if (sql.script) sql.script(steps.join(';\n'));
    else for (const statement of steps) sql.run(statement);
    setMeta(sql, 'schema', SCHEMA_VERSION);
  });
  return SCHEMA_VERSION;
}

/** True when the object has been given a cluster: its `meta` table exists. */
export function hasMeta(sql: Sql): boolean {
  return cell(sql, `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'`) === 1;
}

/** The one table that exists before any migration. */
export function createMeta(sql: Sql): void {
  sql.run('CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID');
}

/** A number or text kept about the store itself. */
export function getMeta(sql: Sql, name: string): string | number | null {
  return cell(sql, 'SELECT value FROM meta WHERE name = ?', name) ?? null;
}
export function setMeta(sql: Sql, name: string, value: string | number): void {
  sql.run(
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    name,
    value,
  );
}
