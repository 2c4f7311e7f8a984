import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { endpoints } from './endpoints.ts';
import { repack, type Subset, truncate } from './subsets.ts';
import { ago, type Given, planFor, printed, viewOf } from './testing/view.ts';

// Cases of kubernetes pkg/controller/endpoint endpoints_controller_test.go and pkg/api/v1/endpoints util_test.go.

const MANAGED = 'endpoints.kubernetes.io/managed-by';
const HEADLESS = 'service.kubernetes.io/headless';
const OVER = 'endpoints.kubernetes.io/over-capacity';
const TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time';

const service = (spec: JsonObject = {}, metadata: JsonObject = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'foo', namespace: 'ns', uid: 'svc', creationTimestamp: ago(500), ...metadata },
  spec: {
    selector: { foo: 'bar' },
    clusterIP: '1.1.1.1',
    ipFamilies: ['IPv4'],
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
    ...spec,
  },
});
interface PodIn {
  ready?: boolean;
  phase?: string;
  terminating?: boolean;
  ips?: string[];
  spec?: JsonObject;
}
const pod = (n: number, o: PodIn = {}): Given => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `pod${n}`,
    namespace: 'ns',
    uid: `p${n}`,
    labels: { foo: 'bar' },
    ...(o.terminating ? { deletionTimestamp: ago(1) } : {}),
  },
  spec: { nodeName: 'n', containers: [], ...o.spec },
  status: {
    phase: o.phase ?? 'Running',
    podIPs: (o.ips ?? [`1.2.${Math.floor(n / 250)}.${n % 250}`]).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True', lastTransitionTime: ago(50) }],
  },
});
const pods = (n: number, notReady = 0) => Array.from({ length: n + notReady }, (_, i) => pod(i, { ready: i < n }));
const address = (n: number) => ({
  ip: `1.2.${Math.floor(n / 250)}.${n % 250}`,
  nodeName: 'n',
  targetRef: { kind: 'Pod', namespace: 'ns', name: `pod${n}`, uid: `p${n}` },
});
const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const standing = (subsets: Subset[], metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'foo', namespace: 'ns', labels: { [MANAGED]: 'endpoint-controller' }, ...metadata },
    subsets,
  }) as Given;
const P8080 = [{ port: 8080, protocol: 'TCP' }];
const made = (plan: Plan) => {
  const [w] = plan.writes;
  return w?.do === 'create' || w?.do === 'update' ? w.object : undefined;
};
const subsets = (plan: Plan) => (made(plan)?.subsets ?? []) as Subset[];

