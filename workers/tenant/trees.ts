import { StoreError } from '../../kube/store/store.ts';
import { corruptRow } from './checksum.ts';
import { cell, type Sql, textOf } from './sql.ts';

/**
 * The trees by which rows are found. Rows have checksums; that none of them is hidden by a damaged page of such a tree SQLite tells when it looks
 * through the whole of it: 0.06 ms for each 1,000 rows.
 */
export const TREES = ['meta', 'current', 'facts', 'policy', 'overlaid', 'claims', 'ttl'] as const;
/** A larger tree isn't looked through when a store is opened, which has to take less than 10 ms: `coracle cluster verify` does. */
const TREE_ROWS_MAX = 50_000;

/** The same for history, whose tree holds the bodies, and its index by key. */
const HISTORY_ROWS_MAX = 1_000;
const HISTORY_BYTES_MAX = 1024 * 1024;

/** Looks through the trees when a store is opened: pages, order, free space. Throws StoreError 'corrupt'. */
export function checkTrees(sql: Sql): void {
  for (const tree of TREES) if (countOf(sql, tree) <= TREE_ROWS_MAX) checkTree(sql, tree);
  checkPolicyIndex(sql);
  if (!isSmallHistory(sql)) return;
  checkTree(sql, 'history');
  const [lost] = sql.all(HISTORY_INDEX);
  if (lost) throw corruptRow(String(lost[0]), Number(lost[1]), 'an index has lost it');
}

export const countOf = (sql: Sql, tree: string): number => Number(cell(sql, `SELECT COUNT(*) FROM ${tree}`));

/** History is looked through as a whole in some milliseconds. */
export const isSmallHistory = (sql: Sql): boolean =>
  countOf(sql, 'history') <= HISTORY_ROWS_MAX &&
  Number(cell(sql, 'SELECT TOTAL(octet_length(value)) FROM history')) <= HISTORY_BYTES_MAX;

/** An index that lacks a row of its table hides it from whoever looks through the index. */
const HISTORY_INDEX = `SELECT t.key, t.revision FROM (SELECT key, revision, at FROM history NOT INDEXED) t WHERE t.at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM history i INDEXED BY history_key WHERE i.key = t.key AND i.revision = t.revision) LIMIT 1`;

/** Policy rows are read by revision, and written by key: both trees must hold the same. `uid` isn't in the index, so the table itself is read. */
function checkPolicyIndex(sql: Sql): void {
  const rows = sql.all('SELECT key, revision, uid FROM policy NOT INDEXED LIMIT ?', POLICY_ROWS_MAX);
  if (rows.length === POLICY_ROWS_MAX) return;
  const index = sql.all('SELECT key, revision FROM policy INDEXED BY policy_revision ORDER BY revision');
  const revisions = new Map(index.map(([key, revision]) => [key, revision]));
  let last = '';
  for (const [key, revision] of rows) {
    if (revisions.get(key ?? null) !== revision || String(key) <= last || rows.length !== index.length)
      throw corruptRow(String(key), Number(revision), 'an index has lost it');
    last = String(key);
  }
}
/** Some hundred in most clusters. */
const POLICY_ROWS_MAX = 5_000;

/** Looks through one table and its indices. Throws StoreError 'corrupt'. */
export function checkTree(sql: Sql, tree: string): void {
  const [found] = treeFindings(sql, tree, 1);
  if (found !== undefined) throw new StoreError('corrupt', `the table ${tree} is damaged: ${found}`);
}

/** What SQLite finds wrong with a table and its indices, in its own words. */
export function treeFindings(sql: Sql, tree: string, limit: number): string[] {
  const found = sql.all(`PRAGMA quick_check('${tree}')`).map((row) => String(row[0]));
  return found[0] === 'ok' ? [] : found.slice(0, limit);
}

/** What SQLite finds wrong with the tables of a store that can't be opened. */
export function fileFindings(sql: Sql): string[] {
  return [...TREES, 'history'].flatMap((tree) => {
    try {
      return treeFindings(sql, tree, 5).map((finding) => `${tree}: ${finding}`);
    } catch (e) {
      return [`${tree}: ${textOf(e)}`];
    }
  });
}
