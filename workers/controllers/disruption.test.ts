import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult, Plan } from '../../kube/reconcile/controller.ts';
import { disruption } from './disruption.ts';
import { ago, type Given, keyFor, NOW, planFor, viewOf } from './testing/view.ts';

const ready = { type: 'Ready', status: 'True', lastTransitionTime: ago(100) };
interface PodIn {
  owner?: [apiVersion: string, kind: string, name: string, uid: string];
  ready?: boolean;
  deleting?: boolean;
  labels?: Record<string, string>;
  conditions?: JsonObject[];
}
const SET: PodIn['owner'] = ['apps/v1', 'ReplicaSet', 'web', 'set'];
function pod(name: string, o: PodIn = {}): Given {
  const [apiVersion, kind, owner, uid] = o.owner ?? [];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'a',
      uid: `uid-${name}`,
      labels: o.labels ?? { app: 'web' },
      ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
      ...(kind ? { ownerReferences: [{ apiVersion, kind, name: owner, uid, controller: true }] } : {}),
    },
    status: { phase: 'Running', conditions: [...(o.ready === false ? [] : [ready]), ...(o.conditions ?? [])] },
  } as unknown as Given;
}
const pods = (n: number, o: PodIn = {}) => Array.from({ length: n }, (_, i) => pod(`p${i}`, o));
function workload(kind: string, replicas: number, owner?: { kind: string; uid: string }): Given {
  const ownerReferences = owner ? [{ apiVersion: 'apps/v1', ...owner, name: 'x', controller: true }] : [];
  return {
    apiVersion: kind === 'ReplicationController' ? 'v1' : 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'a', uid: kind === 'Deployment' ? 'deployment' : 'set', ownerReferences },
    spec: { replicas },
  } as unknown as Given;
}
function budget(spec: JsonObject, status: JsonObject = {}): Given {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'a', uid: 'budget', generation: 2 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    status,
  } as unknown as Given;
}
const statusOf = (plan: Plan): JsonObject | undefined => {
  const w = plan.writes.find((x) => x.do === 'update');
  return w?.do === 'update' ? (w.object.status as JsonObject) : undefined;
};
/** `allowed of healthy / desired / expected`. */
const counts = (plan: Plan): string => {
  const s = statusOf(plan);
  return `${s?.disruptionsAllowed} of ${s?.currentHealthy}/${s?.desiredHealthy}/${s?.expectedPods}`;
};
const reasons = (plan: Plan) => (plan.notes ?? []).map((n) => n.reason);

describe('how many pods may be disrupted', () => {
  const CUSTOM: PodIn['owner'] = ['e.io/v1', 'Fleet', 'f', 'fleet'];
  const ask = 'scale/fleet/4';
  const table: {
    what: string;
    spec: JsonObject;
    there: Given[];
    is: string;
    tells?: string[];
    results?: Record<string, EffectResult>;
  }[] = [
    { what: 'what a number leaves over', spec: { minAvailable: 2 }, there: pods(3), is: '1 of 3/2/3' },
    { what: 'none where too few are healthy', spec: { minAvailable: 2 }, there: pods(1), is: '0 of 1/2/1' },
    { what: 'none without pods', spec: { minAvailable: 0 }, there: [], is: '0 of 0/0/0', tells: ['NoPods'] },
    {
      what: 'unready pods and pods that go are not healthy',
      spec: { minAvailable: 0 },
      there: [pod('a'), pod('b', { ready: false }), pod('c', { deleting: true })],
      is: '1 of 1/0/3',
    },
    {
      what: 'pods that it does not select are nothing to it',
      spec: { minAvailable: 0 },
      there: [pod('a'), pod('b', { labels: { app: 'x' } })],
      is: '1 of 1/0/1',
    },
    {
      what: 'a share of what the ReplicaSet wants, rounded up',
      spec: { minAvailable: '50%' },
      there: [workload('ReplicaSet', 5), ...pods(4, { owner: SET })],
      is: '1 of 4/3/5',
    },
    {
      what: 'so many of what its Deployment wants may be away',
      spec: { maxUnavailable: 1 },
      there: [
        workload('Deployment', 6),
        workload('ReplicaSet', 3, { kind: 'Deployment', uid: 'deployment' }),
        ...pods(6, { owner: SET }),
      ],
      is: '1 of 6/5/6',
    },
    {
      what: 'a share may be away, and never more than all',
      spec: { maxUnavailable: '100%' },
      there: [workload('StatefulSet', 2), ...pods(2, { owner: ['apps/v1', 'StatefulSet', 'web', 'set'] })],
      is: '2 of 2/0/2',
    },
    {
      what: 'a ReplicationController is asked too',
      spec: { maxUnavailable: 1 },
      there: [
        workload('ReplicationController', 3),
        ...pods(3, { owner: ['v1', 'ReplicationController', 'web', 'set'] }),
      ],
      is: '1 of 3/2/3',
    },
    {
      what: 'pods without a controller are told of',
      spec: { maxUnavailable: 1 },
      there: pods(2),
      is: '0 of 2/0/0',
      tells: ['UnmanagedPods'],
    },
    {
      what: 'a foreign kind is asked for its scale',
      spec: { maxUnavailable: 2 },
      there: pods(3, { owner: CUSTOM }),
      is: '2 of 3/1/3',
      results: { [ask]: { ok: true, value: { uid: 'fleet', replicas: 3 } } },
    },
  ];
  for (const { what, spec, there, is, tells = [], results = {} } of table)
    it(what, () => {
      const plan = planFor(disruption, [budget(spec), ...there], { results });
      assert.equal(counts(plan), is);
      assert.deepEqual(reasons(plan), tells);
    });

  it('a foreign kind is asked once, and anew when a pod has changed', () => {
    const plan = planFor(disruption, [budget({ maxUnavailable: 1 }), ...pods(3, { owner: CUSTOM })]);
    const input = { apiVersion: 'e.io/v1', kind: 'Fleet', namespace: 'a', name: 'f' };
    assert.deepEqual(plan, { writes: [], effects: [{ id: ask, name: 'scale', input }] });
  });
});

