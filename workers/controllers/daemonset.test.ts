import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { daemonset } from './daemonset.ts';
import { template } from './testing/deployments.ts';
import { ago, type Given, planFor, printed, viewOf } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/daemon expect.

const labels = { app: 'foo' };
const HASH = 'present';
const data = (version: string) => ({ spec: { template: { ...template(version), $patch: 'replace' } } });
const revision = (name: string, version: string, n: number, more: JsonObject = {}): Given =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `ds-${name}`,
      namespace: 'default',
      uid: `uid-${name}`,
      labels: { ...labels, 'controller-revision-hash': name },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ds', uid: 'ds', controller: true }],
      ...more,
    },
    data: data(version),
    revision: n,
  }) as unknown as Given;
/** The revision of the present template. */
const present = revision(HASH, 'v1', 2);

interface SetIn {
  pod?: JsonObject;
  spec?: JsonObject;
  metadata?: JsonObject;
  status?: JsonObject;
}
function set(o: SetIn = {}): Given {
  const t = template('v1');
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ds', namespace: 'default', uid: 'ds', generation: 1, ...o.metadata },
    spec: {
      selector: { matchLabels: labels },
      template: { ...t, spec: { ...(t.spec as JsonObject), ...o.pod } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
      ...o.spec,
    },
    ...(o.status ? { status: o.status } : {}),
  } as unknown as Given;
}
const node = (name: string, o: { labels?: JsonObject; taints?: JsonObject[] } = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: o.labels ?? {} },
    spec: { taints: o.taints ?? [] },
  }) as unknown as Given;
interface PodIn {
  on?: string;
  target?: string;
  ready?: boolean | number;
  phase?: string;
  hash?: string;
  age?: number;
  deleting?: boolean;
  owner?: string | null;
  labels?: JsonObject;
}
function pod(name: string, o: PodIn = {}): Given {
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [o.target] }] }];
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } };
  const since = typeof o.ready === 'number' ? o.ready : 100;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: ago(o.age ?? 100),
      labels: o.labels ?? { ...labels, 'controller-revision-hash': o.hash ?? HASH },
      ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
      ownerReferences:
        o.owner === null ? [] : [{ kind: 'DaemonSet', name: 'ds', uid: o.owner ?? 'ds', controller: true }],
    },
    spec: { ...(o.on ? { nodeName: o.on } : {}), ...(o.target ? { affinity } : {}) },
    status: {
      phase: o.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: (o.ready ?? true) ? 'True' : 'False', lastTransitionTime: ago(since) }],
    },
  } as unknown as Given;
}
const plan = (first: Given, ...others: Given[]) => planFor(daemonset, [first, ...others]);
const made = (p: Plan): KubeObject[] =>
  p.writes.flatMap((w) => (w.do === 'create' && w.object.kind === 'Pod' ? [w.object] : []));
const targets = (p: Plan) =>
  made(p).map((o) => JSON.stringify((o.spec as JsonObject).affinity).match(/(?<="values":\[")[^"]+/)?.[0]);
const deleted = (p: Plan) =>
  printed(p).flatMap((t) => (t.startsWith('delete pods/') ? [t.slice('delete pods/default/'.length)] : []));
const status = (p: Plan) => {
  const w = p.writes.find((x) => x.do === 'update' && x.subresource === 'status');
  return w?.do === 'update' ? (w.object.status as Record<string, number>) : undefined;
};

const taint = (key: string, effect: string) => ({ key, effect });
const affinity = (value: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator: 'In', values: [value] }] }],
    },
  },
});
const system = 'node.kubernetes.io';

