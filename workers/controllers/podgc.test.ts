import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult, Row } from '../../kube/reconcile/controller.ts';
import { podgc } from './podgc.ts';
import { tainteviction } from './tainteviction.ts';
import { ago, type Given, keyFor, NOW, printed, viewOf } from './testing/view.ts';

// Cases of kubernetes pkg/controller/podgc gc_controller_test.go and tainteviction taint_eviction_test.go.

const GONE = 'nodes/n';
const node = (o: { ready?: boolean; taints?: JsonObject[] } = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', uid: 'n' },
    spec: { taints: o.taints ?? [] },
    status: { conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True' }] },
  }) as unknown as Given;
interface PodIn {
  phase?: string;
  node?: string;
  deleting?: boolean;
  age?: number;
  reason?: string;
  tolerations?: JsonObject[];
  bound?: number;
}
const pod = (name: string, o: PodIn = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'd',
    uid: name,
    generation: 2,
    creationTimestamp: ago(o.age ?? 500),
    ...(o.deleting ? { deletionTimestamp: ago(1) } : {}),
  },
  spec: { nodeName: o.node ?? 'n', tolerations: o.tolerations ?? [] },
  status: {
    phase: o.phase ?? 'Running',
    ...(o.reason ? { reason: o.reason } : {}),
    conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: ago(o.bound ?? 400) }],
  },
});
const clock = (id: string, secondsAgo: number): Record<string, EffectResult> => ({
  [id]: { ok: true, value: { at: NOW - secondsAgo * 1000 } },
});
const rowOf = (p: Given): Row => {
  const row = viewOf(podgc, [p]).get(keyFor(p));
  assert.ok(row);
  return row;
};

describe('pods of a node that is not there', () => {
  const pods = [
    pod('a', { phase: 'Failed' }),
    pod('b', { phase: 'Succeeded' }),
    pod('c'),
    pod('far', { node: 'other' }),
  ];
  const gone = (results?: Record<string, EffectResult>) =>
    podgc.reconcile(GONE, undefined, viewOf(podgc, pods, results ? { results } : {}));
  it('stay at first', () => assert.deepEqual([gone().writes, gone().effects?.[0]?.name], [[], 'clock']));
  it('stay for 40 seconds', () => {
    const plan = gone(clock('missing', 30));
    assert.deepEqual([plan.writes, plan.again, plan.effects?.[0]?.id], [[], 10_000, 'missing']);
  });
  it('go after that, as failed', () => {
    const plan = gone(clock('missing', 40));
    assert.deepEqual(printed(plan), ['delete pods/d/a', 'delete pods/d/b', 'patch pods/d/c status', 'delete pods/d/c']);
    const [patch] = plan.writes.filter((w) => w.do === 'patch');
    assert.deepEqual(patch?.do === 'patch' && patch.patch.status, {
      phase: 'Failed',
      observedGeneration: 2,
      conditions: [
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'DeletionByPodGC',
          message: 'PodGC: node no longer exists',
          observedGeneration: 2,
          lastTransitionTime: ago(0),
        },
      ],
    });
    assert.ok(plan.writes.every((w) => w.do !== 'delete' || w.graceSeconds === 0));
  });
  it('are nobody where there are none', () =>
    assert.deepEqual(podgc.reconcile(GONE, undefined, viewOf(podgc, [])), { writes: [] }));
});

