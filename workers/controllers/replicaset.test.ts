import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { replicaset, replicationcontroller } from './replicaset.ts';
import { ago, type Given, keyFor, NOW, planFor, printed, viewOf } from './testing/view.ts';

const labels = { name: 'foo' };
function set(replicas: number, more: { spec?: JsonObject; metadata?: JsonObject; status?: JsonObject } = {}): Given {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', uid: 'set', generation: 3, ...more.metadata },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations: { a: 'b' }, finalizers: ['x/y'] }, spec: { containers: [] } },
      ...more.spec,
    },
    status: { replicas, observedGeneration: 3, terminatingReplicas: 0, ...more.status },
  } as Given;
}
interface PodIn {
  phase?: string;
  node?: string;
  ready?: string | boolean;
  labels?: Record<string, string>;
  owner?: string | null;
  deleting?: boolean;
  restarts?: number;
  created?: string;
  cost?: string;
  uid?: string;
}
function pod(name: string, o: PodIn = {}): Given {
  const ready =
    o.ready === undefined
      ? []
      : [
          {
            type: 'Ready',
            status: o.ready ? 'True' : 'False',
            lastTransitionTime: typeof o.ready === 'string' ? o.ready : ago(100),
          },
        ];
  const owner =
    o.owner === null
      ? []
      : [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: o.owner ?? 'set', controller: true }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: o.uid ?? `uid-${name}`,
      labels: o.labels ?? labels,
      creationTimestamp: o.created ?? ago(1_000),
      ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
      ...(o.cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': o.cost } } : {}),
      ownerReferences: owner,
    },
    spec: { ...(o.node ? { nodeName: o.node } : {}) },
    status: {
      phase: o.phase ?? 'Running',
      conditions: ready,
      ...(o.restarts ? { containerStatuses: [{ name: 'c', restartCount: o.restarts }] } : {}),
    },
  } as unknown as Given;
}
const pods = (n: number, o: PodIn = {}) => Array.from({ length: n }, (_, i) => pod(`p${i}`, o));
const verbs = (plan: Plan) =>
  plan.writes.filter((w) => !('subresource' in w && w.subresource === 'status')).map((w) => w.do);
const status = (plan: Plan): JsonObject | undefined => {
  const w = plan.writes.find((x) => x.do === 'update');
  return w?.do === 'update' ? (w.object.status as JsonObject) : undefined;
};
const deleted = (plan: Plan) =>
  printed(plan)
    .filter((t) => t.startsWith('delete'))
    .map((t) => t.slice('delete pods/default/'.length));

describe('what a ReplicaSet does about its pods', () => {
  const table: { what: string; of: Given; pods: Given[]; does: string[] }[] = [
    { what: 'as many as it wants: nothing', of: set(2), pods: pods(2), does: [] },
    { what: 'too few: makes the rest', of: set(3), pods: pods(1), does: ['create', 'create'] },
    { what: 'too many: deletes the rest', of: set(1), pods: pods(3), does: ['delete', 'delete'] },
    {
      what: 'no replicas said: one',
      of: set(1, { spec: { replicas: undefined } as never }),
      pods: [],
      does: ['create'],
    },
    {
      what: 'pods that have ended do not count',
      of: set(1),
      pods: [pod('a', { phase: 'Failed' }), pod('b', { phase: 'Succeeded' })],
      does: ['create'],
    },
    { what: 'pods that are ending do not count', of: set(1), pods: [pod('a', { deleting: true })], does: ['create'] },
    { what: 'an orphan that matches is adopted', of: set(1), pods: [pod('a', { owner: null })], does: ['patch'] },
    {
      what: 'an orphan that has ended is not',
      of: set(0),
      pods: [pod('a', { owner: null, phase: 'Failed' })],
      does: [],
    },
    {
      what: 'an orphan that is ending is not',
      of: set(0),
      pods: [pod('a', { owner: null, deleting: true })],
      does: [],
    },
    {
      what: 'an orphan with other labels is not',
      of: set(0),
      pods: [pod('a', { owner: null, labels: { name: 'bar' } })],
      does: [],
    },
    { what: "another one's pod is left alone", of: set(1), pods: [pod('a', { owner: 'other' })], does: ['create'] },
    {
      what: 'a pod that no longer matches is let go and replaced',
      of: set(1),
      pods: [pod('a', { labels: {} })],
      does: ['patch', 'create'],
    },
    {
      what: 'a set that goes away makes, deletes, adopts and lets go of nothing',
      of: set(2, { metadata: { deletionTimestamp: ago(1) } }),
      pods: [pod('a', { labels: {} }), pod('b', { owner: null })],
      does: [],
    },
    { what: 'a burst is at most 500', of: set(800), pods: [], does: Array(500).fill('create') as string[] },
    {
      what: 'a burst of deletions is at most 500',
      of: set(0),
      pods: pods(600),
      does: Array(500).fill('delete') as string[],
    },
  ];
  for (const { what, of, pods: given, does } of table)
    it(what, () => assert.deepEqual(verbs(planFor(replicaset, [of, ...given])), does));

  it('nothing, where the set is gone', () => {
    assert.deepEqual(
      replicaset.reconcile('replicasets.apps/default/web', undefined, viewOf(replicaset, pods(2))).writes,
      [],
    );
  });
});

