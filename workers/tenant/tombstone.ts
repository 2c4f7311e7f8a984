import type { Env } from '../../kube/meta/env.ts';
import { getMeta, hasMeta, setMeta } from './schema.ts';
import { isCorrupt, type Sql } from './sql.ts';
import { createCluster, deleteCluster } from './state.ts';

/** Leaves a tombstone and nothing else. Gives the names of the cluster's nodes, whoever asks again the same: their links are to be ended. */
export function bury(sql: Sql): string[] {
  return sql.transaction(() => {
    const nodes = nodesOf(sql);
    deleteCluster(sql);
    setMeta(sql, NODES, JSON.stringify(nodes));
    return nodes;
  });
}

/** As bury(); a file that can't be read any more is thrown away whole. */
export async function buryOrClear(
  sql: Sql,
  storage: { deleteAll(): Promise<void> },
  env: Pick<Env, 'now' | 'log'>,
): Promise<string[]> {
  try {
    return bury(sql);
  } catch (e) {
    if (!isCorrupt(e)) throw e;
    env.log('error', 'store.corrupt', { error: e.message });
    await storage.deleteAll();
    createCluster(sql, { base: '', uidPrefix: '', createdMs: env.now() });
    return bury(sql);
  }
}

const NODES = 'nodes';

function nodesOf(sql: Sql): string[] {
  if (!hasMeta(sql)) return [];
  const kept = getMeta(sql, NODES);
  if (typeof kept === 'string') return JSON.parse(kept) as string[];
  if (sql.all(`SELECT 1 FROM sqlite_master WHERE name = 'current'`).length === 0) return [];
  return sql
    .all(`SELECT key FROM current WHERE key >= 'nodes/' AND key < 'nodes0'`)
    .map(([key]) => String(key).slice('nodes/'.length));
}
