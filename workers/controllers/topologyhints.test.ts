import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { endpointslice } from './endpointslice.ts';
import { endpoint, node, pod, service, slice, written } from './testing/slices.ts';
import { type Given, keyFor, planFor, viewOf } from './testing/view.ts';

describe('hints by trafficDistribution', () => {
  const zoned = (n: number, more: JsonObject = {}) => endpoint(n, { zone: 'a', ...more });
  const zone = { hints: { forZones: [{ name: 'a' }] } };
  const table: { what: string; of: Given; had: JsonObject; is: JsonObject | null }[] = [
    {
      what: 'PreferClose: the zone',
      of: service({ trafficDistribution: 'PreferClose' }),
      had: zoned(1),
      is: { forZones: [{ name: 'a' }] },
    },
    {
      what: 'PreferSameZone: there already',
      of: service({ trafficDistribution: 'PreferSameZone' }),
      had: zoned(1, zone),
      is: null,
    },
    {
      what: 'PreferSameNode: zone and node',
      of: service({ trafficDistribution: 'PreferSameNode' }),
      had: zoned(1, zone),
      is: { forZones: [{ name: 'a' }], forNodes: [{ name: 'node-1' }] },
    },
    { what: 'none: they go', of: service(), had: zoned(1, zone), is: {} },
    {
      what: 'by the annotation instead: they go',
      of: service(
        { trafficDistribution: 'PreferClose' },
        { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
      ),
      had: zoned(1, zone),
      is: {},
    },
  ];
  for (const { what, of, had, is } of table)
    it(what, () => {
      const plan = planFor(endpointslice, [of, pod(1), node('node-1', 'a'), slice('s1', [had])]);
      assert.deepEqual(
        written(plan).map((s) => s.endpoints[0]?.hints ?? {}),
        is ? [is] : [],
      );
    });
});

describe('hints by topology', () => {
  const auto = (key = 'service.kubernetes.io/topology-mode', value = 'Auto') =>
    service({}, { annotations: { [key]: value } });
  const zoned = (name: string, zone: string, cpu = '1', ready = 'True'): Given => ({
    ...node(name, zone),
    status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: ready }] },
  });
  const on = (n: number, name: string) => pod(n, { node: name });
  const two = [zoned('a', 'za'), zoned('b', 'zb')];
  const hints = (plan: Plan) =>
    written(plan).flatMap((s) =>
      s.endpoints.map((e) => ((e.hints?.forZones ?? []) as { name: string }[])[0]?.name ?? '-'),
    );
  const table: { what: string; of?: Given; others: Given[]; is: string[]; tells: string[] }[] = [
    {
      what: 'each its own zone',
      others: [...two, on(1, 'a'), on(2, 'b')],
      is: ['za', 'zb'],
      tells: ['Topology Aware Hints has been enabled, addressType: IPv4'],
    },
    {
      what: 'by the former annotation',
      of: auto('service.kubernetes.io/topology-aware-hints', 'auto'),
      others: [...two, on(1, 'a'), on(2, 'b')],
      is: ['za', 'zb'],
      tells: ['Topology Aware Hints has been enabled, addressType: IPv4'],
    },
    {
      what: 'a zone with too many gives',
      others: [...two, on(1, 'a'), on(2, 'a'), on(3, 'a'), on(4, 'a')],
      is: ['zb', 'zb', 'za', 'za'],
      tells: ['Topology Aware Hints has been enabled, addressType: IPv4'],
    },
    {
      what: 'as the CPU of zones is',
      others: [zoned('a', 'za', '3'), zoned('b', 'zb', '1'), ...[1, 2, 3, 4].map((n) => on(n, 'b'))],
      is: ['za', 'za', 'za', 'zb'],
      tells: ['Topology Aware Hints has been enabled, addressType: IPv4'],
    },
    {
      what: 'one zone alone',
      others: [zoned('a', 'za'), on(1, 'a'), on(2, 'a')],
      is: ['-', '-'],
      tells: [
        'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes, addressType: IPv4',
      ],
    },
    {
      what: 'a node that does not say',
      others: [...two, zoned('c', '', '1'), on(1, 'a'), on(2, 'b')],
      is: ['-', '-'],
      tells: [
        'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes, addressType: IPv4',
      ],
    },
    {
      what: 'a node that is not ready does not count',
      others: [...two, zoned('c', '', '1', 'False'), on(1, 'a'), on(2, 'b')],
      is: ['za', 'zb'],
      tells: ['Topology Aware Hints has been enabled, addressType: IPv4'],
    },
    {
      what: 'fewer endpoints than zones',
      others: [...two, on(1, 'a')],
      is: ['-'],
      tells: ['Insufficient number of endpoints (1 endpoints, 2 zones), addressType: IPv4'],
    },
    {
      what: 'a zone that would get too much',
      others: [zoned('a', 'za', '9'), zoned('b', 'zb', '1'), on(1, 'a'), on(2, 'b')],
      is: ['-', '-'],
      tells: [
        'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (2 endpoints, 2 zones), addressType: IPv4',
      ],
    },
    {
      what: 'there already',
      others: [
        ...two,
        on(1, 'a'),
        on(2, 'b'),
        slice('s', [
          endpoint(1, { nodeName: 'a', zone: 'za', hints: { forZones: [{ name: 'za' }] } }),
          endpoint(2, { nodeName: 'b', zone: 'zb', hints: { forZones: [{ name: 'zb' }] } }),
        ]),
      ],
      is: [],
      tells: [],
    },
    {
      what: 'not asked for any more',
      of: service(),
      others: [
        ...two,
        on(1, 'a'),
        slice('s', [endpoint(1, { nodeName: 'a', zone: 'za', hints: { forZones: [{ name: 'za' }] } })]),
      ],
      is: ['-'],
      tells: ['Topology Aware Hints has been disabled, addressType: IPv4'],
    },
  ];
  for (const { what, of, others, is, tells } of table)
    it(what, () => {
      const plan = planFor(endpointslice, [of ?? auto(), ...others]);
      assert.deepEqual(hints(plan), is);
      assert.deepEqual(
        (plan.notes ?? []).map((n) => n.message),
        tells,
      );
    });
  it('a node whose zone, CPU or readiness moves concerns Services that ask for them', () => {
    const map = endpointslice.watches?.[2]?.map;
    const row = (n: Given) => viewOf(endpointslice, [n]).get(keyFor(n));
    const view = viewOf(endpointslice, [auto(), service({}, { name: 'other' }), zoned('a', 'za')]);
    const [is, was, same] = [row(zoned('a', 'za')), row(zoned('a', 'za', '2')), row(zoned('a', 'za'))];
    assert.ok(is && was && same);
    assert.deepEqual([map?.(is, view, was), map?.(is, view, same)], [['services/test/foo'], []]);
  });
});
