import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, Pod, SchedulerPlugin } from './framework.ts';
import { plugins } from './plugins/index.ts';
import { podInfo } from './podinfo.ts';
import { enough, schedule } from './schedule.ts';
import { node, pod, snapshotOf } from './testing/pods.ts';

const run = (p: Pod, nodes: NodeInfo[], tie = 0, with_ = plugins) => {
  const d = schedule(podInfo(p), snapshotOf(nodes), with_, { start: 0, tie });
  return 'node' in d ? d.node.name : d.message;
};
const TAINTED = { taints: [{ key: 'k', effect: 'NoSchedule' }] };

describe("why a pod fits nowhere is told in upstream's words", () => {
  const full = (name: string) => node(name, { allocatable: { pods: '1' }, on: [pod(`x-${name}`)] });
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: string }[] = [
    { what: 'no nodes', pod: pod('p'), nodes: [], is: 'no nodes available to schedule pods' },
    {
      what: 'too little cpu',
      pod: pod('p', { requests: { cpu: '1' } }),
      nodes: [node('a', { on: [pod('x', { requests: { cpu: '4' } })] })],
      is: '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    },
    {
      what: 'nodes that eviction does not help',
      pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
      nodes: [node('a'), node('b')],
      is: "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    },
    {
      what: 'both, each reason with its count, sorted as text',
      pod: pod('p'),
      nodes: [node('a', TAINTED), full('b'), full('c'), node('d', { unschedulable: true })],
      is: '0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Too many pods. preemption: 0/4 nodes are available: 2 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.',
    },
    {
      what: 'all reasons of one node',
      pod: pod('p', { requests: { cpu: '5', memory: '9Gi' } }),
      nodes: [node('a')],
      is: '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    },
    {
      what: 'a pod that preempts nobody',
      pod: pod('p', { preemptionPolicy: 'Never' }),
      nodes: [full('a')],
      is: '0/1 nodes are available: 1 Too many pods. preemption: not eligible due to preemptionPolicy=Never.',
    },
    {
      what: 'the first plugin that rejects a node names the reason',
      pod: pod('p', { nodeName: 'z' }),
      nodes: [node('a', { ...TAINTED, unschedulable: true })],
      is: "0/1 nodes are available: 1 node(s) didn't match the requested node name. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    },
  ];
  for (const { what, pod: p, nodes, is } of table) it(what, () => assert.equal(run(p, nodes), is));

  it('a plugin that rejects the pod before any node', () => {
    const gate: SchedulerPlugin = { name: 'Gate', retryOn: {}, prepare: () => ({ reasons: ['not today'] }) };
    assert.equal(
      run(pod('p'), [node('a'), node('b')], 0, [gate, ...plugins]),
      '0/2 nodes are available: not today. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
  });
});

describe('of the nodes that a pod fits on it goes to', () => {
  const soft = { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] };
  const busy = pod('x', { requests: { cpu: '2', memory: '4Gi' } });
  const zone = (weight: number, value: string) => ({
    weight,
    preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: [value] }] },
  });
  const prefers = (...preferredDuringSchedulingIgnoredDuringExecution: ReturnType<typeof zone>[]) =>
    pod('p', { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } });
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: string }[] = [
    { what: 'the only one', pod: pod('p'), nodes: [node('a', TAINTED), node('b')], is: 'b' },
    {
      what: 'the emptier one',
      pod: pod('p', { requests: { cpu: '1', memory: '2Gi' } }),
      nodes: [node('a', { on: [busy] }), node('b')],
      is: 'b',
    },
    {
      what: 'the one without soft taints',
      pod: pod('p'),
      nodes: [node('a', soft), node('b', { on: [busy] })],
      is: 'b',
    },
    {
      what: 'the one that it prefers more',
      pod: prefers(zone(10, 'y'), zone(90, 'z')),
      nodes: [node('a', { labels: { zone: 'y' } }), node('b', { labels: { zone: 'z' } })],
      is: 'b',
    },
  ];
  for (const { what, pod: p, nodes, is } of table) it(what, () => assert.equal(run(p, nodes), is));

  it('any of equals, by chance', () => {
    const nodes = ['a', 'b', 'c', 'd'].map((n) => node(n));
    assert.deepEqual(
      [0, 0.3, 0.6, 0.99].map((tie) => run(pod('p'), nodes, tie)),
      ['a', 'b', 'c', 'd'],
    );
  });
});

