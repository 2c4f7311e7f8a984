import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { rowFacts } from '../../kube/kinds/rowfacts.ts';
import type { Facts } from '../../kube/meta/facts.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import type { PutOp } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { deletePod, podKey, putPod, won } from '../../kube/store/suite-kit.ts';
import { nodeSql } from '../../test/store/node-sqlite.ts';
import { needKind } from '../controllers/kind.ts';
import { LOOPS } from '../loops/list.ts';
import type { Begin } from './rounds.ts';
import { SqliteStore } from './sqlite.ts';
import { createCluster } from './state.ts';

/** A store whose loops are only written down: `loop attempt`. The alarm is the last that was asked for, as the platform has one. */
function world() {
  const clock = new VirtualClock();
  const sql = nodeSql();
  createCluster(sql, { base: '', uidPrefix: '', createdMs: clock.nowMs });
  /** Rows of history that changes looked at. */
  let looked = 0;
  const { all } = sql;
  sql.all = (query, ...args) => {
    const rows = all(query, ...args);
    if (/FROM history.*revision > \?/s.test(query)) looked += rows.length;
    return rows;
  };
  const woken: string[] = [];
  const alarm = { atMs: Number.POSITIVE_INFINITY, fired: 0 };
  const open = () =>
    new SqliteStore({
      sql,
      env: clock.env,
      sync: async () => {},
      schedule: (at) => {
        alarm.atMs = at;
      },
      wake: (loop, _revision, attempt) => void woken.push(`${loop} ${attempt}`),
    });
  let store = open();
  return {
    woken,
    alarm,
    sql,
    looked: () => looked,
    store: () => store,
    restart() {
      store = open();
    },
    async advance(ms: number) {
      const end = clock.nowMs + ms;
      while (alarm.atMs <= end) {
        clock.nowMs = Math.max(clock.nowMs, alarm.atMs);
        alarm.atMs = Number.POSITIVE_INFINITY;
        alarm.fired++;
        await store.alarm();
      }
      clock.nowMs = end;
    },
  };
}

describe('a loop that has something to do', () => {
  it('is woken for the names that it wants, and gets their changes alone', async () => {
    const w = world();
    await w.store().register('a', ['pods/*/x', 'nodes']);
    await won(w.store(), [putPod('y')]);
    assert.deepEqual(w.woken, []);
    w.restart();
    const { revision } = await won(w.store(), [putPod('x')]);
    assert.deepEqual(w.woken, ['a 0']);
    assert.deepEqual(
      w
        .store()
        .changes(['pods/*/x', 'nodes'], 0)
        .rows.map((r) => [r.key, r.revision]),
      [[podKey('x'), revision]],
    );
  });

  it('is woken at once, then each 5 s with the next number until it has cleared its mark', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    const { revision } = await won(w.store(), [putPod('x')]);
    assert.deepEqual(w.woken, ['a 0']);
    await w.advance(4_999);
    assert.equal(w.woken.length, 1);
    await w.advance(1);
    await w.advance(5_000);
    assert.deepEqual(w.woken, ['a 0', 'a 1', 'a 2']);
    assert.equal(w.store().cleared('a', revision - 1), false);
    assert.equal(w.store().cleared('a', revision), true);
    await w.advance(60_000);
    assert.equal(w.woken.length, 3);
  });

  it('that clears its mark in time costs no alarm', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    for (let i = 0; i < 3; i++) {
      const { revision } = await won(w.store(), [putPod(`x${i}`)]);
      assert.equal(w.store().cleared('a', revision), true);
      await w.advance(60_000);
    }
    assert.deepEqual([w.woken, w.alarm.fired], [['a 0', 'a 0', 'a 0'], 0]);
  });

  it('has 5 s of its own, whenever another was marked', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    await w.store().register('b', ['nodes']);
    await won(w.store(), [putPod('x')]);
    await w.advance(4_000);
    await won(w.store(), [{ ...putPod('n'), key: 'nodes/n' }]);
    await w.advance(1_000);
    assert.deepEqual(w.woken, ['a 0', 'b 0', 'a 1']);
    await w.advance(4_000);
    assert.deepEqual(w.woken.at(-1), 'b 1');
  });

  it('is woken by a store that was started again, its first replica first', async () => {
    const w = world();
    await w.store().register('a', ['pods']);
    await won(w.store(), [putPod('x')]);
    await w.advance(5_000);
    w.restart();
    await w.advance(10_000);
    assert.deepEqual(w.woken, ['a 0', 'a 1', 'a 0', 'a 1']);
  });
});

/** A pod with facts as the API extracts them. */
const pod = (name: string, facts: Partial<Facts>, mark = 0) => {
  const op = putPod(name, { mark });
  return { ...op, facts: { uid: `uid-${name}`, ...facts } };
};
const fields = (nodeName: string, schedulerName = 'default-scheduler', phase = 'Pending') => ({
  fields: { 'spec.nodeName': nodeName, 'spec.schedulerName': schedulerName, 'status.phase': phase },
});
const shown = (changes: { rows: { key: string; entry: unknown }[] }) =>
  changes.rows.map((r) => (r.entry === null ? `-${r.key}` : r.key));