describe('which nodes it is for (TestNodeShouldRunDaemonPod and those of taints)', () => {
  const production = { labels: { type: 'production' } };
  const table: { what: string; pod?: JsonObject; node?: Parameters<typeof node>[1]; runs: boolean; stays: boolean }[] =
    [
      { what: 'any', runs: true, stays: true },
      { what: 'one that fits by name', pod: { nodeName: 'n' }, runs: true, stays: true },
      { what: 'one of another name', pod: { nodeName: 'other' }, runs: false, stays: false },
      {
        what: 'one with the labels',
        pod: { nodeSelector: { type: 'production' } },
        node: production,
        runs: true,
        stays: true,
      },
      {
        what: 'one without the labels',
        pod: { nodeSelector: { type: 'test' } },
        node: production,
        runs: false,
        stays: false,
      },
      {
        what: 'one that the affinity takes',
        pod: { affinity: affinity('production') },
        node: production,
        runs: true,
        stays: true,
      },
      {
        what: 'one that it does not take',
        pod: { affinity: affinity('test') },
        node: production,
        runs: false,
        stays: false,
      },
      {
        what: 'a name and other labels',
        pod: { nodeName: 'n', nodeSelector: { type: 'test' } },
        node: production,
        runs: false,
        stays: false,
      },
      {
        what: 'unschedulable',
        node: { taints: [taint(`${system}/unschedulable`, 'NoSchedule')] },
        runs: true,
        stays: true,
      },
      { what: 'not ready', node: { taints: [taint(`${system}/not-ready`, 'NoExecute')] }, runs: true, stays: true },
      {
        what: 'not ready, not to be scheduled to',
        node: { taints: [taint(`${system}/not-ready`, 'NoSchedule')] },
        runs: false,
        stays: true,
      },
      { what: 'unreachable', node: { taints: [taint(`${system}/unreachable`, 'NoExecute')] }, runs: true, stays: true },
      {
        what: 'under all pressures',
        node: { taints: ['disk', 'memory', 'pid'].map((p) => taint(`${system}/${p}-pressure`, 'NoSchedule')) },
        runs: true,
        stays: true,
      },
      {
        what: 'without a network',
        node: { taints: [taint(`${system}/network-unavailable`, 'NoSchedule')] },
        runs: false,
        stays: true,
      },
      {
        what: 'without a network, which it does not need',
        pod: { hostNetwork: true },
        node: { taints: [taint(`${system}/network-unavailable`, 'NoSchedule')] },
        runs: true,
        stays: true,
      },
      {
        what: 'with a taint that nobody bears',
        node: { taints: [taint('k', 'NoSchedule')] },
        runs: false,
        stays: true,
      },
      { what: 'with one that drives out', node: { taints: [taint('k', 'NoExecute')] }, runs: false, stays: false },
      {
        what: 'with one that is only a wish',
        node: { taints: [taint('k', 'PreferNoSchedule')] },
        runs: true,
        stays: true,
      },
      {
        what: 'with one that it bears',
        pod: { tolerations: [{ key: 'k', operator: 'Exists' }] },
        node: { taints: [taint('k', 'NoExecute'), taint('k', 'NoSchedule')] },
        runs: true,
        stays: true,
      },
    ];
  for (const t of table)
    it(t.what, () => {
      const spec = { updateStrategy: { type: 'OnDelete' } };
      const ds = set(t.pod ? { pod: t.pod, spec } : { spec });
      const at = node('n', t.node ?? {});
      assert.deepEqual(targets(plan(ds, at)), t.runs ? ['n'] : [], 'whether one is made');
      assert.deepEqual(deleted(plan(ds, at, pod('p', { on: 'n' }))), t.stays ? [] : ['p'], 'whether one may stay');
    });
});

it('a pod is made for its node: affinity, tolerations, hash and generation', () => {
  const own = {
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }],
    ...affinity('production').nodeAffinity,
  };
  const ds = set({
    pod: { affinity: { nodeAffinity: own, podAffinity: {} }, tolerations: [{ key: 'k', operator: 'Exists' }] },
    metadata: { annotations: { 'deprecated.daemonset.template.generation': '7' } },
  });
  const p = plan(ds, node('n', { labels: { type: 'production' } }));
  const hash = printed(p)[0]?.slice('create controllerrevisions.apps/default/ds-'.length);
  const [object] = made(p);
  assert.deepEqual(object?.metadata.labels, {
    ...labels,
    'controller-revision-hash': hash,
    'pod-template-generation': '7',
  });
  assert.match(object?.metadata.name ?? '', /^ds-\w{5}$/);
  const spec = (object?.spec ?? {}) as { affinity?: JsonObject; tolerations?: JsonObject[] };
  assert.deepEqual(spec.affinity, {
    podAffinity: {},
    nodeAffinity: {
      ...own,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }],
      },
    },
  });
  assert.deepEqual(spec.tolerations?.[0], { key: 'k', operator: 'Exists' });
  assert.deepEqual(spec.tolerations?.[1], { key: `${system}/not-ready`, operator: 'Exists', effect: 'NoExecute' });
  assert.equal(spec.tolerations?.length, 7);
});

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

