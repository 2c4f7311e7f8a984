import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { POD_RANGE } from '../../kube/wire/clusteraddresses.ts';
import { nodeipam } from './nodeipam.ts';
import { type Given, keyFor, planFor, viewOf } from './testing/view.ts';

const node = (name: string, ranges: string[] = []): Given =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name }, spec: { podCIDRs: ranges } }) as unknown as Given;
const rangeOf = (plan: Plan) => {
  const [w] = plan.writes;
  return w?.do === 'patch' ? (w.patch.spec as { podCIDR: string; podCIDRs: string[] }) : undefined;
};

describe('a node without a pod range', () => {
  for (const [why, others, want] of [
    ['gets the first one', [], '10.244.0.0/24'],
    ['gets the next that is free', ['10.244.0.0/24', '10.244.1.0/24', '10.244.3.0/24'], '10.244.2.0/24'],
    ['gets none inside of a larger one', ['10.244.0.0/22'], '10.244.4.0/24'],
    ['gets none around a smaller one', ['10.244.0.128/25'], '10.244.1.0/24'],
    ['is not kept from it by ranges elsewhere', ['10.96.0.0/24', '10.250.0.0/24', 'fd00::/64'], '10.244.0.0/24'],
    ['gets nothing of what lies around all', ['10.0.0.0/8'], undefined],
  ] as const)
    it(why, () => {
      const plan = planFor(nodeipam, [node('n'), ...others.map((r, i) => node(`m${i}`, [r]))]);
      const got = rangeOf(plan);
      assert.equal(got?.podCIDR, want);
      if (want) assert.deepEqual(got?.podCIDRs, [want]);
      else assert.equal(plan.notes?.[0]?.reason, 'CIDRNotAvailable');
    });

  it('is given another than one that came in the same round, and the same when asked again', () => {
    const [a, b] = [node('a'), node('b')];
    const view = viewOf(nodeipam, [a, b]);
    const plan = (n: Given) =>
      rangeOf(nodeipam.reconcile(keyFor(n), view.get(keyFor(n))?.data as never, view))?.podCIDR;
    assert.deepEqual([plan(a), plan(b), plan(a)], ['10.244.0.0/24', '10.244.1.0/24', '10.244.0.0/24']);
  });

  it('finds room for as many as the range has', () => {
    const all = Array.from({ length: POD_RANGE.nodes - 1 }, (_, i) =>
      node(`m${i}`, [`10.${244 + (i >> 8)}.${i & 255}.0/24`]),
    );
    assert.equal(rangeOf(planFor(nodeipam, [node('n'), ...all]))?.podCIDR, '10.247.255.0/24');
  });
});

it('a node with a range keeps it', () =>
  assert.deepEqual(planFor(nodeipam, [node('n', ['192.168.0.0/24'])]).writes, []));
