import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Key } from '../store/store.ts';
import type { EffectResult, Row } from './controller.ts';
import type { Projection, QueueItem } from './projection.ts';

/** A fresh, empty projection under test. `reopen`: the same one after the process that held it has ended; absent where nothing outlives it. */
export interface ProjectionHarness {
  projection: Projection;
  reopen?(): Projection;
}
interface Case {
  name: string;
  run(p: Projection, reopen: () => Projection): void;
  /** Needs ProjectionHarness.reopen. */
  durable?: true;
}

const row = (key: Key, more: Partial<Row> = {}): Row => ({
  key,
  revision: 1,
  uid: `uid-${key}`,
  labels: {},
  owner: '',
  data: {},
  ...more,
});
const keysOf = (rows: Iterable<Row>) => [...rows].map((r) => r.key);
const taken = (items: readonly QueueItem[]) => items.map((i) => `${i.controller} ${i.key}`);
/** The one item at any time, whatever it is held for. */
function only(p: Projection): QueueItem {
  p.setCursor(1e9);
  const [item, ...more] = p.take(1e9, 10);
  assert.ok(item && more.length === 0, 'there is one item');
  return item;
}

const rowCases: Case[] = [
  {
    name: 'a row comes back as it was put, and the newest stands',
    run(p) {
      const full = row('pods/a/x', {
        revision: 7,
        labels: { app: 'ü', tier: '' },
        owner: 'o',
        data: { a: [1, null, { b: 'c' }], text: "it's" },
      });
      p.put(row('pods/a/x'));
      p.put(full);
      assert.deepEqual(p.get('pods/a/x'), full);
      assert.deepEqual([...p.list('pods')], [full]);
      assert.equal(p.get('pods/a/y'), undefined);
    },
  },
  {
    name: 'a list is of one resource or one namespace, in byte order of the keys',
    run(p) {
      for (const key of [
        'pods/b/x',
        'pods/a/z',
        'pods/a/y',
        'pods/a-b/x',
        'pods/ab/x',
        'pods.example.com/a/x',
        'nodes/n',
      ])
        p.put(row(key));
      assert.deepEqual(keysOf(p.list('pods')), ['pods/a-b/x', 'pods/a/y', 'pods/a/z', 'pods/ab/x', 'pods/b/x']);
      assert.deepEqual(keysOf(p.list('pods', 'a')), ['pods/a/y', 'pods/a/z']);
      assert.deepEqual(keysOf(p.list('nodes')), ['nodes/n']);
      assert.deepEqual(keysOf(p.list('secrets')), []);
    },
  },
  {
    name: 'a list stands still while rows are put and removed under it',
    run(p) {
      for (const n of ['a', 'b', 'c']) p.put(row(`pods/a/${n}`));
      const seen: string[] = [];
      for (const r of p.list('pods')) {
        seen.push(r.key);
        p.remove('pods/a/b');
        p.put(row(`pods/a/${r.key.slice(-1)}2`));
      }
      assert.deepEqual(seen, ['pods/a/a', 'pods/a/b', 'pods/a/c']);
    },
  },
  {
    name: 'rows are found by their owner within a resource, and by their uid in any',
    run(p) {
      p.put(row('pods/a/x', { owner: 'set' }));
      p.put(row('pods/a/y', { owner: 'other' }));
      p.put(row('pods/a/z'));
      p.put(row('configmaps/a/x', { owner: 'set' }));
      assert.deepEqual(keysOf(p.owned('pods', 'set')), ['pods/a/x']);
      assert.deepEqual(keysOf(p.owned('pods', '')), [], 'no owner is nobody');
      p.put(row('pods/b/z'));
      assert.deepEqual(keysOf(p.orphans('pods', 'a')), ['pods/a/z']);
      p.put(row('pods/a/z', { owner: 'set' }));
      assert.deepEqual(keysOf(p.orphans('pods', 'a')), []);
      p.put(row('pods/a/z'));
      p.remove('pods/b/z');
      assert.deepEqual(keysOf(p.orphans('pods', 'b')), []);
      assert.equal(p.byUid('uid-configmaps/a/x')?.key, 'configmaps/a/x');
      assert.equal(p.byUid('uid-of-nothing'), undefined);
      p.put(row('pods/a/x', { owner: 'other' }));
      assert.deepEqual(keysOf(p.owned('pods', 'set')), []);
      assert.deepEqual(keysOf(p.owned('pods', 'other')), ['pods/a/x', 'pods/a/y']);
    },
  },
  {
    name: 'a removed row is in no list and no index',
    run(p) {
      p.put(row('pods/a/x', { owner: 'set' }));
      p.remove('pods/a/x');
      p.remove('pods/a/never');
      assert.equal(p.get('pods/a/x'), undefined);
      assert.deepEqual([...p.list('pods'), ...p.owned('pods', 'set')], []);
      assert.equal(p.byUid('uid-pods/a/x'), undefined);
    },
  },
  {
    name: 'namespaces are those that hold rows of a resource, each once',
    run(p) {
      for (const key of ['pods/b/x', 'pods/a/z', 'pods/a/y', 'pods/a-b/x', 'configmaps/c/x', 'nodes/n'])
        p.put(row(key));
      assert.deepEqual(p.namespaces('pods').sort(), ['a', 'a-b', 'b']);
      assert.deepEqual([...p.namespaces('nodes'), ...p.namespaces('secrets')], []);
      p.remove('pods/b/x');
      assert.deepEqual(p.namespaces('pods').sort(), ['a', 'a-b']);
    },
  },
  {
    name: 'what moved since one asked is told, or that it is not known',
    run(p) {
      p.put(row('pods/a/x'));
      assert.equal(p.moved('me', 'pods'), undefined, 'all of it is new');
      p.put(row('pods/a/y'));
      p.put(row('nodes/n'));
      p.remove('pods/a/x');
      const moved = p.moved('me', 'pods');
      if (moved) assert.deepEqual([...moved].sort(), ['pods/a/x', 'pods/a/y']);
      const again = p.moved('me', 'pods');
      if (again) assert.deepEqual([...again], []);
      p.moved('me', 'pods');
      p.reset();
      assert.equal(p.moved('me', 'pods'), undefined);
    },
  },
  {
    name: 'a reset forgets rows and cursor and leaves the queue',
    run(p) {
      p.put(row('pods/a/x'));
      p.setCursor(9);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 1 });
      p.reset();
      assert.equal(p.cursor(), 0);
      assert.deepEqual([...p.list('pods')], []);
      assert.deepEqual(taken(p.take(1, 9)), ['c pods/a/x']);
    },
  },
];

