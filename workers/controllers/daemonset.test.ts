import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import {
  deleted,
  made,
  node,
  type PodIn,
  plan,
  pod,
  present,
  type SetIn,
  set,
  status,
  taint,
  targets,
} from './testing/daemons.ts';
import { ago, type Given, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/daemon expect.

describe('what it does about pods that are there (manage)', () => {
  const table: { what: string; of?: SetIn; nodes?: Given[]; pods: Given[]; deletes?: string[]; makes?: string[] }[] = [
    { what: 'one on each: nothing', pods: [pod('a', { on: 'n' })] },
    { what: 'one that waits for its node counts', pods: [pod('a', { target: 'n', phase: 'Pending', ready: false })] },
    {
      what: 'too many: all but the oldest go',
      pods: [pod('b', { on: 'n', age: 50 }), pod('a', { on: 'n' }), pod('c', { on: 'n', age: 10 })],
      deletes: ['b', 'c'],
    },
    {
      what: 'one that is bound stays before one that is older',
      pods: [pod('a', { target: 'n', age: 500, ready: false }), pod('b', { on: 'n' })],
      deletes: ['a'],
    },
    { what: 'one that ends is waited for', pods: [pod('a', { on: 'n', deleting: true })] },
    {
      what: 'one that ended and is deleted is not',
      pods: [pod('a', { on: 'n', deleting: true, phase: 'Failed' })],
      makes: ['n'],
    },
    { what: 'one that failed goes', pods: [pod('a', { on: 'n', phase: 'Failed' })], deletes: ['a'] },
    { what: 'one that succeeded goes', pods: [pod('a', { on: 'n', phase: 'Succeeded' })], deletes: ['a'] },
    {
      what: 'one that waits for a node that is gone goes',
      pods: [pod('a', { on: 'n' }), pod('b', { target: 'gone', ready: false })],
      deletes: ['b'],
    },
    { what: 'one on a node that is gone is left to others', pods: [pod('a', { on: 'n' }), pod('b', { on: 'gone' })] },
    { what: 'a set that goes away does nothing', of: { metadata: { deletionTimestamp: ago(1) } }, pods: [] },
    { what: 'a set that selects everything does nothing', of: { spec: { selector: {} } }, pods: [] },
  ];
  for (const t of table)
    it(t.what, () => {
      const p = plan(set(t.of), present, ...(t.nodes ?? [node('n')]), ...t.pods);
      assert.deepEqual([deleted(p), targets(p)], [t.deletes ?? [], t.makes ?? []]);
    });
  it('at most 250 are made at once', () => {
    const nodes = Array.from({ length: 300 }, (_, i) => node(`n${i}`));
    assert.equal(made(plan(set(), present, ...nodes)).length, 250);
  });
  it('orphans that it selects are adopted, and those that it no longer selects let go', () => {
    const p = plan(set(), present, node('n'), pod('a', { on: 'n', owner: null }), pod('b', { on: 'n', labels: {} }));
    assert.deepEqual(
      printed(p).filter((t) => t.startsWith('patch')),
      ['patch pods/default/b', 'patch pods/default/a'],
    );
  });
});

describe('a rolling update (TestDaemonSetUpdates…)', () => {
  const nodes = [1, 2, 3, 4].map((i) => node(`n${i}`));
  const old = (i: number, o: PodIn = {}) => pod(`old-${i}`, { on: `n${i}`, hash: 'old', ...o });
  const fresh = (i: number, o: PodIn = {}) => pod(`new-${i}`, { on: `n${i}`, age: 10, ...o });
  const max = (maxUnavailable: number | string, maxSurge: number | string) => ({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable, maxSurge } },
  });
  const table: { what: string; spec: JsonObject; pods: Given[]; deletes?: string[]; makes?: string[] }[] = [
    {
      what: 'takes as many as may be unavailable',
      spec: max(2, 0),
      pods: [1, 2, 3, 4].map((i) => old(i)),
      deletes: ['old-1', 'old-2'],
    },
    {
      what: 'takes a percentage, rounded up',
      spec: max('30%', 0),
      pods: [1, 2, 3, 4].map((i) => old(i)),
      deletes: ['old-1', 'old-2'],
    },
    {
      what: 'waits for new pods that do not work',
      spec: max(1, 0),
      pods: [fresh(1, { ready: false }), old(2), old(3), old(4)],
    },
    {
      what: 'takes all that do not work, whatever is allowed',
      spec: max(1, 0),
      pods: [1, 2, 3].map((i) => old(i, { ready: false })).concat(old(4)),
      deletes: ['old-1', 'old-2', 'old-3'],
    },
    {
      what: 'spares those that work where others are away',
      spec: max(2, 0),
      pods: [old(1, { ready: false }), fresh(2, { ready: false }), old(3), old(4)],
      deletes: ['old-1'],
    },
    { what: 'does nothing where all are new', spec: max(2, 0), pods: [1, 2, 3, 4].map((i) => fresh(i)) },
    {
      what: 'counts one that was ready too shortly as away',
      spec: { ...max(1, 0), minReadySeconds: 60 },
      pods: [fresh(1, { ready: 30 }), old(2), old(3), old(4)],
    },
    {
      what: 'with a surge makes new ones beside',
      spec: max(0, 2),
      pods: [1, 2, 3, 4].map((i) => old(i)),
      makes: ['n1', 'n2'],
    },
    {
      what: 'with a surge waits for them',
      spec: max(0, 1),
      pods: [old(1), fresh(1, { ready: false }), old(2), old(3), old(4)],
    },
    {
      what: 'with a surge takes the old one whose new one works',
      spec: max(0, 1),
      pods: [old(1), fresh(1), old(2), old(3), old(4)],
      deletes: ['old-1'],
    },
    {
      what: 'with a surge replaces all that do not work',
      spec: max(0, 1),
      pods: [1, 2, 3, 4].map((i) => old(i, { ready: false })),
      makes: ['n1', 'n2', 'n3', 'n4'],
    },
    {
      what: 'with a surge makes one where the old one ends',
      spec: max(0, 1),
      pods: [old(1, { deleting: true }), old(2), old(3), old(4)],
      makes: ['n1'],
    },
    {
      what: 'with a surge takes an old one that no longer works',
      spec: max(0, 1),
      pods: [old(1, { ready: false }), fresh(1, { ready: false }), old(2), old(3), old(4)],
      deletes: ['old-1'],
    },
    {
      what: 'with a surge keeps the old one until the new was ready long enough',
      spec: { ...max(0, 1), minReadySeconds: 60 },
      pods: [old(1), fresh(1, { ready: 30 }), old(2), old(3), old(4)],
    },
    {
      what: 'on deletion alone does nothing',
      spec: { updateStrategy: { type: 'OnDelete' } },
      pods: [1, 2, 3, 4].map((i) => old(i)),
    },
  ];
  for (const t of table)
    it(t.what, () => {
      const p = plan(set({ spec: t.spec }), present, ...nodes, ...t.pods);
      assert.deepEqual([deleted(p), targets(p)], [t.deletes ?? [], t.makes ?? []]);
    });
  it('with a surge leaves a node that is not meant any more when another has a pod that works', () => {
    const spec = max(0, 1);
    const left = node('n1', { taints: [taint('k', 'NoSchedule')] });
    const waiting = plan(set({ spec }), present, left, node('n2'), old(1), fresh(2, { ready: false }));
    assert.deepEqual(deleted(waiting), []);
    assert.deepEqual(deleted(plan(set({ spec }), present, left, node('n2'), old(1), fresh(2))), ['old-1']);
  });
});

it('the status counts nodes, and the oldest pod of each', () => {
  const nodes = [node('n1'), node('n2'), node('n3', { taints: [taint('k', 'NoSchedule')] }), node('n4')];
  const pods = [
    pod('a', { on: 'n1', ready: 30 }),
    pod('b', { on: 'n2', hash: 'old', ready: false }),
    pod('c', { on: 'n3' }),
  ];
  const ds = set({ spec: { minReadySeconds: 60 }, status: { conditions: [] as never, numberAvailable: 3 } });
  const p = plan(ds, present, ...nodes, ...pods);
  assert.deepEqual(status(p), {
    conditions: [],
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    desiredNumberScheduled: 3,
    numberReady: 1,
    observedGeneration: 1,
    updatedNumberScheduled: 1,
    numberUnavailable: 3,
  });
  assert.equal(p.again, 30_000);
});
