import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failure, forbidden } from '../meta/status.ts';
import type { Controller, Write } from './controller.ts';
import { object } from './testing/cluster.ts';
import { create, NOTHING, named, pods, world } from './testing/runner.ts';

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

  describe('tells of its writes', () => {
    const on = named('a');
    const full = { on, reason: 'Good', message: 'it is done', failed: 'Bad', refused: 'could not: ' };
    const table: { what: string; write: Write; refused?: true; told: string[] }[] = [
      {
        what: 'an update',
        write: { do: 'update', object: object('Pod', 'x'), note: full },
        told: ['Normal Good: it is done'],
      },
      {
        what: 'a refusal in its own words',
        write: { do: 'update', object: object('Pod', 'x'), note: full },
        refused: true,
        told: ['Warning Bad: could not: no'],
      },
      {
        what: 'a refusal of a deletion in upstream’s words',
        write: {
          do: 'delete',
          key: 'pods/default/x',
          note: { on, reason: 'Good', message: 'it is done', failed: 'Bad' },
        },
        refused: true,
        told: ['Warning Bad: Error deleting: no'],
      },
      {
        what: 'no refusal where no reason for one is given',
        write: { do: 'update', object: object('Pod', 'x'), note: { on, reason: 'Good', message: 'it is done' } },
        refused: true,
        told: [],
      },
      {
        what: 'no success where there is no message',
        write: { do: 'update', object: object('Pod', 'x'), note: { on, reason: 'Good', failed: 'Bad' } },
        told: [],
      },
    ];
    for (const t of table)
      it(t.what, async () => {
        const w = world((_, __, view) =>
          view.results.size > 0 || w.cluster.told.length > 0 ? NOTHING : { writes: [t.write] },
        );
        await w.cluster.put(object('ConfigMap', 'a'));
        await w.cluster.put(object('Pod', 'x'));
        if (t.refused) w.cluster.refuse = () => failure('Forbidden', 'no');
        await w.round();
        const told = w.cluster.told.filter((x) => x.startsWith('note'));
        assert.deepEqual(
          told.map((x) => x.slice('note '.length).replace(` ${on}`, '')),
          t.told,
        );
      });
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

  it('ends with a refusal, but for writes that are apart: those of other objects go on, and the key comes again', async () => {
    const away = (name: string, apart = true): Write => ({
      do: 'delete',
      key: `pods/default/${name}`,
      ...(apart ? { apart } : {}),
    });
    const mark: Write = { do: 'patch', key: 'pods/default/x', patch: {}, apart: true };
    const w = world(() => ({ writes: [mark, away('x'), away('y'), away('z', false), away('q')] }));
    await w.cluster.put(object('ConfigMap', 'a'));
    const refuse = (...names: string[]) => {
      w.cluster.refuse = (o) =>
        'key' in o && names.some((n) => o.key.endsWith(n)) ? failure('Forbidden', `no ${o.key}`) : undefined;
    };
    refuse('x');
    assert.equal((await w.round()).again, 5);
    assert.deepEqual(
      w.cluster.told.splice(0).map((t) => t.slice(-1)),
      ['x', 'y', 'z', 'q'],
      'the deletion of what could not be marked is left out',
    );
    refuse('x', 'z');
    await w.cluster.clock.advance(5);
    await w.round();
    assert.deepEqual(
      w.cluster.told.splice(0).map((t) => t.slice(-1)),
      ['x', 'y', 'z'],
    );
    assert.equal(w.calls.at(-1)?.view.failure, undefined, 'it was a patch that was refused first');
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
