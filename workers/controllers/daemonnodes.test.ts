import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { daemonset } from './daemonset.ts';
import { deleted, labels, made, node, plan, pod, type SetIn, set, taint, targets } from './testing/daemons.ts';
import { type Given, printed, viewOf } from './testing/view.ts';

// Tables named after upstream's hold what its tests of pkg/controller/daemon expect.

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
