import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { failure, forbidden } from '../meta/status.ts';
import type { Key } from '../store/store.ts';
import type { Controller, Plan, View, Write } from './controller.ts';
import { MemoryProjection } from './projection.ts';
import { createRunner } from './runner.ts';
import { kindOf, object, TestCluster } from './testing/cluster.ts';
import { suffix } from './view.ts';

const BUDGET = { writes: 100, ms: 60_000 };
const NOTHING: Plan = { writes: [] };
const pods = kindOf('pods');
const configmaps = kindOf('configmaps');
const sets = kindOf('replicasets.apps');

const create = (name: string, more: Partial<Write & { do: 'create' }> = {}): Write => ({
  do: 'create',
  object: child(name, 'a'),
  ...more,
});
const named = (name: string): Key => `configmaps/default/${name}`;
const child = (name: string, owner: string) => {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid: `uid-${owner}`, controller: true }];
  return object('Pod', name, { metadata: { ownerReferences } as unknown as JsonObject });
};

/** A runner of controllers whose calls are kept; `again` makes it anew on the same projection, as a process does that starts again. */
function world(reconcile: Controller['reconcile'], more: Partial<Controller> = {}, others: Controller[] = []) {
  const cluster = new TestCluster();
  const projection = new MemoryProjection();
  const calls: { key: Key; object: KubeObject | undefined; view: View }[] = [];
  const controller: Controller = {
    name: 'test',
    rules: [],
    for: configmaps,
    reconcile: (key, object, view) => {
      calls.push({ key, object, view });
      return reconcile(key, object, view);
    },
    ...more,
  };
  const start = () => createRunner([controller, ...others], projection, cluster, cluster, cluster.env);
  let runner = start();
  return {
    cluster,
    projection,
    calls,
    /** Keys that were reconciled since the last look. */
    took: () => calls.splice(0).map((c) => c.key),
    round: (budget = BUDGET) => runner.round(budget),
    again: () => {
      runner = start();
    },
  };
}

