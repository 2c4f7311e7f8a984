import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult, Plan } from '../../kube/reconcile/controller.ts';
import { nodelifecycle } from './nodelifecycle.ts';
import { ago, type Given, NOW, planFor, printed } from './testing/view.ts';

interface Condition {
  type: string;
  status: string;
  reason?: string;
  lastHeartbeatTime?: string;
  lastTransitionTime?: string;
}
const condition = (type: string, status: string, beat = 5): Condition => ({
  type,
  status,
  lastHeartbeatTime: ago(beat),
  lastTransitionTime: ago(900),
});
const TTL = 'node.alpha.kubernetes.io/ttl';
function node(
  conditions: Condition[],
  more: { spec?: JsonObject; labels?: Record<string, string>; age?: number } = {},
): Given {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'n',
      uid: 'u',
      resourceVersion: '9',
      creationTimestamp: ago(more.age ?? 1_000),
      labels: more.labels ?? {},
      annotations: { [TTL]: '0' },
    },
    spec: more.spec ?? {},
    status: { conditions },
  } as unknown as Given;
}
const pod = (name: string, on: string, ready: boolean): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { nodeName: on },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Given;
const heard = (
  o: { connected?: boolean; secondsAgo?: number; asked?: number } = {},
  round = 1,
): Record<string, EffectResult> => ({
  [`heard/${round}`]: {
    ok: true,
    value: { connected: o.connected ?? true, heardMs: NOW - (o.secondsAgo ?? 0) * 1000, askedMs: o.asked ?? NOW },
  },
});
const SILENT = heard({ connected: false, secondsAgo: 41 });
const written = (plan: Plan): Record<'metadata' | 'spec' | 'status', JsonObject> | undefined => {
  const w = plan.writes.find((x) => x.do === 'update');
  return w?.do === 'update' ? (w.object as never) : undefined;
};
const taints = (plan: Plan) => {
  const found = (written(plan)?.spec.taints ?? []) as { key: string; effect: string }[];
  return found.map((t) => `${t.key.replace('node.kubernetes.io/', '')}:${t.effect}`);
};
const taint = (key: string, effect: string): JsonObject => ({
  key: `node.kubernetes.io/${key}`,
  effect,
  timeAdded: ago(50),
});
const tainted = (...list: JsonObject[]) => ({ spec: { taints: list as Json } });

describe('the taints of a node say what its conditions say', () => {
  const ready = condition('Ready', 'True');
  const table: { what: string; of: Given; is: string[] | 'nothing written' }[] = [
    { what: 'ready: none', of: node([ready]), is: 'nothing written' },
    { what: 'not ready', of: node([condition('Ready', 'False')]), is: ['not-ready:NoSchedule', 'not-ready:NoExecute'] },
    {
      what: 'unknown',
      of: node([condition('Ready', 'Unknown')]),
      is: ['unreachable:NoSchedule', 'unreachable:NoExecute'],
    },
    {
      what: 'no network',
      of: node([ready, condition('NetworkUnavailable', 'True')]),
      is: ['network-unavailable:NoSchedule'],
    },
    {
      what: 'pressures',
      of: node([ready, ...['MemoryPressure', 'DiskPressure', 'PIDPressure'].map((t) => condition(t, 'True'))]),
      is: ['memory-pressure:NoSchedule', 'disk-pressure:NoSchedule', 'pid-pressure:NoSchedule'],
    },
    {
      what: 'a pressure that nobody knows of: none',
      of: node([ready, condition('MemoryPressure', 'Unknown')]),
      is: 'nothing written',
    },
    { what: 'cordoned', of: node([ready], { spec: { unschedulable: true } }), is: ['unschedulable:NoSchedule'] },
    { what: 'uncordoned', of: node([ready], tainted(taint('unschedulable', 'NoSchedule'))), is: [] },
    {
      what: 'ready again',
      of: node([ready], tainted(taint('not-ready', 'NoSchedule'), taint('not-ready', 'NoExecute'))),
      is: [],
    },
    {
      what: 'not ready after unreachable',
      of: node(
        [condition('Ready', 'False')],
        tainted(taint('unreachable', 'NoSchedule'), taint('unreachable', 'NoExecute')),
      ),
      is: ['not-ready:NoSchedule', 'not-ready:NoExecute'],
    },
    {
      what: 'those of others stay',
      of: node([ready], tainted({ key: 'mine', effect: 'NoSchedule' }, taint('memory-pressure', 'NoSchedule'))),
      is: ['mine:NoSchedule'],
    },
    {
      what: 'a NoExecute taint of a pressure is not ours',
      of: node([ready], tainted(taint('memory-pressure', 'NoExecute'))),
      is: 'nothing written',
    },
    {
      what: 'without a Ready condition a not-ready taint stays',
      of: node([], { ...tainted(taint('not-ready', 'NoExecute')), age: 10 }),
      is: 'nothing written',
    },
  ];
  for (const { what, of, is } of table)
    it(what, () => {
      const plan = planFor(nodelifecycle, [of], { results: heard() });
      if (is === 'nothing written') assert.deepEqual(plan.writes, []);
      else {
        assert.deepEqual(printed(plan), ['update nodes/n']);
        assert.deepEqual(taints(plan), is);
      }
    });

  it('a taint that stays keeps its time, a new one has the present, and the object is replaced as it was seen', () => {
    const of = node([condition('Ready', 'False')], tainted(taint('not-ready', 'NoSchedule')));
    const made = written(planFor(nodelifecycle, [of], { results: heard() }));
    const found = made?.spec.taints as { timeAdded: string }[];
    assert.deepEqual(
      found.map((t) => t.timeAdded),
      [ago(50), ago(0)],
    );
    assert.equal(made?.metadata.resourceVersion, '9');
  });
});

