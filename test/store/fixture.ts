/**
 * Writes the database that a release leaves behind, to be opened by every later one: `node test/store/fixture.ts FILE`.
 * Run once per version of our tables, with the code of that version; the files are never rewritten.
 */

import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { deletePod, putPod, won } from '../../kube/store/suite-kit.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';

const file = process.argv[2];
if (!file) throw new Error('usage: node test/store/fixture.ts FILE');
const clock = new VirtualClock();
const sql = nodeSql(file);
createCluster(sql, { base: '', uidPrefix: 'aaaaaaaa-bbbb-4ccc-8ddd-', createdMs: clock.nowMs });
const store = new SqliteStore({ sql, env: clock.env, sync: async () => {}, schedule: () => {} });
await store.register('scheduler', ['pods']);
await won(store, [
  putPod('a', { labels: { app: 'web' }, node: 'n1', owners: ['o1'], refs: ['secrets/default/s'], policy: 'P' }),
]);
await won(store, [
  putPod('b'),
  { claim: { name: 'ports', ports: { from: 1, to: 9 } }, want: '7', owner: 'pods/default/b' },
]);
await won(
  store,
  [putPod('a', { labels: { app: 'web' }, node: 'n1', owners: ['o1'], mark: 2, policy: 'P' }), { charge: 'c', by: 3 }],
  { request: 'r1', by: 'alice' },
);
await won(store, [putPod('c'), deletePod('b')]);
await won(store, [{ ...putPod('t'), ttlMs: 60_000 }]);
await store.grant('scheduler', 'holder', 60_000);
sql.close();
