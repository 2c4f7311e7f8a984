import { getMeta, hasMeta, setMeta } from './schema.ts';
import type { Sql } from './sql.ts';
import { deleteCluster } from './state.ts';

/** Leaves a tombstone and nothing else. Gives the names of the cluster's nodes, whoever asks again the same: their links are to be ended. */
export function bury(sql: Sql): string[] {
  return sql.transaction(() => {
    const nodes = nodesOf(sql);
    deleteCluster(sql);
    setMeta(sql, NODES, JSON.stringify(nodes));
    return nodes;
  });
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
