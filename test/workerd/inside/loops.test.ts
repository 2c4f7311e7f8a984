import { projectionSuite } from '../../../kube/reconcile/projection.suite.ts';
import { type LoopStorage, SqlProjection } from '../../../workers/loops/projection.ts';

projectionSuite("SqlProjection in a Durable Object's SQLite", () => {
  const storage = globalThis.testStorage;
  if (!storage) throw new Error('this test runs in an object: node test/workerd/run.ts');
  for (const table of ['rows', 'queue', 'results', 'meta']) storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
  const of: LoopStorage = {
    exec: (query, ...bindings) => storage.sql.exec(query, ...bindings) as Iterable<Record<string, unknown>>,
    transaction: (f) => storage.transactionSync(f),
  };
  return { projection: new SqlProjection(of), reopen: () => new SqlProjection(of) };
});