describe('of many nodes', () => {
  // schedule_one_test.go, TestNumFeasibleNodesToFind.
  for (const [nodes, is] of [
    [10, 10],
    [99, 99],
    [100, 100],
    [1000, 420],
    [5000, 500],
    [6000, 300],
  ] as const)
    it(`${is} are enough of ${nodes}`, () => assert.equal(enough(nodes), is));

  const many = Array.from({ length: 300 }, (_, i) => node(`n${String(i).padStart(3, '0')}`));
  const looked = (start: number) => schedule(podInfo(pod('p')), snapshotOf(many), plugins, { start, tie: 0 });
  it('no more are looked at than needed, from where the last search ended', () => {
    assert.deepEqual(looked(0).looked, 144);
    const later = looked(200);
    assert.ok('node' in later);
    assert.equal(later.node.name, 'n200');
  });
});

describe('a pod that names its nodes', () => {
  const named = (...nodeSelectorTerms: object[]) =>
    pod('p', {
      requests: { cpu: '5' },
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } as never,
    });
  const field = (...values: string[]) => ({ matchFields: [{ key: 'metadata.name', operator: 'In', values }] });
  const three = [node('a', { allocatable: { cpu: '8' } }), node('b'), node('c')];
  const only = (n: string) => `${n} node(s) didn't satisfy plugin(s) [NodeAffinity]`;
  const NO_HELP = 'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';
  const table: { what: string; pod: Pod; is: string }[] = [
    { what: 'goes there', pod: named(field('a')), is: 'a' },
    {
      what: 'is told of the others together',
      pod: named(field('b')),
      is: `0/3 nodes are available: 1 Insufficient cpu, ${only('2')}. ${NO_HELP}`,
    },
    {
      what: 'names some in each term',
      pod: named(field('b'), field('c')),
      is: `0/3 nodes are available: ${only('1')}, 2 Insufficient cpu. ${NO_HELP}`,
    },
    {
      what: 'names one that is not there',
      pod: named(field('z')),
      is: `0/3 nodes are available: ${only('3')}. ${NO_HELP}`,
    },
    {
      what: 'names none at all',
      pod: named({ matchFields: [...field('a').matchFields, ...field('b').matchFields] }),
      is: `0/3 nodes are available: pod affinity terms conflict. ${NO_HELP}`,
    },
    {
      what: 'looks at all where one term names none',
      pod: named(field('b'), { matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }),
      is: 'a',
    },
  ];
  for (const { what, pod: p, is } of table) it(what, () => assert.equal(run(p, three), is));
});

describe('room that is kept', () => {
  const waits = (name: string, priority: number, o: Parameters<typeof pod>[1] = {}) =>
    podInfo(pod(name, { priority, ...o }));
  const two = { requests: { cpu: '2' } };
  const on = (...nodes: NodeInfo[]) => snapshotOf(nodes);
  const decide = (p: ReturnType<typeof waits>, c: ReturnType<typeof on>) => {
    const d = schedule(p, c, plugins, { start: 0, tie: 0 });
    return 'node' in d ? d.node.name : d.message.slice(0, d.message.indexOf(' preemption'));
  };
  const keep = (c: ReturnType<typeof on>, p: ReturnType<typeof waits>, node: string) => {
    c.nominate(p, p.key, node);
    return c;
  };
  it('is not taken by pods that are as important', () => {
    const c = keep(on(node('a')), waits('first', 5, { requests: { cpu: '3' } }), 'a');
    assert.equal(decide(waits('p', 5, two), c), '0/1 nodes are available: 1 Insufficient cpu.');
    assert.equal(decide(waits('q', 6, two), c), 'a', 'but by more important ones');
  });
  it('is its own', () => {
    const p = waits('p', 5, two);
    assert.equal(decide(p, keep(on(node('a')), p, 'a')), 'a');
  });
  it('is no company: it may end up elsewhere', () => {
    const red = { color: 'red' };
    const near = {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: red } }],
      },
    };
    const c = keep(on(node('a', { labels: { zone: 'z' } })), waits('first', 5, { labels: red }), 'a');
    assert.equal(
      decide(waits('p', 5, { affinity: near }), c),
      "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    );
  });
  it('the node that was promised is looked at first', () => {
    const p = podInfo({ ...pod('p', two), status: { nominatedNodeName: 'b' } } as Pod);
    assert.equal(decide(p, on(node('a'), node('b', { on: [pod('x', two)] }))), 'b');
  });
});