const queueCases: Case[] = [
  {
    name: 'keys come out oldest first, then by key and controller, as many as asked for',
    run(p) {
      for (const [controller, key, due] of [
        ['c', 'pods/a/z', 5],
        ['d', 'pods/a/b', 7],
        ['c', 'pods/a/b', 7],
        ['c', 'pods/a/a', 7],
      ] as const)
        p.enqueue({ controller, key, due });
      assert.deepEqual(taken(p.take(7, 3)), ['c pods/a/z', 'c pods/a/a', 'c pods/a/b']);
      assert.deepEqual(taken(p.take(7, 9)).at(-1), 'd pods/a/b');
    },
  },
  {
    name: 'a key is not taken before it is due',
    run(p) {
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 100 });
      assert.deepEqual(p.take(99, 9), []);
      assert.equal(p.nextDue(), 100);
      assert.equal(p.take(100, 9).length, 1);
    },
  },
  {
    name: 'a key is not taken before the cursor has reached what it is held for',
    run(p) {
      p.setCursor(4);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 1, hold: 5 });
      assert.deepEqual(p.take(1, 9), []);
      p.setCursor(5);
      assert.equal(p.take(1, 9).length, 1);
    },
  },
  {
    name: 'a key that is queued already keeps the earlier time, the later hold and its failures',
    run(p) {
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 50, hold: 3, attempts: 4 });
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 20, hold: 2 });
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 70, hold: 6 });
      assert.deepEqual(only(p), { controller: 'c', key: 'pods/a/x', due: 20, hold: 6, attempts: 4 });
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 70, attempts: 0 });
      assert.equal(only(p).attempts, 0);
    },
  },
  {
    name: 'a key that was taken stays queued until it is settled',
    run(p) {
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 1 });
      p.enqueue({ controller: 'd', key: 'pods/a/x', due: 1 });
      const [item] = p.take(1, 1);
      assert.equal(p.take(1, 9).length, 2);
      p.settle(item as QueueItem);
      assert.deepEqual(taken(p.take(1, 9)), ['d pods/a/x']);
    },
  },
  {
    name: 'a key that is settled for later is in the queue as it was settled, also where that is later than before',
    run(p) {
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 1, hold: 2, attempts: 3 });
      p.settle(only(p), { due: 90, attempts: 4, hold: 8 });
      assert.deepEqual(only(p), { controller: 'c', key: 'pods/a/x', due: 90, attempts: 4, hold: 8 });
      p.settle(only(p), { due: 95 });
      assert.deepEqual(only(p), { controller: 'c', key: 'pods/a/x', due: 95, attempts: 0, hold: 0 });
    },
  },
  {
    name: 'the next time is the earliest of all, and none where nothing waits',
    run(p) {
      assert.equal(p.nextDue(), undefined);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 30 });
      p.enqueue({ controller: 'c', key: 'pods/a/y', due: 20, hold: 99 });
      assert.equal(p.nextDue(), 20);
      p.setCursor(99);
      for (const item of p.take(30, 9)) p.settle(item);
      assert.equal(p.nextDue(), undefined);
    },
  },
];