it('a pod is made of the template, owned, named after the set, and told of', () => {
  const [write] = planFor(replicaset, [set(1, { status: { replicas: 0 } })], {}).writes;
  assert.ok(write?.do === 'create');
  const { name } = write.object.metadata;
  assert.match(name ?? '', /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.deepEqual(write.object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: 'web-',
      namespace: 'default',
      labels,
      annotations: { a: 'b' },
      finalizers: ['x/y'],
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web',
          uid: 'set',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { containers: [] },
  });
  assert.deepEqual(write.note, {
    on: 'replicasets.apps/default/web',
    reason: 'SuccessfulCreate',
    message: `Created pod: ${name}`,
    failed: 'FailedCreate',
  });
});

it('names of one plan differ, are the same when it is made again, and fit where the set has a long name', () => {
  const long = set(50, { metadata: { name: 'n'.repeat(80) } });
  const names = () => printed(planFor(replicaset, [long], { key: keyFor(long) })).filter((t) => t.startsWith('create'));
  assert.equal(new Set(names()).size, 50);
  assert.deepEqual(names(), names());
  for (const n of names()) assert.equal(n.slice('create pods/default/'.length).length, 58 + 5);
});

it('adopting and letting go name the uid, so that another pod of that name is left alone', () => {
  const adopt = planFor(replicaset, [set(1), pod('a', { owner: null })]).writes.find((w) => w.do === 'patch');
  assert.ok(adopt?.do === 'patch');
  assert.equal((adopt.patch.metadata as JsonObject).uid, 'uid-a');
  const release = planFor(replicaset, [set(0), pod('a', { labels: {} })]).writes.find((w) => w.do === 'patch');
  assert.ok(release?.do === 'patch');
  assert.deepEqual(release.patch, { metadata: { ownerReferences: [{ $patch: 'delete', uid: 'set' }], uid: 'uid-a' } });
  const remove = planFor(replicaset, [set(0), pod('a')]).writes.find((w) => w.do === 'delete');
  assert.equal(remove?.do === 'delete' && remove.uid, 'uid-a');
});

