import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { type DeploymentIn, foo, setOf } from './testing/deployments.ts';
import { type Condition, conditionOf, plan, status } from './testing/plans.ts';
import { ago, type Given, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/deployment expect.

describe('the condition Progressing (syncRolloutStatus)', () => {
  const at = ago(3_600);
  const timedOut = {
    type: 'Progressing',
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    lastUpdateTime: at,
    lastTransitionTime: at,
  };
  const available = {
    type: 'Progressing',
    status: 'True',
    reason: 'NewReplicaSetAvailable',
    lastUpdateTime: at,
    lastTransitionTime: at,
  };
  const updated = {
    type: 'Progressing',
    status: 'True',
    reason: 'ReplicaSetUpdated',
    lastUpdateTime: at,
    lastTransitionTime: at,
  };
  const table: {
    what: string;
    replicas?: number;
    deadline?: number;
    was?: JsonObject[];
    counts: [replicas: number, updated: number, available: number];
    sets: Given[];
    is: [status: string, reason: string] | undefined;
    since?: string;
    says?: string;
  }[] = [
    {
      what: 'is taken out without a deadline',
      was: [updated],
      counts: [2, 2, 2],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: undefined,
    },
    {
      what: 'stays as it is where all is done',
      deadline: 60,
      was: [available],
      counts: [3, 3, 3],
      sets: [setOf('v1', { replicas: 3 })],
      is: ['True', 'NewReplicaSetAvailable'],
      since: at,
    },
    {
      what: 'keeps its time while something moves',
      deadline: 60,
      was: [updated],
      counts: [2, 1, 1],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: ['True', 'ReplicaSetUpdated'],
      since: at,
      says: 'ReplicaSet "foo-v1" is progressing.',
    },
    {
      what: 'begins anew where something moves after the deadline',
      deadline: 60,
      was: [timedOut],
      counts: [2, 1, 1],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: ['True', 'ReplicaSetUpdated'],
      since: ago(0),
    },
    {
      what: 'tells that all is done, since it progresses',
      deadline: 60,
      was: [updated],
      counts: [3, 3, 2],
      sets: [setOf('v1', { replicas: 3 })],
      is: ['True', 'NewReplicaSetAvailable'],
      since: at,
      says: 'ReplicaSet "foo-v1" has successfully progressed.',
    },
    {
      what: 'tells that all is done after the deadline',
      deadline: 60,
      was: [timedOut],
      counts: [3, 3, 2],
      sets: [setOf('v1', { replicas: 3 })],
      is: ['True', 'NewReplicaSetAvailable'],
      since: ago(0),
    },
    {
      what: 'tells when nothing moves for too long',
      deadline: 60,
      was: [updated],
      counts: [2, 2, 2],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: ['False', 'ProgressDeadlineExceeded'],
      says: 'ReplicaSet "foo-v1" has timed out progressing.',
    },
    {
      what: 'says so once',
      deadline: 60,
      was: [timedOut],
      counts: [2, 2, 2],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: ['False', 'ProgressDeadlineExceeded'],
      since: at,
    },
    {
      what: 'tells of a ReplicaSet that was found where nothing was known',
      deadline: 60,
      counts: [2, 2, 2],
      sets: [setOf('v1', { replicas: 3, actual: 2, available: 2 })],
      is: ['True', 'FoundNewReplicaSet'],
      says: 'Found new replica set "foo-v1"',
    },
  ];
  for (const t of table)
    it(t.what, () => {
      const [replicas, updatedReplicas, availableReplicas] = t.counts;
      const d = foo({
        replicas: t.replicas ?? 3,
        unavailable: 1,
        ...(t.deadline ? { spec: { progressDeadlineSeconds: t.deadline } } : {}),
        status: { replicas, updatedReplicas, availableReplicas, ...(t.was ? { conditions: t.was as never } : {}) },
      });
      const c = conditionOf(plan(d, ...t.sets), 'Progressing');
      assert.deepEqual(c && [c.status, c.reason], t.is);
      if (t.since) assert.equal(c?.lastTransitionTime, t.since);
      if (t.says) assert.equal(c?.message, t.says);
    });

  const stuck: { what: string; deadline?: number; since?: number; reason?: string; again: number | undefined }[] = [
    { what: 'no deadline', again: undefined },
    { what: 'one that never comes', deadline: 2 ** 31 - 1, again: undefined },
    { what: 'half of it left', deadline: 60, since: 30, again: 31_000 },
    { what: 'a second left', deadline: 60, since: 59, again: 2_000 },
    { what: 'now', deadline: 60, since: 60, again: 1_000 },
    { what: 'already told', deadline: 60, since: 90, reason: 'ProgressDeadlineExceeded', again: undefined },
  ];
  for (const t of stuck)
    it(`is looked at again: ${t.what} (requeueStuckDeployment)`, () => {
      const time = ago(t.since ?? 0);
      const progress = t.reason
        ? { status: 'False', reason: t.reason }
        : { status: 'True', reason: 'ReplicaSetUpdated' };
      const spec = t.deadline ? { progressDeadlineSeconds: t.deadline } : {};
      const of = (status?: JsonObject) =>
        foo({
          replicas: 3,
          unavailable: 1,
          spec,
          metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } },
          ...(status ? { status } : {}),
        });
      const set = setOf('v1', { replicas: 3, available: 1, desired: 3, max: 3, revision: '1' });
      const conditions =
        t.since === undefined
          ? []
          : [{ type: 'Progressing', ...progress, lastUpdateTime: time, lastTransitionTime: time }];
      const counts = {
        observedGeneration: 1,
        replicas: 3,
        updatedReplicas: 3,
        availableReplicas: 1,
        unavailableReplicas: 2,
        terminatingReplicas: 0,
      };
      const below = {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
      const made = plan(of({ ...counts, conditions: [...conditions, below] as never }), set);
      assert.deepEqual([made.writes, made.again], [[], t.again]);
    });
});

