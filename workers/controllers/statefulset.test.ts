import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { maxUnavailableOf, type StatefulSet } from './statefulpods.ts';
import { statefulset } from './statefulset.ts';
import { template } from './testing/deployments.ts';
import { ago, type Given, planFor, printed } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/statefulset expect.

const labels = { app: 'foo' };
const patchOf = (t: JsonObject) => ({ spec: { template: { ...t, $patch: 'replace' } } });
const revision = (name: string, data: JsonObject, n: number, more: JsonObject = {}): Given =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      ownerReferences: [{ kind: 'StatefulSet', name: 'web', uid: 'web', controller: true }],
      ...more,
    },
    data,
    revision: n,
  }) as unknown as Given;
const [first, second] = [
  revision('web-1st', patchOf(template('v0')), 1),
  revision('web-2nd', patchOf(template('v1')), 2),
];

function set(replicas: number, spec: JsonObject = {}, more: JsonObject = {}): Given {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: 'default', uid: 'web', generation: 1 },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: template('v1'),
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      revisionHistoryLimit: 10,
      ...spec,
    },
    status: { currentRevision: 'web-1st', updateRevision: 'web-2nd', ...more },
  } as unknown as Given;
}
interface PodIn {
  ready?: boolean | number;
  phase?: string;
  /** Made of the revision before. */
  old?: true;
  deleting?: boolean;
  owner?: string | null;
  labels?: JsonObject;
  claim?: string;
}
function pod(name: string, o: PodIn = {}): Given {
  const revised = { 'controller-revision-hash': o.old ? 'web-1st' : 'web-2nd' };
  const since = typeof o.ready === 'number' ? o.ready : 100;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { ...labels, ...revised, 'statefulset.kubernetes.io/pod-name': name, ...o.labels },
      ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
      ownerReferences:
        o.owner === null ? [] : [{ kind: 'StatefulSet', name: 'web', uid: o.owner ?? 'web', controller: true }],
    },
    spec: { volumes: o.claim ? [{ name: 'data', persistentVolumeClaim: { claimName: o.claim } }] : [] },
    status: {
      phase: o.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: (o.ready ?? true) ? 'True' : 'False', lastTransitionTime: ago(since) }],
    },
  } as unknown as Given;
}
const all = (n: number, o: PodIn = {}) => Array.from({ length: n }, (_, i) => pod(`web-${i}`, o));
const plan = (s: Given, ...others: Given[]) => planFor(statefulset, [s, first, second, ...others]);
/** What is done about pods: `+web-0`, `-web-1`. */
const steps = (p: Plan) =>
  printed(p).flatMap((t) => {
    const [verb, key = ''] = t.split(' ');
    if (!key.startsWith('pods/')) return [];
    return [`${{ create: '+', delete: '-' }[verb ?? ''] ?? '~'}${key.slice('pods/default/'.length)}`];
  });
const status = (p: Plan) => {
  const w = p.writes.find((x) => x.do === 'update' && x.subresource === 'status');
  return w?.do === 'update' ? (w.object.status as JsonObject) : undefined;
};
const parallel = { podManagementPolicy: 'Parallel' };
const rolling = (maxUnavailable: number | string, partition = 0) => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition, maxUnavailable } },
});