describe('which pods go first', () => {
  const unscheduled = pod('unscheduled', { phase: 'Pending' });
  const pending = pod('pending', { phase: 'Pending', node: 'n' });
  const notReady = pod('not-ready', { node: 'n', ready: false });
  const onOne = pod('on-one', { node: 'n1', ready: ago(5_000), created: ago(6_000) });
  const onTwo = pod('on-two', { node: 'n2', ready: ago(5_000), created: ago(6_000) });
  const at = (name: string, o: PodIn) => pod(name, { node: 'n', ready: true, created: ago(6_000), ...o });
  const table: { what: string; pods: Given[]; keep: number; go: string[]; related?: Given[] }[] = [
    { what: 'without a node before with one', pods: [pending, unscheduled], keep: 1, go: ['unscheduled'] },
    { what: 'pending before running', pods: [notReady, pending], keep: 1, go: ['pending'] },
    { what: 'not ready before ready', pods: [onOne, notReady], keep: 1, go: ['not-ready'] },
    {
      what: 'all of these in order',
      pods: [onOne, onTwo, notReady, pending, unscheduled],
      keep: 2,
      go: ['unscheduled', 'pending', 'not-ready'],
    },
    {
      what: 'the cheaper before the dearer',
      pods: [at('a', { cost: '5' }), at('b', { cost: '-5' })],
      keep: 1,
      go: ['b'],
    },
    {
      what: 'a cost that is not a number is none',
      pods: [at('a', { cost: 'x' }), at('b', { cost: '-1' })],
      keep: 1,
      go: ['b'],
    },
    {
      what: 'where more related pods are before where fewer are',
      pods: [onOne, onTwo],
      related: [pod('r', { node: 'n2', owner: 'sibling' })],
      keep: 1,
      go: ['on-two'],
    },
    {
      what: 'related pods that have ended do not count',
      pods: [at('a', { node: 'n1', uid: '1' }), at('b', { node: 'n2', uid: '2' })],
      related: [pod('r', { node: 'n2', owner: 'sibling', phase: 'Failed' })],
      keep: 1,
      go: ['a'],
    },
    {
      what: 'ready for a short time before ready for long',
      pods: [at('a', { ready: ago(5_000) }), at('b', { ready: ago(5) })],
      keep: 1,
      go: ['b'],
    },
    {
      what: 'times of the same magnitude fall to the uid',
      pods: [at('a', { ready: ago(5_000), uid: '2' }), at('b', { ready: ago(4_900), uid: '1' })],
      keep: 1,
      go: ['b'],
    },
    {
      what: 'restarted often before restarted seldom',
      pods: [at('a', { restarts: 1 }), at('b', { restarts: 7 })],
      keep: 1,
      go: ['b'],
    },
    {
      what: 'young before old',
      pods: [at('a', { created: ago(9_000) }), at('b', { created: ago(9) })],
      keep: 1,
      go: ['b'],
    },
  ];
  for (const { what, pods: given, keep, go, related } of table) {
    it(what, () => {
      const owner = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'dep', controller: true }];
      const metadata = { ownerReferences: owner } as unknown as JsonObject;
      const sibling = set(1, { metadata: { ...metadata, name: 'web2', uid: 'sibling' } });
      const all = [set(keep, { metadata }), sibling, ...given, ...(related ?? [])] as [Given, ...Given[]];
      assert.deepEqual(deleted(planFor(replicaset, all)), go);
    });
  }
});

