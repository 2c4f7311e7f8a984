import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { deployment } from './deployment.ts';
import { foo, type SetIn, setOf } from './testing/deployments.ts';
import { plan, sizes, status, written } from './testing/plans.ts';
import { ago, type Given, NOW, planFor, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/deployment expect.

describe('how a paused or resized Deployment is scaled (TestScale)', () => {
  type Sizes = Record<string, number>;
  const table: {
    what: string;
    from: number;
    to: number;
    surge?: [from: number, to: number];
    unavailable?: number;
    /** From old to new; the last is the Deployment's own template unless `other`. */
    sets: Sizes;
    other?: true;
    is: Sizes;
    desired?: Record<string, number>;
    available?: Sizes;
  }[] = [
    { what: '10 to 12', from: 10, to: 12, sets: { v1: 10 }, is: { v1: 12 } },
    { what: '10 to 5', from: 10, to: 5, sets: { v1: 10 }, is: { v1: 5 } },
    { what: 'in proportion, 5 to 10', from: 5, to: 10, sets: { v1: 3, v2: 2 }, is: { v1: 6, v2: 4 } },
    { what: 'in proportion, 5 to 3', from: 5, to: 3, sets: { v1: 3, v2: 2 }, is: { v1: 2, v2: 1 } },
    { what: 'in proportion, 9 to 4', from: 9, to: 4, sets: { v1: 1, v2: 8 }, is: { v1: 0, v2: 4 } },
    { what: 'in proportion, 7 to 10', from: 7, to: 10, sets: { v1: 2, v2: 3, v3: 2 }, is: { v1: 3, v2: 4, v3: 3 } },
    { what: 'in proportion, 13 to 8', from: 13, to: 8, sets: { v1: 3, v2: 8, v3: 2 }, is: { v1: 2, v2: 5, v3: 1 } },
    {
      what: 'what is left goes to the newest, 3 to 4',
      from: 3,
      to: 4,
      sets: { v1: 1, v2: 1, v3: 1 },
      is: { v1: 1, v2: 1, v3: 2 },
    },
    {
      what: 'what is too much to the oldest, 3 to 2',
      from: 3,
      to: 2,
      sets: { v1: 1, v2: 1, v3: 1 },
      is: { v1: 0, v2: 1, v3: 1 },
    },
    {
      what: 'without a new one the latest first, 4 to 5',
      from: 4,
      to: 5,
      sets: { v1: 2, v2: 2 },
      other: true,
      is: { v1: 2, v2: 3 },
    },
    { what: 'to nothing', from: 6, to: 0, sets: { v1: 1, v2: 2, v3: 3 }, is: { v1: 0, v2: 0, v3: 0 } },
    { what: 'from nothing', from: 6, to: 6, sets: { v1: 0, v2: 0, v3: 0 }, is: { v1: 0, v2: 0, v3: 6 } },
    {
      what: 'after one of three failed to be written',
      from: 5,
      to: 5,
      sets: { v1: 1, v2: 1, v3: 2 },
      is: { v1: 1, v2: 2, v3: 2 },
      desired: { v2: 3 },
    },
    { what: 'with a surge', from: 10, to: 20, surge: [2, 2], sets: { v1: 6, v2: 6 }, is: { v1: 11, v2: 11 } },
    { what: 'with another surge', from: 10, to: 50, surge: [3, 6], sets: { v1: 8, v2: 5 }, is: { v1: 34, v2: 22 } },
    { what: 'with another template', from: 10, to: 14, sets: { v1: 3, v2: 7 }, other: true, is: { v1: 4, v2: 10 } },
    {
      what: 'a new one that has all but works nowhere leaves the old alone',
      from: 2,
      to: 2,
      surge: [1, 1],
      unavailable: 1,
      sets: { v1: 1, v2: 2 },
      is: { v1: 1, v2: 2 },
      available: { v2: 0 },
    },
    {
      what: 'a new one that has all and works takes all from the old',
      from: 2,
      to: 2,
      surge: [1, 1],
      unavailable: 1,
      sets: { v1: 1, v2: 2 },
      is: { v1: 0, v2: 2 },
    },
  ];
  for (const t of table)
    it(t.what, () => {
      const versions = Object.keys(t.sets);
      const sets = versions.map((v, i) => {
        const desired = t.desired?.[v] ?? t.from;
        const in_: SetIn = {
          replicas: t.sets[v] ?? 0,
          age: 1000 - 100 * i,
          desired,
          max: desired + (t.surge?.[0] ?? 0),
          revision: String(i + 1),
        };
        return setOf(v, { ...in_, ...(t.available?.[v] === undefined ? {} : { available: t.available[v] }) });
      });
      const version = t.other ? 'v9' : (versions.at(-1) ?? '');
      const d = foo({
        replicas: t.to,
        surge: t.surge?.[1] ?? 0,
        unavailable: t.unavailable ?? 0,
        version,
        spec: { paused: true },
      });
      const now = { ...Object.fromEntries(versions.map((v) => [`foo-${v}`, t.sets[v]])), ...sizes(plan(d, ...sets)) };
      assert.deepEqual(now, Object.fromEntries(versions.map((v) => [`foo-${v}`, t.is[v]])));
    });
});

describe('what is left of a proportion where an annotation was taken away (TestGetReplicaSetFraction)', () => {
  const table: {
    what: string;
    replicas: number;
    status?: number;
    surge?: number;
    set: number;
    max?: number;
    becomes: number;
  }[] = [
    { what: 'down to nothing', replicas: 0, set: 10, max: 20, becomes: 0 },
    { what: 'without the annotation by the status', replicas: 120, status: 100, set: 50, becomes: 60 },
    { what: 'with 0 in it by the status', replicas: 120, status: 100, set: 50, max: 0, becomes: 60 },
    { what: 'by a fifth', replicas: 120, set: 50, max: 100, becomes: 60 },
  ];
  for (const t of table)
    it(t.what, () => {
      const d = foo({
        replicas: t.replicas,
        surge: t.surge ?? 0,
        unavailable: 1,
        version: 'v2',
        spec: { paused: true },
        ...(t.status === undefined ? {} : { status: { replicas: t.status } }),
      });
      const other = setOf('v2', { replicas: t.set, desired: 1, ...(t.max === undefined ? {} : { max: t.max }) });
      const first = setOf('v1', {
        replicas: t.set,
        desired: 1,
        age: 900,
        ...(t.max === undefined ? {} : { max: t.max }),
      });
      assert.deepEqual(sizes(plan(d, first, other)), { 'foo-v1': t.becomes, 'foo-v2': t.becomes });
    });
});

describe('a rolling update', () => {
  const up: { what: string; replicas: number; surge: number; old: number; new: number; is?: number }[] = [
    { what: 'makes nothing new without a surge', replicas: 10, surge: 0, old: 10, new: 0 },
    { what: 'makes as many as the surge', replicas: 10, surge: 2, old: 10, new: 0, is: 2 },
    { what: 'fills what the old left', replicas: 10, surge: 2, old: 5, new: 0, is: 7 },
    { what: 'makes no more where the surge is used', replicas: 10, surge: 2, old: 10, new: 2 },
    { what: 'takes back what is too much', replicas: 10, surge: 2, old: 2, new: 11, is: 10 },
  ];
  for (const t of up)
    it(`${t.what} (reconcileNewReplicaSet)`, () => {
      const d = foo({ replicas: t.replicas, surge: t.surge, unavailable: t.surge === 0 ? 1 : 0, version: 'v2' });
      const of = (n: number, age: number): SetIn => ({
        replicas: n,
        age,
        desired: t.replicas,
        max: t.replicas + t.surge,
      });
      // Old ones that aren't available, so that none goes for being spare.
      const plans = plan(
        d,
        setOf('v1', { ...of(t.old, 900), available: 0, actual: t.old }),
        setOf('v2', of(t.new, 10)),
      );
      assert.equal(sizes(plans)['foo-v2'] ?? t.new, t.is ?? t.new);
    });

  const down: {
    what: string;
    unavailable: number;
    old: number;
    new: number;
    oldReady: number;
    newReady: number;
    is?: number;
  }[] = [
    {
      what: 'by one where neither surge nor unavailable is said',
      unavailable: 0,
      old: 10,
      new: 0,
      oldReady: 10,
      newReady: 0,
      is: 9,
    },
    { what: 'by what may be unavailable', unavailable: 2, old: 10, new: 0, oldReady: 10, newReady: 0, is: 8 },
    { what: 'by those that do not work first', unavailable: 2, old: 10, new: 0, oldReady: 8, newReady: 0, is: 8 },
    { what: 'by those and one that works', unavailable: 2, old: 10, new: 0, oldReady: 9, newReady: 0, is: 8 },
    { what: 'by none while the new do not work', unavailable: 2, old: 8, new: 2, oldReady: 8, newReady: 0 },
    { what: 'by none where too few work', unavailable: 2, old: 10, new: 2, oldReady: 8, newReady: 0, is: 8 },
    { what: 'by as many as the new ones that work', unavailable: 2, old: 8, new: 2, oldReady: 8, newReady: 2, is: 6 },
  ];
  for (const t of down)
    it(`shrinks the old ${t.what} (reconcileOldReplicaSets)`, () => {
      const d = foo({ replicas: 10, surge: 0, unavailable: t.unavailable, version: 'v2' });
      const all = { desired: 10, max: 10 };
      const old = setOf('v1', { ...all, replicas: t.old, available: t.oldReady, age: 900 });
      const fresh = setOf('v2', { ...all, replicas: t.new, available: t.newReady, age: 10 });
      assert.equal(sizes(plan(d, old, fresh))['foo-v1'] ?? t.old, t.is ?? t.old);
    });

  const broken = { surge: 3, unavailable: 2, replicas: 10 };
  const sized = (replicas: number, available: number, age: number): SetIn => ({
    replicas,
    available,
    age,
    desired: 10,
    max: 13,
  });
  it('does not take an old pod that fell ill while the new ones do not work', () => {
    const made = plan(foo({ ...broken, version: 'v2' }), setOf('v1', sized(8, 7, 900)), setOf('v2', sized(5, 0, 10)));
    assert.equal(sizes(made)['foo-v1'], undefined);
  });
  it('that is taken back takes what did not work, but for as many as are ill on the other side', () => {
    const made = plan(
      foo({ ...broken, version: 'v1' }),
      setOf('v1', { ...sized(8, 7, 900), revision: '3' }),
      setOf('v2', sized(5, 0, 10)),
    );
    assert.equal(sizes(made)['foo-v2'], 1);
  });
  it('to yet another version makes room for it among those that did not work', () => {
    const made = plan(
      foo({ ...broken, version: 'v3' }),
      setOf('v1', sized(8, 8, 900)),
      setOf('v2', sized(5, 0, 10)),
      setOf('v3', sized(0, 0, 5)),
    );
    assert.equal(sizes(made)['foo-v2'], 0);
  });

  it('does not shrink while an old one still has more pods than it is to have', () => {
    const d = foo({ replicas: 4, unavailable: 1, version: 'v2' });
    const old = setOf('v1', { replicas: 2, available: 3, desired: 4, max: 4, age: 900 });
    const fresh = setOf('v2', { replicas: 2, available: 2, desired: 4, max: 4 });
    assert.equal(sizes(plan(d, old, fresh))['foo-v1'], undefined);
  });
});

describe('what a percentage is', () => {
  const table: {
    surge: string | number;
    unavailable: string | number;
    replicas: number;
    made: number;
    kept: number;
  }[] = [
    { surge: '1%', unavailable: 0, replicas: 2, made: 1, kept: 2 },
    { surge: 0, unavailable: '1%', replicas: 2, made: 0, kept: 1 },
    { surge: '25%', unavailable: '25%', replicas: 10, made: 3, kept: 10 },
    { surge: '1%', unavailable: '25%', replicas: 1, made: 1, kept: 1 },
  ];
  for (const t of table)
    it(`surge ${t.surge}, unavailable ${t.unavailable} of ${t.replicas} (ResolveFenceposts)`, () => {
      const { made, kept, ...in_ } = t;
      const d = foo({ ...in_, version: 'v2' });
      const of: SetIn = { replicas: t.replicas, desired: t.replicas };
      const fresh = setOf('v2', { replicas: 0, desired: t.replicas, age: 10 });
      const is = sizes(plan(d, setOf('v1', { ...of, age: 900 }), fresh));
      assert.deepEqual([is['foo-v2'] ?? 0, is['foo-v1'] ?? t.replicas], [made, kept]);
    });
});

describe('old ReplicaSets beyond the history limit (cleanupDeployment)', () => {
  const done = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  const deleted = { deletionTimestamp: ago(1) };
  const table: { what: string; limit: number; old: Record<string, Partial<SetIn>>; go: string[] }[] = [
    { what: 'the oldest goes', limit: 1, old: { a: { revision: '1' }, b: { revision: '2' } }, go: ['a'] },
    {
      what: 'oldest by revision, not by age',
      limit: 1,
      old: { a: { revision: '2' }, b: { revision: '1' } },
      go: ['b'],
    },
    { what: 'without a revision before those with one', limit: 1, old: { a: { revision: '1' }, b: {} }, go: ['b'] },
    { what: 'by age where revisions are the same', limit: 1, old: { a: {}, b: {} }, go: ['a'] },
    {
      what: 'several',
      limit: 2,
      old: { a: { revision: '3' }, b: { revision: '1' }, c: { revision: '4' }, d: { revision: '2' } },
      go: ['b', 'd'],
    },
    {
      what: 'none that has pods',
      limit: 1,
      old: { a: { actual: 1, revision: '1' }, b: { revision: '2' }, c: { revision: '3' } },
      go: ['b'],
    },
    { what: 'none that was not seen since it changed', limit: 0, old: { a: { metadata: { generation: 2 } } }, go: [] },
    { what: 'one that goes anyway does not count', limit: 1, old: { a: { metadata: deleted }, b: {} }, go: [] },
    { what: 'all', limit: 0, old: { a: {}, b: {} }, go: ['a', 'b'] },
  ];
  for (const t of table)
    it(t.what, () => {
      const d = foo({ version: 'new', unavailable: 1, status: done, spec: { revisionHistoryLimit: t.limit } });
      const old = Object.entries(t.old).map(([v, o], i) => setOf(v, { replicas: 0, age: 900 - i, ...o }));
      const made = plan(d, setOf('new', { replicas: 1, desired: 1 }), ...old);
      const gone = printed(made).filter((w) => w.startsWith('delete'));
      assert.deepEqual(
        gone.map((w) => w.slice('delete replicasets.apps/default/foo-'.length)),
        t.go,
      );
    });

  it('they stay until the rollout is complete', () => {
    const d = foo({
      version: 'new',
      unavailable: 1,
      spec: { revisionHistoryLimit: 0 },
      status: { ...done, availableReplicas: 0 },
    });
    const made = plan(d, setOf('new', { replicas: 1, desired: 1 }), setOf('old', { replicas: 0, age: 900 }));
    assert.deepEqual(
      printed(made).filter((w) => w.startsWith('delete')),
      [],
    );
  });
});

describe('whose ReplicaSets they are', () => {
  const verbs = (p: Plan) => printed(p).filter((w) => w.startsWith('patch'));
  it('an orphan that is selected is adopted', () =>
    assert.deepEqual(verbs(plan(foo(), setOf('v1', { replicas: 1, owner: null }))), [
      'patch replicasets.apps/default/foo-v1',
    ]));
  it('one that is no longer selected is let go', () =>
    assert.deepEqual(verbs(plan(foo(), setOf('v1', { replicas: 1, labels: { app: 'bar' } }))), [
      'patch replicasets.apps/default/foo-v1',
    ]));
  it('one of another is left alone', () => {
    const made = plan(foo(), setOf('v1', { replicas: 1, owner: 'other' }));
    assert.deepEqual(verbs(made), []);
    assert.notEqual(written(made, 'ReplicaSet')?.metadata.name, 'foo-v1');
  });
  it('a Deployment that goes away adopts and lets go of none', () => {
    const going = foo({ metadata: { deletionTimestamp: ago(1) } });
    assert.deepEqual(verbs(plan(going, setOf('v1', { replicas: 1, owner: null }))), []);
  });
});

describe('Recreate', () => {
  const of = (...others: Given[]) =>
    plan(foo({ replicas: 2, version: 'v2', spec: { strategy: { type: 'Recreate' } } }), ...others);
  const pod = (phase: string): Given =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default', ownerReferences: [{ uid: 'uid-v1', controller: true }] },
      status: { phase },
    }) as unknown as Given;
  const old = (o: Partial<SetIn> = {}) => setOf('v1', { replicas: 0, age: 900, ...o });
  it('takes the old pods away first', () =>
    assert.deepEqual(sizes(of(old({ replicas: 2, desired: 2 }))), { 'foo-v1': 0 }));
  it('waits while the old ReplicaSet tells of pods', () => assert.deepEqual(sizes(of(old({ actual: 1 }))), {}));
  it('waits while pods of it run', () => assert.deepEqual(sizes(of(old(), pod('Running'))), {}));
  for (const phase of ['Failed', 'Succeeded'])
    it(`makes the new ones where the old pods have ${phase.toLowerCase()}`, () =>
      assert.deepEqual(Object.values(sizes(of(old(), pod(phase)))), [2]));
  it('fills a new ReplicaSet that is there', () =>
    assert.deepEqual(sizes(of(old(), setOf('v2', { replicas: 0 }))), { 'foo-v2': 2 }));
});

it('reaches rest: what a plan wrote isn’t written again', () => {
  const set = setOf('v1', { replicas: 1, desired: 1, max: 1, revision: '1' });
  const d = foo({
    replicas: 1,
    unavailable: 1,
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } },
  });
  const next = { ...d, status: status(plan(d, set)) } as Given;
  assert.deepEqual(planFor(deployment, [next, set], { now: NOW + 60_000 }), { writes: [] });
});