describe('what the runner reconciles', () => {
  it('is everything there is at first, then what changed, and nothing where nothing did', async () => {
    const w = world(() => NOTHING);
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.cluster.put(object('ConfigMap', 'b', { data: { x: '1' } }));
    const first = await w.round();
    assert.equal(w.calls[1]?.object?.kind, 'ConfigMap');
    assert.deepEqual(w.calls[1]?.object?.data, { x: '1' });
    assert.equal(w.calls[1]?.object?.metadata.resourceVersion, '2');
    assert.deepEqual(w.took(), [named('a'), named('b')]);
    assert.deepEqual({ revision: first.revision, again: first.again }, { revision: 2, again: undefined });
    await w.round();
    assert.deepEqual(w.took(), []);
    await w.cluster.put(object('ConfigMap', 'b'));
    await w.cluster.put(object('ConfigMap', 'b'));
    await w.cluster.put(object('Secret', 'not-ours'));
    await w.round();
    assert.deepEqual(w.took(), [named('b')], 'two changes are one call');
  });

  it('is told of a deletion with no object', async () => {
    const w = world(() => NOTHING);
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.round();
    w.took();
    await w.cluster.remove(named('a'));
    await w.round();
    assert.deepEqual(
      w.calls.map((c) => [c.key, c.object]),
      [[named('a'), undefined]],
    );
  });

  it('is the owner of what it owns: when that comes, changes, changes hands or goes', async () => {
    const w = world(() => NOTHING, { owns: [pods] });
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.cluster.put(object('ConfigMap', 'b'));
    await w.round();
    const after = async (act: () => Promise<unknown>) => {
      w.took();
      await act();
      await w.round();
      return w.took();
    };
    assert.deepEqual(await after(() => w.cluster.put(child('p', 'a'))), [named('a')]);
    assert.deepEqual(await after(() => w.cluster.put(child('p', 'b'))), [named('a'), named('b')]);
    assert.deepEqual(await after(() => w.cluster.put(object('Pod', 'stranger'))), []);
    assert.deepEqual(await after(() => w.cluster.put(child('lost', 'nobody'))), []);
    assert.deepEqual(await after(() => w.cluster.remove('pods/default/p')), [named('b')]);
  });

  it('is what a watched kind maps to; a map that throws stops nobody', async () => {
    const w = world(() => NOTHING, {
      watches: [
        {
          kind: pods,
          map: (row) => {
            if (row.uid === 'uid-bad') throw new Error('no');
            return [named(row.labels.of ?? '')];
          },
        },
      ],
    });
    await w.cluster.put(object('Pod', 'bad'));
    await w.cluster.put(object('Pod', 'good', { metadata: { labels: { of: 'x' } } }));
    await w.round();
    assert.deepEqual(w.took(), [named('x')]);
    assert.equal(w.cluster.errors.length, 1);
  });

  it('is of one name where the watch names it: others are not even read', async () => {
    const w = world(() => NOTHING, { watches: [{ kind: pods, name: 'one', map: () => [named('x')] }] });
    await w.cluster.put(object('Pod', 'other'));
    await w.round();
    assert.deepEqual(w.took(), []);
    await w.cluster.put(object('Pod', 'one'));
    await w.round();
    assert.deepEqual(w.took(), [named('x')]);
    assert.deepEqual(
      [...w.projection.list('pods')].map((row) => row.key),
      ['pods/default/one'],
    );
  });

  it('is also what went while its cursor was too old', async () => {
    const w = world(() => NOTHING, { owns: [pods] });
    for (const name of ['a', 'b']) await w.cluster.put(object('ConfigMap', name));
    await w.cluster.put(child('p', 'b'));
    await w.round();
    w.took();
    await w.cluster.remove(named('a'));
    await w.cluster.remove('pods/default/p');
    w.cluster.compacted = (await w.cluster.store.info()).revision;
    await w.round();
    assert.deepEqual(
      w.calls.map((c) => [c.key, c.object === undefined]),
      [
        [named('a'), true],
        [named('b'), false],
      ],
    );
    assert.deepEqual([...w.projection.list('pods')], []);
  });

  it('sees of other kinds what any of the controllers projects, and all where one projects nothing', async () => {
    const second = (project?: Controller['project']): Controller => ({
      name: 'second',
      rules: [],
      for: sets,
      owns: [pods],
      reconcile: () => NOTHING,
      ...(project ? { project } : {}),
    });
    const seen = async (other: Controller) => {
      const w = world(() => NOTHING, { owns: [pods], project: { pods: () => ({ mine: 1 }) } }, [other]);
      await w.cluster.put({ ...child('p', 'a'), spec: { x: 1 } });
      await w.round();
      return w.projection.get('pods/default/p')?.data;
    };
    assert.deepEqual(await seen(second({ pods: () => ({ theirs: 2 }) })), { mine: 1, theirs: 2 });
    assert.deepEqual((await seen(second()))?.spec, { x: 1 });
  });

  it('is nothing where a change leaves all that is projected as it was', async () => {
    const w = world(() => NOTHING, { owns: [pods], project: { pods: (o) => ({ spec: o.spec ?? {} }) } });
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.cluster.put({ ...child('p', 'a'), spec: { x: 1 } });
    await w.round();
    w.took();
    await w.cluster.put({ ...child('p', 'a'), spec: { x: 1 }, status: { phase: 'Running' } });
    await w.round();
    assert.deepEqual(w.took(), []);
    assert.equal(w.projection.get('pods/default/p')?.revision, 3, 'the row is the new one all the same');
    await w.cluster.put({ ...child('p', 'a'), spec: { x: 2 } });
    await w.round();
    assert.deepEqual(w.took(), [named('a')]);
  });

  it('is of its roots those that match; one that no longer does is gone from the View, and nobody is told', async () => {
    const roots = { fields: [{ field: 'spec.nodeName', op: '=', value: '' } as const] };
    const w = world(() => NOTHING, { for: pods, roots });
    const bound = (name: string) => object('Pod', name, { spec: { nodeName: 'n' } });
    await w.cluster.put(bound('theirs'));
    await w.cluster.put(object('Pod', 'mine'));
    await w.round();
    assert.deepEqual(w.took(), ['pods/default/mine']);
    await w.cluster.put(bound('mine'));
    await w.round();
    assert.deepEqual(w.took(), []);
    assert.deepEqual([...w.projection.list('pods')], []);
  });

  it('is told of what stands beside its roots, only where there are roots, and from the first on of all there is', async () => {
    const w = world(() => NOTHING, {
      watches: [{ kind: pods, beside: true, where: { owned: false }, map: (row) => [named(`of-${row.uid}`)] }],
    });
    const inside = (namespace: string, kind: string, name: string) => object(kind, name, { metadata: { namespace } });
    const shown = () => [...w.projection.list('pods')].map((row) => row.key);
    await w.cluster.put(inside('n', 'Pod', 'early'));
    await w.cluster.put(inside('other', 'Pod', 'far'));
    await w.round();
    assert.deepEqual([w.took(), shown(), w.cluster.rowsRead], [[], [], 0]);
    await w.cluster.put(inside('n', 'ConfigMap', 'a'));
    await w.round();
    assert.deepEqual(shown(), ['pods/n/early']);
    assert.deepEqual(w.cluster.registered.at(-1), [
      { resource: 'configmaps' },
      { resource: 'pods', owned: false, namespaces: ['n'] },
    ]);
    assert.deepEqual(w.took(), ['configmaps/default/of-uid-early', 'configmaps/n/a']);
    await w.cluster.put(inside('n', 'Pod', 'late'));
    await w.cluster.put(inside('other', 'Pod', 'far'));
    await w.round();
    assert.deepEqual(shown(), ['pods/n/early', 'pods/n/late']);
    // A process that starts again knows where it looked.
    w.again();
    await w.cluster.put(inside('n', 'ConfigMap', 'b'));
    await w.round();
    assert.equal(w.cluster.registered.length, 1);
    for (const name of ['a', 'b']) await w.cluster.remove(`configmaps/n/${name}`);
    await w.round();
    assert.deepEqual([shown(), w.cluster.registered.at(-1)], [[], [{ resource: 'configmaps' }]]);
    // What came while nobody looked is there when somebody does again.
    await w.cluster.remove('pods/n/early');
    await w.cluster.put(inside('n', 'Pod', 'unseen'));
    await w.cluster.put(inside('n', 'ConfigMap', 'c'));
    await w.round();
    assert.deepEqual(shown(), ['pods/n/late', 'pods/n/unseen']);
  });

  it('drops what is queued for a controller that this release does not have', async () => {
    const w = world(() => NOTHING);
    w.projection.enqueue({ controller: 'of-old', key: named('a'), due: 0 });
    assert.equal((await w.round()).again, undefined);
    assert.equal(w.projection.nextDue(), undefined);
  });
});

