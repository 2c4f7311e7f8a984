import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ensureTiers, kernelCgroups, podCgroupPath, weightOf } from './cgroups.ts';
import type { Pod } from './pod.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cgroups-'));
});
afterEach(() => rm(root, { recursive: true }));

const read = (path: string) => readFile(join(root, path), 'utf8');
const made = () => kernelCgroups(root, (path) => rm(path, { recursive: true }));
const LIMITS = { cpuShares: 1024, cpuPeriod: 100_000, cpuQuota: 50_000, memoryBytes: 1 << 20 };

describe('cgroup v1', () => {
  beforeEach(async () => {
    for (const c of ['cpu', 'memory', 'pids', 'devices']) await mkdir(join(root, c));
  });
  test('a pod has a group in each hierarchy, with its limits', async () => {
    const cgroups = made();
    assert.equal(await cgroups.ensure('/kubepods/burstable/podu', LIMITS), true);
    assert.equal(await read('cpu/kubepods/burstable/podu/cpu.shares'), '1024');
    assert.equal(await read('cpu/kubepods/burstable/podu/cpu.cfs_quota_us'), '50000');
    assert.equal(await read('memory/kubepods/burstable/podu/memory.limit_in_bytes'), '1048576');
    assert.ok(existsSync(join(root, 'pids/kubepods/burstable/podu')));
    await cgroups.set('/kubepods/burstable/podu', { cpuQuota: 0 });
    assert.equal(await read('cpu/kubepods/burstable/podu/cpu.cfs_quota_us'), '-1');
    assert.equal(await cgroups.ensure('/kubepods/burstable/podu', { cpuShares: 2 }), false);
    assert.equal(await read('cpu/kubepods/burstable/podu/cpu.shares'), '1024');
  });
  test('what the runtime has made for it elsewhere goes with it', async () => {
    const cgroups = made();
    await cgroups.ensure('/kubepods/podu', LIMITS);
    await mkdir(join(root, 'devices/kubepods/podu/left'), { recursive: true });
    await cgroups.remove('/kubepods/podu');
    for (const c of ['cpu', 'memory', 'pids', 'devices'])
      assert.equal(existsSync(join(root, c, 'kubepods/podu')), false);
    await cgroups.remove('/kubepods/podu');
  });
});

describe('cgroup v2', () => {
  beforeEach(async () => {
    await writeFile(join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
  });
  test('a pod has one group, and all above it pass their controllers on', async () => {
    const cgroups = made();
    assert.equal(await cgroups.ensure('/kubepods/podu', LIMITS), true);
    assert.equal(await read('cgroup.subtree_control'), '+cpu +cpuset +memory +pids');
    assert.equal(await read('kubepods/podu/cpu.weight'), String(weightOf(1024)));
    assert.equal(await read('kubepods/podu/cpu.max'), '50000 100000');
    assert.equal(await read('kubepods/podu/memory.max'), '1048576');
    await cgroups.set('/kubepods/podu', { cpuQuota: 0, memoryBytes: 0 });
    assert.equal(await read('kubepods/podu/cpu.max'), 'max 100000');
    assert.equal(await read('kubepods/podu/memory.max'), 'max');
    await writeFile(join(root, 'kubepods/podu/memory.current'), '77\n');
    assert.equal(await cgroups.memoryUsage('/kubepods/podu'), 77);
    await cgroups.remove('/kubepods/podu');
    assert.equal(existsSync(join(root, 'kubepods/podu')), false);
  });
  test('weights of shares are upstream s', () => {
    assert.deepEqual([2, 102, 1024, 262_144].map(weightOf), [1, 4, 39, 10_000]);
  });
});

test('a pod is below its class, a guaranteed one at the top', () => {
  const pod = (resources: object): Pod => ({
    metadata: { name: 'p', uid: 'u' },
    spec: { containers: [{ name: 'c', image: 'i', resources }] },
  });
  const both = { cpu: '1', memory: '1Mi' };
  assert.equal(podCgroupPath('/r/kubepods', pod({})), '/r/kubepods/besteffort/podu');
  assert.equal(podCgroupPath('/r/kubepods', pod({ requests: { cpu: '1' } })), '/r/kubepods/burstable/podu');
  assert.equal(podCgroupPath('/r/kubepods', pod({ requests: both, limits: both })), '/r/kubepods/podu');
});

test('the classes share the processor as their pods ask for it', async () => {
  await mkdir(join(root, 'cpu'));
  await mkdir(join(root, 'memory'));
  const cgroups = made();
  await ensureTiers(cgroups, '/kubepods', 0);
  assert.deepEqual(
    [await read('cpu/kubepods/besteffort/cpu.shares'), await read('cpu/kubepods/burstable/cpu.shares')],
    ['2', '2'],
  );
  await ensureTiers(cgroups, '/kubepods', 1500);
  assert.equal(await read('cpu/kubepods/burstable/cpu.shares'), '1536');
});
