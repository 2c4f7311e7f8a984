import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { get, names, page, podKey, pods, put, putPod, Tap, won } from '../../kube/store/suite-kit.ts';
import { SCHEMA_VERSION } from '../../workers/tenant/schema.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { verifySlice } from '../../workers/tenant/verify.ts';
import { nodeSql } from './node-sqlite.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');

for (const file of readdirSync(folder)) {
  it(`the database of ${file} is opened and goes on`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'coracle-fixture-'));
    t.after(() => rmSync(dir, { recursive: true }));
    copyFileSync(join(folder, file), join(dir, 'db'));
    const sql = nodeSql(join(dir, 'db'));
    t.after(() => sql.close());
    const clock = new VirtualClock();
    const store: SqliteStore = new SqliteStore({
      sql,
      env: clock.env,
      sync: async () => {},
      schedule: (at) => void clock.env.after(at - clock.nowMs, () => void store.alarm()),
    });
    const info = await store.info();
    assert.deepEqual([info.revision, info.policy, info.schema], [6, 1, SCHEMA_VERSION]);
    assert.deepEqual(names(await page(store, pods())), ['a', 'c', 't']);
    assert.deepEqual(names(await page(store, pods(), { at: 2 })), ['a', 'b']);
    const labels = [{ key: 'app', op: 'In' as const, values: ['web'] }];
    assert.deepEqual(names(await page(store, pods(), { select: { labels } })), ['a']);
    assert.deepEqual(
      (await store.related('owner', 'o1')).map((e) => e.key),
      [podKey('a')],
    );
    const versions = await store.versions(podKey('a'));
    const by = versions.ok ? versions.versions.map((v) => v.by) : [];
    assert.deepEqual(by, file === 'schema-1.db' ? [undefined, undefined] : ['alice', undefined]);
    // Versions of the first release have no checksums: they are read as they are, and counted.
    let unsummed = 0;
    for (let next: string | undefined = ''; next !== undefined; ) {
      const slice = verifySlice(store.state, next || undefined);
      assert.deepEqual(slice.findings, []);
      unsummed += slice.unsummed;
      next = slice.next;
    }
    assert.equal(unsummed, file === 'schema-1.db' ? 6 : 0);
    const tap = new Tap(store.watch(pods(), 2));
    assert.deepEqual(await tap.take(4), ['MODIFIED a@3', 'ADDED c@4', 'DELETED b@5', 'ADDED t@6']);
    await tap.stop();
    assert.equal((await won(store, [putPod('a')], { request: 'r1', repeat: true })).repeated, true);
    assert.equal((await store.commit([{ charge: 'c', by: 1, limit: 3 }])).ok, false);
    assert.equal((await store.grant('scheduler', 'other', 1)).held, false);
    assert.equal(store.cleared('scheduler', 1), false);
    assert.equal(await put(store, 'd'), 7);
    await clock.advance(60_001);
    // The platform keeps the alarm that the older release set.
    await store.alarm();
    assert.equal(await get(store, podKey('t')), undefined);
  });
}
