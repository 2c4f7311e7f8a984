import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { kubernetesservice } from './kubernetesservice.ts';
import { type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

const namespace = (name: string): Given => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const service = (name: string, of: string, spec: JsonObject = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: of },
  spec,
});
/** What the controller makes where nothing is, as it stands afterwards. */
const made = (...given: [Given, ...Given[]]): Given[] =>
  planFor(kubernetesservice, given).writes.flatMap((w) => (w.do === 'create' ? [w.object as Given] : []));
const [, endpoints, slice] = made(namespace('default')) as [Given, Given, Given];
const [dnsSlice] = made(namespace('kube-system'), service('kube-dns', 'kube-system')) as [Given];
const S = 'endpointslices.discovery.k8s.io';
const all = [
  'create services/default/kubernetes',
  'create endpoints/default/kubernetes',
  `create ${S}/default/kubernetes`,
];

describe('the Service default/kubernetes', () => {
  const table: { what: string; given: [Given, ...Given[]]; does: string[] }[] = [
    { what: 'is made where it is missing, with its endpoints', given: [namespace('default')], does: all },
    {
      what: 'is left alone where it is',
      given: [namespace('default'), service('kubernetes', 'default'), endpoints, slice],
      does: [],
    },
    { what: 'is of no other namespace', given: [namespace('a')], does: [] },
    {
      what: 'is not made up for by one elsewhere',
      given: [namespace('default'), service('kubernetes', 'a')],
      does: all,
    },
    {
      what: 'has its endpoints put right',
      given: [
        namespace('default'),
        service('kubernetes', 'default'),
        { ...endpoints, subsets: [] },
        { ...slice, metadata: { ...slice.metadata, labels: {} } },
      ],
      does: ['update endpoints/default/kubernetes', `update ${S}/default/kubernetes`],
    },
  ];
  for (const { what, given, does } of table)
    it(what, () => assert.deepEqual(printed(planFor(kubernetesservice, given)), does));

  it("has the first address of the range, port 443 and upstream's labels, and no selector", () => {
    const [write] = planFor(kubernetesservice, [namespace('default')]).writes;
    assert.ok(write?.do === 'create');
    const spec = write.object.spec as JsonObject;
    assert.deepEqual(write.object.metadata.labels, { component: 'apiserver', provider: 'kubernetes' });
    assert.deepEqual([spec.clusterIP, spec.sessionAffinity, spec.selector], ['10.96.0.1', 'None', undefined]);
    assert.deepEqual(spec.ports, [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }]);
  });

  it('has the same endpoint in both forms: the address that nodes hold', () => {
    const ports = [{ name: 'https', port: 6443, protocol: 'TCP' }];
    assert.deepEqual(endpoints.subsets, [{ addresses: [{ ip: '198.18.0.1' }], ports }]);
    assert.deepEqual(slice.endpoints, [{ addresses: ['198.18.0.1'], conditions: { ready: true } }]);
    assert.deepEqual(slice.ports, ports);
    assert.deepEqual(slice.metadata.labels, { 'kubernetes.io/service-name': 'kubernetes' });
  });

  it('is made anew when it is deleted', () => {
    const woken = (o: Given) => {
      const view = viewOf(kubernetesservice, [o]);
      const row = view.get(keyFor(o));
      return row && kubernetesservice.watches?.[0]?.map(row, view);
    };
    assert.deepEqual(woken(service('kubernetes', 'default')), ['namespaces/default']);
    assert.deepEqual(woken(service('other', 'default')), []);
  });
});

describe('endpoints of the Service kube-system/kube-dns', () => {
  const selector = { selector: { 'k8s-app': 'kube-dns' } };
  const theirs: Given = { ...dnsSlice, metadata: { ...dnsSlice.metadata, labels: {} } };
  const table: { what: string; given: Given[]; does: string[] }[] = [
    { what: 'are none without the Service, which nobody makes anew', given: [], does: [] },
    {
      what: 'are what nodes hold while it has no selector',
      given: [service('kube-dns', 'kube-system')],
      does: [`create ${S}/kube-system/kube-dns`],
    },
    { what: 'stay', given: [service('kube-dns', 'kube-system'), dnsSlice], does: [] },
    {
      what: 'make way for pods once it has one',
      given: [service('kube-dns', 'kube-system', selector), dnsSlice],
      does: [`delete ${S}/kube-system/kube-dns`],
    },
    {
      what: 'stay away while it has one',
      given: [service('kube-dns', 'kube-system', selector)],
      does: [],
    },
    { what: 'go with the Service', given: [dnsSlice], does: [`delete ${S}/kube-system/kube-dns`] },
    {
      what: 'are left to whoever made a slice of that name',
      given: [service('kube-dns', 'kube-system'), theirs],
      does: [],
    },
  ];
  for (const { what, given, does } of table)
    it(what, () => assert.deepEqual(printed(planFor(kubernetesservice, [namespace('kube-system'), ...given])), does));
});