describe('what a StatefulSet does about its pods (updateStatefulSet)', () => {
  const table: { what: string; of: Given; pods: Given[]; does: string[] }[] = [
    { what: 'makes the first', of: set(3), pods: [], does: ['+web-0'] },
    { what: 'makes the next where those before work', of: set(3), pods: [pod('web-0')], does: ['+web-1'] },
    { what: 'waits for one that is not ready', of: set(3), pods: [pod('web-0', { ready: false })], does: [] },
    {
      what: 'waits for one that was ready too shortly',
      of: set(3, { minReadySeconds: 60 }),
      pods: [pod('web-0', { ready: 30 })],
      does: [],
    },
    { what: 'waits for one that ends', of: set(3), pods: [pod('web-0', { deleting: true })], does: [] },
    { what: 'fills a gap first', of: set(3), pods: [pod('web-0'), pod('web-2')], does: ['+web-1'] },
    {
      what: 'in parallel makes all that are missing',
      of: set(3, parallel),
      pods: [pod('web-1', { ready: false })],
      does: ['+web-0', '+web-2'],
    },
    {
      what: 'deletes one that failed',
      of: set(2),
      pods: [pod('web-0', { phase: 'Failed' }), pod('web-1')],
      does: ['-web-0'],
    },
    { what: 'deletes one that succeeded', of: set(1), pods: [pod('web-0', { phase: 'Succeeded' })], does: ['-web-0'] },
    {
      what: 'waits for one that failed and ends',
      of: set(1),
      pods: [pod('web-0', { phase: 'Failed', deleting: true })],
      does: [],
    },
    { what: 'takes the last of too many', of: set(1), pods: all(3), does: ['-web-2'] },
    {
      what: 'takes none while one that stays is not ready',
      of: set(1),
      pods: [pod('web-0', { ready: false }), pod('web-1')],
      does: [],
    },
    {
      what: 'takes none while the last ends',
      of: set(1),
      pods: [pod('web-0'), pod('web-1'), pod('web-2', { deleting: true })],
      does: [],
    },
    {
      what: 'takes one that is not ready where it is the first such',
      of: set(1),
      pods: [pod('web-0'), pod('web-1', { ready: false })],
      does: ['-web-1'],
    },
    {
      what: 'takes none where a lower one that goes is not ready',
      of: set(1),
      pods: [pod('web-0'), pod('web-1', { ready: false }), pod('web-2', { ready: false })],
      does: [],
    },
    {
      what: 'in parallel takes all of too many',
      of: set(1, parallel),
      pods: [pod('web-0', { ready: false }), pod('web-1'), pod('web-2')],
      does: ['-web-2', '-web-1'],
    },
    {
      what: 'leaves pods alone whose names are not its own',
      of: set(0),
      pods: [pod('other-0', { owner: null }), pod('web-x', { owner: null })],
      does: [],
    },
    {
      what: 'adopts one whose name and labels are its own',
      of: set(1),
      pods: [pod('web-0', { owner: null })],
      does: ['~web-0'],
    },
    {
      what: 'lets one go that lost its labels',
      of: set(0),
      pods: [pod('web-0', { labels: { app: 'bar' } })],
      does: ['~web-0'],
    },
    {
      what: 'gives back a label that a pod lost',
      of: set(1),
      pods: [pod('web-0', { labels: { 'statefulset.kubernetes.io/pod-name': 'x' } })],
      does: ['~web-0'],
    },
  ];
  for (const t of table) it(t.what, () => assert.deepEqual(steps(plan(t.of, ...t.pods)), t.does));
  it('while it goes away makes no revision: the collector would take it, and the set wait for it for ever', () => {
    const going = set(1);
    going.metadata.deletionTimestamp = ago(1);
    assert.deepEqual(
      printed(planFor(statefulset, [going])).filter((w) => w.includes('controllerrevisions')),
      [],
    );
  });
  it('while it goes away does nothing but to say how it is', () => {
    const going = set(3);
    going.metadata.deletionTimestamp = ago(1);
    assert.deepEqual(printed(plan(going)), ['update statefulsets.apps/default/web status']);
  });
});