describe('where nobody knows how many pods there should be, none may be disrupted', () => {
  const table: [what: string, owner: PodIn['owner'], message: string][] = [
    [
      'a DaemonSet has no scale',
      ['apps/v1', 'DaemonSet', 'd', 'x'],
      'daemonsets.apps does not implement the scale subresource',
    ],
    ['nor has a Job', ['batch/v1', 'Job', 'j', 'x'], 'jobs.batch does not implement the scale subresource'],
    ['its controller has gone', SET, 'found no controllers for pod "p0"'],
  ];
  for (const [what, owner, message] of table)
    it(what, () => {
      const before = { disruptionsAllowed: 3, currentHealthy: 3, desiredHealthy: 0, expectedPods: 3 };
      const plan = planFor(disruption, [budget({ maxUnavailable: 1 }, before), ...pods(1, owner ? { owner } : {})]);
      const [condition] = (statusOf(plan)?.conditions ?? []) as JsonObject[];
      assert.equal(statusOf(plan)?.disruptionsAllowed, 0);
      assert.deepEqual([condition?.status, condition?.reason, condition?.message], ['False', 'SyncFailed', message]);
      assert.deepEqual(reasons(plan), ['CalculateExpectedPodCountFailed']);
    });
});

describe('pods that were evicted', () => {
  const evicted = (seconds: number) => ({ disruptedPods: { p0: ago(seconds), gone: ago(1) } });

  it('are not healthy any more until they are deleted, and are looked at again', () => {
    const plan = planFor(disruption, [budget({ minAvailable: 1 }, evicted(20)), ...pods(3)]);
    assert.equal(counts(plan), '1 of 2/1/3');
    assert.deepEqual(statusOf(plan)?.disruptedPods, { p0: ago(20) });
    assert.equal(plan.again, 100_000);
  });
  it('count again when nobody has deleted them for two minutes', () => {
    const plan = planFor(disruption, [budget({ minAvailable: 1 }, evicted(121)), ...pods(3)]);
    assert.equal(counts(plan), '2 of 3/1/3');
    assert.equal(statusOf(plan)?.disruptedPods, undefined);
    assert.deepEqual(reasons(plan), ['NotDeleted']);
  });
  it('say so no longer when they are not deleted for two minutes', () => {
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' };
    const planAt = (seconds: number, more: PodIn = {}, reason?: string) => {
      const condition = { ...target, ...(reason ? { reason } : {}), lastTransitionTime: ago(seconds) };
      const p = pod('p', { conditions: [condition], ...more });
      return disruption.reconcile(keyFor(p), undefined, viewOf(disruption, [p]));
    };
    assert.deepEqual(planAt(30), { writes: [], again: 90_000 });
    assert.deepEqual(planAt(130, { deleting: true }), { writes: [] });
    assert.deepEqual(planAt(130, {}, 'TerminationByKubelet'), { writes: [] });
    const [write] = planAt(130).writes;
    assert.equal(write?.do === 'patch' && write.subresource, 'status');
  });
});

it('what stands as it should is not written again', () => {
  const first = planFor(disruption, [budget({ minAvailable: 2 }), ...pods(3)]);
  const status = statusOf(first) ?? {};
  assert.deepEqual(status.conditions, [
    {
      type: 'DisruptionAllowed',
      status: 'True',
      reason: 'SufficientPods',
      observedGeneration: 2,
      message: '',
      lastTransitionTime: ago(0),
    },
  ]);
  const later = planFor(disruption, [budget({ minAvailable: 2 }, status), ...pods(3)], { now: NOW + 5_000 });
  assert.deepEqual(later.writes, []);
});

it('a pod concerns the budgets that select it, or did', () => {
  const [watch] = disruption.watches ?? [];
  const there = [budget({ minAvailable: 1 }), pod('a'), pod('b', { labels: { app: 'x' } })];
  const view = viewOf(disruption, there);
  const [was, is] = ['pods/a/a', 'pods/a/b'].map((key) => view.get(key));
  assert.ok(was && is && watch);
  const key = 'poddisruptionbudgets.policy/a/b';
  assert.deepEqual([watch.map(was, view), watch.map(is, view), watch.map(is, view, was)], [[key], [], [key]]);
});
