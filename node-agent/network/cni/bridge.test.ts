import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cniConfList, leftoverRules, type PodNetwork } from './bridge.ts';

const NETWORK: PodNetwork = { name: 'pods', bridge: 'cor0', podCidrs: ['10.1.2.0/24'], dataDir: '/data' };
type List = { plugins: Record<string, unknown>[] };

describe('the pod network', () => {
  test('is a bridge with one range per family and a route to anywhere in each, then host ports', () => {
    const podCidrs = ['10.1.2.0/24', 'fd00:1::/64'];
    const { plugins } = cniConfList({ ...NETWORK, podCidrs, mtu: 1400 }) as List;
    assert.deepEqual(
      plugins.map((p) => p.type),
      ['bridge', 'portmap'],
    );
    assert.equal(plugins[0]?.bridge, 'cor0');
    assert.equal(plugins[0]?.mtu, 1400);
    assert.deepEqual(plugins[0]?.ipam, {
      type: 'host-local',
      dataDir: '/data',
      ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: 'fd00:1::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
  });

  test('has a rule per pod where forwarded packets are dropped by default', () => {
    const { plugins } = cniConfList({ ...NETWORK, forwardDropped: true }) as List;
    assert.deepEqual(
      plugins.map((p) => p.type),
      ['bridge', 'firewall', 'portmap'],
    );
  });

  test('leaves the MTU to the bridge when none is given', () => {
    assert.equal('mtu' in ((cniConfList(NETWORK) as List).plugins[0] ?? {}), false);
  });

  test('the rules that a pod left behind are found by the name of its network, and no others', () => {
    const saved = [
      '-P POSTROUTING ACCEPT',
      '-N CNI-aaaa',
      '-N CNI-bbbb',
      '-A POSTROUTING -s 10.1.2.3/32 -m comment --comment "name: \\"pods\\" id: \\"x1\\"" -j CNI-aaaa',
      '-A POSTROUTING -s 10.9.9.9/32 -m comment --comment "name: \\"other\\" id: \\"x2\\"" -j CNI-bbbb',
      '-A CNI-aaaa -d 10.1.2.0/24 -m comment --comment "name: \\"pods\\" id: \\"x1\\"" -j ACCEPT',
      '-A CNI-aaaa ! -d 224.0.0.0/4 -m comment --comment "name: \\"pods\\" id: \\"x1\\"" -j MASQUERADE',
    ].join('\n');
    const comment = ['-m', 'comment', '--comment', 'name: "pods" id: "x1"'];
    assert.deepEqual(leftoverRules(saved, 'pods'), [
      ['-D', 'POSTROUTING', '-s', '10.1.2.3/32', ...comment, '-j', 'CNI-aaaa'],
      ['-D', 'CNI-aaaa', '-d', '10.1.2.0/24', ...comment, '-j', 'ACCEPT'],
      ['-D', 'CNI-aaaa', '!', '-d', '224.0.0.0/4', ...comment, '-j', 'MASQUERADE'],
      ['-F', 'CNI-aaaa'],
      ['-X', 'CNI-aaaa'],
    ]);
  });
});