describe('a rolling update (TestStatefulSetControlRollingUpdate…)', () => {
  const old = (i: number, o: PodIn = {}) => pod(`web-${i}`, { old: true, ...o });
  const table: { what: string; of: Given; pods: Given[]; does: string[] }[] = [
    { what: 'takes the last', of: set(3), pods: [0, 1, 2].map((i) => old(i)), does: ['-web-2'] },
    { what: 'then the one before', of: set(3), pods: [old(0), old(1), pod('web-2')], does: ['-web-1'] },
    { what: 'waits for the new one', of: set(3), pods: [old(0), old(1), pod('web-2', { ready: false })], does: [] },
    { what: 'not below the partition', of: set(3, rolling(1, 2)), pods: [old(0), old(1), pod('web-2')], does: [] },
    {
      what: 'the partition counts from the first ordinal',
      of: set(3, { ...rolling(1, 2), ordinals: { start: 4 } }),
      pods: [4, 5, 6].map((i) => old(i)),
      does: ['-web-6'],
    },
    {
      what: 'as many as may be unavailable',
      of: set(6, rolling(2, 3)),
      pods: [0, 1, 2, 3, 4, 5].map((i) => old(i)),
      does: ['-web-5', '-web-4'],
    },
    {
      what: 'in parallel as many as may be unavailable',
      of: set(4, { ...rolling('50%'), ...parallel }),
      pods: [0, 1, 2, 3].map((i) => old(i)),
      does: ['-web-3', '-web-2'],
    },
    {
      what: 'in parallel counts those that are away',
      of: set(4, { ...rolling(2), ...parallel }),
      pods: [old(0), old(1), old(2), pod('web-3', { ready: false })],
      does: ['-web-2'],
    },
    {
      what: 'in parallel all that do not work anyway',
      of: set(4, { ...rolling(1), ...parallel }),
      pods: [old(0, { ready: false }), old(1, { ready: false }), old(2), old(3)],
      does: ['-web-1', '-web-0'],
    },
    {
      what: 'in parallel not those below the partition',
      of: set(4, { ...rolling(1, 2), ...parallel }),
      pods: [old(0, { ready: false }), old(1), old(2), old(3)],
      does: [],
    },
    {
      what: 'in parallel waits where the new do not work',
      of: set(2, { ...rolling(1), ...parallel }),
      pods: [old(0), pod('web-1', { ready: false })],
      does: [],
    },
    {
      what: 'on deletion alone nothing',
      of: set(2, { updateStrategy: { type: 'OnDelete' } }),
      pods: [old(0), old(1)],
      does: [],
    },
    { what: 'scaling goes before updating', of: set(2), pods: [old(0), old(1), old(2)], does: ['-web-2'] },
  ];
  for (const t of table) it(t.what, () => assert.deepEqual(steps(plan(t.of, ...t.pods)), t.does));

  const sizes: [max: number | string | undefined, replicas: number, is: number][] = [
    [undefined, 0, 1],
    [3, 10, 3],
    [3, 0, 3],
    [0, 0, 1],
    ['10%', 25, 2],
    ['100%', 5, 5],
    ['50%', 5, 2],
    ['10%', 5, 1],
    ['1%', 0, 1],
  ];
  for (const [max, replicas, is] of sizes)
    it(`${max ?? 'nothing said'} of ${replicas} is ${is} (TestGetStatefulSetMaxUnavailable)`, () => {
      const spec = { replicas, updateStrategy: { rollingUpdate: max === undefined ? {} : { maxUnavailable: max } } };
      assert.equal(maxUnavailableOf({ metadata: {}, spec } as unknown as StatefulSet), is);
    });
});

describe('revisions (getStatefulSetRevisions, truncateHistory)', () => {
  /** The template of upstream's testdata/compatibility_set_1.34.0.json. */
  const recorded = {
    metadata: { annotations: { test: 'value' }, labels: { app: 'foo' } },
    spec: {
      containers: [
        {
          image: 'test',
          imagePullPolicy: 'Always',
          name: 'test',
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
        },
      ],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
    },
  };
  const of = (s: Given, ...others: Given[]) =>
    printed(planFor(statefulset, [s, ...others])).filter((t) => t.includes('controllerrevisions'));
  it('a new template gets the next number, and a name by upstream’s own hash of what is kept', () => {
    // As kube-controller-manager 1.34 named it (testdata/compatibility_revision_1.34.0.json).
    assert.deepEqual(of(set(0, { template: recorded })), ['create controllerrevisions.apps/default/web-776999688b']);
  });
  it('one that an older release kept with an empty time is the same', () => {
    const kept = { ...recorded, metadata: { ...recorded.metadata, creationTimestamp: null } };
    assert.deepEqual(of(set(0, { template: recorded }), revision('web-old', patchOf(kept), 3)), []);
  });
  it('an older one that is used again is the newest', () => {
    const w = planFor(statefulset, [set(0, { template: template('v0') }), first, second]).writes[0];
    assert.deepEqual(w?.do === 'patch' && [w.key, w.patch.revision], ['controllerrevisions.apps/default/web-1st', 3]);
  });
  it('a name that another one has is a collision: another is taken at once', () => {
    const name = of(set(0))[0]?.split('/').at(-1) ?? '';
    const other = revision(name, patchOf(template('other')), 1, { ownerReferences: [{ uid: 'x', controller: true }] });
    const p = planFor(statefulset, [set(0), other]);
    assert.notEqual(printed(p)[0], `create controllerrevisions.apps/default/${name}`);
    assert.equal(status(p)?.collisionCount, 1);
  });
  it('what no pod has goes beyond the limit, oldest first', () => {
    const past = ['a', 'b', 'c'].map((n, i) => revision(`web-${n}`, patchOf(template(n)), i - 5));
    const p = plan(
      set(1, { revisionHistoryLimit: 1 }),
      ...past,
      pod('web-0', { labels: { 'controller-revision-hash': 'web-a' } }),
    );
    assert.deepEqual(
      printed(p).filter((t) => t.startsWith('delete controllerrevisions')),
      ['delete controllerrevisions.apps/default/web-b'],
    );
  });
  it('orphans are adopted', () => {
    const orphan = revision('web-orphan', patchOf(template('x')), 0, { ownerReferences: [] });
    assert.deepEqual(of(set(0), first, second, orphan), ['patch controllerrevisions.apps/default/web-orphan']);
  });
});

