import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeRow } from '../../feed/rows.ts';
import { macOf, type Placed, planRoutes, routeCommands, vniOf } from './routes.ts';

const node = (name: string, internalIPs: string[], podCIDRs: string[]): NodeRow => ({
  name,
  zone: '',
  internalIPs,
  podCIDRs,
  annotations: {},
});
const A = { name: 'a', addresses: ['192.168.1.2'], cidrs: ['10.244.1.0/24'] };
const OWN = [{ address: '192.168.1.2', cidr: '192.168.1.2/24' }];
const NEAR = node('b', ['192.168.1.3'], ['10.244.2.0/24']);
const FAR = node('c', ['172.16.0.4'], ['10.244.3.0/24']);
const NOTHING: Placed = { routes: {}, peers: {} };
const plan = (nodes: NodeRow[], self = A, own = OWN) =>
  planRoutes([node('a', A.addresses, A.cidrs), ...nodes], self, own, 77);
const commands = (nodes: NodeRow[], before = NOTHING) => routeCommands(plan(nodes), before, 'cor-x');
const macOfC = macOf('c', 77);

describe('the way to other nodes’ pods', () => {
  test('leads through their addresses in one subnet', () => {
    assert.deepEqual(commands([NEAR]).ip, ['route replace 10.244.2.0/24 via 192.168.1.3']);
    assert.deepEqual(plan([NEAR]).vteps, [], 'and needs no device');
  });

  test('leads through VXLAN to other subnets', () => {
    const got = commands([FAR]);
    assert.deepEqual(got.ip, [
      `neigh replace 10.244.3.0 lladdr ${macOfC} dev cor-x nud permanent`,
      'route replace 10.244.3.0/24 via 10.244.3.0 dev cor-x onlink',
    ]);
    assert.deepEqual(got.bridge, [`fdb replace ${macOfC} dev cor-x dst 172.16.0.4`]);
    assert.deepEqual([plan([FAR]).vteps, plan([FAR]).local], [['10.244.1.0'], '192.168.1.2']);
  });

  test('changes only where something changed', () => {
    const { after } = commands([NEAR, FAR]);
    assert.deepEqual(commands([NEAR, FAR], after).ip, []);
    const moved = commands([NEAR, node('c', ['172.16.0.5'], FAR.podCIDRs)], after);
    assert.deepEqual(moved.bridge, [
      `fdb delete ${macOfC} dev cor-x dst 172.16.0.4`,
      `fdb replace ${macOfC} dev cor-x dst 172.16.0.5`,
    ]);
    const gone = commands([NEAR], after);
    assert.deepEqual(gone.ip, ['neigh delete 10.244.3.0 dev cor-x', 'route delete 10.244.3.0/24']);
  });

  test('is that of the first node by name where two have one range, and never away from our own', () => {
    const clash = [node('d', ['192.168.1.9'], NEAR.podCIDRs), NEAR, node('e', ['192.168.1.8'], A.cidrs)];
    assert.deepEqual(commands(clash).ip, ['route replace 10.244.2.0/24 via 192.168.1.3']);
  });

  test('is none to nodes without ranges or addresses', () =>
    assert.deepEqual(commands([node('b', [], ['10.244.2.0/24']), node('c', ['192.168.1.4'], [])]).ip, []));

  test('is told as missing where our own address is another machine’s, and direct ones stay', () => {
    const nat = { ...A, addresses: ['203.0.113.7'] };
    const p = plan([NEAR, FAR], nat);
    assert.equal(p.problem?.reason, 'BehindNAT');
    assert.match(p.problem?.message ?? '', /203\.0\.113\.7.*172\.16\.0\.4/);
    assert.deepEqual(routeCommands(p, NOTHING, 'cor-x').ip, ['route replace 10.244.2.0/24 via 192.168.1.3']);
    assert.equal(plan([NEAR], nat).problem, undefined, 'alone in its subnet nothing is missing');
  });

  test('takes IPv6 ranges over the address of their family', () => {
    const six = node('b', ['192.168.1.3', 'fd00::3'], ['10.244.2.0/24', 'fd01:2::/64']);
    const p = planRoutes(
      [six],
      { ...A, cidrs: [...A.cidrs, 'fd01:1::/64'] },
      [...OWN, { address: 'fd00::2', cidr: 'fd00::2/64' }],
      77,
    );
    assert.deepEqual(p.direct, [
      { cidr: '10.244.2.0/24', via: '192.168.1.3' },
      { cidr: 'fd01:2::/64', via: 'fd00::3' },
    ]);
  });

  test('has one number for a cluster, whatever host its URL has', () => {
    const one = vniOf('https://a.example/clusters/ab12');
    assert.equal(one, vniOf('https://10.0.0.1:6443/clusters/ab12'));
    assert.notEqual(one, vniOf('https://a.example/clusters/ab13'));
    assert.ok(one > 0 && one < 2 ** 24);
    assert.match(macOf('a', one), /^02(:[0-9a-f]{2}){5}$/);
  });
});
