import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EVERYTHING } from '../../kube/store/key.ts';
import type { Entry, Op, Revision, Stale } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { deletePod, page, pods, putPod, SCHEMA, throwsCode, won } from '../../kube/store/suite-kit.ts';
import { type ArchiveRow, rowLines, rowsOf } from '../../kube/wire/archive.ts';
import { archiveBase, archiveHead, archivePage } from '../../workers/tenant/archive.ts';
import { BASE_UID, type BaseLayer } from '../../workers/tenant/base.ts';
import { beginAfter, endImport, firstRevision, importRows } from '../../workers/tenant/importing.ts';
import { cell, type Sql } from '../../workers/tenant/sql.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { type ClusterSpec, clusterSpec, createCluster, makeLive, openState } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';

const base = (name: string, n: number) => ({
  key: `namespaces/${name}`,
  text: `{"metadata":{"name":"${name}","uid":"${BASE_UID}00000000000${n}"}}`,
  ...SCHEMA,
  facts: { uid: `${BASE_UID}00000000000${n}`, policy: name },
});
const LAYER: BaseLayer = { hash: 'h', rows: [base('default', 1), base('kube-public', 2), base('kube-system', 3)] };
const SPEC: ClusterSpec = { base: 'h', uidPrefix: 'aaaaaaaa-bbbb-4ccc-8ddd-', createdMs: 1_700_000_000_000 };

function storeOn(sql: Sql, clock: VirtualClock): SqliteStore {
  return new SqliteStore({ sql, env: clock.env, sync: async () => {}, schedule: () => {}, layer: layerOf });
}
const layerOf = (hash: string) => (hash === 'h' ? LAYER : undefined);

function open(): { store: SqliteStore; clock: VirtualClock } {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, SPEC);
  return { store: storeOn(sql, clock), clock };
}

/** All rows of an archive of the store; `between` runs before each page. */
async function rowsAt(store: SqliteStore, at: Revision, between: (n: number) => Promise<void> = async () => {}) {
  const rows: ArchiveRow[] = rowsOf(archiveBase(store.state, at).lines);
  let after = '';
  for (let n = 0; ; n++) {
    await between(n);
    const p = archivePage(store.state, at, after);
    rows.push(...rowsOf(p.lines));
    if (p.next === undefined) return rows;
    after = p.next;
  }
}

/** A store made of rows. */
function imported(rows: ArchiveRow[], clock: VirtualClock, spec: ClusterSpec, newest: Revision, counters = {}) {
  const sql = nodeSql();
  createCluster(sql, spec, 'importing');
  assert.throws(() => openState(sql, clock.env, layerOf), /no-cluster/);
  const state = openState(sql, clock.env, layerOf, 'importing');
  beginAfter(state, firstRevision(newest, clock.nowMs));
  for (let i = 0; i < rows.length; i += 50) importRows(state, rowLines(rows.slice(i, i + 50)));
  sql.transaction(() => {
    endImport(state, { counters, loops: ['controllers'] });
    makeLive(sql);
  });
  return { sql, store: storeOn(sql, clock) };
}

const bare = ({ revision: _r, created: _c, ...e }: Entry) => e;
async function all(store: SqliteStore, at?: Revision) {
  return (await page(store, EVERYTHING, at === undefined ? {} : { at })).entries.map(bare);
}

/** Pods with every sort of fact, changes, deletions, and changes to the base layer. */
async function filled() {
  const { store, clock } = open();
  for (let i = 0; i < 900; i += 100) {
    const ops: Op[] = Array.from({ length: 100 }, (_, j) =>
      putPod(`p${i + j}`, {
        node: `n${j % 3}`,
        labels: { app: `a${j % 5}` },
        owners: [`o${j % 7}`],
        refs: ['secrets/default/s'],
      }),
    );
    await won(store, ops, { by: 'somebody' });
  }
  await won(store, [deletePod('p5'), deletePod('p500'), putPod('p7', { mark: 1 })]);
  await won(store, [
    { key: 'namespaces/kube-public', expect: undefined, value: null },
    {
      key: 'namespaces/default',
      expect: undefined,
      value: { text: '{"metadata":{"name":"default","labels":{}}}', ...SCHEMA },
      facts: { uid: 'x', policy: 'changed' },
    },
    {
      key: 'namespaces/own',
      expect: undefined,
      value: { text: '{"metadata":{"name":"own"}}', ...SCHEMA },
      facts: { uid: 'y', policy: 'own' },
    },
  ]);
  await clock.advance(1_000);
  return { store, clock };
}