describe("this release's loops, registered", () => {
  const register = async (w: ReturnType<typeof world>) => {
    for (const [loop, all] of Object.entries(LOOPS)) await w.store().register(loop, interestsOf(all));
  };
  const changes = (w: ReturnType<typeof world>, loop: string, after = 0) =>
    shown(w.store().changes(interestsOf(LOOPS[loop] ?? []), after));

  it("are not woken by pods that are nobody's: 1,000 made, changed and deleted are no wake-up and no row", async () => {
    const w = world();
    await register(w);
    const facts = fields('', 'none');
    for (let i = 0; i < 1_000; i++) await won(w.store(), [pod(`p${i}`, facts)]);
    for (let i = 0; i < 1_000; i++) await won(w.store(), [pod(`p${i}`, facts, 1)]);
    for (let i = 0; i < 1_000; i++) await won(w.store(), [deletePod(`p${i}`)]);
    assert.deepEqual(w.woken, []);
    for (const loop of ['controllers', 'scheduler']) assert.deepEqual(changes(w, loop), []);
  });

  /** A node as its agent reports it, with facts as the API extracts them. */
  const nodeOp = (more: { status?: JsonObject; spec?: JsonObject; labels?: Record<string, string> }, beat: string) => {
    const condition = { type: 'Ready', status: 'True', lastHeartbeatTime: beat };
    const status = { allocatable: { cpu: '4' }, conditions: [condition], ...more.status };
    const metadata = { name: 'n', uid: 'uid-n', labels: more.labels ?? {} };
    const object = { kind: 'Node', apiVersion: 'v1', metadata, spec: more.spec ?? {}, status } as unknown as KubeObject;
    const value = { ...putPod('n').value, text: JSON.stringify(object) };
    return {
      ...putPod('n'),
      key: 'nodes/n',
      value,
      facts: rowFacts(needKind(kindByStorage, 'nodes'), object),
    } as PutOp;
  };
  const ready = (status: string) => [{ type: 'Ready', status, lastHeartbeatTime: 'new' }];
  const nodeChanges: [what: string, more: Parameters<typeof nodeOp>[0], wakes: boolean][] = [
    ['a hundred reports that only say that the node lives wake nobody', {}, false],
    ['that it is not ready does', { status: { conditions: ready('False') } }, true],
    ['that it has other room does', { status: { allocatable: { cpu: '8' } } }, true],
    ['a taint does', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }, true],
    ['that it is cordoned does', { spec: { unschedulable: true } }, true],
    ['a label does', { labels: { zone: 'a' } }, true],
  ];
  for (const [what, more, wakes] of nodeChanges)
    it(`of nodes: ${what}`, async () => {
      const w = world();
      await won(w.store(), [nodeOp({}, 'old')]);
      await register(w);
      for (let i = 0; i < (wakes ? 1 : 100); i++) await won(w.store(), [nodeOp(more, String(i))]);
      assert.deepEqual(w.woken.sort(), wakes ? ['controllers 0', 'scheduler 0'] : []);
      // What doesn't wake them the controllers read when they look: it counts before a node is taken for silent.
      const { revision } = await w.store().info();
      assert.deepEqual(changes(w, 'controllers', revision - 1), ['nodes/n']);
    });

  const table: [
    what: string,
    from: Partial<Facts> | null,
    to: Partial<Facts> | null,
    woken: string[],
    read: string[],
  ][] = [
    ['a pod that wants a node wakes the scheduler', null, fields(''), ['scheduler 0'], ['scheduler']],
    [
      'that its labels change does too',
      fields(''),
      { ...fields(''), labels: { a: 'b' } },
      ['scheduler 0'],
      ['scheduler'],
    ],
    ['what it is told while it waits is read, and wakes nobody', fields(''), fields(''), [], ['scheduler']],
    [
      'that it is bound does too: it waits no more',
      fields(''),
      fields('n'),
      ['scheduler 0'],
      ['controllers', 'scheduler'],
    ],
    [
      'a bound pod that starts to run wakes nobody',
      fields('n'),
      fields('n', undefined, 'Running'),
      [],
      ['controllers', 'scheduler'],
    ],
    ['one whose status moves is read by no scheduler', fields('n'), fields('n'), [], ['controllers']],
    ['one whose spec is resized is', fields('n'), { ...fields('n'), generation: 2 }, [], ['controllers', 'scheduler']],
    [
      'one that ends leaves room',
      fields('n'),
      fields('n', undefined, 'Failed'),
      ['scheduler 0'],
      ['controllers', '-scheduler'],
    ],
    ['one that goes does too', fields('n'), null, ['scheduler 0'], ['-controllers', '-scheduler']],
    [
      "an owner's wakes the controllers",
      null,
      { ...fields('', 'none'), owners: ['o'] },
      ['controllers 0'],
      ['controllers'],
    ],
    [
      'one that loses its owner does too',
      { ...fields('', 'none'), owners: ['o'] },
      fields('', 'none'),
      ['controllers 0'],
      ['-controllers'],
    ],
  ];
  for (const [what, from, to, woken, read] of table)
    it(what, async () => {
      const w = world();
      if (from) await won(w.store(), [pod('a', from)]);
      await register(w);
      const { revision } = await w.store().info();
      await won(w.store(), [to ? pod('a', to, 1) : deletePod('a')]);
      assert.deepEqual(w.woken, woken);
      const seen = ['controllers', 'scheduler'].flatMap((loop) =>
        changes(w, loop, revision).map((key) => (key.startsWith('-') ? `-${loop}` : loop)),
      );
      assert.deepEqual(seen, read);
    });
});

