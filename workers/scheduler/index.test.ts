import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { LATER, type Plan } from '../../kube/reconcile/controller.ts';
import { ago, type Given, keyFor, viewOf } from '../controllers/testing/view.ts';
import { scheduler } from './index.ts';
import { pod as podOf } from './testing/pods.ts';

type PodIn = Parameters<typeof podOf>[1] & { status?: JsonObject; metadata?: JsonObject };
function pod(name: string, { status, metadata, ...spec }: PodIn = {}): Given {
  const p = podOf(name, spec);
  return {
    ...p,
    metadata: { ...p.metadata, generation: 2, ...metadata },
    ...(status ? { status } : {}),
  } as unknown as Given;
}
function node(name: string, allocatable: Record<string, string> = {}, spec: JsonObject = {}): Given {
  const status = { allocatable: { pods: '110', cpu: '4', memory: '8Gi', ...allocatable } };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: {} }, spec, status } as unknown as Given;
}
/** The plans of one round for all pods given. */
function round(...objects: Given[]): Map<string, Plan> {
  const keys = objects.filter((o) => o.kind === 'Pod').map(keyFor);
  return plansOf(keys, objects);
}
function plansOf(keys: string[], objects: Given[]): Map<string, Plan> {
  const plans = scheduler.reconcileAll?.(keys, viewOf(scheduler, objects)) ?? new Map<string, Plan>();
  return new Map([...plans].flatMap(([k, p]) => (p === LATER ? [] : [[k.slice('pods/default/'.length), p] as const])));
}
/** Rejected, it looks again after five minutes. */
const FLUSHED = { again: 300_000 };
/** `a -> n1` for each pod bound, `a -` for each refused. */
const placed = (plans: Map<string, Plan>) =>
  [...plans].map(([name, p]) => {
    const w = p.writes[0];
    return w?.do === 'post'
      ? `${name} -> ${(w.body as unknown as { target: { name: string } }).target.name}`
      : `${name} -`;
  });
const FULL =
  '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';

describe('a round', () => {
  const two = { requests: { cpu: '2' } };
  const table: { what: string; given: Given[]; is: string[] }[] = [
    { what: 'binds a pod', given: [node('n'), pod('a')], is: ['a -> n'] },
    { what: 'leaves alone what has a node', given: [node('n'), pod('a', { nodeName: 'n' })], is: [] },
    {
      what: "leaves alone what is another scheduler's",
      given: [node('n'), pod('a', { schedulerName: 'mine' })],
      is: [],
    },
    {
      what: 'leaves alone what goes away',
      given: [node('n'), pod('a', { metadata: { deletionTimestamp: ago(1) } })],
      is: [],
    },
    { what: 'leaves alone what has ended', given: [node('n'), pod('a', { status: { phase: 'Failed' } })], is: [] },
    { what: 'leaves alone what is gated', given: [node('n'), pod('a', { schedulingGates: [{ name: 'x' }] })], is: [] },
    {
      what: 'counts each placement for the next',
      given: [node('n'), pod('a', two), pod('b', two), pod('c', two)],
      is: ['a -> n', 'b -> n', 'c -'],
    },
    {
      what: 'counts what runs already',
      given: [node('n'), pod('x', { nodeName: 'n', requests: { cpu: '3' } }), pod('a', two)],
      is: ['a -'],
    },
    {
      what: 'does not count what has ended',
      given: [
        node('n'),
        pod('x', { nodeName: 'n', requests: { cpu: '3' }, status: { phase: 'Succeeded' } }),
        pod('a', two),
      ],
      is: ['a -> n'],
    },
    {
      what: 'takes the more important first',
      given: [node('n'), pod('a', { ...two, priority: 1 }), pod('b', { requests: { cpu: '3' }, priority: 9 })],
      is: ['b -> n', 'a -'],
    },
    {
      what: 'takes the older of equals first',
      given: [
        node('n', { cpu: '2' }),
        pod('a', { ...two, metadata: { creationTimestamp: ago(5) } }),
        pod('b', { ...two, metadata: { creationTimestamp: ago(50) } }),
      ],
      is: ['b -> n', 'a -'],
    },
  ];
  for (const { what, given, is } of table) it(what, () => assert.deepEqual(placed(round(...given)), is));
  it('spreads over empty nodes', () => {
    const half = { requests: { cpu: '2', memory: '4Gi' } };
    const found = placed(round(node('n'), node('m'), pod('a', half), pod('b', half)));
    assert.deepEqual(found.map((t) => t.slice('a -> '.length)).sort(), ['m', 'n']);
  });
  it('places the same pods alike when it is made again', () => {
    const given = [...['n', 'm', 'o'].map((n) => node(n)), ...['a', 'b', 'c', 'd'].map((p) => pod(p))];
    assert.deepEqual(placed(round(...given)), placed(round(...given)));
  });
});

