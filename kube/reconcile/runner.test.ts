import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Controller } from './controller.ts';
import { object } from './testing/cluster.ts';
import { child, NOTHING, named, pods, sets, world } from './testing/runner.ts';

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

  it('is taken from a large snapshot in steps, and planned for object by object, with a turn of everybody else between', async () => {
    const w = world(() => NOTHING, { owns: [pods] });
    for (let i = 0; i < 300; i++) await w.cluster.put(object('ConfigMap', `m${i}`));
    await w.round();
    assert.equal(w.took().length, 300);
    assert.ok(w.turned() >= 304, 'steps of the snapshot, and plans');
    w.cluster.compacted = (await w.cluster.store.info()).revision;
    for (let i = 0; i < 200; i++) await w.cluster.remove(named(`m${i}`));
    w.cluster.compacted = (await w.cluster.store.info()).revision;
    await w.round();
    assert.equal([...w.projection.list('configmaps')].length, 100);
    assert.ok(w.turned() >= 6, 'steps in which what is gone goes');
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

  it('reads nothing anew beside its roots of what another controller of the loop wants all of', async () => {
    const all: Controller = { name: 'all', rules: [], for: pods, reconcile: () => NOTHING };
    const beside = { watches: [{ kind: pods, beside: true as const, map: () => [] }] };
    const read = async (others: Controller[]) => {
      const w = world(() => NOTHING, beside, others);
      await w.cluster.put(object('Pod', 'x'));
      await w.round();
      const asked: string[] = [];
      const snapshot = w.cluster.snapshot.bind(w.cluster);
      w.cluster.snapshot = (i) => {
        asked.push(i.resource);
        return snapshot(i);
      };
      await w.cluster.put(object('ConfigMap', 'a'));
      await w.round();
      return asked.filter((r) => r === 'pods').length;
    };
    assert.deepEqual([await read([]), await read([all])], [1, 0]);
  });

  it('looks beside those roots alone that want it, from when they do until they no longer do', async () => {
    const w = world(() => NOTHING, {
      besideOf: (row) => row.labels.wants === 'yes',
      watches: [{ kind: pods, beside: true, map: () => [] }],
    });
    const root = (wants: string) => object('ConfigMap', 'a', { metadata: { labels: { wants } } });
    const shown = () => [...w.projection.list('pods')].map((row) => row.key);
    await w.cluster.put(object('Pod', 'p'));
    const seen: string[][] = [];
    for (const wants of ['no', 'yes', 'no']) {
      await w.cluster.put(root(wants));
      await w.round();
      seen.push(shown());
    }
    assert.deepEqual(seen, [[], ['pods/default/p'], []]);
  });

  it('tells a watch what a row was, where it was and still is', async () => {
    const told: (string | undefined)[][] = [];
    const w = world(() => NOTHING, {
      watches: [
        {
          kind: pods,
          map: (row, _, before) => {
            told.push([row.labels.a, before?.labels.a]);
            return [];
          },
        },
      ],
    });
    for (const a of ['1', '2']) {
      await w.cluster.put(object('Pod', 'p', { metadata: { labels: { a } } }));
      await w.round();
    }
    await w.cluster.remove('pods/default/p');
    await w.round();
    assert.deepEqual(told, [
      ['1', undefined],
      ['2', '1'],
      ['2', undefined],
    ]);
  });

  it('drops what is queued for a controller that this release does not have', async () => {
    const w = world(() => NOTHING);
    w.projection.enqueue({ controller: 'of-old', key: named('a'), due: 0 });
    assert.equal((await w.round()).again, undefined);
    assert.equal(w.projection.nextDue(), undefined);
  });
});
