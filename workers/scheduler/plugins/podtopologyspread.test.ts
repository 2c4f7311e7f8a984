import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, Pod, SpreadConstraint } from '../framework.ts';
import { podInfo } from '../podinfo.ts';
import { filtered, node, pod, scores } from '../testing/pods.ts';
import { podtopologyspread } from './podtopologyspread.ts';

// Cases after podtopologyspread/filtering_test.go and scoring_test.go.

const MISMATCH = "node(s) didn't match pod topology spread constraints";
const foo = { foo: '' };
const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const hard = (topologyKey: string, maxSkew: number, more: Partial<SpreadConstraint> = {}): SpreadConstraint => ({
  topologyKey,
  maxSkew,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: foo },
  ...more,
});
const soft = (topologyKey: string, maxSkew: number, more: Partial<SpreadConstraint> = {}): SpreadConstraint =>
  hard(topologyKey, maxSkew, { whenUnsatisfiable: 'ScheduleAnyway', ...more });
const p = (constraints: SpreadConstraint[], more: Parameters<typeof pod>[1] = {}) =>
  pod('p', { labels: foo, topologySpreadConstraints: constraints, ...more });
let next = 0;
/** Nodes `a`, `b`, ... of zones with so many pods each. */
const cluster = (...nodes: [zone: string, pods: number, more?: Parameters<typeof node>[1]][]): NodeInfo[] =>
  nodes.map(([zone, n, more], i) => {
    const name = String.fromCharCode(97 + i);
    const on = Array.from({ length: n }, () => pod(`x${next++}`, { labels: foo }));
    return node(name, {
      labels: { ...(zone ? { zone } : {}), node: name, [HOST]: name, ...more?.labels },
      on,
      ...without(more),
    });
  });
const without = ({ labels: _, ...rest }: Parameters<typeof node>[1] = {}) => rest;
/** Which nodes it may go to. */
const allowed = (of: Pod, nodes: NodeInfo[]) =>
  nodes
    .filter((n) => filtered(podtopologyspread, of, n, nodes) === undefined)
    .map((n) => n.name)
    .join('');

