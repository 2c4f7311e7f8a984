import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Cell, type Sql, sqlError } from '../../workers/tenant/sql.ts';

/** The store's SQLite over node:sqlite, in memory or in a file; `functions` take the place of SQLite's own. */
export function nodeSql(
  path = ':memory:',
  functions: Record<string, (x: string) => number> = {},
): Sql & { close(): void } {
  const db = new DatabaseSync(path);
  for (const [name, f] of Object.entries(functions)) db.function(name, { deterministic: true }, f as never);
  const statements = new Map<string, StatementSync>();
  const prepare = (query: string): StatementSync => {
    let s = statements.get(query);
    if (!s) {
      s = db.prepare(query);
      s.setReturnArrays(true);
      statements.set(query, s);
    }
    return s;
  };
  let depth = 0;
  const guarded = <T>(f: () => T): T => {
    try {
      return f();
    } catch (e) {
      throw sqlError(e);
    }
  };
  return {
    all: (query, ...args) => guarded(() => prepare(query).all(...args) as unknown as Cell[][]),
    run: (query, ...args) => guarded(() => void prepare(query).run(...args)),
    transaction(f) {
      const name = `s${depth++}`;
      db.exec(`SAVEPOINT ${name}`);
      try {
        const result = f();
        db.exec(`RELEASE ${name}`);
        return result;
      } catch (e) {
        db.exec(`ROLLBACK TO ${name}`);
        db.exec(`RELEASE ${name}`);
        throw e;
      } finally {
        depth--;
      }
    },
    close: () => db.close(),
  };
}
