import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerdToml, hostsToml } from './config.ts';
import { missingPackages } from './packages.ts';
import { mountsUnder } from './remove.ts';

const CONFIG = {
  rootDir: '/r',
  stateDir: '/s',
  cniBinDir: '/cni/bin',
  snapshotter: 'overlayfs',
  restrictOomScoreAdj: false,
  systemdCgroup: false,
  sandboxImage: 'registry.k8s.io/pause:3.10.1',
} as const;

describe('the configuration of our containerd', () => {
  const lines = (more: object = {}) =>
    containerdToml({ ...CONFIG, ...more })
      .split('\n')
      .map((l) => l.trim());

  test('keeps everything it writes under its own directories', () => {
    for (const line of lines()) {
      const path = /= "(\/[^"]*)"/.exec(line)?.[1];
      if (path !== undefined) assert.match(path, /^\/(r|s|cni\/bin)(\/|$)/, line);
    }
  });
  const settings: [string, object, string][] = [
    ['no lowering of oom_score_adj', { restrictOomScoreAdj: true }, 'restrict_oom_score_adj = true'],
    ['lowering it where that works', {}, 'restrict_oom_score_adj = false'],
    ['systemd scopes', { systemdCgroup: true }, 'SystemdCgroup = true'],
    ['plain snapshots', { snapshotter: 'native' }, 'snapshotter = "native"'],
    ['the sandbox image', {}, 'sandbox_image = "registry.k8s.io/pause:3.10.1"'],
    ['streams on loopback only', {}, 'stream_server_address = "127.0.0.1"'],
  ];
  for (const [what, more, line] of settings) {
    test(`says ${what}`, () => assert.ok(lines(more).includes(line)));
  }
  test('a path with a quote or a backslash stays one string', () => {
    assert.ok(lines({ rootDir: '/a"b\\c' }).includes('root = "/a\\"b\\\\c"'));
  });
});

test('a registry is asked at the URLs that were given, in order, the last also as its server', () => {
  assert.equal(
    hostsToml(['http://127.0.0.1:5000', 'https://registry.k8s.io']),
    'server = "https://registry.k8s.io"\n' +
      '\n[host."http://127.0.0.1:5000"]\n  capabilities = ["pull", "resolve"]\n' +
      '\n[host."https://registry.k8s.io"]\n  capabilities = ["pull", "resolve"]\n',
  );
});

test('only what is not here is installed', () => {
  const needs = [
    { debian: 'here', present: () => true },
    { debian: 'gone', present: () => false },
  ];
  assert.deepEqual(missingPackages(needs), ['gone']);
});

test('mounts under a directory are found deepest first, with spaces, and not those of a neighbour', () => {
  const line = (path: string) => `36 35 98:0 / ${path} rw - ext4 /dev/root rw`;
  const info = ['/s/a', '/s/a/b', '/s2/x', '/s/with\\040space', '/s'].map(line).join('\n');
  assert.deepEqual(mountsUnder(info, ['/s']), ['/s/with space', '/s/a/b', '/s/a']);
});