describe('PodTopologySpread', () => {
  const uneven = () => cluster(['z1', 2], ['z1', 1], ['z2', 0], ['z2', 3]);
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: string }[] = [
    { what: 'no constraints', pod: pod('p', { labels: foo }), nodes: uneven(), is: 'abcd' },
    { what: 'zones that are even', pod: p([hard('zone', 1)]), nodes: uneven(), is: 'abcd' },
    { what: 'zones that are not', pod: p([hard('zone', 1)]), nodes: cluster(['z1', 2], ['z2', 1]), is: 'b' },
    { what: 'a larger skew', pod: p([hard('zone', 2)]), nodes: cluster(['z1', 2], ['z2', 1]), is: 'ab' },
    { what: 'nodes', pod: p([hard('node', 1)]), nodes: uneven(), is: 'c' },
    { what: 'nodes, a larger skew', pod: p([hard('node', 2)]), nodes: uneven(), is: 'bc' },
    {
      what: 'zones and nodes alike',
      pod: p([hard('zone', 1), hard('node', 1)]),
      nodes: cluster(['z1', 2], ['z1', 1], ['z2', 0], ['z2', 2]),
      is: 'c',
    },
    {
      what: 'zones and nodes that exclude one another',
      pod: p([hard('zone', 1), hard('node', 1)]),
      nodes: cluster(['z1', 2], ['z1', 0], ['z2', 1], ['z2', 0]),
      is: 'd',
    },
    {
      what: 'a pod that its own selector does not mean',
      pod: p([hard('zone', 1)], { labels: { bar: '' } }),
      nodes: cluster(['z1', 1], ['z2', 0]),
      is: 'ab',
    },
    {
      what: 'pods that are going do not count',
      pod: p([hard('zone', 1)]),
      nodes: [
        node('a', { labels: { zone: 'z1' }, on: [going('y1'), going('y2')] }),
        ...cluster(['', 0]).slice(1),
        node('b', { labels: { zone: 'z2' } }),
      ],
      is: 'ab',
    },
    {
      what: 'pods of other namespaces do not count',
      pod: p([hard('zone', 1)]),
      nodes: [
        node('a', { labels: { zone: 'z1' }, on: [pod('o', { labels: foo, namespace: 'ns' })] }),
        node('b', { labels: { zone: 'z2' } }),
      ],
      is: 'ab',
    },
    {
      what: 'a selector that is empty counts nobody',
      pod: p([hard('zone', 1, { labelSelector: {} })]),
      nodes: cluster(['z1', 2], ['z2', 0]),
      is: 'ab',
    },
    {
      what: 'without a selector nobody counts',
      pod: p([{ topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }]),
      nodes: cluster(['z1', 2], ['z2', 0]),
      is: 'ab',
    },
    {
      what: 'fewer places than minDomains: the fewest is none',
      pod: p([hard('zone', 1, { minDomains: 3 })]),
      nodes: cluster(['z1', 1], ['z2', 1]),
      is: '',
    },
    {
      what: 'as many places as minDomains',
      pod: p([hard('zone', 1, { minDomains: 2 })]),
      nodes: cluster(['z1', 1], ['z2', 1]),
      is: 'ab',
    },
    {
      what: 'nodes that it does not select do not count',
      pod: p([hard('zone', 1)], { nodeSelector: { disk: 'ssd' } }),
      nodes: cluster(['z1', 1, { labels: { disk: 'ssd' } }], ['z2', 0]),
      is: 'ab',
    },
    {
      what: 'but where the policy ignores that',
      pod: p([hard('zone', 1, { nodeAffinityPolicy: 'Ignore' })], { nodeSelector: { disk: 'ssd' } }),
      nodes: cluster(['z1', 1, { labels: { disk: 'ssd' } }], ['z2', 0]),
      is: 'b',
    },
    {
      what: 'tainted nodes count',
      pod: p([hard('zone', 1)]),
      nodes: cluster(['z1', 1], ['z2', 0, { taints: [{ key: 'k', effect: 'NoSchedule' }] }]),
      is: 'b',
    },
    {
      what: 'but where the policy honors that',
      pod: p([hard('zone', 1, { nodeTaintsPolicy: 'Honor' })]),
      nodes: cluster(['z1', 1], ['z2', 0, { taints: [{ key: 'k', effect: 'NoSchedule' }] }]),
      is: 'ab',
    },
    {
      what: 'matchLabelKeys tell rollouts apart',
      pod: p([hard('zone', 1, { matchLabelKeys: ['rev', 'absent'] })], { labels: { foo: '', rev: '2' } }),
      nodes: cluster(['z1', 2], ['z2', 0]),
      is: 'ab',
    },
    {
      what: 'nodes without one of the labels count for none',
      pod: p([hard('zone', 1), hard('rack', 1)]),
      nodes: cluster(['z1', 0], ['z2', 1, { labels: { rack: 'r' } }], ['z3', 1, { labels: { rack: 'q' } }]),
      is: 'bc',
    },
  ];
  for (const { what, pod: of, nodes, is } of table) it(what, () => assert.equal(allowed(of, nodes), is));

  it("says in upstream's words what is wrong", () => {
    const nodes = cluster(['z1', 2], ['z2', 0], ['', 0]);
    const of = p([hard('zone', 1)]);
    const says = nodes.map((n) => filtered(podtopologyspread, of, n, nodes));
    assert.deepEqual(says, [
      { reasons: [MISMATCH] },
      undefined,
      { reasons: [`${MISMATCH} (missing required label)`], final: true },
    ]);
  });
});
function going(name: string): Pod {
  const made = pod(name, { labels: foo });
  return { ...made, metadata: { ...made.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' } };
}

describe('PodTopologySpread scores', () => {
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; looked?: number[]; is: number[] | undefined }[] = [
    {
      what: 'no constraints and nobody to belong with',
      pod: pod('p', { labels: foo }),
      nodes: cluster(['z1', 1], ['z2', 0]),
      is: undefined,
    },
    { what: 'nodes, evenly', pod: p([soft(HOST, 1)]), nodes: cluster(['z1', 0], ['z1', 0]), is: [100, 100] },
    // log(4+2) = 1.79 for each pod: 4, 2, 0, 5 rounded.
    {
      what: 'nodes, the fewer the better',
      pod: p([soft(HOST, 1)]),
      nodes: cluster(['', 2], ['', 1], ['', 0], ['', 3]),
      is: [20, 60, 100, 0],
    },
    {
      what: 'a larger skew makes less of it',
      pod: p([soft(HOST, 2)]),
      nodes: cluster(['', 2], ['', 1], ['', 0], ['', 3]),
      is: [33, 66, 100, 16],
    },
    {
      what: 'zones',
      pod: p([soft('zone', 1)]),
      nodes: cluster(['z1', 4], ['z1', 0], ['z2', 2], ['z2', 0]),
      is: [50, 50, 100, 100],
    },
    {
      what: 'pods on nodes that do not suit count for their zone',
      pod: p([soft('zone', 1)]),
      nodes: cluster(['z1', 4], ['z1', 0], ['z2', 2], ['z2', 0]),
      looked: [1, 3],
      is: [50, 100],
    },
    {
      what: 'nodes without the label get nothing',
      pod: p([soft('zone', 1)]),
      nodes: cluster(['z1', 1], ['', 0], ['z2', 0]),
      is: [0, 0, 100],
    },
    { what: 'hard ones do not count', pod: p([hard('zone', 1)]), nodes: cluster(['z1', 1], ['z2', 0]), is: undefined },
  ];
  for (const { what, pod: of, nodes, looked, is } of table)
    it(what, () => {
      const at = looked?.map((i) => nodes[i] as NodeInfo);
      assert.deepEqual(scores(podtopologyspread, of, nodes, {}, at), is);
    });

  const service = {
    'services/default/s': { spec: { selector: foo } },
    'services/other/s': { spec: { selector: { no: '' } } },
  };
  it('pods of a Service are spread over nodes and zones though nobody asked', () => {
    const zoned = cluster(
      ['', 3, { labels: { [ZONE]: '1' } }],
      ['', 0, { labels: { [ZONE]: '1' } }],
      ['', 0, { labels: { [ZONE]: '2' } }],
    );
    const [a = 0, b = 0, c = 0] = scores(podtopologyspread, pod('p', { labels: foo }), zoned, { rows: service }) ?? [];
    assert.ok(a < b && b < c, `${a} ${b} ${c}`);
    const flat = cluster(['', 3], ['', 0]);
    assert.deepEqual(scores(podtopologyspread, pod('p', { labels: foo }), flat, { rows: service }), [33, 100]);
    assert.equal(scores(podtopologyspread, pod('p', { labels: { no: '' } }), flat, { rows: service }), undefined);
  });
  it('and those of one controller', () => {
    const rows = { 'replicasets.apps/default/rs': { spec: { selector: { matchLabels: foo } } } };
    const made = pod('p', { labels: foo });
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u', controller: true };
    const owned = podInfo({ ...made, metadata: { ...made.metadata, ownerReferences: [owner] } });
    assert.deepEqual(scores(podtopologyspread, owned, cluster(['', 3], ['', 0]), { rows }), [33, 100]);
  });
});
