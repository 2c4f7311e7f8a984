import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cniConfList, forwardRules, leftoverRules, type PodNetwork } from './podnetwork.ts';

const NETWORK: PodNetwork = { name: 'pods', podCidrs: ['10.1.2.0/24'], dataDir: '/data' };
type List = { plugins: Record<string, unknown>[] };

describe('the pod network', () => {
  test('is a pair of interfaces with one range per family and a route to anywhere in each, then host ports', () => {
    const podCidrs = ['10.1.2.0/24', 'fd00:1::/64'];
    const { plugins } = cniConfList({ ...NETWORK, podCidrs, mtu: 1400 }) as List;
    assert.deepEqual(
      plugins.map((p) => p.type),
      ['ptp', 'portmap'],
    );
    assert.deepEqual([plugins[0]?.mtu, plugins[0]?.ipMasq], [1400, false]);
    assert.deepEqual(plugins[0]?.ipam, {
      type: 'host-local',
      dataDir: '/data',
      ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: 'fd00:1::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
  });

  test('masquerades by itself only where nobody else does', () => {
    assert.equal((cniConfList({ ...NETWORK, masquerade: true }) as List).plugins[0]?.ipMasq, true);
  });

  test('lets through its pods and what Services sent on, in each family that it has', () => {
    const words = forwardRules({ ...NETWORK, podCidrs: ['10.1.2.0/24'] }, 'ip').map((r) => r.slice(0, 4).join(' '));
    assert.deepEqual(words, ['-s 10.1.2.0/24 -m comment', '-d 10.1.2.0/24 -m comment', '-m conntrack --ctstate DNAT']);
    assert.deepEqual(forwardRules(NETWORK, 'ip6'), []);
  });

  test('leaves the MTU alone when none is given', () => {
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