describe('the status', () => {
  const full = { ...labels, more: 'y' };
  const table: { what: string; of?: Given; pods: Given[]; is: JsonObject; failure?: string }[] = [
    { what: 'no pods', pods: [], is: { replicas: 0, terminatingReplicas: 0, observedGeneration: 3 } },
    {
      what: 'fully labelled: all of the labels of the template',
      of: set(2, { spec: { template: { metadata: { labels: full }, spec: {} } } }),
      pods: [pod('a', { labels: full }), pod('b')],
      is: { replicas: 2, fullyLabeledReplicas: 1, terminatingReplicas: 0, observedGeneration: 3 },
    },
    {
      what: 'ready at once is available at once',
      pods: [pod('a', { ready: ago(0) })],
      is: {
        replicas: 1,
        fullyLabeledReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        terminatingReplicas: 0,
        observedGeneration: 3,
      },
    },
    {
      what: 'not available before minReadySeconds',
      of: set(1, { spec: { minReadySeconds: 10 } }),
      pods: [pod('a', { ready: ago(9) }), pod('b', { ready: ago(10) })],
      is: {
        replicas: 2,
        fullyLabeledReplicas: 2,
        readyReplicas: 2,
        availableReplicas: 1,
        terminatingReplicas: 0,
        observedGeneration: 3,
      },
    },
    {
      what: 'pods that are ending are counted apart, whoever still matches',
      pods: [pod('a', { deleting: true }), pod('b', { deleting: true, labels: {} })],
      is: { replicas: 0, terminatingReplicas: 1, observedGeneration: 3 },
    },
    {
      what: 'a refused creation',
      of: set(2),
      pods: [],
      failure: 'quota',
      is: {
        replicas: 0,
        terminatingReplicas: 0,
        observedGeneration: 3,
        conditions: [
          {
            type: 'ReplicaFailure',
            status: 'True',
            reason: 'FailedCreate',
            message: 'quota',
            lastTransitionTime: ago(0),
          },
        ],
      },
    },
    {
      what: 'a refused deletion',
      of: set(0, { status: { replicas: 9 } }),
      pods: [pod('a')],
      failure: 'no',
      is: {
        replicas: 1,
        fullyLabeledReplicas: 1,
        terminatingReplicas: 0,
        observedGeneration: 3,
        conditions: [
          { type: 'ReplicaFailure', status: 'True', reason: 'FailedDelete', message: 'no', lastTransitionTime: ago(0) },
        ],
      },
    },
    {
      what: 'a failure that stands keeps its first text and time; other conditions stay',
      of: set(2, {
        status: {
          conditions: [
            { type: 'Mine', status: 'True' },
            {
              type: 'ReplicaFailure',
              status: 'True',
              reason: 'FailedCreate',
              message: 'first',
              lastTransitionTime: ago(99),
            },
          ],
        },
      }),
      pods: [pod('a')],
      failure: 'second',
      is: {
        replicas: 1,
        fullyLabeledReplicas: 1,
        terminatingReplicas: 0,
        observedGeneration: 3,
        conditions: [
          { type: 'Mine', status: 'True' },
          {
            type: 'ReplicaFailure',
            status: 'True',
            reason: 'FailedCreate',
            message: 'first',
            lastTransitionTime: ago(99),
          },
        ],
      },
    },
    {
      what: 'a failure that is over is taken out',
      of: set(1, { status: { conditions: [{ type: 'ReplicaFailure', status: 'True' }] } }),
      pods: [pod('a')],
      is: { replicas: 1, fullyLabeledReplicas: 1, terminatingReplicas: 0, observedGeneration: 3 },
    },
  ];
  for (const { what, of, pods: given, is, failure } of table)
    it(what, () => {
      const first = of ?? set(given.length, { status: { replicas: 99 } });
      assert.deepEqual(status(planFor(replicaset, [first, ...given], failure ? { failure } : {})), is);
    });

  it('that is true already is not written', () => {
    const is = { replicas: 1, fullyLabeledReplicas: 1, terminatingReplicas: 0, observedGeneration: 3 };
    assert.deepEqual(planFor(replicaset, [set(1, { status: is }), pod('a')]), { writes: [] });
  });
});

it('comes again when the next ready pod becomes available', () => {
  const slow = set(3, { spec: { minReadySeconds: 60 } });
  const given = [pod('a', { ready: ago(20) }), pod('b', { ready: ago(45) }), pod('c', { ready: false })];
  assert.equal(planFor(replicaset, [slow, ...given]).again, 15_000);
  assert.equal(planFor(replicaset, [slow, ...given], { now: NOW + 60_000 }).again, undefined);
});

it('an orphan wakes the sets that would take it; a pod with an owner none of them', () => {
  const map = replicaset.watches?.[0]?.map;
  const other = set(1, { metadata: { name: 'other', uid: 'o' }, spec: { selector: { matchLabels: { name: 'bar' } } } });
  const elsewhere = set(1, { metadata: { namespace: 'elsewhere', uid: 'e' } });
  const woken = (p: Given) => {
    const view = viewOf(replicaset, [set(1), other, elsewhere, p]);
    const row = view.get(keyFor(p));
    return row && map?.(row, view);
  };
  assert.deepEqual(woken(pod('a', { owner: null })), ['replicasets.apps/default/web']);
  assert.deepEqual(woken(pod('a', { owner: null, labels: { name: 'baz' } })), []);
  assert.deepEqual(woken(pod('a')), []);
});

it('a ReplicationController does the same by labels alone, and does not tell of pods that end', () => {
  const rc = {
    ...set(2, { spec: { selector: labels } }),
    apiVersion: 'v1',
    kind: 'ReplicationController',
    status: { replicas: 9 },
  } as Given;
  const plan = planFor(replicationcontroller, [rc, pod('a'), pod('b', { deleting: true }), pod('c', { labels: {} })]);
  assert.deepEqual(verbs(plan), ['patch', 'create']);
  assert.deepEqual(status(plan), { replicas: 1, fullyLabeledReplicas: 1, observedGeneration: 3 });
  const w = plan.writes.find((x) => x.do === 'create');
  const [owner] = (w?.do === 'create' && w.object.metadata.ownerReferences) || [];
  assert.deepEqual([owner?.apiVersion, owner?.kind], ['v1', 'ReplicationController']);
});
