import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, Pod, SchedulerPlugin } from './framework.ts';
import { plugins } from './plugins/index.ts';
import { podInfo } from './podinfo.ts';
import { schedule } from './schedule.ts';
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
