import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { endpointslice } from './endpointslice.ts';
import {
  endpoint,
  HEADLESS,
  lengths,
  MANAGED,
  NAME,
  node,
  OWNER,
  type PodIn,
  pod,
  pods,
  service,
  slice,
  written,
} from './testing/slices.ts';
import { ago, type Given, keyFor, planFor, viewOf } from './testing/view.ts';

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
