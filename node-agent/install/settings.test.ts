import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { podsCgroup, readSettings } from '../settings.ts';

const least = {
  url: 'https://h/clusters/a',
  tokenFile: '/t',
  node: 'n1',
  stateDir: '/s',
  runDir: '/r',
  addresses: ['198.51.100.1'],
  podCIDRs: ['10.244.1.0/24'],
};
function read(more: object) {
  const dir = mkdtempSync(join(tmpdir(), 'settings-'));
  try {
    const path = join(dir, 'agent.json');
    writeFileSync(path, JSON.stringify({ ...least, ...more }));
    return readSettings(path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('the socket of a runtime that is there is taken as a path or as a URL, as the kubelet takes it', () => {
  assert.equal(read({}).criSocket, undefined);
  assert.equal(read({ criSocket: '/run/a.sock' }).criSocket, '/run/a.sock');
  assert.equal(read({ criSocket: 'unix:///run/a.sock' }).criSocket, '/run/a.sock');
  assert.throws(() => read({ criSocket: 'tcp://h:1' }), /criSocket: a path or a unix:\/\/ URL is needed/);
});

test("pods' cgroups are under the root that is named, at the top without one", () => {
  assert.equal(podsCgroup(read({})), '/kubepods');
  assert.equal(podsCgroup(read({ cgroupRoot: '/conformance/node1' })), '/conformance/node1/kubepods');
  assert.throws(() => read({ cgroupRoot: 'pods' }), /cgroupRoot: an absolute path/);
});