const failed: EffectResult = { ok: false, error: 'nobody is there' };
const stateCases: Case[] = [
  {
    name: 'results are those of one key of one controller; none leaves nothing',
    run(p) {
      const results = new Map<string, EffectResult>([
        ['a', { ok: true, value: { pem: '-----', n: 3 } }],
        ['b', failed],
      ]);
      p.setResults('c', 'pods/a/x', results);
      assert.deepEqual(p.results('c', 'pods/a/x'), results);
      assert.equal(p.results('d', 'pods/a/x').size + p.results('c', 'pods/a/y').size, 0);
      p.setResults('c', 'pods/a/x', new Map([['b', failed]]));
      assert.deepEqual([...p.results('c', 'pods/a/x').keys()], ['b']);
      p.setResults('c', 'pods/a/x', new Map());
      assert.equal(p.results('c', 'pods/a/x').size, 0);
    },
  },
  {
    name: 'a transaction that throws leaves everything as it was',
    run(p) {
      p.put(row('pods/a/x'));
      p.setCursor(3);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 1 });
      p.setResults('c', 'pods/a/x', new Map([['b', failed]]));
      const act = () =>
        p.transaction(() => {
          p.put(row('pods/a/y'));
          p.remove('pods/a/x');
          p.settle(p.take(1, 1)[0] as QueueItem);
          p.setResults('c', 'pods/a/x', new Map());
          p.setCursor(8);
          p.setMeta('m', 'after');
          throw new Error('in the middle');
        });
      p.setMeta('m', 'before');
      p.moved('me', 'pods');
      assert.throws(act, /in the middle/);
      assert.equal(p.meta('m'), 'before');
      assert.deepEqual(keysOf(p.list('pods')), ['pods/a/x']);
      assert.equal(p.cursor(), 3);
      assert.equal(p.take(1, 9).length, 1);
      assert.equal(p.results('c', 'pods/a/x').size, 1);
    },
  },
  {
    name: "a transaction's value is what it returns, and its changes stay",
    run(p) {
      assert.equal(
        p.transaction(() => {
          p.setCursor(8);
          return 'done';
        }),
        'done',
      );
      assert.equal(p.cursor(), 8);
    },
  },
  {
    name: 'everything is there after the process has ended',
    durable: true,
    run(p, reopen) {
      p.put(row('pods/a/x', { owner: 'set', labels: { a: 'b' }, revision: 4 }));
      p.setCursor(12);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 5, hold: 11, attempts: 2 });
      p.take(5, 1);
      p.setResults('c', 'pods/a/x', new Map([['b', failed]]));
      p.setMeta('name', 'value');
      p.persist();
      const q = reopen();
      assert.equal(q.cursor(), 12);
      assert.equal(q.meta('name'), 'value');
      assert.deepEqual(q.owned('pods', 'set'), [row('pods/a/x', { owner: 'set', labels: { a: 'b' }, revision: 4 })]);
      assert.deepEqual(q.take(5, 9), [{ controller: 'c', key: 'pods/a/x', due: 5, hold: 11, attempts: 2 }]);
      assert.deepEqual(q.results('c', 'pods/a/x').get('b'), failed);
    },
  },
  {
    name: 'what was not kept is lost whole: rows, cursor and queue are of one time',
    durable: true,
    run(p, reopen) {
      p.put(row('pods/a/x'));
      p.put(row('pods/a/y'));
      p.setCursor(12);
      p.enqueue({ controller: 'c', key: 'pods/a/x', due: 5 });
      p.persist();
      p.put(row('pods/a/x', { revision: 13 }));
      p.remove('pods/a/y');
      p.setCursor(13);
      for (const item of p.take(5, 9)) p.settle(item);
      const q = reopen();
      assert.deepEqual([...q.list('pods')], [row('pods/a/x'), row('pods/a/y')]);
      assert.equal(q.cursor(), 12);
      assert.equal(q.take(5, 9).length, 1);
      q.reset();
      q.put(row('pods/a/z'));
      q.persist();
      const r = reopen();
      assert.deepEqual(keysOf(r.list('pods')), ['pods/a/z']);
      assert.equal(r.cursor(), 0);
    },
  },
];

/** Registers what every Projection does. */
export function projectionSuite(name: string, make: () => ProjectionHarness): void {
  describe(name, () => {
    for (const c of [...rowCases, ...queueCases, ...stateCases]) {
      it(c.name, (t) => {
        const { projection, reopen } = make();
        if (c.durable && !reopen) t.skip('nothing outlives the process');
        else c.run(projection, reopen ?? (() => projection));
      });
    }
  });
}
