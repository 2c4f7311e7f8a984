import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, NodeSelectorTerm, Pod, Taint, Toleration } from './framework.ts';
import { nodeaffinity } from './plugins/nodeaffinity.ts';
import { nodename, nodeunschedulable } from './plugins/nodename.ts';
import { nodeports } from './plugins/nodeports.ts';
import { balancedallocation, noderesourcesfit } from './plugins/noderesources.ts';
import { tainttoleration } from './plugins/tainttoleration.ts';
import { filtered, node, pod, scored } from './testing/pods.ts';

type Case = [what: string, pod: Pod, node: NodeInfo, reasons: string[] | undefined];

describe('NodeName', () => {
  const no = ["node(s) didn't match the requested node name"];
  const table: Case[] = [
    ['no node asked for', pod('p'), node('a'), undefined],
    ['this node', pod('p', { nodeName: 'a' }), node('a'), undefined],
    ['another node', pod('p', { nodeName: 'b' }), node('a'), no],
  ];
  for (const [what, p, n, reasons] of table)
    it(what, () => assert.deepEqual(filtered(nodename, p, n)?.reasons, reasons));
});

describe('NodeUnschedulable', () => {
  const cordoned = node('a', { unschedulable: true });
  const no = ['node(s) were unschedulable'];
  const tolerant = (t: Toleration) => pod('p', { tolerations: [t] });
  const key = 'node.kubernetes.io/unschedulable';
  const table: Case[] = [
    ['a node for everybody', pod('p'), node('a'), undefined],
    ['a cordoned node', pod('p'), cordoned, no],
    ['a cordoned node, tolerated', tolerant({ key, operator: 'Exists', effect: 'NoSchedule' }), cordoned, undefined],
    ['a cordoned node, everything tolerated', tolerant({ operator: 'Exists' }), cordoned, undefined],
    [
      'a cordoned node, another effect tolerated',
      tolerant({ key, operator: 'Exists', effect: 'NoExecute' }),
      cordoned,
      no,
    ],
  ];
  for (const [what, p, n, reasons] of table)
    it(what, () => assert.deepEqual(filtered(nodeunschedulable, p, n)?.reasons, reasons));
});

describe('TaintToleration', () => {
  const dedicated: Taint = { key: 'dedicated', value: 'user1', effect: 'NoSchedule' };
  const of = (...tolerations: Toleration[]) => pod('p', { tolerations });
  const on = (...taints: Taint[]) => node('a', { taints });
  const no = ['node(s) had untolerated taint(s)'];
  const table: Case[] = [
    ['a taint, no toleration', of(), on(dedicated), no],
    [
      'equal key, value and effect',
      of({ key: 'dedicated', value: 'user1', effect: 'NoSchedule' }),
      on(dedicated),
      undefined,
    ],
    [
      'another value',
      of({ key: 'dedicated', operator: 'Equal', value: 'user2', effect: 'NoSchedule' }),
      on(dedicated),
      no,
    ],
    ['the key exists', of({ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }), on(dedicated), undefined],
    ['another key exists', of({ key: 'other', operator: 'Exists' }), on(dedicated), no],
    ['everything is tolerated', of({ operator: 'Exists' }), on(dedicated), undefined],
    [
      'all effects of a key',
      of({ key: 'dedicated', value: 'user1' }),
      on(dedicated, { ...dedicated, effect: 'NoExecute' }),
      undefined,
    ],
    [
      'one of two taints',
      of({ key: 'dedicated', value: 'user1', effect: 'NoSchedule' }),
      on(dedicated, { ...dedicated, effect: 'NoExecute' }),
      no,
    ],
    ['PreferNoSchedule rejects nobody', of(), on({ ...dedicated, effect: 'PreferNoSchedule' }), undefined],
    ['a taint without a value', of({ key: 'k', operator: 'Equal' }), on({ key: 'k', effect: 'NoExecute' }), undefined],
    [
      'numbers are not compared in 1.37',
      of({ key: 'k', operator: 'Gt', value: '1' }),
      on({ key: 'k', value: '2', effect: 'NoSchedule' }),
      no,
    ],
  ];
  for (const [what, p, n, reasons] of table)
    it(what, () => assert.deepEqual(filtered(tainttoleration, p, n)?.reasons, reasons));
  it('no eviction helps', () => assert.equal(filtered(tainttoleration, of(), on(dedicated))?.final, true));

  const soft = (key: string): Taint => ({ key, value: 'x', effect: 'PreferNoSchedule' });
  const scores: [string, Pod, NodeInfo, number][] = [
    [
      'counts the soft taints that are not tolerated',
      of({ key: 'a', value: 'x', effect: 'PreferNoSchedule' }),
      on(soft('a'), soft('b'), soft('c')),
      2,
    ],
    ['a toleration of all effects counts', of({ key: 'a', value: 'x' }), on(soft('a')), 0],
    ['a toleration of another effect does not', of({ key: 'a', value: 'x', effect: 'NoSchedule' }), on(soft('a')), 1],
    ['hard taints do not count', of(), on(dedicated, soft('a')), 1],
  ];
  for (const [what, p, n, score] of scores) it(what, () => assert.equal(scored(tainttoleration, p, n), score));
});