it('a binding names the uid of the pod that was seen, and is told of', () => {
  const plan = round(node('n'), pod('a')).get('a');
  assert.deepEqual(plan?.writes, [
    {
      do: 'post',
      key: 'pods/default/a',
      subresource: 'binding',
      body: {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: 'a', namespace: 'default', uid: 'uid-a' },
        target: { apiVersion: 'v1', kind: 'Node', name: 'n' },
      },
    },
  ]);
  assert.deepEqual(plan?.notes, [
    {
      on: 'pods/default/a',
      type: 'Normal',
      reason: 'Scheduled',
      message: 'Successfully assigned default/a to n',
      action: 'Binding',
    },
  ]);
});

describe('a pod that fits nowhere', () => {
  const big = { requests: { cpu: '3' } };
  const busy = pod('x', { nodeName: 'n', requests: { cpu: '3' } });
  const condition = (message: string, more: JsonObject = {}) => ({
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastProbeTime: null,
    lastTransitionTime: ago(0),
    observedGeneration: 2,
    ...more,
  });
  it('has the condition PodScheduled False and the event FailedScheduling', () => {
    const plan = round(node('n'), busy, pod('a', big)).get('a');
    assert.deepEqual(plan, {
      writes: [
        {
          do: 'patch',
          key: 'pods/default/a',
          type: 'strategic',
          subresource: 'status',
          patch: { status: { conditions: [condition(FULL)] } },
        },
      ],
      notes: [
        { on: 'pods/default/a', type: 'Warning', reason: 'FailedScheduling', message: FULL, action: 'Scheduling' },
      ],
      ...FLUSHED,
    });
  });
  it('is told so once', () => {
    const known = pod('a', { ...big, status: { conditions: [condition(FULL)] } });
    assert.deepEqual(round(node('n'), busy, known).get('a'), { writes: [], ...FLUSHED });
  });
  it('is told another reason without a new time of transition', () => {
    const old = {
      status: { conditions: [condition('no nodes available to schedule pods', { lastTransitionTime: ago(70) })] },
    };
    const [write] = round(node('n'), busy, pod('a', { ...big, ...old })).get('a')?.writes ?? [];
    assert.ok(write?.do === 'patch');
    assert.deepEqual(write.patch, { status: { conditions: [condition(FULL, { lastTransitionTime: ago(70) })] } });
  });
  it('in a cluster without nodes', () => {
    assert.equal(round(pod('a')).get('a')?.notes?.[0]?.message, 'no nodes available to schedule pods');
  });
});

