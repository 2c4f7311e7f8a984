import type { Key, Revision } from '../../kube/store/store.ts';
import { getMeta, setMeta } from './schema.ts';
import { kept, type Sql } from './sql.ts';

/** A restore under way or done, as the tables keep it. */
export interface Restore {
  /** The state that is brought back. */
  to: Revision;
  /** The newest revision when it began: what is read meanwhile, and what brings everything back as it was. */
  before: Revision;
  /** All of its rows carry this time, so that no time falls into its middle. */
  atMs: number;
  by: string;
  phase: 'rows' | 'claims' | 'done';
  /** History looked at so far: up to `before` in 'rows', then what was written. */
  cursor: Revision;
  /** The newest revision when it was done. */
  after: Revision;
  /** Objects written or deleted. */
  changed: number;
  /** Objects that could not come back, the first LOST_MAX of them: Secrets whose bodies have left history. */
  lost: Key[];
  lostCount: number;
}

/** The last restore, or the one under way; null: there was none. */
export function lastRestore(sql: Sql): Restore | null {
  const text = getMeta(sql, 'restore');
  return typeof text === 'string' ? kept<Restore>(text, 'a restore') : null;
}

/** Revisions of a restore: from `before` on, up to `after`, only both ends have ever been seen. */
export type Jump = [before: Revision, after: Revision];

/** The jumps of restores, oldest first. */
export const jumpsOf = (sql: Sql): Jump[] => JSON.parse(String(getMeta(sql, 'jumps') ?? '[]')) as Jump[];

/** Adds one; those that history has forgotten go. */
export function addJump(sql: Sql, jump: Jump, compacted: Revision): void {
  setMeta(sql, 'jumps', JSON.stringify([...jumpsOf(sql).filter(([, after]) => after > compacted), jump]));
}

/** The revision at which what was written at `at` came to be seen: another one in the middle of a restore. */
export function seenAt(jumps: readonly Jump[], at: Revision): Revision {
  return jumps.find(([before, after]) => at > before && at < after)?.[1] ?? at;
}

export const saveRestore = (sql: Sql, r: Restore): void => setMeta(sql, 'restore', JSON.stringify(r));
