import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { foldersOf, isEmptyTable } from './before.ts';

test('folders that a node makes elsewhere, each after those above it', () => {
  const found = foldersOf({ pods: '/k/pods', hierarchies: ['cpu', 'memory'], logDir: '/var/log/pods' });
  for (const d of ['/run/containerd/s', '/var/lib/cni/results', '/var/log/pods', '/var/log/containers'])
    assert.ok(found.includes(d), d);
  const below = found.filter((d) => d.startsWith('/sys/fs/cgroup/cpu/'));
  assert.deepEqual(
    below,
    ['/k', '/k/pods', '/k/pods/burstable', '/k/pods/besteffort'].map((d) => `/sys/fs/cgroup/cpu${d}`),
  );
  const one = foldersOf({ pods: '/kubepods', hierarchies: [''], logDir: '/l' });
  assert.ok(one.includes('/sys/fs/cgroup/kubepods/burstable'));
});

describe('a table of iptables that nobody needs', () => {
  const table = (...nftables: object[]) =>
    JSON.stringify({ nftables: [{ metainfo: {} }, { table: { name: 'nat' } }, ...nftables] });
  const cases: [string, string, boolean][] = [
    ['has no chains', table(), true],
    ['has chains without rules', table({ chain: { name: 'POSTROUTING', policy: 'accept' } }), true],
    [
      'has what the CNI plug-in leaves',
      table(
        { chain: { name: 'CNI-HOSTPORT-DNAT' } },
        { rule: { chain: 'PREROUTING', expr: [{ match: {} }, { jump: { target: 'CNI-HOSTPORT-DNAT' } }] } },
        { rule: { chain: 'CNI-HOSTPORT-SETMARK', expr: [{ mangle: {} }] } },
      ),
      true,
    ],
    ['is not one that drops', table({ chain: { name: 'FORWARD', policy: 'drop' } }), false],
    [
      'is not one with a rule of somebody',
      table({ chain: { name: 'DOCKER' } }, { rule: { chain: 'POSTROUTING', expr: [{ masquerade: null }] } }),
      false,
    ],
    [
      "is not one that jumps to somebody's chain",
      table({ rule: { chain: 'PREROUTING', expr: [{ jump: { target: 'DOCKER' } }] } }),
      false,
    ],
    ['is not one that could not be read', '{}', false],
  ];
  for (const [name, json, empty] of cases) test(name, () => assert.equal(isEmptyTable(json), empty));
});
