import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectionSuite } from '../../../kube/reconcile/projection.suite.ts';
import { type LoopStorage, SqlProjection } from '../../../workers/loops/projection.ts';

function emptyStorage(): LoopStorage {
  const storage = globalThis.testStorage;
  if (!storage) throw new Error('this test runs in an object: node test/workerd/run.ts');
  for (const table of ['rows', 'queue', 'results', 'meta']) storage.sql.exec(`DROP TABLE IF EXISTS ${table}`);
  return {
    exec: (query, ...bindings) => storage.sql.exec(query, ...bindings) as Iterable<Record<string, unknown>>,
    transaction: (f) => storage.transactionSync(f),
  };
}

projectionSuite("SqlProjection in a Durable Object's SQLite", () => {
  const of = emptyStorage();
  return { projection: new SqlProjection(of), reopen: () => new SqlProjection(of) };
});

const MANY = 1_000;
const row = (i: number) => ({
  key: `pods/a/p${String(i).padStart(4, '0')}`,
  revision: i,
  uid: `u${i}`,
  labels: {},
  owner: '',
  data: { i },
});

test('many rows are kept and read in steps: a crash between two of them leaves a projection that has read nothing', async () => {
  const of = emptyStorage();
  const p = new SqlProjection(of);
  p.setCursor(7);
  p.persist();
  for (let i = 0; i < MANY; i++) p.put(row(i));
  p.setCursor(MANY);
  const cursors: number[] = [];
  await p.persistInSteps(async () => {
    const crashed = new SqlProjection(of);
    cursors.push(crashed.cursor());
    p.setMeta('name', `step ${cursors.length}`);
  });
  assert.deepEqual(cursors, [0, 0, 0, 0], 'five steps, four turns between them');
  const q = new SqlProjection(of);
  let turns = 0;
  await q.load(async () => {
    turns++;
  });
  assert.ok(turns >= 2, `${turns} turns while ${MANY} rows are read`);
  assert.equal(q.cursor(), MANY);
  assert.equal(q.meta('name'), 'step 4', 'what is said meanwhile is kept too');
  assert.deepEqual(
    [...q.list('pods')],
    Array.from({ length: MANY }, (_, i) => row(i)),
  );
});

test('what was forgotten goes from the tables also where the first attempt to write that failed', () => {
  const of = emptyStorage();
  const p = new SqlProjection(of);
  p.put(row(1));
  p.persist();
  let full = true;
  const q = new SqlProjection({
    ...of,
    transaction: (f) =>
      of.transaction(() => {
        const done = f();
        if (full) throw new Error('the disk is full');
        return done;
      }),
  });
  q.reset();
  q.put(row(2));
  assert.throws(() => q.persist(), /full/);
  full = false;
  q.persist();
  assert.deepEqual([...new SqlProjection(of).list('pods')], [row(2)]);
});