describe('a plan', () => {
  it('is applied in order', async () => {
    const w = world((_, o) =>
      o && o.data === undefined
        ? {
            writes: [
              create('x'),
              { do: 'update', object: { ...o, data: {} } },
              { do: 'delete', key: 'pods/default/x' },
            ],
            notes: [{ on: named('a'), type: 'Normal', reason: 'Done', message: 'all of it' }],
          }
        : NOTHING,
    );
    await w.cluster.put(object('ConfigMap', 'a'));
    assert.equal((await w.round()).writes, 3);
    assert.deepEqual(w.cluster.told, [
      'create pods/default/x',
      'update configmaps/default/a',
      'delete pods/default/x',
      'note Normal Done configmaps/default/a: all of it',
    ]);
  });

  it('ends at the first write that fails; the key comes again after 5 ms, doubling up to 1,000 s', async () => {
    const w = world(() => ({
      writes: [create('x'), create('y'), create('z')],
      notes: [{ on: named('a'), type: 'Normal', reason: 'Done', message: '' }],
    }));
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.cluster.put(object('Pod', 'x'));
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 20; i++) {
      const { again } = await w.round();
      waits.push(again);
      assert.equal(w.took().length, 1);
      await w.cluster.clock.advance((again ?? 0) - 1);
      await w.round();
      assert.deepEqual(w.took(), [], 'not before its time');
      await w.cluster.clock.advance(1);
    }
    assert.deepEqual(waits.slice(0, 4), [5, 10, 20, 40]);
    assert.equal(waits.at(-1), 1_000_000);
    assert.deepEqual([...new Set(w.cluster.told)], ['create pods/default/x']);
  });

  it('starts to count failures anew once it went through', async () => {
    let good = false;
    const w = world(() => (good ? NOTHING : { writes: [create('x')] }));
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.cluster.put(object('Pod', 'x'));
    for (let i = 0; i < 3; i++) await w.cluster.clock.advance((await w.round()).again ?? 0);
    good = true;
    assert.equal((await w.round()).again, undefined);
    good = false;
    await w.cluster.put(object('ConfigMap', 'a'));
    assert.equal((await w.round()).again, 5);
  });

  it('is told what the last creation or deletion was refused with, until one goes through', async () => {
    const plan: Controller['reconcile'] = (_, __, view) =>
      view.get('pods/default/x') ? NOTHING : { writes: [create('x')] };
    const w = world(plan, { owns: [pods] });
    await w.cluster.put(object('ConfigMap', 'a'));
    w.cluster.refuse = () => forbidden({ group: '', resource: 'pods' }, 'x', 'the quota is used up');
    const { again } = await w.round();
    assert.equal(w.calls.at(-1)?.view.failure, undefined);
    await w.cluster.clock.advance(again ?? 0);
    await w.round();
    assert.equal(w.calls.at(-1)?.view.failure, 'pods "x" is forbidden: the quota is used up');
    w.cluster.refuse = () => undefined;
    await w.cluster.clock.advance(1_000);
    await w.round();
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.round();
    assert.equal(w.calls.at(-1)?.view.failure, undefined);
  });

  it("tells of its writes: done, refused in upstream's words, and not of what was gone", async () => {
    const note = { on: named('a'), reason: 'SuccessfulCreate', message: 'Created pod: x', failed: 'FailedCreate' };
    const w = world(() => ({
      writes: [
        { do: 'delete', key: 'pods/default/none', note: { ...note, reason: 'SuccessfulDelete' } },
        create('x', { note }),
        create('y', { note }),
      ],
    }));
    w.cluster.refuse = (o) =>
      o.do === 'create' && o.object.metadata.name === 'y' ? failure('Forbidden', 'no') : undefined;
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.round();
    assert.deepEqual(
      w.cluster.told.filter((t) => t.startsWith('note')),
      [
        'note Normal SuccessfulCreate configmaps/default/a: Created pod: x',
        'note Warning FailedCreate configmaps/default/a: Error creating: no',
      ],
    );
  });

  it('goes on where the namespace is going away: no event, no retry', async () => {
    const note = { on: named('a'), reason: 'r', message: 'm', failed: 'FailedCreate' };
    const w = world(() => ({ writes: [create('x', { note }), create('y', { note })] }));
    const causes = [{ reason: 'NamespaceTerminating', message: 'namespace default is being terminated', field: '' }];
    w.cluster.refuse = () => failure('Forbidden', 'no', { causes } as never);
    await w.cluster.put(object('ConfigMap', 'a'));
    assert.equal((await w.round()).again, undefined);
    assert.deepEqual(w.cluster.told, ['create pods/default/x', 'create pods/default/y']);
  });

  it('comes again when it asks for it', async () => {
    const w = world(() => ({ writes: [], again: 700 }));
    await w.cluster.put(object('ConfigMap', 'a'));
    assert.equal((await w.round()).again, 700);
    await w.cluster.clock.advance(699);
    await w.round();
    assert.equal(w.took().length, 1);
    await w.cluster.clock.advance(1);
    await w.round();
    assert.equal(w.took().length, 1);
  });

  it('is not made again before the View covers what the last one wrote', async () => {
    const w = world((_, __, view) => (view.get('pods/default/x') ? NOTHING : { writes: [create('x')] }), {
      owns: [pods],
    });
    w.cluster.shownTo = await w.cluster.put(object('ConfigMap', 'a'));
    await w.round({ writes: 1, ms: 1000 });
    assert.equal(w.took().length, 1);
    for (let i = 0; i < 3; i++) await w.round();
    assert.deepEqual(w.took(), [], 'its pod has not been shown yet');
    w.cluster.shownTo = Number.POSITIVE_INFINITY;
    await w.round();
    assert.deepEqual(w.took(), [named('a')]);
    assert.deepEqual(w.cluster.told, ['create pods/default/x']);
  });

  it('that failed half-way is not made again before the View covers the other half', async () => {
    const w = world(() => ({ writes: [create('x'), create('y')] }));
    w.cluster.shownTo = await w.cluster.put(object('ConfigMap', 'a'));
    w.cluster.refuse = (o) =>
      o.do === 'create' && o.object.metadata.name === 'y' ? failure('Forbidden', 'no') : undefined;
    await w.round();
    w.took();
    await w.cluster.clock.advance(1_000);
    await w.round({ writes: 9, ms: 10 });
    assert.deepEqual(w.took(), []);
    w.cluster.shownTo = Number.POSITIVE_INFINITY;
    await w.round();
    assert.deepEqual(w.took(), [named('a')]);
  });

  it('that throws comes again later and leaves the other keys alone', async () => {
    const w = world((key) => {
      if (key === named('a')) throw new Error('a bug');
      return { writes: [{ do: 'delete', key: 'pods/default/x' }] };
    });
    for (const name of ['a', 'b']) await w.cluster.put(object('ConfigMap', name));
    assert.equal((await w.round()).again, 5);
    assert.deepEqual(w.cluster.told, ['delete pods/default/x']);
    assert.deepEqual(w.cluster.errors, ['reconcile.failed configmaps/default/a']);
  });
});

