import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { rangeOf } from '../../kube/store/key.ts';
import { StoreError } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { deletePod, only, podKey, pods, putPod, SCHEMA, Tap, won } from '../../kube/store/suite-kit.ts';
import { sumOf } from '../../workers/tenant/checksum.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { seeded } from '../fuzz/random.ts';
import { nodeSql } from './node-sqlite.ts';

const NAMES = Array.from({ length: 90 }, (_, i) => `pod-${i}`);
const clock = new VirtualClock();
const open = (sql: ReturnType<typeof nodeSql>) =>
  new SqliteStore({ sql, env: clock.env, sync: async () => {}, schedule: () => {} });

/** A store with some history, several pages of each tree. */
async function build(path: string): Promise<void> {
  const sql = nodeSql(path);
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const store = open(sql);
  const specs = NAMES.map((name, i) =>
    putPod(name, {
      labels: { app: `app-${i % 3}`, tier: `tier-${i % 7}` },
      node: `n${i % 5}`,
      owners: [`rs-${i % 9}`],
      ...(i % 10 === 0 ? { policy: `policy of ${name}` } : {}),
      mark: 'x'.repeat(i % 8 === 0 ? 6_000 : 200),
    }),
  );
  await won(store, specs);
  await won(
    store,
    specs.slice(0, 30).map((op) => ({ ...op, expect: undefined })),
  );
  await won(store, [deletePod('pod-3'), deletePod('pod-44')]);
  await won(store, [{ claim: { name: 'ports', ports: { from: 1, to: 90 } }, owner: podKey('pod-1') }]);
  sql.close();
}

/** Everything that is asked of a store, each by its own name. */
const QUESTIONS: Record<string, (s: SqliteStore) => Promise<unknown>> = {
  ...Object.fromEntries(
    ['pod-0', 'pod-1', 'pod-3', 'pod-29', 'pod-30', 'pod-44', 'pod-61', 'pod-88', 'pod-89', 'none'].map((name) => [
      `get ${name}`,
      (s: SqliteStore) => s.read(only(podKey(name))),
    ]),
  ),
  list: (s) => s.read(pods()),
  'list joined': (s) => s.read(pods(), { join: SCHEMA }),
  'list of another kind': (s) => s.read(rangeOf('', 'nodes')),
  'list by label': (s) => s.read(pods(), { select: { labels: [{ key: 'app', op: 'In', values: ['app-1'] }] } }),
  'list by node': (s) => s.read(pods(), { select: { fields: [{ field: 'spec.nodeName', op: '=', value: 'n2' }] } }),
  'list of the past': (s) => s.read(pods(), { at: 95 }),
  'by owner': (s) => s.related('owner', 'rs-4'),
  versions: (s) => s.versions(podKey('pod-7')),
  changes: async (s) => s.changes([], 60),
  view: (s) => s.confirm({ policy: 0 }),
  exists: (s) => s.confirm({ policy: s.state.policy, exist: [{ key: podKey('pod-70'), uid: 'uid-pod-70' }] }),
  replay: async (s) => {
    const tap = new Tap(s.watch(pods(), 0));
    const seen = await tap.take(122);
    await tap.stop();
    return seen;
  },
};
const text = (x: unknown): string =>
  JSON.stringify(x, (_, v: unknown) => (v instanceof Uint8Array ? Buffer.from(v).toString() : v));

/** What a damaged store answers: each question right, or refused with StoreError 'corrupt'. How many were refused. */
async function judge(path: string, right: ReadonlyMap<string, string>, what: string): Promise<number> {
  const sql = nodeSql(path);
  let refused = 0;
  try {
    let store: SqliteStore;
    try {
      store = open(sql);
    } catch (e) {
      assert.ok(e instanceof StoreError && e.code === 'corrupt', `${what}: opening: ${(e as Error).stack}`);
      return right.size;
    }
    for (const [name, ask] of Object.entries(QUESTIONS)) {
      try {
        // Not assert.equal: it would print all of both.
        const answer = text(await ask(store));
        assert.ok(answer === right.get(name), `${what}: ${name} is answered wrongly`);
      } catch (e) {
        if (e instanceof assert.AssertionError) throw e;
        assert.ok(e instanceof StoreError && e.code === 'corrupt', `${what}: ${name}: ${(e as Error).stack}`);
        refused++;
      }
    }
  } finally {
    try {
      sql.close();
    } catch {
      // A file that was no database.
    }
  }
  return refused;
}

