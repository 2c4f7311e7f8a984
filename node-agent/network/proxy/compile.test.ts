import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointRow } from '../../feed/rows.ts';
import { compileService, disjoint, servingSockets } from './compile.ts';
import type { PortTable } from './table.ts';
import { endpoint, service, slice } from './testing/rows.ts';

const HERE = { name: 'a', zone: 'z', away: new Set(['gone', 'lost']) };
const port = (s: Parameters<typeof service>[0], endpoints: EndpointRow[]): PortTable => {
  const [first] = compileService('ip', service(s), [slice(endpoints)], HERE);
  return first as PortTable;
};
const ips = (p: PortTable) => p.cluster.map((b) => b.ip.replace('10.1.0.', '.'));
const at = (n: number, o: Partial<EndpointRow> = {}) => endpoint(`10.1.0.${n}`, o);

describe('a Service port compiled', () => {
  for (const [why, o] of [
    ['headless', { clusterIPs: ['None'] }],
    ['an ExternalName', { type: 'ExternalName', clusterIPs: [] }],
    ['of another proxy', { proxied: false }],
    ['only of the other family', { clusterIPs: ['fd00::1'] }],
  ] as const)
    test(`is nothing where it is ${why}`, () =>
      assert.deepEqual(
        compileService('ip', service({ ...o, clusterIPs: [...(o.clusterIPs ?? ['10.96.0.1'])] }), [], HERE),
        [],
      ));

  for (const [name, endpoints, got] of [
    ['all ready endpoints', [at(1), at(2), at(3, { ready: false })], ['.1', '.2']],
    ['one that two slices have once', [at(1), at(1)], ['.1']],
    ['those hinted for the zone', [at(1, { zoneHints: ['z'] }), at(2, { zoneHints: ['y'] })], ['.1']],
    ['all when one has no hint', [at(1, { zoneHints: ['z'] }), at(2)], ['.1', '.2']],
    ['all when none is hinted for here', [at(1, { zoneHints: ['x'] }), at(2, { zoneHints: ['y'] })], ['.1', '.2']],
    ['unready ones without hints do not count', [at(1, { zoneHints: ['z'] }), at(2, { ready: false })], ['.1']],
    [
      'those hinted for the node before the zone',
      [at(1, { nodeHints: ['a'], zoneHints: ['z'] }), at(2, { nodeHints: ['b'], zoneHints: ['z'] })],
      ['.1'],
    ],
    [
      'the zone where no node hint is for here',
      [at(1, { nodeHints: ['c'], zoneHints: ['z'] }), at(2, { nodeHints: ['b'], zoneHints: ['y'] })],
      ['.1'],
    ],
    ['draining ones when none is ready', [at(1, { ready: false, terminating: true }), at(2, { ready: false })], ['.1']],
    ['those that answer from here', [at(1, { node: 'gone' }), at(2, { node: 'b' })], ['.2']],
    ['all when none answers from here', [at(1, { node: 'gone' }), at(2, { node: 'lost' })], ['.1', '.2']],
    ['none that terminate without serving', [at(1, { ready: false, serving: false, terminating: true })], []],
  ] as const)
    test(`sends to ${name}`, () => assert.deepEqual(ips(port({}, [...endpoints])), [...got]));

  const nodePort = { type: 'NodePort', ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_000 }] };
  for (const [name, o, endpoints, ways] of [
    ['no endpoints', {}, [], ['reject', 'reject']],
    ['endpoints', {}, [at(1)], ['cluster', 'cluster']],
    [
      'policies Local and an endpoint here',
      { externalLocal: true, internalLocal: true },
      [at(1, { node: 'a' })],
      ['local', 'local'],
    ],
    ['policies Local and none here', { externalLocal: true, internalLocal: true }, [at(1)], ['drop', 'drop']],
    ['policies Local and none at all', { externalLocal: true, internalLocal: true }, [], ['reject', 'reject']],
    ['internal policy Local only', { internalLocal: true }, [at(1)], ['drop', 'cluster']],
  ] as const)
    test(`has its ways with ${name}`, () => {
      const p = port({ ...nodePort, ...o }, [...endpoints]);
      assert.deepEqual([p.internal, p.external], [...ways]);
    });

  test('takes a slice as its own by port name, protocol and family', () => {
    const ports = [{ name: 'http', protocol: 'TCP', port: 8080 }];
    const slices = [
      slice([at(1)], { ports }),
      slice([at(2)], { ports: [{ name: 'other', protocol: 'TCP', port: 8080 }] }),
      slice([at(3)], { ports: [{ name: 'http', protocol: 'UDP', port: 8080 }] }),
      slice([endpoint('fd00::4')], { ports, family: 'IPv6' }),
      slice([at(5)], { ports: [{ name: 'http', protocol: 'TCP', port: 9090 }] }),
    ];
    const [p] = compileService('ip', service(), slices, HERE);
    assert.deepEqual(
      p?.cluster.map((b) => `${b.ip} ${b.port}`),
      ['10.1.0.1 8080', '10.1.0.5 9090'],
    );
  });

  test('knows who may answer UDP, ready or not, wherever', () => {
    const p = port({ internalLocal: true }, [at(1)]);
    const slices = [slice([at(1), at(2, { ready: false, terminating: true }), at(3, { serving: false })])];
    assert.deepEqual([...servingSockets('ip', p, slices)], ['10.1.0.1 8080', '10.1.0.2 8080']);
  });
});

test('of ranges that lie in one another the widest is kept, in either family', () => {
  const ranges = ['10.1.2.0/24', 'fd00:1::/64', '10.1.0.0/16', '10.1.2.0/24', 'fd00::/16', '10.2.0.5/32', '10.2.0.5'];
  assert.deepEqual(disjoint(ranges), ['10.1.0.0/16', 'fd00::/16', '10.2.0.5']);
});
