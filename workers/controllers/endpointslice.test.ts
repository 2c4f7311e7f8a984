import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { endpointslice } from './endpointslice.ts';
import type { Slice } from './slicepacking.ts';
import { ago, type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

// Cases of k8s.io/endpointslice reconciler_test.go and utils_test.go.

const NAME = 'kubernetes.io/service-name';
const MANAGED = 'endpointslice.kubernetes.io/managed-by';
const HEADLESS = 'service.kubernetes.io/headless';
const OWNER = {
  apiVersion: 'v1',
  kind: 'Service',
  name: 'foo',
  uid: 'svc',
  controller: true,
  blockOwnerDeletion: true,
};

const service = (spec: JsonObject = {}, metadata: JsonObject = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'foo', namespace: 'test', uid: 'svc', creationTimestamp: ago(500), ...metadata },
  spec: {
    ports: [{ name: 'port', port: 80, protocol: 'TCP', targetPort: 80 }],
    selector: { foo: 'bar' },
    ipFamilies: ['IPv4'],
    ...spec,
  },
});
const node = (name = 'node-1', zone?: string): Given => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...(zone ? { labels: { 'topology.kubernetes.io/zone': zone } } : {}) },
});
interface PodIn {
  ready?: boolean;
  terminating?: boolean;
  spec?: JsonObject;
  ips?: string[];
  labels?: Record<string, string>;
  phase?: string;
  node?: string;
}
const pod = (n: number, o: PodIn = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `pod${n}`,
    namespace: 'test',
    uid: `p${n}`,
    labels: o.labels ?? { foo: 'bar' },
    ...(o.terminating ? { deletionTimestamp: ago(1) } : {}),
  },
  spec: { nodeName: o.node ?? 'node-1', containers: [], ...o.spec },
  status: {
    phase: o.phase ?? 'Running',
    podIPs: (o.ips ?? [`1.2.${Math.floor(n / 250)}.${(n % 250) + 1}`]).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True', lastTransitionTime: ago(50) }],
  },
});
const pods = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => pod(from + i, { ready: (from + i) % 3 !== 0 }));

const endpoint = (n: number, more: JsonObject = {}): JsonObject => {
  const ready = n % 3 !== 0;
  return {
    addresses: [`1.2.${Math.floor(n / 250)}.${(n % 250) + 1}`],
    conditions: { ready, serving: ready, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'test', name: `pod${n}`, uid: `p${n}` },
    nodeName: 'node-1',
    ...more,
  };
};
const slice = (name: string, endpoints: JsonObject[], more: JsonObject = {}, metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'test',
      uid: name,
      labels: { [NAME]: 'foo', [MANAGED]: 'endpointslice-controller.k8s.io', [HEADLESS]: '' },
      ownerReferences: [OWNER],
      ...metadata,
    },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'port', port: 80, protocol: 'TCP' }],
    ...more,
  }) as Given;
const numbers = (from: number, to: number, by = 1) =>
  Array.from({ length: Math.ceil((to - from) / by) }, (_, i) => from + i * by);

const written = (plan: Plan): Slice[] =>
  plan.writes.flatMap((w) => (w.do === 'create' || w.do === 'update' ? [w.object as Slice] : []));
const verbs = (plan: Plan) => plan.writes.map((w) => w.do);
const lengths = (plan: Plan) => written(plan).map((s) => s.endpoints.length);