describe('Endpoints of a Service', () => {
  const table: { what: string; of?: Given; others: Given[]; does: string[]; is?: Subset[] }[] = [
    { what: 'nobody there: an empty object', others: [], does: ['create endpoints/ns/foo'], is: [] },
    { what: 'without a selector: left alone', of: service({ selector: undefined }), others: [pod(1)], does: [] },
    { what: 'a name only: left alone', of: service({ type: 'ExternalName' }), others: [pod(1)], does: [] },
    {
      what: 'ready and not ready pods',
      others: [pod(1), pod(2, { ready: false })],
      does: ['create endpoints/ns/foo'],
      is: [{ addresses: [address(1)], notReadyAddresses: [address(2)], ports: P8080 }],
    },
    {
      what: 'all are published that way: all are ready',
      of: service({ publishNotReadyAddresses: true }),
      others: [pod(1), pod(2, { ready: false }), pod(3, { terminating: true })],
      does: ['create endpoints/ns/foo'],
      is: [{ addresses: [address(1), address(2), address(3)], ports: P8080 }],
    },
    {
      what: 'pods that end or have ended are none',
      others: [
        pod(1, { terminating: true }),
        pod(2, { phase: 'Failed' }),
        pod(3, { phase: 'Succeeded' }),
        pod(4, { ips: [] }),
      ],
      does: ['create endpoints/ns/foo'],
      is: [],
    },
    {
      what: 'ports of the same number and two protocols stand together',
      of: service({
        ports: [
          { name: 'a', port: 80, protocol: 'TCP', targetPort: 8088 },
          { name: 'b', port: 80, protocol: 'UDP', targetPort: 8088 },
        ],
      }),
      others: [pod(1)],
      does: ['create endpoints/ns/foo'],
      is: [
        {
          addresses: [address(1)],
          ports: [
            { name: 'a', port: 8088, protocol: 'TCP' },
            { name: 'b', port: 8088, protocol: 'UDP' },
          ],
        },
      ],
    },
    {
      what: 'headless without ports: addresses alone',
      of: service({ clusterIP: 'None', ports: [] }),
      others: [pod(1)],
      does: ['create endpoints/ns/foo'],
      is: [{ addresses: [address(1)] }],
    },
    {
      what: 'with an address and without ports: none',
      of: service({ ports: [] }),
      others: [pod(1)],
      does: ['create endpoints/ns/foo'],
      is: [],
    },
    { what: 'what is right stays', others: [pod(1), standing([{ addresses: [address(1)], ports: P8080 }])], does: [] },
    {
      what: 'what is right in another order stays',
      others: [pod(1), pod(2), standing([{ addresses: [address(2), address(1)], ports: P8080 }])],
      does: [],
    },
    {
      what: 'a revision in a reference does not count for more than the pod',
      others: [pod(1), standing([{ addresses: [address(2)], ports: P8080 }])],
      does: ['update endpoints/ns/foo'],
      is: [{ addresses: [address(1)], ports: P8080 }],
    },
    { what: 'none that stood without subsets stays', others: [standing([])], does: [] },
    {
      what: 'a new label is carried over',
      of: service({}, { labels: { a: 'b' } }),
      others: [pod(1), standing([{ addresses: [address(1)], ports: P8080 }])],
      does: ['update endpoints/ns/foo'],
    },
    {
      what: 'the label of headless ones alone is no change',
      of: service({ clusterIP: 'None' }),
      others: [pod(1), standing([{ addresses: [address(1)], ports: P8080 }])],
      does: [],
    },
  ];
  for (const { what, of, others, does, is } of table)
    it(what, () => {
      const plan = planFor(endpoints, [of ?? service(), ...others]);
      assert.deepEqual(printed(plan), does);
      if (is) assert.deepEqual(subsets(plan), is);
    });
  it('go with the Service', () => {
    const key = 'services/ns/foo';
    assert.deepEqual(printed(endpoints.reconcile(key, undefined, viewOf(endpoints, []))), ['delete endpoints/ns/foo']);
  });
  it("have its labels, the controller's, and the time of what led to them", () => {
    const labels = (of: Given) => made(planFor(endpoints, [of, pod(1)]))?.metadata.labels;
    assert.deepEqual(labels(service({ clusterIP: 'None' }, { labels: { a: 'b' } })), {
      a: 'b',
      [HEADLESS]: '',
      [MANAGED]: 'endpoint-controller',
    });
    assert.deepEqual(labels(service({}, { labels: { [HEADLESS]: 'x' } })), { [MANAGED]: 'endpoint-controller' });
    const times = (given: Given[]) => made(planFor(endpoints, [service(), ...given]))?.metadata.annotations?.[TRIGGER];
    assert.equal(times([pod(1)]), ago(500));
    const stale = { annotations: { [TRIGGER]: ago(900) } };
    assert.equal(
      times([pod(1, { ready: false }), standing([{ addresses: [address(1)], ports: P8080 }], stale)]),
      ago(50),
    );
    assert.equal(times([standing([{ addresses: [address(1)], ports: P8080 }], stale)]), undefined);
  });
});

describe('the family of an address', () => {
  const both = ['10.1.2.4', '2000::4'];
  const table: [string, JsonObject, string[], string | undefined][] = [
    ['IPv4, pod of one', { ipFamilies: ['IPv4'] }, ['10.1.2.4'], '10.1.2.4'],
    ['IPv4, pod of both', { ipFamilies: ['IPv4'] }, both, '10.1.2.4'],
    ['IPv4, pod of both, IPv6 first', { ipFamilies: ['IPv4'] }, [...both].reverse(), '10.1.2.4'],
    ['IPv6, pod of both', { ipFamilies: ['IPv6'] }, both, '2000::4'],
    ['IPv6, pod of IPv4', { ipFamilies: ['IPv6'] }, ['10.1.2.4'], undefined],
    ['unsaid, IPv4 address', { ipFamilies: [], clusterIP: '10.0.0.1' }, both, '10.1.2.4'],
    ['unsaid, IPv6 address', { ipFamilies: [], clusterIP: '3000::1' }, both, '2000::4'],
    ['unsaid, headless, pod of IPv4', { ipFamilies: [], clusterIP: 'None' }, ['10.1.2.4'], '10.1.2.4'],
    ['unsaid, headless, pod of IPv6', { ipFamilies: [], clusterIP: 'None' }, ['2000::4'], '2000::4'],
  ];
  for (const [what, of, ips, is] of table)
    it(what, () =>
      assert.equal(subsets(planFor(endpoints, [service(of), pod(1, { ips })]))[0]?.addresses?.[0]?.ip, is),
    );
});

