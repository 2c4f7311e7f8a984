import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EVERYTHING } from '../../kube/store/key.ts';
import type { Op, Revision, Store } from '../../kube/store/store.ts';
import { deletePod, factsOf, type PodSpec, page, podKey, putPod, SCHEMA, value } from '../../kube/store/suite-kit.ts';
import type { BaseLayer } from '../../workers/tenant/base.ts';
import type { SqliteStore } from '../../workers/tenant/sqlite.ts';
import type { RestoreRules } from '../../workers/tenant/travel.ts';
import { seeded } from '../fuzz/random.ts';
import { open } from './world.ts';

/** Rounds of a seed: some commits, then a restore to any revision, killed in the middle more often than not. */
const ROUNDS = 25;
const COMMITS = 12;

const POOL = { name: 'p', ports: { from: 1, to: 40 } };
/** What a row claims stands in its body, as with Services. */
const portOf = (body: string): string | undefined => /"mark":"port-(\d+)"/.exec(body)?.[1];

const RESTORING: RestoreRules = {
  mayClaim: () => true,
  claims: (row) => {
    const want = portOf(row.value);
    return want === undefined ? [] : [{ claim: POOL, want, owner: row.key }];
  },
  ttlMs: () => undefined,
};

const LAYER: BaseLayer = {
  hash: 'base-1',
  rows: ['a', 'c', 'e'].map((name) => {
    const spec: PodSpec = { labels: { app: 'x' }, policy: 'P' };
    return { key: podKey(name), text: value(name, spec).text, ...SCHEMA, facts: factsOf(name, spec) };
  }),
};

/** Commits that follow each other. */
function randomCommits(random: () => number): Op[][] {
  const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
  const name = 'abcdefgh'.charAt(Math.floor(random() * 8));
  if (random() < 0.3) return [[deletePod(name)]];
  const port = random() < 0.4 ? String(1 + Math.floor(random() * 40)) : undefined;
  // The deciding text is made of the body, as with every kind.
  const mark = port === undefined ? Math.floor(random() * 1000) : `port-${port}`;
  const spec: PodSpec = { mark, labels: { app: pick('x', 'y') }, node: pick('n1', 'n2'), owners: [pick('o1', 'o2')] };
  if (random() < 0.5) spec.policy = `P${mark}`;
  const put = putPod(name, spec);
  // Another object, so that it claims anew.
  const claims: Op[] = port === undefined ? [] : [{ claim: POOL, want: port, owner: podKey(name) }];
  return [[deletePod(name)], [put, ...claims]];
}

async function standing(store: Store, at?: Revision): Promise<string[]> {
  const p = await page(store, EVERYTHING, at === undefined ? {} : { at });
  return p.entries.map((e) => `${e.key} ${e.value} ${JSON.stringify(e.facts)}`);
}

/** What the index tables are, and what they would be if made anew of what stands. */
async function indices(store: SqliteStore): Promise<[unknown, unknown]> {
  const { sql } = store.state;
  const rows = (await page(store, EVERYTHING)).entries;
  const claims = sql.all('SELECT value, owner FROM claims ORDER BY owner').map(([v, o]) => `${o} ${v}`);
  const policy = await store.confirm({ policy: 0 });
  const told = policy.ok ? [] : policy.changes.map((c) => `${c.key} ${c.policy}`).sort();
  const owned = (await store.related('owner', 'o1')).map((e) => e.key);
  const made = [
    rows.flatMap((e) => (portOf(e.value) === undefined ? [] : [`${e.key} ${portOf(e.value)}`])).sort(),
    rows.flatMap((e) => (e.facts.policy === undefined ? [] : [`${e.key} ${e.facts.policy}`])).sort(),
    rows.filter((e) => e.facts.owners?.includes('o1')).map((e) => e.key),
    `${rows.filter((e) => e.revision > store.state.base.size).length}`,
  ];
  return [[claims.sort(), told, owned, `${store.state.usage.objects}`], made];
}

for (let seed = 1; seed <= 8; seed++) {
  it(`after any history, any restore and any kill a store is what it was then (seed ${seed})`, async () => {
    const random = seeded(seed).next;
    const layer = seed % 2 === 0 ? LAYER : null;
    const w = open({ layer: () => layer ?? undefined, restoring: RESTORING }, layer?.hash);
    const { clock } = w;
    let { store } = w;
    /** What stood at each revision that a commit ended with. */
    const pictures = new Map<Revision, string[]>([[store.state.revision, await standing(store)]]);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < COMMITS; i++) {
        for (const ops of randomCommits(random)) await store.commit(ops);
        pictures.set(store.state.revision, await standing(store));
        if (random() < 0.2) await clock.advance(1_000);
      }
      const known = [...pictures.keys()];
      const to = known[Math.floor(random() * known.length)] as Revision;
      const { revision } = store.state;
      assert.ok(await store.restorer.restore({ revision: to }, 'operator'));
      for (let kills = Math.floor(random() * 3); kills > 0; kills--) {
        for (let turns = Math.floor(random() * 10); turns > 0; turns--) await Promise.resolve();
        store = w.reopen();
        if (store.state.restoring) assert.deepEqual(await standing(store), pictures.get(revision));
      }
      await clock.advance(5_000);
      const done = store.restorer.last();
      assert.deepEqual([done?.phase, done?.to, done?.before], ['done', to, revision], `round ${round}`);
      assert.deepEqual(await standing(store), pictures.get(to), `round ${round}: restored to ${to}`);
      const [is, made] = await indices(store);
      assert.deepEqual(is, made, `round ${round}`);
      pictures.set(store.state.revision, await standing(store));
      for (const at of [revision, to]) assert.deepEqual(await standing(store, at), pictures.get(at), `read at ${at}`);
    }
    w.sql.close?.();
  });
}