describe('an effect', () => {
  it('is asked for once; its result is there in the next round for as long as plans name it', async () => {
    const w = world((_, o) => ({
      writes: [],
      effects: o?.data ? [{ id: 'two', name: 'e', input: {} }] : [{ id: 'one', name: 'e', input: {} }],
    }));
    w.cluster.effects = (e) => (e.id === 'one' ? { ok: true, value: { n: 1 } } : { ok: false, error: 'no' });
    const results = () => Object.fromEntries(w.calls.at(-1)?.view.results ?? []);
    await w.cluster.put(object('ConfigMap', 'a'));
    assert.equal((await w.round()).again, undefined);
    assert.equal(w.took().length, 2, 'called again with the result');
    await w.cluster.put(object('ConfigMap', 'a', { metadata: { labels: { x: 'y' } } }));
    await w.round();
    assert.deepEqual(results(), { one: { ok: true, value: { n: 1 } } });
    assert.deepEqual(w.cluster.told, ['effect one']);
    await w.cluster.put(object('ConfigMap', 'a', { data: {} }));
    await w.round();
    assert.deepEqual(results(), { two: { ok: false, error: 'no' } });
    assert.deepEqual(w.cluster.told, ['effect one', 'effect two']);
  });

  it("comes after the plan's writes, and not at all where one of them failed", async () => {
    const w = world(() => ({ writes: [create('x')], effects: [{ id: 'one', name: 'e', input: {} }] }));
    w.cluster.refuse = () => failure('Forbidden', 'no');
    await w.cluster.put(object('ConfigMap', 'a'));
    await w.round();
    assert.deepEqual(w.cluster.told, ['create pods/default/x']);
  });
});