describe('the beta labels say what the stable ones say', () => {
  const table: { what: string; labels: Record<string, string>; is: Record<string, string> | undefined }[] = [
    {
      what: 'missing',
      labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'arm64' },
      is: { 'beta.kubernetes.io/os': 'linux', 'beta.kubernetes.io/arch': 'arm64' },
    },
    {
      what: 'wrong',
      labels: { 'kubernetes.io/os': 'linux', 'beta.kubernetes.io/os': 'windows' },
      is: { 'beta.kubernetes.io/os': 'linux' },
    },
    { what: 'right', labels: { 'kubernetes.io/os': 'linux', 'beta.kubernetes.io/os': 'linux' }, is: undefined },
    { what: 'no stable one', labels: { 'beta.kubernetes.io/os': 'linux' }, is: undefined },
  ];
  for (const { what, labels, is } of table)
    it(what, () => {
      const made = written(
        planFor(nodelifecycle, [node([condition('Ready', 'True')], { labels })], { results: heard() }),
      );
      assert.deepEqual(made?.metadata.labels, is && { ...labels, ...is });
    });
});

describe('a node', () => {
  it('that nobody has seen gets its annotation, and an Event says that it is known', () => {
    const fresh = node([condition('Ready', 'True')]);
    fresh.metadata.annotations = { own: 'kept' };
    const plan = planFor(nodelifecycle, [fresh], { results: heard() });
    assert.deepEqual(printed(plan), ['update nodes/n']);
    assert.deepEqual(written(plan)?.metadata.annotations, { own: 'kept', [TTL]: '0' });
    assert.deepEqual(
      plan.notes?.map((n) => `${n.reason} ${n.message}`),
      ['RegisteredNode Node n event: Registered Node n in Controller'],
    );
  });
  const ready = node([condition('Ready', 'True', 41)]);
  it('is asked for first, and anew where that failed', () => {
    assert.deepEqual(planFor(nodelifecycle, [ready]).effects, [
      { id: 'heard/1', name: 'nodeHeard', input: { node: 'n' } },
    ]);
    const failed = { 'heard/4': { ok: false, error: 'no' } } as const;
    assert.equal(planFor(nodelifecycle, [ready], { results: failed }).effects?.[0]?.id, 'heard/5');
  });

  const table: {
    what: string;
    of: Given;
    results: Record<string, EffectResult>;
    silent: boolean;
    again?: number;
    asks: string;
  }[] = [
    {
      what: 'with a tunnel is alive, however old its status is',
      of: ready,
      results: heard({ secondsAgo: 99 }),
      silent: false,
      asks: 'heard/1',
    },
    {
      what: 'without one is alive for 40 s after it was heard',
      of: ready,
      results: heard({ connected: false, secondsAgo: 30 }),
      silent: false,
      again: 10_000,
      asks: 'heard/1',
    },
    {
      what: 'is asked for again when these are over',
      of: ready,
      results: heard({ connected: false, secondsAgo: 45, asked: NOW - 10_000 }),
      silent: false,
      asks: 'heard/2',
    },
    { what: 'is silent after that', of: ready, results: SILENT, silent: true, asks: 'heard/1' },
    {
      what: 'whose status came later than its last sign is alive',
      of: node([condition('Ready', 'True', 15)]),
      results: SILENT,
      silent: false,
      again: 25_000,
      asks: 'heard/1',
    },
    {
      what: 'that never reported has 60 s',
      of: node([], { age: 50 }),
      results: heard({ connected: false, secondsAgo: 1e6 }),
      silent: false,
      again: 10_000,
      asks: 'heard/1',
    },
    {
      what: 'that never reported is silent after that',
      of: node([], { age: 61 }),
      results: heard({ connected: false, secondsAgo: 1e6 }),
      silent: true,
      asks: 'heard/1',
    },
  ];
  for (const { what, of, results, silent, again, asks } of table)
    it(what, () => {
      const plan = planFor(nodelifecycle, [of], { results });
      assert.deepEqual(printed(plan), silent ? ['update nodes/n status'] : []);
      assert.equal(plan.again, again);
      assert.deepEqual(
        plan.effects?.map((e) => e.id),
        [asks],
      );
    });

  it("that fell silent is unknown in all that its kubelet answers for, in upstream's words", () => {
    const of = node([
      condition('Ready', 'True', 60),
      condition('MemoryPressure', 'Unknown', 60),
      condition('NetworkUnavailable', 'False', 60),
    ]);
    const status = written(planFor(nodelifecycle, [of], { results: SILENT }))?.status as {
      conditions: Record<string, string>[];
    };
    const was = { lastHeartbeatTime: ago(60), lastTransitionTime: ago(900) };
    const never = {
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: ago(1_000),
      lastTransitionTime: ago(0),
    };
    assert.deepEqual(status.conditions, [
      {
        type: 'Ready',
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastHeartbeatTime: ago(60),
        lastTransitionTime: ago(0),
      },
      { type: 'MemoryPressure', status: 'Unknown', ...was },
      { type: 'NetworkUnavailable', status: 'False', ...was },
      { type: 'DiskPressure', ...never },
      { type: 'PIDPressure', ...never },
    ]);
  });

  it('that fell silent takes its ready pods down, and both are told of; pods elsewhere stay', () => {
    const plan = planFor(
      nodelifecycle,
      [node([condition('Ready', 'True', 60)]), pod('a', 'n', true), pod('b', 'n', false), pod('c', 'm', true)],
      { results: SILENT },
    );
    assert.deepEqual(printed(plan), ['update nodes/n status', 'patch pods/default/a status']);
    const patch = plan.writes[1];
    assert.ok(patch?.do === 'patch');
    assert.deepEqual(patch.patch, {
      metadata: { uid: 'uid-a' },
      status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: ago(0) }] },
    });
    assert.deepEqual(
      plan.notes?.map((n) => `${n.type} ${n.reason} ${n.on}: ${n.message}`),
      [
        'Normal NodeNotReady nodes/n: Node n status is now: NodeNotReady',
        'Warning NodeNotReady pods/default/a: Node is not ready',
      ],
    );
  });

  it('that is known to be silent is tainted, and told of no more', () => {
    const of = node(['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'].map((t) => condition(t, 'Unknown', 99)));
    const plan = planFor(nodelifecycle, [of], { results: heard({ connected: false, secondsAgo: 99 }) });
    assert.deepEqual(printed(plan), ['update nodes/n']);
    assert.deepEqual(taints(plan), ['unreachable:NoSchedule', 'unreachable:NoExecute']);
    assert.deepEqual(plan.notes, []);
    assert.equal(plan.again, undefined, 'its tunnel tells when it comes back');
  });

  it('that is gone is nobody', () => {
    assert.deepEqual(nodelifecycle.reconcile('nodes/n', undefined, {} as never), { writes: [] });
  });
});
