import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeSuite } from '../../kube/store/suite.ts';
import { page, pods, put, putPod, remove, SCHEMA, won } from '../../kube/store/suite-kit.ts';
import { open } from './world.ts';

storeSuite('SqliteStore on node:sqlite', async () => {
  const { store, clock, sql } = open();
  return { store, advance: (ms) => clock.advance(ms), close: async () => sql.close?.() };
});

test('a page that its reader knows costs SQLite no question in a quiet cluster, one where something else has changed', async () => {
  const { store, sql } = open();
  for (const name of ['a', 'b', 'c', 'd']) await put(store, name);
  let questions = 0;
  const all = sql.all.bind(sql);
  sql.all = (...args) => {
    questions++;
    return all(...args);
  };
  const { revision, next, remaining } = await page(store, pods(), { join: SCHEMA, limit: 2 });
  const again = { join: SCHEMA, limit: 2, known: { revision, next, remaining } };
  const asked = async (): Promise<[boolean | undefined, number]> => {
    questions = 0;
    const { same } = await page(store, pods(), again);
    return [same, questions];
  };
  assert.deepEqual(await asked(), [true, 0]);
  await won(store, [{ ...putPod('x'), key: 'configmaps/default/x' }]);
  assert.deepEqual(await asked(), [true, 1]);
  // How many follow has to be counted anew.
  await remove(store, 'd');
  assert.deepEqual(await asked(), [true, 3]);
});
