import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { endpointslicemirroring } from './endpointslicemirroring.ts';
import type { Slice } from './slicepacking.ts';
import { type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

// Cases of kubernetes pkg/controller/endpointslicemirroring reconciler_test.go and endpointslicemirroring_controller_test.go.

const NAME = 'kubernetes.io/service-name';
const MANAGED = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const OWNER = { apiVersion: 'v1', kind: 'Endpoints', name: 's', uid: 'e', controller: true, blockOwnerDeletion: true };
const service = (spec: JsonObject = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'd', uid: 'sv' },
  spec,
});
const source = (subsets: JsonObject[], metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 's', namespace: 'd', uid: 'e', ...metadata },
    subsets,
  }) as Given;
const PORT = { name: 'http', port: 80, protocol: 'TCP' };
const a = (...ips: string[]) => ips.map((ip) => ({ ip, hostname: `h${ip.slice(-1)}` }));
const e = (ip: string, ready = true) => ({ addresses: [ip], conditions: { ready }, hostname: `h${ip.slice(-1)}` });
const slice = (name: string, endpoints: JsonObject[], more: JsonObject = {}, metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'd',
      uid: name,
      labels: { [NAME]: 's', [MANAGED]: MANAGER },
      ownerReferences: [OWNER],
      ...metadata,
    },
    addressType: 'IPv4',
    endpoints,
    ports: [PORT],
    ...more,
  }) as Given;
const written = (p: Plan): Slice[] =>
  p.writes.flatMap((w) => (w.do === 'create' || w.do === 'update' ? [w.object as Slice] : []));
const verbs = (p: Plan) => printed(p).map((t) => t.replace(/ endpointslices.discovery.k8s.io\/d\/(s-.....)?/, ' '));

describe('Endpoints of a Service without a selector', () => {
  const one = [{ addresses: a('10.0.0.1', '10.0.0.2'), ports: [PORT] }];
  const both = [e('10.0.0.1'), e('10.0.0.2')];
  const table: {
    what: string;
    of?: Given;
    from?: Given;
    slices?: Given[];
    does: string[];
    is?: JsonObject[][];
    tells?: string[];
  }[] = [
    { what: 'none: nothing', does: [] },
    { what: 'none any more: their slices go', slices: [slice('m', both)], does: ['delete m'] },
    { what: 'without addresses: nothing', from: source([]), does: [] },
    { what: 'are mirrored', from: source(one), does: ['create '], is: [both] },
    {
      what: 'that are not ready, as such',
      from: source([{ notReadyAddresses: a('10.0.0.1'), ports: [PORT] }]),
      does: ['create '],
      is: [[e('10.0.0.1', false)]],
    },
    {
      what: 'of both families: a slice each',
      from: source([{ addresses: a('10.0.0.1', '2001:DB8::2'), ports: [PORT] }]),
      does: ['create ', 'create '],
      is: [[e('10.0.0.1')], [e('2001:db8::2')]],
    },
    {
      what: 'of two subsets: a slice each',
      from: source([...one, { addresses: a('10.0.0.3'), ports: [{ port: 81 }] }]),
      does: ['create ', 'create '],
      is: [[e('10.0.0.3')], both],
    },
    { what: 'that are mirrored stay', from: source(one), slices: [slice('m', both)], does: [] },
    {
      what: 'one address more',
      from: source(one),
      slices: [slice('m', [e('10.0.0.1')])],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'one that is ready now',
      from: source(one),
      slices: [slice('m', [e('10.0.0.1', false), e('10.0.0.2')])],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'other ports: the slice is used again',
      from: source(one),
      slices: [slice('m', both, { ports: [{ ...PORT, port: 81 }] })],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'two slices for one subset: one goes',
      from: source(one),
      slices: [slice('m', both), slice('n', [])],
      does: ['delete n'],
    },
    {
      what: 'other labels',
      from: source(one, { labels: { x: 'y' } }),
      slices: [slice('m', both)],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'other annotations',
      from: source(one, { annotations: { x: 'y' } }),
      slices: [slice('m', both)],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'annotations that are not mirrored',
      from: source(one, {
        annotations: {
          'endpoints.kubernetes.io/last-change-trigger-time': 'x',
          'kubectl.kubernetes.io/last-applied-configuration': 'y',
        },
      }),
      slices: [slice('m', both)],
      does: [],
    },
    {
      what: 'made anew',
      from: source(one, { uid: 'other' }),
      slices: [slice('m', both)],
      does: ['update m'],
      is: [both],
    },
    {
      what: 'that want no mirror',
      from: source(one, { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }),
      slices: [slice('m', both)],
      does: ['delete m'],
    },
    {
      what: 'of a leader election',
      from: source(one, { annotations: { 'control-plane.alpha.kubernetes.io/leader': '' } }),
      does: [],
    },
    {
      what: 'whose Service has a selector now',
      of: service({ selector: { a: 'b' } }),
      from: source(one),
      slices: [slice('m', both)],
      does: ['delete m'],
    },
    { what: 'that are being deleted', from: source(one, { deletionTimestamp: '2026-01-01T00:00:00Z' }), does: [] },
    {
      what: 'with what is no address',
      from: source([{ addresses: a('10.0.0.1', 'foo1'), ports: [PORT] }]),
      does: ['create '],
      is: [[e('10.0.0.1')]],
      tells: ['Skipped 1 invalid IP addresses when mirroring to EndpointSlices'],
    },
  ];
  for (const { what, of, from, slices = [], does, is, tells = [] } of table)
    it(what, () => {
      const plan = planFor(endpointslicemirroring, [of ?? service(), ...(from ? [from] : []), ...slices]);
      assert.deepEqual(verbs(plan), does);
      if (is)
        assert.deepEqual(
          written(plan).map((s) => s.endpoints),
          is,
        );
      assert.deepEqual(
        (plan.notes ?? []).map((n) => n.message),
        tells,
      );
    });
  it('have their labels, annotations and an owner in the slice', () => {
    const [s] = written(
      planFor(endpointslicemirroring, [service(), source(one, { labels: { x: 'y' }, annotations: { z: 'w' } })]),
    );
    assert.deepEqual(s?.metadata.labels, { x: 'y', [NAME]: 's', [MANAGED]: MANAGER });
    assert.deepEqual([s?.metadata.annotations, s?.metadata.ownerReferences, s?.ports], [{ z: 'w' }, [OWNER], [PORT]]);
    assert.match(s?.metadata.name ?? '', /^s-.{5}$/);
  });
  it('are mirrored up to a thousand of a subset', () => {
    const ips = Array.from({ length: 1_003 }, (_, i) => ({ ip: `10.0.${Math.floor(i / 250)}.${i % 250}` }));
    const plan = planFor(endpointslicemirroring, [service(), source([{ addresses: ips, ports: [PORT] }])]);
    assert.equal(written(plan)[0]?.endpoints.length, 1_000);
    assert.deepEqual(
      plan.notes?.map((n) => n.message),
      ['A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 3 addresses were skipped'],
    );
  });
  it('are looked at beside such Services alone, and not for the one of kube-apiserver', () => {
    const asks = (of: Given) => {
      const row = viewOf(endpointslicemirroring, [of]).get(keyFor(of));
      return row && endpointslicemirroring.besideOf?.(row);
    };
    const kubernetes = { ...service(), metadata: { name: 'kubernetes', namespace: 'default' } };
    assert.deepEqual([asks(service()), asks(service({ selector: {} })), asks(kubernetes)], [true, false, false]);
  });
});