describe('the status', () => {
  const of = (o: DeploymentIn, ...sets: Given[]) => status(plan(foo({ replicas: 3, unavailable: 1, ...o }), ...sets));
  it('counts pods of all ReplicaSets, and the new one’s apart', () => {
    const old = setOf('v0', {
      replicas: 1,
      age: 900,
      desired: 3,
      status: { readyReplicas: 1, terminatingReplicas: 2 },
    });
    const made = of({}, old, setOf('v1', { replicas: 2, available: 1, desired: 3, status: { readyReplicas: 2 } }));
    const { conditions, ...counts } = made ?? {};
    assert.deepEqual(counts, {
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 2,
      readyReplicas: 3,
      availableReplicas: 2,
      unavailableReplicas: 1,
      terminatingReplicas: 2,
    });
    assert.equal((conditions as unknown as Condition[])[0]?.reason, 'MinimumReplicasAvailable');
  });
  it('does not tell how many end while a ReplicaSet that was looked at does not', () => {
    const quiet = setOf('v1', { replicas: 3, status: { terminatingReplicas: undefined } as never });
    assert.equal(of({}, quiet)?.terminatingReplicas, undefined);
    const unseen = setOf('v1', {
      replicas: 3,
      status: { terminatingReplicas: undefined, observedGeneration: 0 } as never,
    });
    assert.equal(of({}, unseen)?.terminatingReplicas, 0);
  });
  it('tells of a failure of the new ReplicaSet before that of an old one', () => {
    const failing = (message: string) => ({
      conditions: [
        { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: ago(9) },
      ],
    });
    const old = setOf('v0', { replicas: 1, age: 900, desired: 3, status: failing('old') as never });
    const made = plan(
      foo({ replicas: 3, unavailable: 1 }),
      old,
      setOf('v1', { replicas: 2, desired: 3, status: failing('new') as never }),
    );
    assert.equal(conditionOf(made, 'ReplicaFailure')?.message, 'new');
    assert.equal(conditionOf(made, 'ReplicaFailure')?.lastUpdateTime, ago(9));
  });
  it('says when it is selecting everything, and does nothing else', () => {
    const made = plan(foo({ spec: { selector: {} } }));
    assert.deepEqual(printed(made), ['update deployments.apps/default/foo status']);
    assert.equal(made.notes?.[0]?.message, 'This deployment is selecting all pods. A non-empty selector is required.');
  });
});