describe('the slice of one pod', () => {
  const both = ['1.2.3.4', '1234::5678:0000:0000:9abc:def0'];
  const table: { what: string; of: Given; types: string[]; labels: Record<string, string> }[] = [
    {
      what: 'families unsaid, an address',
      of: service({ ipFamilies: [], clusterIP: '10.0.0.10' }),
      types: ['IPv4'],
      labels: {},
    },
    {
      what: 'families unsaid, headless: both',
      of: service({ ipFamilies: [], clusterIP: 'None' }),
      types: ['IPv4', 'IPv6'],
      labels: { [HEADLESS]: '' },
    },
    { what: 'IPv4 without an address', of: service(), types: ['IPv4'], labels: { [HEADLESS]: '' } },
    { what: 'IPv4 with an address', of: service({ clusterIP: '1.1.1.1' }), types: ['IPv4'], labels: {} },
    {
      what: 'labels of the Service',
      of: service({}, { labels: { a: 'b' } }),
      types: ['IPv4'],
      labels: { a: 'b', [HEADLESS]: '' },
    },
    {
      what: 'labels that are reserved are not copied',
      of: service({}, { labels: { [NAME]: 'bad', [MANAGED]: 'actor', [HEADLESS]: 'invalid' } }),
      types: ['IPv4'],
      labels: { [HEADLESS]: '' },
    },
    { what: 'IPv6', of: service({ ipFamilies: ['IPv6'], clusterIP: '1234::1' }), types: ['IPv6'], labels: {} },
    {
      what: 'both families',
      of: service({ ipFamilies: ['IPv4', 'IPv6'], clusterIP: '10.0.0.10' }),
      types: ['IPv4', 'IPv6'],
      labels: {},
    },
  ];
  for (const { what, of, types, labels } of table) {
    it(what, () => {
      const plan = planFor(endpointslice, [
        of,
        pod(1, { ips: both, spec: { hostname: 'example' } }),
        node('node-1', 'us-a'),
      ]);
      assert.deepEqual(
        written(plan).map((s) => [s.addressType, s.endpoints]),
        types.map((t) => [
          t,
          [
            {
              addresses: [t === 'IPv4' ? '1.2.3.4' : '1234::5678:0:0:9abc:def0'],
              conditions: { ready: true, serving: true, terminating: false },
              targetRef: { kind: 'Pod', namespace: 'test', name: 'pod1', uid: 'p1' },
              nodeName: 'node-1',
              zone: 'us-a',
            },
          ],
        ]),
      );
      const [first] = written(plan);
      assert.deepEqual(first?.metadata.labels, {
        ...labels,
        [NAME]: 'foo',
        [MANAGED]: 'endpointslice-controller.k8s.io',
      });
      assert.deepEqual(first?.metadata.ownerReferences, [OWNER]);
      assert.deepEqual(first?.metadata.annotations, { 'endpoints.kubernetes.io/last-change-trigger-time': ago(500) });
      assert.equal(first?.metadata.generateName, 'foo-');
      assert.match(first?.metadata.name ?? '', /^foo-.{5}$/);
    });
  }
});

describe('conditions of an endpoint', () => {
  const table: { what: string; of?: JsonObject; pod: PodIn; is: JsonObject }[] = [
    { what: 'ready', pod: {}, is: { ready: true, serving: true, terminating: false } },
    { what: 'not ready', pod: { ready: false }, is: { ready: false, serving: false, terminating: false } },
    { what: 'ready and ending', pod: { terminating: true }, is: { ready: false, serving: true, terminating: true } },
    {
      what: 'not ready and ending',
      pod: { ready: false, terminating: true },
      is: { ready: false, serving: false, terminating: true },
    },
    {
      what: 'not ready, published all the same',
      of: { publishNotReadyAddresses: true },
      pod: { ready: false },
      is: { ready: true, serving: false, terminating: false },
    },
    {
      what: 'ending, published all the same',
      of: { publishNotReadyAddresses: true },
      pod: { terminating: true },
      is: { ready: true, serving: true, terminating: true },
    },
  ];
  for (const { what, of, pod: p, is } of table)
    it(what, () => {
      const plan = planFor(endpointslice, [service(of), pod(1, p), node()]);
      assert.deepEqual(written(plan)[0]?.endpoints[0]?.conditions, is);
    });
});