describe('NodeAffinity', () => {
  const no = ["node(s) didn't match Pod's node affinity/selector"];
  const required = (...nodeSelectorTerms: NodeSelectorTerm[]) =>
    pod('p', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } });
  const is = (key: string, operator: string, ...values: string[]): NodeSelectorTerm => ({
    matchExpressions: [{ key, operator, values }],
  });
  const on = (labels: Record<string, string>) => node('node_1', { labels });
  const table: Case[] = [
    ['nothing asked for', pod('p'), on({}), undefined],
    ['a selector, no label', pod('p', { nodeSelector: { foo: 'bar' } }), on({}), no],
    ['a selector, the label', pod('p', { nodeSelector: { foo: 'bar' } }), on({ foo: 'bar', baz: 'blah' }), undefined],
    ['all labels of a selector', pod('p', { nodeSelector: { foo: 'bar', baz: 'blah' } }), on({ foo: 'bar' }), no],
    ['In', required(is('foo', 'In', 'bar', 'value2')), on({ foo: 'bar' }), undefined],
    ['In, another value', required(is('foo', 'In', 'value1')), on({ foo: 'bar' }), no],
    ['NotIn, no label', required(is('mem-type', 'NotIn', 'DDR')), on({}), undefined],
    ['NotIn, that value', required(is('mem-type', 'NotIn', 'DDR')), on({ 'mem-type': 'DDR' }), no],
    ['Exists', required(is('GPU', 'Exists')), on({ GPU: 'NVIDIA' }), undefined],
    ['DoesNotExist', required(is('GPU', 'DoesNotExist')), on({ GPU: 'NVIDIA' }), no],
    ['Gt', required(is('kernel', 'Gt', '0204')), on({ kernel: '0206' }), undefined],
    ['Gt, equal', required(is('kernel', 'Gt', '206')), on({ kernel: '206' }), no],
    ['Lt, no number', required(is('kernel', 'Lt', '300')), on({ kernel: 'new' }), no],
    ['no terms match nothing', required(), on({ foo: 'bar' }), no],
    ['an empty term matches nothing', required({}), on({ foo: 'bar' }), no],
    [
      'all expressions of a term',
      required({
        matchExpressions: [
          { key: 'GPU', operator: 'Exists' },
          { key: 'GPU', operator: 'NotIn', values: ['AMD', 'INTEL'] },
        ],
      }),
      on({ GPU: 'NVIDIA' }),
      undefined,
    ],
    [
      'one of the terms',
      required(is('foo', 'In', 'no'), is('diff', 'In', 'value2')),
      on({ diff: 'value2' }),
      undefined,
    ],
    [
      'the selector as well as the terms',
      pod('p', { nodeSelector: { foo: 'no' }, ...required(is('foo', 'Exists')).spec }),
      on({ foo: 'bar' }),
      no,
    ],
    [
      'the name',
      required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node_1'] }] }),
      on({}),
      undefined,
    ],
    [
      'another name',
      required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node_2'] }] }),
      on({}),
      no,
    ],
    [
      'the name and a label',
      required({
        matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node_1'] }],
        ...is('foo', 'In', 'bar'),
      }),
      on({}),
      no,
    ],
  ];
  for (const [what, p, n, reasons] of table)
    it(what, () => assert.deepEqual(filtered(nodeaffinity, p, n)?.reasons, reasons));

  it('adds up the weights of the preferences that a node meets', () => {
    const preferredDuringSchedulingIgnoredDuringExecution = [
      { weight: 4, preference: is('foo', 'In', 'bar') },
      { weight: 5, preference: is('zone', 'Exists') },
      { weight: 7, preference: {} },
    ];
    const p = pod('p', { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } });
    assert.equal(scored(nodeaffinity, p, on({ foo: 'bar', zone: 'z' })), 9);
    assert.equal(scored(nodeaffinity, p, on({ foo: 'no' })), 0);
    assert.equal(scored(nodeaffinity, pod('p'), on({})), undefined);
  });
});

