import { storeSuite } from '../../kube/store/suite.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';

storeSuite('SqliteStore on node:sqlite', async () => {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const store: SqliteStore = new SqliteStore({
    sql,
    env: clock.env,
    sync: async () => {},
    schedule: (at) => void clock.env.after(at - clock.nowMs, () => void store.alarm()),
  });
  return { store, advance: (ms) => clock.advance(ms), close: async () => sql.close() };
});