describe('the status', () => {
  it('counts by revision, and tells what is available', () => {
    const pods = [pod('web-0', { old: true }), pod('web-1', { ready: 30 }), pod('web-2', { deleting: true })];
    const p = plan(set(3, { minReadySeconds: 60 }), ...pods);
    assert.deepEqual(status(p), {
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 1,
      updatedReplicas: 1,
      currentRevision: 'web-1st',
      updateRevision: 'web-2nd',
      collisionCount: 0,
      availableReplicas: 2,
    });
    assert.equal(p.again, 30_000);
  });
  it('of a pod that goes and is of neither revision says nothing that would be refused', () => {
    const p = plan(set(1), pod('web-0', { labels: { 'controller-revision-hash': 'web-0th' } }));
    assert.deepEqual([steps(p), status(p)?.currentReplicas ?? 0], [['-web-0'], 0]);
    assert.ok(status(p));
  });
  it('an update that is complete becomes the current revision (TestCompleteUpdate)', () => {
    const s = status(plan(set(2), ...all(2)));
    assert.deepEqual([s?.currentRevision, s?.currentReplicas], ['web-2nd', 2]);
  });
  it('that is true already is not written', () => {
    const s = status(plan(set(2), ...all(2))) ?? {};
    assert.deepEqual(plan(set(2, {}, s), ...all(2)).writes, []);
  });
});

describe('claims of pods', () => {
  const templates = {
    volumeClaimTemplates: [{ metadata: { name: 'data', labels: { a: 'b' } }, spec: { x: 'y' } }],
  } as never;
  const claim = (name: string, more: JsonObject = {}): Given =>
    ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: 'default', uid: `uid-${name}`, ...more },
    }) as Given;
  it('come before their pod', () => {
    const p = plan(set(1, templates));
    assert.deepEqual(printed(p).slice(-2), [
      'create persistentvolumeclaims/default/data-web-0',
      'create pods/default/web-0',
    ]);
    const w = p.writes.at(-2);
    assert.deepEqual(w?.do === 'create' && w.object, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data-web-0', namespace: 'default', labels: { a: 'b', app: 'foo' } },
      spec: { x: 'y' },
    });
    assert.equal(w?.do === 'create' && w.note?.message, 'Create Claim data-web-0 Pod web-0 in StatefulSet web success');
  });
  it('that are there are used', () =>
    assert.deepEqual(printed(plan(set(1, templates), claim('data-web-0'))).slice(-1), ['create pods/default/web-0']));
  it('that still go away keep the pod from being made, and somebody hears why', () => {
    const p = plan(set(1, templates), claim('data-web-0', { deletionTimestamp: ago(1) }));
    assert.deepEqual(steps(p), []);
    assert.equal(
      p.notes?.[0]?.message,
      'Create Pod web-0 in StatefulSet web failed error: pvc data-web-0 is being deleted',
    );
  });
  it('of a former pod are waited for', () => {
    const owner = [{ apiVersion: 'v1', kind: 'Pod', name: 'web-0', uid: 'former', controller: true }];
    const policy = { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' } };
    assert.deepEqual(
      steps(plan(set(1, { ...(templates as object), ...policy }), claim('data-web-0', { ownerReferences: owner }))),
      [],
    );
  });
  it('that a pending pod lacks are made', () => {
    const p = plan(set(1, templates), pod('web-0', { phase: 'Pending', ready: false, claim: 'data-web-0' }));
    assert.deepEqual(printed(p).slice(-1), ['create persistentvolumeclaims/default/data-web-0']);
  });
});