describe('which pods are endpoints', () => {
  const table: { what: string; pod: Given; of?: Given; is: number }[] = [
    { what: 'one that has ended is none', pod: pod(1, { phase: 'Failed' }), is: 0 },
    { what: 'one without an address is none', pod: pod(1, { ips: [] }), is: 0 },
    { what: 'one with other labels is none', pod: pod(1, { labels: { foo: 'baz' } }), is: 0 },
    { what: 'one of the other family alone is none', pod: pod(1, { ips: ['::1'] }), is: 0 },
    { what: 'one on a node that is not there is none', pod: pod(1, { node: 'gone' }), is: 0 },
    {
      what: 'one on a node that is not there, where all are published, is one',
      pod: pod(1, { node: 'gone' }),
      of: service({ publishNotReadyAddresses: true }),
      is: 1,
    },
  ];
  for (const { what, pod: p, of, is } of table)
    it(what, () => {
      const plan = planFor(endpointslice, [of ?? service(), p, node()]);
      assert.equal(written(plan)[0]?.endpoints.length, is);
    });
  it('of a node that is not there it is told, and looked again', () => {
    const plan = planFor(endpointslice, [service(), pod(1, { node: 'gone' }), pod(2), node()]);
    assert.deepEqual(lengths(plan), [1]);
    assert.equal(
      plan.notes?.[0]?.message,
      'Error updating Endpoint Slices for Service test/foo: skipping Pod pod1 for Service test/foo: Node gone Not Found',
    );
    assert.equal(plan.again, 10_000);
  });
  it('a hostname stands where the subdomain is the Service', () => {
    const named = (subdomain: string) => pod(1, { spec: { hostname: 'h', subdomain } });
    const of = (p: Given) => written(planFor(endpointslice, [service(), p, node()]))[0]?.endpoints[0]?.hostname;
    assert.deepEqual([of(named('foo')), of(named('bar'))], ['h', undefined]);
  });
});

describe('what a Service that is not ours gets', () => {
  const table: { what: string; of: Given }[] = [
    { what: 'without a selector: nothing', of: service({ selector: undefined }) },
    { what: 'a name only: nothing', of: service({ type: 'ExternalName' }) },
  ];
  for (const { what, of } of table)
    it(what, () => assert.deepEqual(planFor(endpointslice, [of, pod(1), node()]).writes, []));
  it('an empty selector takes every pod', () =>
    assert.deepEqual(lengths(planFor(endpointslice, [service({ selector: {} }), ...pods(3), node()])), [3]));
});

describe('ports', () => {
  const named = (n: number, port: number, init = false) => {
    const c = { name: 'c', ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }] };
    return pod(n, {
      spec: init ? { containers: [], initContainers: [{ ...c, restartPolicy: 'Always' }] } : { containers: [c] },
    });
  };
  const by = (targetPort: string | number) =>
    service({ ports: [{ name: 'http', port: 80, targetPort, protocol: 'TCP', appProtocol: 'https' }] });
  it('by name are the pods own: a slice for each number', () => {
    const plan = planFor(endpointslice, [by('http'), named(1, 8080), named(2, 8081), named(3, 8080, true), node()]);
    assert.deepEqual(
      written(plan).map((s) => [s.ports[0]?.port, s.ports[0]?.appProtocol, s.endpoints.length]),
      [
        [8080, 'https', 2],
        [8081, 'https', 1],
      ],
    );
  });
  it('by a name that no container has are left out', () => {
    const plan = planFor(endpointslice, [by('other'), named(1, 8080), node()]);
    assert.deepEqual(
      written(plan).map((s) => [s.ports, s.endpoints.length]),
      [[[], 1]],
    );
  });
  it('without any, headless: pods without ports', () => {
    const plan = planFor(endpointslice, [service({ ports: [], clusterIP: 'None' }), pod(1), node()]);
    assert.deepEqual(
      written(plan).map((s) => [s.ports, s.endpoints.length]),
      [[[], 1]],
    );
  });
  it('in another order are the same', () => {
    const ports = [
      { name: 'a', port: 1, targetPort: 1, protocol: 'TCP' },
      { name: 'b', port: 2, targetPort: 2, protocol: 'UDP' },
    ];
    const had = slice('s1', [endpoint(1)], {
      ports: ports.map(({ name, port, protocol }) => ({ name, port, protocol })).reverse(),
    });
    assert.deepEqual(planFor(endpointslice, [service({ ports }), pod(1), node(), had]).writes, []);
  });
});