describe('NodePorts', () => {
  const no = ["node(s) didn't have free ports for the requested pod ports"];
  const p = (ports: number[], hostIP = '', protocol = '') => pod('p', { ports, hostIP, protocol });
  const used = (...on: Pod[]) => node('a', { on });
  const table: Case[] = [
    ['no ports', pod('p'), used(p([8080])), undefined],
    ['another port', p([8080]), used(p([9090])), undefined],
    ['the same port', p([8080]), used(p([8080])), no],
    ['one of several', p([8000, 8080]), used(p([8080, 9090])), no],
    ['another protocol', p([8080], '', 'UDP'), used(p([8080])), undefined],
    ['another address', p([8080], '127.0.0.1'), used(p([8080], '127.0.0.2')), undefined],
    ['one address where all are taken', p([8080], '127.0.0.1'), used(p([8080])), no],
    ['all addresses where one is taken', p([8080]), used(p([8080], '127.0.0.1')), no],
    ['an IPv6 address', p([8080], 'fd00::1'), used(p([8080], 'fd00::1')), no],
  ];
  for (const [what, of, n, reasons] of table)
    it(what, () => assert.deepEqual(filtered(nodeports, of, n)?.reasons, reasons));
});

it('NodePorts: ports of sidecars count, those of other init containers do not', () => {
  const init = (restartPolicy?: string): Pod => {
    const made = pod('p');
    const c = { name: 'i', ports: [{ hostPort: 80 }], ...(restartPolicy ? { restartPolicy } : {}) };
    return { ...made, spec: { ...made.spec, initContainers: [c] } };
  };
  const taken = node('a', { on: [pod('x', { ports: [80] })] });
  assert.deepEqual(
    [init('Always'), init()].map((p) => filtered(nodeports, p, taken) !== undefined),
    [true, false],
  );
});

