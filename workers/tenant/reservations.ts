import { freeIndex, poolSpace } from '../../kube/store/pool.ts';
import type { ChargeOp, ClaimOp, Commit, Key, Op, UnclaimOp } from '../../kube/store/store.ts';
import { inChunks, walkOf } from './chunks.ts';
import { cell, type Sql } from './sql.ts';

/** What the claims and charges of a commit came to. */
export type Reserved =
  | { ok: true; claimed: (string | undefined)[]; tokens: [string, string][] }
  | Extract<Commit, { lost: 'claim' | 'charge' }>;

/** Takes what a commit claims and charges. The caller rolls back its transaction when this is lost. */
export function reserve(sql: Sql, ops: readonly Op[]): Reserved {
  const claimed: (string | undefined)[] = [];
  const tokens: [string, string][] = [];
  for (const [i, op] of ops.entries()) {
    if ('claim' in op) {
      const value = claim(sql, op);
      if (value === null) return { ok: false, lost: 'claim', op: i, exhausted: op.want === undefined };
      claimed[i] = value;
      if (op.token !== undefined) tokens.push([op.token, value]);
    } else if ('unclaim' in op) {
      unclaim(sql, op);
    } else if ('charge' in op) {
      const over = charge(sql, op);
      if (over !== null) return { ok: false, lost: 'charge', op: i, used: over };
    }
  }
  return { ok: true, claimed, tokens };
}

/** Gives back all that a deleted object had. */
export function releaseOf(sql: Sql, owner: Key): void {
  sql.run('DELETE FROM claims WHERE owner = ?', owner);
}

function claim(sql: Sql, op: ClaimOp): string | null {
  const pool = op.claim.name;
  const space = poolSpace(op.claim);
  const index = op.want === undefined ? free(sql, op) : space.indexOf(op.want);
  if (index < 0) return null;
  const value = space.valueAt(index);
  const owner = cell(sql, 'SELECT owner FROM claims WHERE pool = ? AND idx = ?', pool, index);
  if (owner !== undefined) return owner === op.owner ? value : null;
  sql.run('INSERT INTO claims (pool, idx, value, owner) VALUES (?, ?, ?, ?)', pool, index, value, op.owner);
  if (op.want === undefined) {
    sql.run(
      'INSERT INTO cursors (pool, idx) VALUES (?, ?) ON CONFLICT (pool) DO UPDATE SET idx = excluded.idx',
      pool,
      index,
    );
  }
  return value;
}

function free(sql: Sql, op: ClaimOp): number {
  const pool = op.claim.name;
  const cursor = Number(cell(sql, 'SELECT idx FROM cursors WHERE pool = ?', pool) ?? -1);
  return freeIndex(poolSpace(op.claim), cursor, (from) => taken(sql, pool, from));
}

const TAKEN = walkOf(
  (columns) => `SELECT ${columns} FROM claims WHERE idx >= ?1 AND pool = ?3 ORDER BY idx LIMIT ?2`,
  'idx',
  'idx',
  { size: '0' },
);
function* taken(sql: Sql, pool: string, from: number): Iterable<number> {
  for (const [index] of inChunks({ sql, longest: 0 }, TAKEN, from, pool)) yield Number(index);
}

function unclaim(sql: Sql, op: UnclaimOp): void {
  sql.run('DELETE FROM claims WHERE owner = ? AND pool = ? AND value = ?', op.owner, op.unclaim, op.value);
}

/** What is used already when the charge would pass its limit; null when it was made. */
function charge(sql: Sql, op: ChargeOp): number | null {
  const used = Number(cell(sql, 'SELECT used FROM counters WHERE name = ?', op.charge) ?? 0);
  if (op.by > 0 && op.limit !== undefined && used + op.by > op.limit) return used;
  sql.run(
    'INSERT INTO counters (name, used) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET used = excluded.used',
    op.charge,
    used + op.by,
  );
  return null;
}