describe('a node out of service', () => {
  const taint = { key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' };
  const pods = [pod('a', { deleting: true }), pod('b'), pod('c', { deleting: true, phase: 'Succeeded', age: 900 })];
  const table: { what: string; of: Given; does: string[]; again?: number }[] = [
    {
      what: 'gives its ending pods free',
      of: node({ ready: false, taints: [taint] }),
      does: ['delete pods/d/c', 'patch pods/d/a status', 'delete pods/d/a'],
      again: 20_000,
    },
    { what: 'that is ready does not', of: node({ taints: [taint] }), does: [] },
    { what: 'that is not ready alone does not', of: node({ ready: false }), does: [] },
  ];
  for (const { what, of, does, again } of table)
    it(what, () => {
      const plan = podgc.reconcile(GONE, of, viewOf(podgc, [of, ...pods]));
      assert.deepEqual([printed(plan), plan.again], [does, again]);
    });
});

describe('pods that ended', () => {
  const many = (count: number, o: PodIn = {}) =>
    Array.from({ length: count }, (_, i) =>
      pod(`p${String(i).padStart(5, '0')}`, { phase: 'Succeeded', age: 1_000 + i, ...o }),
    );
  const gone = (pods: Given[]) => printed(podgc.reconcile('ended/', undefined, viewOf(podgc, pods)));
  it('stay, 12500 of them', () => assert.deepEqual(gone(many(12_500)), []));
  it('go beyond that: evicted ones, then the oldest', () => {
    const pods = [...many(12_500), pod('new', { phase: 'Failed', age: 1, reason: 'Evicted' }), pod('run')];
    assert.deepEqual(gone(pods), ['delete pods/d/new']);
    assert.deepEqual(gone([...pods, pod('new2', { phase: 'Failed', age: 1 })]), [
      'delete pods/d/new',
      'delete pods/d/p12499',
    ]);
  });
});

describe('what a pod makes the collector look at', () => {
  const out = node({ ready: false, taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] });
  const table: { what: string; is: Given; was?: Given; nodes: Given[]; keys: string[] }[] = [
    { what: 'a running one: nothing', is: pod('a'), nodes: [node()], keys: [] },
    { what: 'one on no known node: the node', is: pod('a'), nodes: [], keys: ['nodes/n'] },
    {
      what: 'one that ends on a node out of service: the node',
      is: pod('a', { deleting: true }),
      nodes: [out],
      keys: ['nodes/n'],
    },
    { what: 'one that ends on another: nothing', is: pod('a', { deleting: true }), nodes: [node()], keys: [] },
    {
      what: 'one that ends without a node: itself',
      is: pod('a', { deleting: true, node: '' }),
      nodes: [],
      keys: ['pods/d/a'],
    },
    {
      what: 'one that has ended now: those that ended',
      is: pod('a', { phase: 'Failed' }),
      was: pod('a'),
      nodes: [node()],
      keys: ['ended/'],
    },
    {
      what: 'one that had ended: nothing',
      is: pod('a', { phase: 'Failed' }),
      was: pod('a', { phase: 'Failed' }),
      nodes: [node()],
      keys: [],
    },
  ];
  for (const { what, is, was, nodes, keys } of table)
    it(what, () => assert.deepEqual(podgc.watches?.[1]?.map(rowOf(is), viewOf(podgc, nodes), was && rowOf(was)), keys));
  it('one that ends without a node goes', () => {
    const lost = pod('a', { deleting: true, node: '', phase: 'Pending' });
    assert.deepEqual(printed(podgc.reconcile('pods/d/a', undefined, viewOf(podgc, [lost]))), [
      'patch pods/d/a status',
      'delete pods/d/a',
    ]);
  });
});