describe('a pod that others make room for', () => {
  const low = (name: string, more: PodIn = {}) =>
    pod(name, { nodeName: 'n', priority: 1, requests: { cpu: '3' }, ...more });
  const high = (more: PodIn = {}) => pod('high', { priority: 9, requests: { cpu: '2' }, ...more });
  const message =
    '0/1 nodes are available: 1 Insufficient cpu. preemption: found a potential placement for pod on node n, preempting 1 victims';

  it('has them told and deleted, and the node named as its own', () => {
    const plan = round(node('n'), low('low'), high()).get('high');
    const [told, gone, own] = plan?.writes ?? [];
    assert.ok(told?.do === 'patch' && own?.do === 'patch');
    const [condition] = (told.patch.status as { conditions: JsonObject[] }).conditions;
    assert.deepEqual(condition, {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
      lastProbeTime: null,
      lastTransitionTime: ago(0),
      observedGeneration: 2,
    });
    assert.deepEqual(gone, { do: 'delete', key: 'pods/default/low', uid: 'uid-low' });
    assert.equal((own.patch.status as JsonObject).nominatedNodeName, 'n');
    assert.deepEqual(
      plan?.notes?.map((n) => `${n.type} ${n.reason} ${n.on}: ${n.message}`),
      [
        'Normal Preempted pods/default/low: Preempted by pod uid-high on node n',
        `Warning FailedScheduling pods/default/high: ${message}`,
      ],
    );
  });
  it('waits while they end, and says so once', () => {
    const condition = { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' };
    const ending = low('low', { metadata: { deletionTimestamp: ago(1) }, status: { conditions: [condition] } });
    const waits =
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.';
    const told = { type: 'PodScheduled', status: 'False', message: waits };
    const of = (conditions: JsonObject[]) => high({ status: { nominatedNodeName: 'n', conditions } });
    const news = round(node('n'), ending, of([])).get('high');
    assert.deepEqual(
      news?.writes.map((w) => w.do),
      ['patch'],
    );
    assert.deepEqual(round(node('n'), ending, of([told])).get('high'), { writes: [], ...FLUSHED });
  });
  it('leaves alone who goes already', () => {
    const told = { type: 'PodScheduled', status: 'False', message };
    const ending = low('low', { metadata: { deletionTimestamp: ago(1) } });
    const plan = round(node('n'), ending, high({ status: { nominatedNodeName: 'n', conditions: [told] } })).get('high');
    assert.deepEqual(plan, { writes: [], ...FLUSHED });
  });
  it('keeps its room from less important ones, due or not', () => {
    const nominated = high({ status: { nominatedNodeName: 'n' }, requests: { cpu: '4' } });
    const small = pod('small', { priority: 2, requests: { cpu: '1' } });
    assert.equal(
      plansOf([keyFor(small)], [node('n'), nominated, small]).get('small')?.writes[0]?.do,
      'patch',
      'refused',
    );
    const urgent = pod('urgent', { priority: 10, requests: { cpu: '1' } });
    const bound = plansOf([keyFor(urgent)], [node('n'), nominated, urgent]).get('urgent');
    assert.equal(bound?.writes[0]?.do, 'post', 'a more important one goes first');
  });
  it('gives the node up where it can no longer be its own', () => {
    const [write] = round(node('n'), low('low', { priority: 99 }), high({ status: { nominatedNodeName: 'n' } })).get(
      'high',
    )?.writes ?? [undefined];
    assert.ok(write?.do === 'patch');
    assert.equal((write.patch.status as JsonObject).nominatedNodeName, null);
  });
});

describe('promises', () => {
  const low = pod('low', { nodeName: 'n', priority: 1, requests: { cpu: '4' } });
  const patches = (plan: Plan | undefined) =>
    (plan?.writes ?? []).flatMap((w) =>
      w.do === 'patch' ? [[w.key, (w.patch.status as JsonObject).nominatedNodeName]] : [],
    );
  it('of the same node to the less important are taken back', () => {
    const less = pod('less', { priority: 5, requests: { cpu: '2' }, status: { nominatedNodeName: 'n' } });
    const more = pod('more', { priority: 9, requests: { cpu: '4' } });
    const plan = plansOf([keyFor(more)], [node('n'), low, less, more]).get('more');
    assert.deepEqual(patches(plan), [
      ['pods/default/less', null],
      ['pods/default/low', undefined],
      ['pods/default/more', 'n'],
    ]);
  });
  it('end with the last node', () => {
    const plan = round(pod('a', { status: { nominatedNodeName: 'n' } })).get('a');
    assert.deepEqual(patches(plan), [['pods/default/a', null]]);
  });
  it('hold while nobody may be put out', () => {
    const waits = pod('a', { preemptionPolicy: 'Never', requests: { cpu: '1' }, status: { nominatedNodeName: 'n' } });
    assert.deepEqual(patches(round(node('n'), low, waits).get('a')), [['pods/default/a', undefined]]);
  });
});

it('two pods that need the same room do not put the same pod out twice', () => {
  const low = pod('low', { nodeName: 'n', priority: 1, requests: { cpu: '4' } });
  const high = (name: string) => pod(name, { priority: 9, requests: { cpu: '2' } });
  const plans = round(node('n'), low, high('a'), high('b'));
  const deleted = [...plans.values()].flatMap((p) => p.writes.filter((w) => w.do === 'delete'));
  assert.equal(deleted.length, 1);
  const nominations = [...plans.values()].map((p) => p.writes.at(-1)).map((w) => w?.do === 'patch' && w.patch.status);
  assert.deepEqual(
    nominations.map((s) => (s as JsonObject).nominatedNodeName),
    ['n', 'n'],
  );
});

it('a pod that cannot be decided on stops no others, and is told', () => {
  const bad = pod('bad', { topologySpreadConstraints: 'no list' as never });
  const plans = round(node('n'), bad, pod('good'));
  assert.equal(plans.get('good')?.writes[0]?.do, 'post');
  const [write] = plans.get('bad')?.writes ?? [];
  assert.ok(write?.do === 'patch');
  const [condition] = (write.patch.status as { conditions: JsonObject[] }).conditions;
  assert.equal(condition?.reason, 'SchedulerError');
});
