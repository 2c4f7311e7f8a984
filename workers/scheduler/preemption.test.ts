import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { NodeInfo, Pod } from './framework.ts';
import { plugins } from './plugins/index.ts';
import { podInfo } from './podinfo.ts';
import { schedule } from './schedule.ts';
import { node, pod, snapshotOf } from './testing/pods.ts';

type PodIn = Parameters<typeof pod>[1] & { start?: string; status?: JsonObject; deleting?: boolean };
function placed(name: string, priority: number, cpu: string, o: PodIn = {}): Pod {
  const { start, status, deleting, ...spec } = o;
  const p = pod(name, { priority, requests: { cpu }, ...spec });
  const metadata = deleting ? { ...p.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' } : p.metadata;
  return { ...p, metadata, status: { startTime: start ?? '2026-01-01T00:00:00Z', ...status } };
}
const PREEMPTED = { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] };
/** `n: a b`, the victims in order of importance, or what preemption says. */
function run(p: Pod, ...nodes: NodeInfo[]): string {
  const d = schedule(podInfo(p), snapshotOf(nodes), plugins, { start: 0, tie: 0 });
  if ('node' in d) return `fits on ${d.node.name}`;
  const found = d.preemption;
  if (found && 'node' in found) return `${found.node.name}: ${found.victims.map((v) => v.name).join(' ')}`;
  return found?.message ?? '';
}
const high = (cpu: string, more: PodIn = {}) => placed('p', 100, cpu, more);
const on = (name: string, ...pods: Pod[]) => node(name, { on: pods });