describe('the history (constructHistory, cleanupHistory)', () => {
  const one = [node('n'), pod('a', { on: 'n' })];
  const of = (ds: Given, ...others: Given[]) =>
    printed(plan(ds, ...others, ...one)).filter((t) => t.includes('controllerrevisions'));
  it('a template that is new gets the next number', () => {
    const p = plan(set(), revision('old', 'v0', 5), ...one);
    const w = p.writes.find((x) => x.do === 'create');
    const object = w?.do === 'create' ? w.object : undefined;
    const hash = object?.metadata.labels?.['controller-revision-hash'];
    assert.deepEqual([object?.revision, object?.data, object?.metadata.name], [6, data('v1'), `ds-${hash}`]);
  });
  it('one that is known is the newest again', () => {
    const p = plan(set(), present, revision('old', 'v0', 5), ...one);
    const w = p.writes.find((x) => x.do === 'patch');
    assert.deepEqual(w?.do === 'patch' && [w.key, w.patch], [
      'controllerrevisions.apps/default/ds-present',
      { metadata: { uid: 'uid-present' }, revision: 6 },
    ]);
  });
  it('of two that are equal the newer stays, and pods hear of it', () => {
    const p = plan(set(), present, revision('twin', 'v1', 1), node('n'), pod('a', { on: 'n', hash: 'twin' }));
    assert.deepEqual(printed(p).slice(0, 2), [
      'patch pods/default/a',
      'delete controllerrevisions.apps/default/ds-twin',
    ]);
  });
  it('one without a hash is named by its name', () => {
    const bare = revision('bare', 'v0', 1, { labels });
    const w = plan(set(), present, bare, ...one).writes.find((x) => x.do === 'patch');
    assert.deepEqual(w?.do === 'patch' && w.patch, {
      metadata: { uid: 'uid-bare', labels: { 'controller-revision-hash': 'ds-bare' } },
    });
  });
  it('those beyond the limit go, oldest first, but for what pods have', () => {
    const old = ['a', 'b', 'c', 'd'].map((n, i) => revision(n, `old-${n}`, i + 1));
    const limited = set({ spec: { revisionHistoryLimit: 2, updateStrategy: { type: 'OnDelete' } } });
    const newest = revision(HASH, 'v1', 9);
    const gone = printed(plan(limited, newest, ...old, node('n'), pod('p', { on: 'n', hash: 'a' })));
    assert.deepEqual(
      gone.filter((t) => t.startsWith('delete')),
      ['delete controllerrevisions.apps/default/ds-b', 'delete controllerrevisions.apps/default/ds-c'],
    );
  });
  it('a name that another revision has is told as a collision, and another is taken', () => {
    const name = of(set())[0]?.split('/').at(-1)?.slice('ds-'.length) ?? '';
    const other = revision(name, 'other', 1, { ownerReferences: [{ uid: 'other', controller: true }] });
    assert.equal(status(plan(set(), other, ...one))?.collisionCount, 1);
    assert.notEqual(
      of(set({ status: { collisionCount: 1 } }), other)[0],
      `create controllerrevisions.apps/default/ds-${name}`,
    );
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

describe('whom a node wakes (TestUpdateNode)', () => {
  const nodes = daemonset.watches?.find((w) => w.kind.plural === 'nodes');
  const table: { what: string; of?: SetIn; node: Given; pods?: Given[]; wakes: boolean }[] = [
    { what: 'one that it is for, without a pod', node: node('n'), wakes: true },
    { what: 'one that it is not for', of: { pod: { nodeSelector: { a: 'b' } } }, node: node('n'), wakes: false },
    { what: 'one with its pod', node: node('n'), pods: [pod('a', { on: 'n' })], wakes: false },
    {
      what: 'one that its pod may not stay on',
      node: node('n', { taints: [taint('k', 'NoExecute')] }),
      pods: [pod('a', { on: 'n' })],
      wakes: true,
    },
    {
      what: 'one with its pod, while it counts misplaced ones',
      of: { status: { numberMisscheduled: 1 } },
      node: node('n'),
      pods: [pod('a', { on: 'n' })],
      wakes: true,
    },
  ];
  for (const t of table)
    it(t.what, () => {
      const view = viewOf(daemonset, [set(t.of), t.node, ...(t.pods ?? [])]);
      const row = view.get('nodes/n');
      assert.ok(row && nodes);
      assert.deepEqual(nodes.map(row, view), t.wakes ? ['daemonsets.apps/default/ds'] : []);
      assert.deepEqual(nodes.map(row, view), [], 'it is looked at once: a heartbeat is nobody’s business');
    });
  it('one that is gone', () => {
    const gone = viewOf(daemonset, [node('n')]).get('nodes/n');
    assert.ok(gone && nodes);
    assert.deepEqual(nodes.map(gone, viewOf(daemonset, [set()])), ['daemonsets.apps/default/ds']);
  });
});
