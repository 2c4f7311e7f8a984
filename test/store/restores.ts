import assert from 'node:assert/strict';
import { EVERYTHING } from '../../kube/store/key.ts';
import type { Revision } from '../../kube/store/store.ts';
import { page } from '../../kube/store/suite-kit.ts';
import type { Restore } from '../../workers/tenant/restores.ts';
import type { Sql } from '../../workers/tenant/sql.ts';
import type { RestoreTarget } from '../../workers/tenant/travel.ts';
import type { World } from './world.ts';

// What tests of restores look at.

/** Restores and sees to its end. */
export async function restore(w: World, target: RestoreTarget): Promise<Restore> {
  const begun = await w.store.restorer.restore(target, 'operator');
  assert.ok(begun, 'a restore was under way');
  return finished(w);
}
/** Sees to the end of the one under way. */
export async function finished(w: World): Promise<Restore> {
  await w.clock.advance(10);
  const r = w.store.restorer.last();
  assert.equal(r?.phase, 'done');
  return r as Restore;
}

/** What stands, without revisions: bodies and facts by key. */
export async function standing(w: World, at?: Revision): Promise<Record<string, unknown>> {
  const p = await page(w.store, EVERYTHING, at === undefined ? {} : { at });
  return Object.fromEntries(p.entries.map((e) => [e.key, [e.value, e.facts]]));
}
/** The index tables. */
export const tables = (sql: Sql) =>
  [
    'SELECT term, key FROM facts ORDER BY term, key',
    'SELECT pool, idx, value, owner FROM claims ORDER BY pool, idx',
    "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'usage'",
    'SELECT key, policy, uid FROM policy WHERE policy IS NOT NULL ORDER BY key',
  ].map((query) => sql.all(query));