describe('NodeResourcesFit', () => {
  const of = (requests: Record<string, string>) => pod('p', { requests });
  const small = (on: Pod[] = [], allocatable: Record<string, string> = {}) =>
    node('a', { allocatable: { cpu: '10m', memory: '20', pods: '32', 'ephemeral-storage': '20', ...allocatable }, on });
  const ten = pod('x', { requests: { cpu: '5m', memory: '5' } });
  const table: (readonly [...Case, final?: boolean])[] = [
    [
      'nothing asked for always fits',
      pod('p'),
      small([pod('x', { requests: { cpu: '10m', memory: '20' } })]),
      undefined,
    ],
    ['just enough', of({ cpu: '5m', memory: '15' }), small([ten]), undefined],
    ['too little cpu', of({ cpu: '6m', memory: '1' }), small([ten]), ['Insufficient cpu'], false],
    ['too little memory', of({ cpu: '1m', memory: '16' }), small([ten]), ['Insufficient memory'], false],
    [
      'both, in order',
      of({ memory: '16', cpu: '6m' }),
      small([ten]),
      ['Insufficient cpu', 'Insufficient memory'],
      false,
    ],
    ['more than the whole node: no eviction helps', of({ cpu: '11m' }), small(), ['Insufficient cpu'], true],
    ['scratch space', of({ 'ephemeral-storage': '21' }), small(), ['Insufficient ephemeral-storage'], true],
    [
      'an extended resource',
      of({ 'example.com/a': '3' }),
      small([], { 'example.com/a': '2' }),
      ['Insufficient example.com/a'],
      true,
    ],
    [
      'an extended resource that is taken',
      of({ 'example.com/a': '1' }),
      small([of({ 'example.com/a': '2' })], { 'example.com/a': '2' }),
      ['Insufficient example.com/a'],
      false,
    ],
    [
      'an extended resource that nobody has',
      of({ 'example.com/b': '1' }),
      small(),
      ['Insufficient example.com/b'],
      true,
    ],
    ['none of an extended resource', of({ 'example.com/b': '0' }), small(), undefined],
    ['no room for one more pod', of({ cpu: '1m' }), small([ten], { pods: '1' }), ['Too many pods'], false],
    [
      'all that is missing',
      of({ cpu: '6m' }),
      small([ten], { pods: '1' }),
      ['Too many pods', 'Insufficient cpu'],
      false,
    ],
  ];
  for (const [what, p, n, reasons, final] of table)
    it(what, () => {
      const r = filtered(noderesourcesfit, p, n);
      assert.deepEqual(r?.reasons, reasons);
      if (reasons) assert.equal(r?.final ?? false, final);
    });

  // least_allocated_test.go: memory in plain bytes, the mean of what is left of both.
  const scores: [string, Pod, NodeInfo, number][] = [
    ['an empty node', of({ cpu: '3', memory: '5000' }), node('a', { allocatable: { cpu: '4', memory: '10000' } }), 37],
    ['a larger one', of({ cpu: '3', memory: '5000' }), node('a', { allocatable: { cpu: '6', memory: '10000' } }), 50],
    [
      'more than there is',
      of({ cpu: '5', memory: '5000' }),
      node('a', { allocatable: { cpu: '4', memory: '10000' } }),
      25,
    ],
    [
      'what is there counts',
      of({ cpu: '1', memory: '1000' }),
      node('a', { allocatable: { cpu: '4', memory: '10000' }, on: [of({ cpu: '1', memory: '4000' })] }),
      50,
    ],
    [
      'a resource that the node has none of is left out',
      of({ cpu: '3' }),
      node('a', { allocatable: { cpu: '4', memory: '0' } }),
      25,
    ],
    [
      'containers that ask for nothing count as 100m and 200Mi',
      pod('p'),
      node('a', { allocatable: { cpu: '1', memory: '400Mi' } }),
      70,
    ],
  ];
  for (const [what, p, n, score] of scores)
    it(`score: ${what}`, () => assert.equal(scored(noderesourcesfit, p, n), score));
});

describe('NodeResourcesBalancedAllocation', () => {
  const of = (cpu: string, memory: string) => pod('p', { requests: { cpu, memory } });
  const on = (cpu: string, memory: string, ...there: Pod[]) => node('a', { allocatable: { cpu, memory }, on: there });
  const table: [string, Pod, NodeInfo, number | undefined][] = [
    ['a pod that asks for nothing is skipped', pod('p'), on('4', '10000'), undefined],
    ['a balanced pod on an empty node changes nothing', of('2', '5000'), on('4', '10000'), 75],
    // 3/4 of cpu, 1/2 of memory: 87 after, 100 before.
    ['an unbalanced pod on an empty node', of('3', '5000'), on('4', '10000'), 68],
    // cpu 1/2 to 1/2, memory 0 to 1/2: 100 after, 75 before.
    ['a pod that evens it out', of('0', '5000'), on('4', '10000', of('2', '0')), 87],
    ['use past the whole counts as the whole', of('8', '20000'), on('4', '10000'), 75],
    ['one resource alone is in balance', of('3', '5000'), on('4', '0'), 75],
  ];
  for (const [what, p, n, score] of table) it(what, () => assert.equal(scored(balancedallocation, p, n), score));
});