describe('a process that ends', () => {
  for (const when of ['before', 'after']) {
    it(`${when} a write is done loses nothing and does nothing twice`, async () => {
      const wanted = ['x', 'y', 'z'];
      const w = world(
        (_, __, view) => ({
          writes: wanted.filter((n) => !view.get(`pods/default/${n}`)).map((n) => create(n)),
        }),
        { watches: [{ kind: pods, map: () => [] }] },
      );
      await w.cluster.put(object('ConfigMap', 'a'));
      let left = 1;
      w.cluster.refuse = (o) => {
        if (o.do === 'create' && o.object.metadata.name === 'y' && left-- > 0) {
          if (when === 'after') void w.cluster.put(o.object);
          throw new Error('killed');
        }
        return undefined;
      };
      await assert.rejects(w.round(), /killed/);
      w.again();
      await w.round();
      assert.deepEqual(await w.cluster.keys('pods'), ['pods/default/x', 'pods/default/y', 'pods/default/z']);
      assert.equal(w.cluster.told.filter((t) => t === 'create pods/default/x').length, 1);
      assert.equal(w.projection.nextDue(), undefined);
    });
  }

  it('while an effect runs asks for it again', async () => {
    const w = world(() => ({ writes: [], effects: [{ id: 'one', name: 'e', input: {} }] }));
    await w.cluster.put(object('ConfigMap', 'a'));
    w.cluster.effects = () => {
      throw new Error('killed');
    };
    await assert.rejects(w.round(), /killed/);
    w.cluster.effects = () => ({ ok: true, value: {} });
    w.again();
    await w.round();
    assert.deepEqual(w.cluster.told, ['effect one', 'effect one']);
    assert.equal(w.calls.at(-1)?.view.results.size, 1);
  });
});

