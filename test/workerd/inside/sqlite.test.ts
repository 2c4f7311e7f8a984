import { storeSuite } from '../../../kube/store/suite.ts';
import { VirtualClock } from '../../../kube/store/suite-clock.ts';
import { sqlOf } from '../../../workers/tenant/sql.ts';
import { SqliteStore } from '../../../workers/tenant/sqlite.ts';
import { createCluster } from '../../../workers/tenant/state.ts';

storeSuite("SqliteStore in a Durable Object's SQLite", async () => {
  const storage = globalThis.testStorage;
  if (!storage) throw new Error('this test runs in an object: node test/workerd/run.ts');
  await storage.deleteAll();
  const clock = new VirtualClock();
  const sql = sqlOf(storage);
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const store: SqliteStore = new SqliteStore({
    sql,
    env: clock.env,
    sync: () => storage.sync(),
    schedule: (at) => void clock.env.after(at - clock.nowMs, () => void store.alarm()),
  });
  // Timers are run by the clock, what they start ends when the storage is flushed.
  const advance = async (ms: number) => {
    await clock.advance(ms);
    await storage.sync();
  };
  return { store, advance };
});