it('whatever byte of the file is damaged, every answer is right or a clear refusal', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-damage-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const whole = join(dir, 'whole');
  await build(whole);
  const right = new Map<string, string>();
  const sql = nodeSql(whole);
  const store = open(sql);
  for (const [name, ask] of Object.entries(QUESTIONS)) right.set(name, text(await ask(store)));
  sql.close();
  const bytes = readFileSync(whole);
  const random = seeded(Number(process.env.SEED ?? 1));
  const broken = join(dir, 'broken');
  let refusals = 0;
  const flips = Number(process.env.FLIPS ?? 250);
  for (let i = 0; i < flips; i++) {
    const damaged = Buffer.from(bytes);
    // Every second flip is where pages keep their own bookkeeping.
    const at = i % 2 ? random.below(bytes.length) : random.below(bytes.length >> 12) * 4096 + random.below(120);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
    writeFileSync(broken, damaged);
    if ((await judge(broken, right, `flip at ${at} (page ${(at >> 12) + 1}, byte ${at & 4095})`)) > 0) refusals++;
  }
  assert.ok(refusals > flips / 5, `only ${refusals} of ${flips} flips were noticed`);
  for (let i = 0; i < 20; i++) {
    const length = random.below(bytes.length);
    copyFileSync(whole, broken);
    truncateSync(broken, length);
    assert.ok((await judge(broken, right, `cut at ${length}`)) > 0, `cut at ${length}: nothing is noticed`);
  }
});

it('a damaged row is refused with its name, all others are served and written', async () => {
  const sql = nodeSql();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  const store = open(sql);
  await won(store, [putPod('a'), putPod('b'), putPod('c')]);
  sql.run(`UPDATE history SET value = replace(value, 'uid-b', 'uid-x') WHERE revision = 2`);
  const fresh = open(sql);
  const refusal = {
    code: 'corrupt',
    message: /^corrupt: pods\/default\/b at revision 2: its checksum does not match$/,
  };
  await assert.rejects(fresh.read(only(podKey('b'))), refusal);
  await assert.rejects(fresh.read(pods()), refusal);
  await assert.rejects(fresh.read(pods(), { join: SCHEMA }), refusal);
  const page = await fresh.read(only(podKey('a')));
  assert.equal(page.ok && page.count, 1);
  // Commits that wait together: the damaged row's fails alone.
  const [a, b, c] = await Promise.allSettled([
    fresh.commit([putPod('a', { mark: 2 })]),
    fresh.commit([putPod('b', { mark: 2 })]),
    fresh.commit([putPod('c', { mark: 2 })]),
  ]);
  assert.deepEqual([a?.status, b?.status, c?.status], ['fulfilled', 'rejected', 'fulfilled']);
});

it('the checksum is that of the bytes, whatever the text', () => {
  const sum = (value: string, revision = 7) => sumOf({ revision, value });
  const texts = ['', '{}', '{"metadata":{}}', `{"metadata":{"name":"ä€😀"}}`, 'x'.repeat(100_000), '\ud800'];
  assert.equal(new Set(texts.map((x) => sum(x))).size, texts.length);
  assert.notEqual(sum('{}', 7), sum('{}', 8));
  const base = `{"metadata":{"name":"${'abcdefgh'.repeat(9)}"}}`;
  for (let i = 0; i < base.length; i++) {
    for (let bit = 0; bit < 7; bit++) {
      const flipped = base.slice(0, i) + String.fromCharCode(base.charCodeAt(i) ^ (1 << bit)) + base.slice(i + 1);
      assert.notEqual(sum(flipped), sum(base), `bit ${bit} of ${i}`);
    }
  }
});