describe('who goes for a pod of higher priority', () => {
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: string }[] = [
    { what: 'nobody where it fits', pod: high('1'), nodes: [on('n', placed('a', 0, '3'))], is: 'fits on n' },
    { what: 'the one that is in its way', pod: high('2'), nodes: [on('n', placed('a', 0, '3'))], is: 'n: a' },
    {
      what: 'as few as are needed, the least important',
      pod: high('2'),
      nodes: [on('n', placed('a', 5, '2'), placed('b', 1, '2'))],
      is: 'n: b',
    },
    {
      what: 'all that are needed',
      pod: high('4'),
      nodes: [on('n', placed('a', 5, '2'), placed('b', 1, '2'))],
      is: 'n: a b',
    },
    {
      what: 'of equals the younger',
      pod: high('2'),
      nodes: [on('n', placed('a', 1, '2', { start: '2026-01-01T09:00:00Z' }), placed('b', 1, '2'))],
      is: 'n: a',
    },
    {
      what: 'none of the same priority',
      pod: high('2'),
      nodes: [on('n', placed('a', 100, '3'))],
      is: '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    },
    {
      what: 'none where it would not fit all the same',
      pod: high('3'),
      nodes: [on('n', placed('a', 0, '1'), placed('b', 100, '2'))],
      is: '0/1 nodes are available: 1 Insufficient cpu.',
    },
    {
      what: 'none where eviction does not help',
      pod: high('5'),
      nodes: [on('n', placed('a', 0, '1'))],
      is: '0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    },
    {
      what: 'who holds its port',
      pod: high('1', { ports: [80] }),
      nodes: [on('n', placed('a', 0, '1', { ports: [80] }), placed('b', 0, '1', { ports: [81] }))],
      is: 'n: a',
    },
    {
      what: 'one for its place where the node has no more places',
      pod: high('1'),
      nodes: [node('n', { allocatable: { pods: '2' }, on: [placed('a', 3, '1'), placed('b', 2, '1')] })],
      is: 'n: b',
    },
    {
      what: 'nobody for a pod that preempts nobody',
      pod: high('2', { preemptionPolicy: 'Never' }),
      nodes: [on('n', placed('a', 0, '3'))],
      is: 'not eligible due to preemptionPolicy=Never.',
    },
    {
      what: 'nobody while earlier victims are on their way out',
      pod: high('2', { status: { nominatedNodeName: 'n' } }),
      nodes: [on('n', placed('a', 0, '3', { deleting: true, status: PREEMPTED })), on('m', placed('b', 0, '3'))],
      is: 'not eligible due to a terminating pod on the nominated node.',
    },
    {
      what: 'others where the node that was to be its own can no longer be',
      pod: high('2', { status: { nominatedNodeName: 'n' } }),
      nodes: [
        node('n', { unschedulable: true, on: [placed('a', 0, '3', { deleting: true, status: PREEMPTED })] }),
        on('m', placed('b', 0, '3')),
      ],
      is: 'm: b',
    },
  ];
  for (const { what, pod: p, nodes, is } of table) it(what, () => assert.equal(run(p, ...nodes), is));
});

describe('of several nodes victims go from the one with', () => {
  const table: { what: string; nodes: NodeInfo[]; is: string }[] = [
    {
      what: 'the least important victim at the top',
      nodes: [on('n', placed('a', 9, '3')), on('m', placed('b', 5, '3'))],
      is: 'm: b',
    },
    {
      what: 'the smaller sum of priorities',
      nodes: [on('n', placed('a', 5, '2'), placed('b', 4, '2')), on('m', placed('c', 5, '2'), placed('d', 3, '2'))],
      is: 'm: c d',
    },
    {
      what: 'the fewer victims, also where priorities are negative',
      nodes: [on('n', placed('a', -5, '2'), placed('b', -5, '2')), on('m', placed('c', -5, '4'))],
      is: 'm: c',
    },
    {
      what: 'the younger victims',
      nodes: [on('n', placed('a', 5, '3')), on('m', placed('b', 5, '3', { start: '2026-01-01T09:00:00Z' }))],
      is: 'm: b',
    },
    {
      what: 'the first of equals, by name',
      nodes: [on('n', placed('a', 5, '3')), on('m', placed('b', 5, '3'))],
      is: 'm: b',
    },
  ];
  for (const { what, nodes, is } of table) it(what, () => assert.equal(run(high('4'), ...nodes), is));
});

it('what preemption says of several nodes is counted and sorted as text', () => {
  const nodes = [
    on('a', placed('x', 100, '3')),
    node('b', { unschedulable: true }),
    on('c', placed('y', 0, '1'), placed('z', 100, '3')),
  ];
  assert.equal(
    run(high('2'), ...nodes),
    '0/3 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  );
});

describe('disruption budgets', () => {
  const budget = (name: string, allowed: number, app: string, disruptedPods = {}): Record<string, JsonObject> => ({
    [`poddisruptionbudgets.policy/default/${name}`]: {
      spec: { selector: { matchLabels: { app } } },
      status: { disruptionsAllowed: allowed, disruptedPods },
    },
  });
  const of = (name: string, priority: number, cpu: string, app: string) =>
    placed(name, priority, cpu, { labels: { app } });
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; rows: Record<string, JsonObject>; is: string }[] = [
    {
      what: 'who is guarded stays where another may go for it',
      pod: high('2'),
      nodes: [on('n', of('a', 5, '2', 'guarded'), of('b', 9, '2', 'free'))],
      rows: budget('x', 0, 'guarded'),
      is: 'n: b',
    },
    {
      what: 'who is guarded goes where nobody else can',
      pod: high('4'),
      nodes: [on('n', of('a', 5, '4', 'guarded'))],
      rows: budget('x', 0, 'guarded'),
      is: 'n: a',
    },
    {
      what: 'the node where fewer budgets are overdrawn, however important who goes',
      pod: high('4'),
      nodes: [on('n', of('a', 1, '4', 'guarded')), on('m', of('b', 50, '4', 'free'))],
      rows: budget('x', 0, 'guarded'),
      is: 'm: b',
    },
    {
      what: 'as many as the budget allows are not guarded',
      pod: high('4'),
      nodes: [on('n', of('a', 1, '2', 'guarded'), of('b', 1, '2', 'guarded')), on('m', of('c', 1, '4', 'guarded'))],
      rows: budget('x', 1, 'guarded'),
      is: 'm: c',
    },
    {
      what: 'who is being disrupted already costs nothing',
      pod: high('4'),
      nodes: [on('n', of('a', 1, '4', 'guarded')), on('m', of('b', 50, '4', 'free'))],
      rows: budget('x', 0, 'guarded', { a: '2026-01-01T00:00:00Z' }),
      is: 'n: a',
    },
    {
      what: 'a budget without a selector guards nobody',
      pod: high('4'),
      nodes: [on('n', of('a', 1, '4', 'guarded')), on('m', of('b', 50, '4', 'free'))],
      rows: { 'poddisruptionbudgets.policy/default/x': { spec: { selector: {} }, status: { disruptionsAllowed: 0 } } },
      is: 'n: a',
    },
    {
      what: "another namespace's budget guards nobody here",
      pod: high('4'),
      nodes: [on('n', of('a', 1, '4', 'guarded')), on('m', of('b', 50, '4', 'free'))],
      rows: {
        'poddisruptionbudgets.policy/other/x': { spec: { selector: { matchLabels: { app: 'guarded' } } }, status: {} },
      },
      is: 'n: a',
    },
  ];
  for (const { what, pod: p, nodes, rows, is } of table)
    it(what, () => {
      const d = schedule(podInfo(p), snapshotOf(nodes, { rows }), plugins, { start: 0, tie: 0 });
      const found = 'node' in d ? undefined : d.preemption;
      assert.ok(found && 'node' in found);
      assert.equal(`${found.node.name}: ${found.victims.map((v) => v.name).join(' ')}`, is);
    });
});

describe('pods go for what is not room', () => {
  const zone = (name: string, value: string, ...pods: Pod[]) => node(name, { labels: { zone: value }, on: pods });
  const red = { color: 'red' };
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: red } };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
  const spread = [
    { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: red } },
  ];
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: string }[] = [
    {
      what: 'whom the pod wants to avoid',
      pod: high('1', { affinity: { podAntiAffinity: required } }),
      nodes: [zone('n', 'a', placed('r', 1, '1', { labels: red }), placed('b', 1, '1'))],
      is: 'n: r',
    },
    {
      what: 'who wants to avoid the pod',
      pod: high('1', { labels: red }),
      nodes: [zone('n', 'a', placed('x', 1, '1', { affinity: { podAntiAffinity: required } }), placed('b', 1, '1'))],
      is: 'n: x',
    },
    {
      what: 'nobody where another node of the place has one that is avoided',
      pod: high('1', { affinity: { podAntiAffinity: required } }),
      nodes: [
        zone('n', 'a', placed('r', 1, '1', { labels: red })),
        zone('m', 'a', placed('s', 1, '1', { labels: red })),
      ],
      is: "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.",
    },
    {
      what: 'one of too many in a place',
      pod: high('1', { labels: red, topologySpreadConstraints: spread }),
      nodes: [
        zone('n', 'a', placed('r', 1, '1', { labels: red }), placed('s', 2, '1', { labels: red })),
        node('m', { labels: { zone: 'b' }, unschedulable: true, on: [placed('t', 1, '1', { labels: red })] }),
      ],
      is: 'n: r',
    },
    {
      what: 'nobody for company that is not there',
      pod: high('1', { affinity: { podAffinity: required } }),
      nodes: [zone('n', 'a', placed('b', 1, '1'))],
      is: '0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    },
  ];
  for (const { what, pod: p, nodes, is } of table) it(what, () => assert.equal(run(p, ...nodes), is));
});

describe('of many nodes', () => {
  const many = (n: number) =>
    Array.from({ length: n }, (_, i) => on(`n${String(i).padStart(4, '0')}`, placed(`x${i}`, i, '4')));
  const dryRuns = (nodes: NodeInfo[], tie = 0) => {
    const d = schedule(podInfo(high('2', { priority: 5000 })), snapshotOf(nodes), plugins, { start: 0, tie });
    return [d.dryRuns, 'node' in d || !d.preemption || !('node' in d.preemption) ? '' : d.preemption.node.name];
  };
  it('all are tried where they are a hundred', () => assert.deepEqual(dryRuns(many(100), 0.5), [100, 'n0000']));
  it('a hundred are where they are less than a thousand', () => assert.deepEqual(dryRuns(many(500)), [100, 'n0000']));
  it('the search begins anywhere', () => assert.deepEqual(dryRuns(many(500), 0.5), [100, 'n0250']));
  it('a tenth of more', () => assert.deepEqual(dryRuns(many(1200)), [120, 'n0000']));
});