describe('the rows of a cluster as of one revision', () => {
  it('are those that a read at that revision gives, whatever is written meanwhile', async () => {
    const { store } = await filled();
    const { revision } = archiveHead(store.state, SPEC);
    const expected = await all(store, revision);
    const rows = await rowsAt(store, revision, async (n) => {
      await won(store, [putPod(`p${n * 100 + 50}`, { mark: n }), deletePod(`p${n * 150 + 51}`), putPod(`new${n}`)]);
      if (n === 1) await won(store, [{ key: 'namespaces/kube-system', expect: undefined, value: null }]);
    });
    const found = rows.filter((r) => r.value !== null).sort((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(
      found.map((r) => [r.key, r.value, r.version, r.schema, JSON.parse(r.facts)]),
      expected.map((e) => [e.key, e.value, e.version, e.schema, e.facts]),
    );
    assert.deepEqual(
      rows.filter((r) => r.value === null).map((r) => r.key),
      ['namespaces/kube-public'],
    );
    assert.equal(found.find((r) => r.key === 'pods/default/p1')?.by, 'somebody');
  });

  it('are those of a time in the past', async () => {
    const { store, clock } = await filled();
    const then = clock.nowMs;
    const expected = await all(store);
    await clock.advance(60_000);
    await won(store, [putPod('p1', { mark: 2 }), deletePod('p2'), putPod('later')]);
    const head = archiveHead(store.state, SPEC, { timeMs: then + 1_000 });
    assert.equal(head.newest, head.revision + 3);
    const copy = imported(await rowsAt(store, head.revision), clock, SPEC, head.newest);
    assert.deepEqual(await all(copy.store), expected);
  });

  it('are refused for a revision that has left history or has not come', async () => {
    const { store, clock } = await filled();
    const { revision } = await store.info();
    const done = store.compact(revision);
    await clock.advance(100);
    await done;
    await throwsCode('compacted', async () => archiveHead(store.state, SPEC, { revision: revision - 1 }));
    await throwsCode('future', async () => archiveHead(store.state, SPEC, { revision: revision + 1 }));
    await throwsCode('compacted', async () => archiveHead(store.state, SPEC, { timeMs: 1 }));
  });
});

describe('a cluster made of rows', () => {
  it('has the same objects, facts, index and policy, with revisions above all that the other one has', async () => {
    const { store, clock } = await filled();
    const { revision, newest } = archiveHead(store.state, SPEC);
    const copy = imported(await rowsAt(store, revision), clock, SPEC, newest, { used: 7 });
    assert.deepEqual(await all(copy.store), await all(store));
    const { entries } = await page(copy.store, pods());
    assert.ok(entries.every((e) => e.revision > newest));
    assert.equal(new Set(entries.map((e) => e.revision)).size, entries.length);
    for (const [by, value] of [
      ['node', 'n1'],
      ['owner', 'o3'],
      ['ref', 'secrets/default/s'],
    ] as const)
      assert.deepEqual((await copy.store.related(by, value)).map(bare), (await store.related(by, value)).map(bare), by);
    const select = { labels: [{ key: 'app', op: 'In' as const, values: ['a2'] }] };
    assert.deepEqual((await page(copy.store, pods(), { select })).count, (await page(store, pods(), { select })).count);
    const policies = async (s: SqliteStore) => {
      const answer = (await s.confirm({ policy: 0 })) as Stale;
      return answer.changes.map((c) => [c.key, c.policy]).sort();
    };
    assert.deepEqual(await policies(copy.store), await policies(store));
    assert.equal(cell(copy.sql, `SELECT used FROM counters WHERE name = 'used'`), 7);
    assert.deepEqual(copy.sql.all('SELECT loop FROM dirty'), [['controllers']]);
    assert.deepEqual(clusterSpec(copy.sql), SPEC);
    const used = ({ objects, bytes }: SqliteStore['state']['usage']) => ({ objects, bytes });
    assert.deepEqual(used(copy.store.state.usage), used(store.state.usage));
    assert.notEqual(cell(copy.sql, `SELECT value FROM meta WHERE name = 'usage'`), undefined);
  });

  it('ends the watches of the other one, and goes on with its own', async () => {
    const { store, clock } = await filled();
    const head = archiveHead(store.state, SPEC);
    const copy = imported(await rowsAt(store, head.revision), clock, SPEC, head.newest);
    const resume = async (after: Revision) => {
      for await (const _batch of copy.store.watch(pods(), after)) return;
    };
    await throwsCode('compacted', () => resume(head.revision));
    await throwsCode('compacted', () => resume(head.newest + 1));
    const { revision } = await copy.store.info();
    const next = await won(copy.store, [putPod('new')]);
    assert.equal(next.revision, revision + 1);
    await throwsCode('compacted', () => page(copy.store, pods(), { at: head.revision }));
  });

  it('knows what its Services have claimed', async () => {
    const { store, clock } = open();
    const pool = { name: 'services', cidr: '10.96.0.0/16' };
    const key = 'services/default/web';
    const spec = { type: 'ClusterIP', clusterIP: '10.96.7.7', clusterIPs: ['10.96.7.7'], ports: [{ port: 80 }] };
    const text = JSON.stringify({ metadata: { name: 'web', namespace: 'default' }, spec });
    await won(store, [
      { key, expect: 0, value: { text, ...SCHEMA }, facts: { uid: 'u' } },
      { claim: pool, want: '10.96.7.7', owner: key },
    ]);
    const names = store.state.sql.all('SELECT pool, idx, value, owner FROM claims');
    const { revision, newest } = archiveHead(store.state, SPEC);
    const copy = imported(await rowsAt(store, revision), clock, SPEC, newest);
    const [mine] = copy.sql.all('SELECT value, owner FROM claims');
    assert.deepEqual(mine, names[0]?.slice(2));
  });

  it('has the rows of a base layer that this release does not know as its own', async () => {
    const { store, clock } = await filled();
    const { revision, newest } = archiveHead(store.state, SPEC);
    const copy = imported(await rowsAt(store, revision), clock, { ...SPEC, base: '' }, newest);
    assert.deepEqual(await all(copy.store), await all(store));
  });

  it('may not have a row twice', async () => {
    const { store, clock } = await filled();
    const rows = await rowsAt(store, archiveHead(store.state, SPEC).revision);
    const own = rows.filter((r) => r.key.startsWith('pods/'));
    assert.throws(() => imported([...rows, ...own.slice(0, 1)], clock, SPEC, 1), /UNIQUE/);
  });

  it('begins above an earlier life of its own, which had gone on after the backup', async () => {
    const { store, clock } = await filled();
    const rows = await rowsAt(store, archiveHead(store.state, SPEC).revision);
    const first = imported(rows, clock, SPEC, (await store.info()).revision);
    for (let i = 0; i < 50; i++) await won(first.store, [putPod(`lost${i}`)]);
    await clock.advance(60_000);
    const second = imported(rows, clock, SPEC, (await store.info()).revision);
    assert.ok((await second.store.info()).compacted > (await first.store.info()).revision);
  });

  it('outlives what was to die at the same time', async () => {
    const { store, clock } = open();
    await won(store, [{ ...putPod('dies'), ttlMs: 10_000 }, putPod('stays')]);
    await clock.advance(4_000);
    const { revision, newest } = archiveHead(store.state, SPEC);
    const copy = imported(await rowsAt(store, revision), clock, SPEC, newest);
    await clock.advance(5_000);
    await copy.store.alarm();
    assert.equal((await page(copy.store, pods())).count, 2);
    await clock.advance(1_500);
    await copy.store.alarm();
    assert.deepEqual(
      (await page(copy.store, pods())).entries.map((e) => e.key),
      ['pods/default/stays'],
    );
  });
});
