import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointslice } from './endpointslice.ts';
import {
  endpoint,
  lengths,
  MANAGED,
  NAME,
  node,
  numbers,
  OWNER,
  pod,
  pods,
  service,
  slice,
  verbs,
  written,
} from './testing/slices.ts';
import { ago, type Given, planFor, printed } from './testing/view.ts';

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