describe('more addresses than Endpoints may have', () => {
  const table: {
    what: string;
    annotation?: string;
    had: number;
    ready: number;
    not: number;
    is: [number, number];
    over: boolean;
  }[] = [
    { what: 'none', had: 0, ready: 0, not: 0, is: [0, 0], over: false },
    { what: 'others are cut', had: 999, ready: 997, not: 4, is: [997, 3], over: true },
    { what: 'no room for others', had: 999, ready: 1000, not: 10, is: [1000, 0], over: true },
    { what: 'no longer', annotation: 'truncated', had: 999, ready: 999, not: 0, is: [999, 0], over: false },
    {
      what: 'just as many, marked by a former release',
      annotation: 'warning',
      had: 1000,
      ready: 1000,
      not: 0,
      is: [1000, 0],
      over: false,
    },
    {
      what: 'still, marked by a former release',
      annotation: 'warning',
      had: 1001,
      ready: 1001,
      not: 0,
      is: [1000, 0],
      over: true,
    },
    { what: 'just as many', annotation: 'truncated', had: 1000, ready: 1000, not: 0, is: [1000, 0], over: false },
    { what: 'wrongly marked', annotation: 'invalid', had: 1001, ready: 1001, not: 0, is: [1000, 0], over: true },
  ];
  for (const { what, annotation, had, ready, not, is, over } of table)
    it(what, () => {
      const marks = annotation ? { annotations: { [OVER]: annotation } } : {};
      const old = standing([{ addresses: numbers(had).map(address), ports: P8080 }], marks);
      const plan = planFor(endpoints, [service(), ...pods(ready, not), old]);
      if (had === 0) assert.deepEqual(subsets(plan), []);
      else {
        const [s] = subsets(plan);
        assert.deepEqual([s?.addresses?.length ?? 0, s?.notReadyAddresses?.length ?? 0], is);
        assert.equal(made(plan)?.metadata.annotations?.[OVER], over ? 'truncated' : undefined);
      }
    });
  const cuts: { what: string; ready: number[]; not: number[]; is: [number[], number[]] | null }[] = [
    { what: 'few', ready: [50, 100, 100, 100, 100], not: [50, 100, 100, 100, 100], is: null },
    { what: 'just as many', ready: [100, 100, 100, 100, 100], not: [100, 100, 100, 100, 100], is: null },
    {
      what: 'others in proportion',
      ready: [90, 110, 50, 10, 20],
      not: [101, 200, 200, 201, 298],
      is: [
        [90, 110, 50, 10, 20],
        [73, 144, 144, 145, 214],
      ],
    },
    {
      what: 'ready ones in proportion',
      ready: [205, 400, 402, 400, 693],
      not: [100, 200, 200, 200, 300],
      is: [
        [98, 191, 192, 191, 328],
        [0, 0, 0, 0, 0],
      ],
    },
  ];
  for (const { what, ready, not, is } of cuts)
    it(`over subsets: ${what}`, () => {
      const a = (n = 0) => Array.from({ length: n }, () => ({ ip: '1.2.3.4' }));
      const cut = truncate(ready.map((n, i) => ({ addresses: a(n), notReadyAddresses: a(not[i]) })));
      assert.deepEqual(
        cut && [cut.map((s) => s.addresses?.length ?? 0), cut.map((s) => s.notReadyAddresses?.length ?? 0)],
        is,
      );
    });
});

describe('subsets in canonical form', () => {
  const a = (ip: string, uid?: string) => ({ ip, ...(uid === undefined ? {} : { targetRef: { uid } }) });
  const p = (...ports: number[]) => ports.map((port) => ({ port }));
  const one = a('1.2.3.4');
  const table: { what: string; given: Subset[]; is: Subset[] }[] = [
    { what: 'nothing', given: [{ addresses: [], ports: [] }], is: [] },
    { what: 'ports of nobody', given: [{ addresses: [], ports: p(111) }], is: [] },
    { what: 'no ports', given: [{ addresses: [one], ports: [] }], is: [{ addresses: [one] }] },
    { what: 'no ports, not ready', given: [{ notReadyAddresses: [one] }], is: [{ notReadyAddresses: [one] }] },
    { what: 'one', given: [{ addresses: [one], ports: p(111) }], is: [{ addresses: [one], ports: p(111) }] },
    {
      what: 'both ready and not: not',
      given: [{ addresses: [one], notReadyAddresses: [one], ports: p(111) }],
      is: [{ notReadyAddresses: [one], ports: p(111) }],
    },
    {
      what: 'twice',
      given: [{ addresses: [one, one], ports: p(111, 111) }],
      is: [{ addresses: [one], ports: p(111) }],
    },
    {
      what: 'ports of the same address stand together',
      given: [
        { addresses: [one], ports: p(222) },
        { addresses: [one], ports: p(111) },
      ],
      is: [{ addresses: [one], ports: p(111, 222) }],
    },
    {
      what: 'ports of an address that is ready for one alone do not',
      given: [
        { addresses: [one], ports: p(222) },
        { notReadyAddresses: [one], ports: p(111) },
      ],
      is: [
        { notReadyAddresses: [one], ports: p(111) },
        { addresses: [one], ports: p(222) },
      ],
    },
    {
      what: 'the same address of two pods stays two',
      given: [{ addresses: [a('1.2.3.4', 'b'), a('1.2.3.4', 'a')], ports: p(111) }],
      is: [{ addresses: [a('1.2.3.4', 'a'), a('1.2.3.4', 'b')], ports: p(111) }],
    },
    {
      what: 'addresses of the same port stand together, in order',
      given: [
        { addresses: [a('5.6.7.8')], ports: p(111) },
        { addresses: [one], ports: p(111) },
      ],
      is: [{ addresses: [one, a('5.6.7.8')], ports: p(111) }],
    },
  ];
  for (const { what, given, is } of table) it(what, () => assert.deepEqual(repack(given) as Json, is as Json));
});
