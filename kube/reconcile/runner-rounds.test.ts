import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Key } from '../store/store.ts';
import { LATER } from './controller.ts';
import { object } from './testing/cluster.ts';
import { create, NOTHING, named, pods, world } from './testing/runner.ts';

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

  it('hands one that asks for it all that is due, and leaves what it puts off', async () => {
    const rounds: number[] = [];
    const w = world(() => NOTHING, {
      takesAll: true,
      reconcileAll: (keys) => {
        rounds.push(keys.length);
        return new Map(keys.map((key, i) => [key, i < 60 ? { writes: [] } : LATER]));
      },
    });
    for (let i = 0; i < 150; i++) await w.cluster.put(object('ConfigMap', `n${i}`));
    const { again } = await w.round();
    assert.deepEqual([rounds, again], [[150, 90, 30], undefined]);
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