describe('a round', () => {
  it('of a controller that plans for all keys at once calls it once with what is due', async () => {
    const rounds: Key[][] = [];
    const w = world(() => NOTHING, {
      reconcileAll: (keys) => {
        rounds.push([...keys]);
        return new Map([[named('a'), { writes: [create('x')] }]]);
      },
    });
    for (const name of ['a', 'b', 'c']) await w.cluster.put(object('ConfigMap', name));
    await w.round();
    assert.deepEqual(rounds[0], [named('a'), named('b'), named('c')]);
    assert.deepEqual(w.cluster.told[0], 'create pods/default/x');
    assert.equal(
      w.projection.take(1e15, 9).some((i) => i.key === named('b')),
      false,
      'a key without a plan is done',
    );
  });

  it('of such a controller that throws brings all of its keys again', async () => {
    const w = world(() => NOTHING, {
      reconcileAll: () => {
        throw new Error('a bug');
      },
    });
    for (const name of ['a', 'b']) await w.cluster.put(object('ConfigMap', name));
    assert.equal((await w.round()).again, 5);
    await w.cluster.clock.advance(5);
    assert.equal(w.projection.take(w.cluster.clock.nowMs, 9).length, 2);
  });

  it('ends when its writes are used up, and the next one does the rest', async () => {
    const w = world(
      (key, __, view) => {
        const name = key.slice(key.lastIndexOf('/') + 1);
        return view.get(`pods/default/${name}`) ? NOTHING : { writes: [create(name)] };
      },
      { watches: [{ kind: pods, map: () => [] }] },
    );
    for (let i = 0; i < 10; i++) await w.cluster.put(object('ConfigMap', `n${i}`));
    const counts: number[] = [];
    for (let i = 0; i < 9; i++) {
      const o = await w.round({ writes: 3, ms: 1_000 });
      counts.push(o.writes);
      if (o.again === undefined) break;
      assert.equal(o.again, 0);
    }
    assert.deepEqual(counts, [3, 3, 3, 1]);
    assert.equal((await w.cluster.keys('pods')).length, 10);
    assert.equal(w.cluster.told.length, 10, 'each once');
  });

  it('ends when its time is used up', async () => {
    const w = world((key) => ({ writes: [create(key.slice(-1))] }));
    for (const name of ['a', 'b', 'c']) await w.cluster.put(object('ConfigMap', name));
    w.cluster.refuse = () => {
      w.cluster.clock.nowMs += 60;
      return undefined;
    };
    assert.equal((await w.round({ writes: 100, ms: 100 })).writes, 2);
  });

  it('of a loop whose lease has gone to another writes nothing more and forgets nothing', async () => {
    const w = world(() => ({ writes: ['a', 'b', 'c'].map((name) => create(name)) }));
    await w.cluster.put(object('ConfigMap', 'x'));
    const first = await w.cluster.store.grant('loop', 'one', 1_000);
    w.cluster.fence = { lease: 'loop', epoch: first.epoch };
    w.cluster.refuse = (o) => {
      // Between two writes the other one takes over.
      if (o.do === 'create' && o.object.metadata.name === 'b') {
        w.cluster.clock.nowMs += 2_000;
        void w.cluster.store.grant('loop', 'two', 1_000);
      }
      return undefined;
    };
    const o = await w.round();
    assert.equal(o.deposed, true);
    assert.deepEqual(w.cluster.told, ['create pods/default/a', 'create pods/default/b']);
    assert.deepEqual(await w.cluster.keys('pods'), ['pods/default/a']);
    assert.deepEqual(
      w.projection.take(w.cluster.clock.nowMs, 9).map((i) => i.key),
      [named('x')],
    );
  });

  it('applies the plans of eight keys at the same time, each in its own order', async () => {
    const w = world((key) => ({ writes: [1, 2].map((n) => create(`${key.slice(-2)}-${n}`)) }));
    for (let i = 10; i < 30; i++) await w.cluster.put(object('ConfigMap', `k${i}`));
    const { write } = w.cluster;
    let [running, most] = [0, 0];
    w.cluster.write = async (...a) => {
      most = Math.max(most, ++running);
      const done = await write.apply(w.cluster, a);
      running--;
      return done;
    };
    await w.round();
    assert.equal(most, 8);
    assert.equal((await w.cluster.keys('pods')).length, 40);
    for (let i = 10; i < 30; i++)
      assert.ok(
        w.cluster.told.indexOf(`create pods/default/${i}-1`) < w.cluster.told.indexOf(`create pods/default/${i}-2`),
      );
  });

  it('waits for no Event before its next write, but for all of them before it ends', async () => {
    const note = { on: named('a'), reason: 'r', message: 'm', failed: 'f' };
    const both = { writes: ['x', 'y'].map((n) => create(n, { note })) };
    const w = world((_, __, view) => (view.get('pods/default/y') ? NOTHING : both), { owns: [pods] });
    await w.cluster.put(object('ConfigMap', 'a'));
    const held: (() => void)[] = [];
    w.cluster.note = () => new Promise((done) => held.push(done));
    let ended = false;
    const round = w.round().then(() => {
      ended = true;
    });
    while (held.length < 2) await new Promise((next) => setTimeout(next));
    assert.deepEqual(w.cluster.told, ['create pods/default/x', 'create pods/default/y']);
    assert.equal(ended, false);
    while (!ended) {
      for (const done of held.splice(0)) done();
      await new Promise((next) => setTimeout(next));
    }
    await round;
  });

  it('goes on where an Event cannot be told', async () => {
    const note = { on: named('a'), reason: 'r', message: 'm', failed: 'f' };
    const w = world(
      (_, __, view) => (view.get('pods/default/y') ? NOTHING : { writes: ['x', 'y'].map((n) => create(n, { note })) }),
      {
        owns: [pods],
      },
    );
    await w.cluster.put(object('ConfigMap', 'a'));
    w.cluster.note = async () => {
      throw new Error('nobody listens');
    };
    assert.equal((await w.round()).again, undefined);
    assert.deepEqual(await w.cluster.keys('pods'), ['pods/default/x', 'pods/default/y']);
  });
});

it("a suffix depends on its seed alone and is of upstream's alphabet", () => {
  assert.equal(suffix('a', 5), suffix('a', 5));
  const many = new Set(Array.from({ length: 1_000 }, (_, i) => suffix(`pods/${i}`, 5)));
  assert.ok(many.size > 990, `${many.size} of 1,000 differ`);
  for (const s of many) assert.match(s, /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});
