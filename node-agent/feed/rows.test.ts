import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRow, serviceRow, sliceRow } from './rows.ts';

test('a Service has its defaults, and only what it may use of its policies', () => {
  const plain = serviceRow({
    metadata: { namespace: 'n', name: 's' },
    spec: { clusterIP: '10.96.0.5', ports: [{ port: 80 }], externalTrafficPolicy: 'Local' },
  });
  assert.deepEqual(plain.clusterIPs, ['10.96.0.5']);
  assert.deepEqual(plain.ports, [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }]);
  assert.deepEqual(
    [plain.type, plain.affinitySeconds, plain.externalLocal, plain.proxied],
    ['ClusterIP', 0, false, true],
  );
  const external = serviceRow({
    metadata: { namespace: 'n', name: 's', labels: { 'service.kubernetes.io/service-proxy-name': 'x' } },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.5', 'fd00::5'],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      healthCheckNodePort: 31000,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      loadBalancerSourceRanges: [' 10.0.0.0/8 '],
    },
    status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { ip: '1.2.3.5', ipMode: 'Proxy' }, { hostname: 'h' }] } },
  });
  assert.deepEqual(external.loadBalancerIPs, ['1.2.3.4']);
  assert.deepEqual(external.sourceRanges, ['10.0.0.0/8']);
  assert.deepEqual([external.externalLocal, external.internalLocal, external.healthCheckNodePort], [true, true, 31000]);
  assert.deepEqual([external.affinitySeconds, external.proxied], [60, false]);
});

test('an endpoint is ready unless it says otherwise, and so with serving', () => {
  const { service, ports, endpoints } = sliceRow({
    metadata: { namespace: 'n', name: 's-1', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }, { name: 'any' }],
    endpoints: [
      { addresses: ['10.1.1.1'], conditions: {} },
      { addresses: ['10.1.1.2'], conditions: { ready: false, serving: true, terminating: true }, nodeName: 'a' },
      { addresses: ['10.1.1.3'], conditions: { ready: false }, hints: { forZones: [{ name: 'z' }] } },
    ],
  });
  assert.equal(service, 'n/s');
  assert.deepEqual(ports, [{ name: 'http', protocol: 'TCP', port: 8080 }]);
  assert.deepEqual(
    endpoints.map((e) => [e.ready, e.serving, e.terminating, e.node, e.zoneHints]),
    [
      [true, true, false, '', []],
      [false, true, true, 'a', []],
      [false, true, false, '', ['z']],
    ],
  );
});

test('of a node, zone, addresses, pod ranges and our own annotations are kept', () => {
  const row = nodeRow({
    metadata: {
      name: 'a',
      labels: { 'topology.kubernetes.io/zone': 'z' },
      annotations: { 'network.coracle.dev/mac': '02:00:00:00:00:01', other: 'x' },
    },
    spec: { podCIDR: '10.1.0.0/24' },
    status: {
      addresses: [
        { type: 'Hostname', address: 'h' },
        { type: 'InternalIP', address: '192.168.1.2' },
      ],
    },
  });
  assert.deepEqual(row, {
    name: 'a',
    zone: 'z',
    internalIPs: ['192.168.1.2'],
    podCIDRs: ['10.1.0.0/24'],
    annotations: { 'network.coracle.dev/mac': '02:00:00:00:00:01' },
  });
});