describe('how endpoints are packed', () => {
  const ports81 = { ports: [{ name: 'port', port: 80, protocol: 'TCP', targetPort: 81 }] };
  const thirties = Array.from({ length: 10 }, (_, i) =>
    slice(
      `s${i}`,
      numbers(i * 30, i * 30 + 30).map((n) => endpoint(n)),
    ),
  );
  const full = [
    slice(
      'a',
      numbers(0, 100).map((n) => endpoint(n)),
    ),
    slice(
      'b',
      numbers(100, 200).map((n) => endpoint(n)),
    ),
    slice(
      'c',
      numbers(200, 250).map((n) => endpoint(n)),
    ),
  ];
  const table: { what: string; of?: Given; pods: Given[]; slices: Given[]; does: string[]; lengths: number[] }[] = [
    { what: 'none: an empty slice', pods: [], slices: [], does: ['create'], lengths: [0] },
    {
      what: '250: three slices',
      pods: pods(250),
      slices: [],
      does: ['create', 'create', 'create'],
      lengths: [100, 100, 50],
    },
    {
      what: 'the rest of what fills slices goes where it fits best',
      pods: pods(250),
      slices: [
        slice(
          's1',
          numbers(1, 246, 4).map((n) => endpoint(n)),
        ),
        slice(
          's2',
          numbers(3, 246, 4).map((n) => endpoint(n)),
        ),
      ],
      does: ['create', 'update'],
      lengths: [100, 89],
    },
    {
      what: 'what fits nowhere whole gets a slice of its own',
      pods: pods(300),
      slices: [
        slice(
          's1',
          numbers(1, 296, 4).map((n) => endpoint(n)),
        ),
        slice(
          's2',
          numbers(3, 296, 4).map((n) => endpoint(n)),
        ),
      ],
      does: ['create', 'create'],
      lengths: [100, 52],
    },
    {
      what: 'other ports: slices are changed, not made anew',
      of: service(ports81),
      pods: pods(250),
      slices: full,
      does: ['update', 'update', 'update'],
      lengths: [50, 100, 100],
    },
    {
      what: 'other labels: all slices',
      of: service({}, { labels: { foo: 'bar' } }),
      pods: pods(250),
      slices: full,
      does: ['update', 'update', 'update'],
      lengths: [100, 100, 50],
    },
    {
      what: 'other reserved labels: none',
      of: service({}, { labels: { [NAME]: 'bad' } }),
      pods: pods(250),
      slices: full,
      does: [],
      lengths: [],
    },
    { what: 'slices that are not full stay so', pods: pods(300), slices: thirties, does: [], lengths: [] },
    {
      what: 'all ports change: slices are filled up and the rest goes',
      of: service(ports81),
      pods: pods(300),
      slices: thirties,
      does: ['update', 'update', 'update', ...Array(7).fill('delete')],
      lengths: [100, 100, 100],
    },
    {
      what: 'what is missing goes into slices that are written anyway, the fuller first',
      pods: [...numbers(0, 80), ...numbers(100, 120), ...numbers(200, 215)].map((n) =>
        pod(n, { ready: n >= 200 || n % 10 !== 0 }),
      ),
      slices: [
        slice(
          's1',
          numbers(0, 80).map((n) => endpoint(n, { conditions: { ready: true, serving: true, terminating: false } })),
        ),
        slice(
          's2',
          numbers(100, 120).map((n) => endpoint(n, { conditions: { ready: true, serving: true, terminating: false } })),
        ),
      ],
      does: ['update', 'update'],
      lengths: [95, 20],
    },
    {
      what: 'one of another family is replaced',
      pods: pods(2),
      slices: [slice('s1', [endpoint(0), endpoint(1)], { addressType: 'IP' })],
      does: ['create', 'delete'],
      lengths: [2],
    },
    {
      what: 'one of a former Service of the name is replaced',
      pods: pods(1),
      slices: [slice('s1', [endpoint(0)], {}, { ownerReferences: [{ ...OWNER, uid: 'former' }] })],
      does: ['create', 'delete'],
      lengths: [1],
    },
    {
      what: 'pods that went leave an empty slice of the same name',
      pods: [],
      slices: [slice('s1', [endpoint(0)])],
      does: ['update'],
      lengths: [0],
    },
    {
      what: 'an empty slice stays',
      pods: [],
      slices: [slice('s1', [], { ports: [] })],
      does: [],
      lengths: [],
    },
    {
      what: 'a slice that is being deleted does not count',
      pods: pods(1),
      slices: [slice('s1', [endpoint(0)], {}, { deletionTimestamp: ago(1) })],
      does: ['create'],
      lengths: [1],
    },
    {
      what: 'a slice of somebody else does not count',
      pods: pods(1),
      slices: [slice('s1', [endpoint(0)], {}, { labels: { [NAME]: 'foo', [MANAGED]: 'me' } })],
      does: ['create'],
      lengths: [1],
    },
    {
      what: 'a Service that goes away gets no new slices',
      of: service({}, { deletionTimestamp: ago(1) }),
      pods: pods(101),
      slices: [],
      does: [],
      lengths: [],
    },
  ];
  for (const { what, of, pods: p, slices, does, lengths: n } of table)
    it(what, () => {
      const plan = planFor(endpointslice, [of ?? service(), ...p, ...slices, node()]);
      assert.deepEqual(verbs(plan), does);
      assert.deepEqual(lengths(plan), n);
    });
  it('a change in place keeps name, revision and order, and tells when it happened', () => {
    const had = slice('s1', [endpoint(2), endpoint(1)]);
    const plan = planFor(endpointslice, [service(), pod(1, { ready: false }), pod(2), node(), had]);
    assert.deepEqual(printed(plan), ['update endpointslices.discovery.k8s.io/test/s1']);
    const [s] = written(plan);
    assert.deepEqual(
      s?.endpoints.map((e) => e.targetRef?.name),
      ['pod2', 'pod1'],
    );
    assert.equal(s?.metadata.resourceVersion, '5');
    assert.deepEqual(s?.metadata.annotations, { 'endpoints.kubernetes.io/last-change-trigger-time': ago(50) });
  });
});

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

describe('which Services a pod concerns', () => {
  const map = endpointslice.watches?.[0]?.map;
  const view = viewOf(endpointslice, [
    service(),
    service({ selector: { foo: 'baz' } }, { name: 'other' }),
    service({ selector: undefined }, { name: 'bare' }),
  ]);
  const row = (p: Given) => {
    const r = viewOf(endpointslice, [p]).get(keyFor(p));
    assert.ok(r);
    return r;
  };
  const table: { what: string; is: Given; was?: Given; keys: string[] }[] = [
    { what: 'new: those that select it', is: pod(1), keys: ['services/test/foo'] },
    { what: 'nothing of it moved that endpoints show: none', is: pod(1), was: pod(1), keys: [] },
    {
      what: 'it got ready: those that select it',
      is: pod(1),
      was: pod(1, { ready: false }),
      keys: ['services/test/foo'],
    },
    {
      what: 'its labels moved: the old one too',
      is: pod(1, { labels: { foo: 'baz' } }),
      was: pod(1),
      keys: ['services/test/foo', 'services/test/other'],
    },
  ];
  for (const { what, is, was, keys } of table)
    it(what, () => assert.deepEqual(map?.(row(is), view, was && row(was)), keys));
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