describe('a node that evicts', () => {
  const taint = (key: string, more: JsonObject = {}): JsonObject => ({
    key,
    value: 'v',
    effect: 'NoExecute',
    timeAdded: ago(60),
    ...more,
  });
  const tolerates = (key: string, tolerationSeconds?: number): JsonObject => ({
    key,
    value: 'v',
    operator: 'Equal',
    effect: 'NoExecute',
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  });
  const table: { what: string; taints: JsonObject[]; pod: PodIn; goes: boolean; again?: number }[] = [
    { what: 'no taints: stays', taints: [], pod: {}, goes: false },
    { what: 'a taint of another effect: stays', taints: [taint('a', { effect: 'NoSchedule' })], pod: {}, goes: false },
    { what: 'not tolerated: goes', taints: [taint('a')], pod: {}, goes: true },
    { what: 'tolerated for ever: stays', taints: [taint('a')], pod: { tolerations: [tolerates('a')] }, goes: false },
    {
      what: 'tolerated by Exists: stays',
      taints: [taint('a')],
      pod: { tolerations: [{ operator: 'Exists' }] },
      goes: false,
    },
    {
      what: 'tolerated a while: waits',
      taints: [taint('a')],
      pod: { tolerations: [tolerates('a', 100)] },
      goes: false,
      again: 40_000,
    },
    {
      what: 'tolerated a while that is over: goes',
      taints: [taint('a')],
      pod: { tolerations: [tolerates('a', 60)] },
      goes: true,
    },
    { what: 'tolerated no time: goes', taints: [taint('a')], pod: { tolerations: [tolerates('a', 0)] }, goes: true },
    {
      what: 'tolerated since it came: waits',
      taints: [taint('a')],
      pod: { tolerations: [tolerates('a', 60)], bound: 10 },
      goes: false,
      again: 50_000,
    },
    {
      what: 'one of two not tolerated: goes',
      taints: [taint('a'), taint('b')],
      pod: { tolerations: [tolerates('a')] },
      goes: true,
    },
    {
      what: 'the shortest of two',
      taints: [taint('a'), taint('b')],
      pod: { tolerations: [tolerates('a', 200), tolerates('b', 90)] },
      goes: false,
      again: 30_000,
    },
    {
      what: 'one for ever, one a while',
      taints: [taint('a'), taint('b')],
      pod: { tolerations: [tolerates('a'), tolerates('b', 90)] },
      goes: false,
      again: 30_000,
    },
    {
      what: 'the usual tolerations: five minutes',
      taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: ago(60) }],
      pod: {
        tolerations: ['not-ready', 'unreachable'].map((k) => ({
          key: `node.kubernetes.io/${k}`,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        })),
      },
      goes: false,
      again: 240_000,
    },
    { what: 'goes already: left', taints: [taint('a')], pod: { deleting: true }, goes: false },
    { what: 'on another node: stays', taints: [taint('a')], pod: { node: 'far' }, goes: false },
  ];
  for (const { what, taints, pod: p, goes, again } of table)
    it(what, () => {
      const of = node({ taints });
      const plan = tainteviction.reconcile(GONE, of, viewOf(tainteviction, [of, pod('p', p)]));
      assert.deepEqual([printed(plan), plan.again], [goes ? ['patch pods/d/p status', 'delete pods/d/p'] : [], again]);
      if (goes) assert.equal(plan.notes?.[0]?.message, 'Marking for deletion Pod d/p');
    });
  it('asks what time it is where a taint does not say since when it is there', () => {
    const of = node({ taints: [{ key: 'a', value: 'v', effect: 'NoExecute' }] });
    const pods = [of, pod('p', { tolerations: [tolerates('a', 60)] })];
    const first = tainteviction.reconcile(GONE, of, viewOf(tainteviction, pods));
    assert.deepEqual([first.writes, first.effects?.[0]?.id], [[], 'since/a=v']);
    const later = tainteviction.reconcile(GONE, of, viewOf(tainteviction, pods, { results: clock('since/a=v', 20) }));
    assert.deepEqual([later.writes, later.again], [[], 40_000]);
    const over = tainteviction.reconcile(GONE, of, viewOf(tainteviction, pods, { results: clock('since/a=v', 60) }));
    assert.equal(printed(over).length, 2);
  });
  it('is looked at again when a pod comes, or tolerates something else', () => {
    const row = (p: Given): Row => viewOf(tainteviction, [p]).get(keyFor(p)) as Row;
    const map = tainteviction.watches?.[0]?.map;
    const view = viewOf(tainteviction, [node({ taints: [taint('a')] })]);
    const other = pod('p', { tolerations: [tolerates('a')] });
    assert.deepEqual(
      [
        map?.(row(pod('p')), view),
        map?.(row(pod('p')), view, row(pod('p'))),
        map?.(row(pod('p')), view, row(other)),
        map?.(row(pod('p')), viewOf(tainteviction, [node()])),
      ],
      [['nodes/n'], [], ['nodes/n'], []],
    );
  });
});