describe('a round of a loop', () => {
  const interests = [{ resource: 'pods', owned: true }];
  const begin = (w: ReturnType<typeof world>, more: Partial<Begin> = {}) =>
    w.store().startRound({
      loop: 'a',
      lease: 'loop/a',
      holder: 'h',
      ttlMs: 15_000,
      interests: JSON.stringify(interests),
      after: 0,
      ...more,
    });
  const end = (w: ReturnType<typeof world>, revision: number, holder = 'h') =>
    w.store().endRound('a', 'loop/a', holder, revision);
  const leases = (w: ReturnType<typeof world>) => w.sql.all('SELECT holder, epoch FROM leases');
  const mine = (name: string) => pod(name, { owners: ['o'] });

  it('is one call: the lease, whether it is registered, and what changed', async () => {
    const w = world();
    assert.equal(begin(w).registered, false);
    await w.store().register('a', interests);
    const { revision } = await won(w.store(), [pod('theirs', {})]);
    await won(w.store(), [mine('x')]);
    const begun = begin(w, { after: revision });
    assert.deepEqual([begun.grant.held, begun.grant.epoch, begun.registered, begun.marked], [true, 1, true, true]);
    assert.deepEqual(shown(begun.changes ?? { rows: [] }), ['pods/default/x']);
    assert.equal(end(w, revision), false, 'it has not seen all');
    assert.equal(end(w, revision + 1), true);
    assert.equal(begin(w).marked, false);
    w.restart();
    assert.equal(begin(w).registered, true);
  });

  it('writes its lease with the first commit under it, and nothing where it writes nothing', async () => {
    const w = world();
    await w.store().register('a', interests);
    const { grant } = begin(w);
    assert.deepEqual(leases(w), []);
    end(w, 0);
    assert.deepEqual(leases(w), []);
    assert.equal(begin(w).grant.epoch, grant.epoch, 'the same holder has it at the same epoch');
    const fence = { lease: 'loop/a', epoch: grant.epoch, holder: 'h' };
    await won(w.store(), [mine('x')], { fence });
    assert.deepEqual(leases(w), [['h', 1]]);
    w.restart();
    await won(w.store(), [mine('y')], { fence });
  });

  it('of another holder is at a higher epoch once the first is over, and not before', async () => {
    const w = world();
    await w.store().register('a', interests);
    begin(w);
    const other = begin(w, { holder: 'other' });
    assert.deepEqual([other.grant.held, other.grant.holder, other.changes], [false, 'h', undefined]);
    end(w, 0);
    assert.equal(begin(w, { holder: 'other' }).grant.epoch, 2);
    const late = await w.store().commit([mine('x')], { fence: { lease: 'loop/a', epoch: 1, holder: 'h' } });
    assert.deepEqual(late, { ok: false, lost: 'fence' });
  });

  it('that a store forgot, for nothing was written under it, is not taken for that of the next holder', async () => {
    const w = world();
    await w.store().register('a', interests);
    const { grant } = begin(w);
    w.restart();
    const next = begin(w, { holder: 'other' });
    assert.equal(next.grant.epoch, grant.epoch);
    const late = { fence: { lease: 'loop/a', epoch: grant.epoch, holder: 'h' } };
    assert.deepEqual(await w.store().commit([mine('x')], late), { ok: false, lost: 'fence' });
    await won(w.store(), [mine('x')], { fence: { ...late.fence, holder: 'other' } });
    assert.equal(begin(w).grant.held, false);
  });

  it('gives back what a former life of the replica holds', async () => {
    const w = world();
    await w.store().register('a', interests);
    begin(w, { holder: 'former' });
    const { grant } = begin(w, { former: 'former' });
    assert.deepEqual([grant.held, grant.epoch], [true, 2]);
  });

  it('does not look at what came while nothing was for it', async () => {
    const w = world();
    await w.store().register('a', interests);
    const { revision } = await won(w.store(), [mine('x')]);
    begin(w, { after: revision });
    end(w, revision);
    for (let i = 0; i < 150; i++) await won(w.store(), [pod(`p${i}`, {})]);
    const before = w.looked();
    await won(w.store(), [mine('y')]);
    for (let i = 0; i < 5; i++) await won(w.store(), [pod(`q${i}`, {})]);
    const { changes } = begin(w, { after: revision });
    assert.deepEqual([shown(changes ?? { rows: [] }), w.looked() - before], [['pods/default/y'], 6]);
    assert.equal(changes?.revision, revision + 156);
    // A store that was started again has to look.
    w.restart();
    begin(w, { after: revision });
    assert.equal(w.looked() - before, 6 + 156);
  });
});
