import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  crossed,
  evictionMessage,
  type Observations,
  overLimit,
  type PodUsage,
  type Pressure,
  pressureConditions,
  pressures,
  rank,
  refusedUnder,
  THRESHOLDS,
} from './eviction.ts';
import { Evictor } from './evictor.ts';
import { type MachineReader, machineReader } from './machinereader.ts';
import { addressesOf, capacityOf, readiness, timedConditions } from './nodestatus.ts';
import type { Container, Pod, PodSpec } from './pod.ts';
import { diskUse } from './podusage.ts';
import { container, Machine } from './testing/machine.ts';

const Mi = 1024 * 1024;
const Gi = 1024 * Mi;
const main: Container = { name: 'main', image: 'i' };
const pod = (name: string, spec: Partial<PodSpec> = {}, qosClass = 'Burstable'): Pod => ({
  metadata: { name, namespace: 'ns', uid: name },
  spec: { containers: [main], ...spec },
  status: { phase: 'Running', qosClass },
});
const asking = (resources: Container['resources']): Partial<PodSpec> => ({
  containers: [{ ...main, ...(resources ? { resources } : {}) }],
});
const usage = (u: Partial<PodUsage>): PodUsage => ({ containers: [], volumes: new Map(), ...u });

describe('thresholds', () => {
  const cases: [string, Observations, string[]][] = [
    ['enough of all', { 'memory.available': { available: Gi, capacity: 2 * Gi } }, []],
    ['less than 100 Mi of memory', { 'memory.available': { available: 99 * Mi, capacity: Gi } }, ['memory.available']],
    ['exactly 100 Mi', { 'memory.available': { available: 100 * Mi, capacity: Gi } }, []],
    ['less than a tenth of the disk', { 'nodefs.available': { available: 9, capacity: 100 } }, ['nodefs.available']],
    [
      'less than 15 % of the images disk',
      { 'imagefs.available': { available: 14, capacity: 100 } },
      ['imagefs.available'],
    ],
    [
      'less than a twentieth of the inodes',
      { 'nodefs.inodesFree': { available: 4, capacity: 100 } },
      ['nodefs.inodesFree'],
    ],
    [
      'several: memory comes first',
      { 'nodefs.available': { available: 0, capacity: 90 }, 'memory.available': { available: 0, capacity: Gi } },
      ['memory.available', 'nodefs.available'],
    ],
    ['few process ids have no threshold by default', { 'pid.available': { available: 1, capacity: 100 } }, []],
  ];
  for (const [name, seen, signals] of cases)
    test(name, () =>
      assert.deepEqual(
        crossed(THRESHOLDS, seen).map((t) => t.signal),
        signals,
      ),
    );

  test('a pressure stays for five minutes after it was seen last', () => {
    const last = new Map<Pressure, number>();
    const met = crossed(THRESHOLDS, { 'memory.available': { available: 0, capacity: Gi } });
    assert.deepEqual([...pressures(0, met, last)], ['MemoryPressure']);
    assert.deepEqual([...pressures(299_999, [], last)], ['MemoryPressure']);
    assert.deepEqual([...pressures(300_000, [], last)], []);
    assert.deepEqual([...pressures(5_000, [], last, 5_000)], [], 'or as long as the settings say');
  });
  test('conditions say so in upstream words', () => {
    const [memory, disk, pid] = pressureConditions(new Set(['DiskPressure']));
    assert.deepEqual(
      [memory?.reason, disk?.status, disk?.reason, pid?.message],
      ['KubeletHasSufficientMemory', 'True', 'KubeletHasDiskPressure', 'kubelet has sufficient PID available'],
    );
  });
});

describe('who goes first', () => {
  const requests = (memory: string) => asking({ requests: { memory } });
  const pods = [
    pod('within', requests('1Gi')),
    pod('above-little', requests('100Mi')),
    pod('above-much', requests('100Mi')),
    pod('above-important', { ...requests('10Mi'), priority: 1000 }),
    pod('unknown'),
  ];
  const used: Record<string, number> = { within: 500, 'above-little': 110, 'above-much': 300, 'above-important': 900 };
  const of = (p: Pod) => {
    const mi = used[p.metadata.name ?? ''];
    return mi === undefined ? undefined : usage({ memoryBytes: mi * Mi, diskBytes: mi, processes: mi });
  };
  test('for memory: the unknown, then who uses more than it asked for, by priority and by how much more', () => {
    const order = rank('memory.available', pods, of).map((p) => p.metadata.name);
    assert.deepEqual(order, ['unknown', 'above-much', 'above-little', 'above-important', 'within']);
  });
  test('for process ids: by priority, then by their number', () => {
    const order = rank('pid.available', pods, of).map((p) => p.metadata.name);
    assert.deepEqual(order, ['unknown', 'within', 'above-much', 'above-little', 'above-important']);
  });
  test('its message tells threshold, what is left and which container used more than it asked for', () => {
    const seen: Observations = { 'memory.available': { available: 50 * Mi, capacity: Gi } };
    const u = usage({
      containers: [
        { name: 'main', memoryBytes: 300 * Mi },
        { name: 'other', memoryBytes: Gi },
      ],
    });
    assert.equal(
      evictionMessage('memory.available', crossed(THRESHOLDS, seen), seen, pods[1] ?? pod('x'), () => u),
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 300Mi, request is 100Mi, has larger consumption of memory. ',
    );
  });
});

describe('limits of disk usage', () => {
  const volume = (sizeLimit: string, medium?: string) => ({
    volumes: [{ name: 'v', emptyDir: { sizeLimit, ...(medium ? { medium } : {}) } }],
  });
  const limit = (text: string) => asking({ limits: { 'ephemeral-storage': text } });
  const cases: [string, Partial<PodSpec>, Partial<PodUsage>, string | null][] = [
    ['nothing is limited', {}, { diskBytes: Gi }, null],
    ['an emptyDir within its limit', volume('10Mi'), { volumes: new Map([['v', 10 * Mi]]) }, null],
    [
      'an emptyDir above it',
      volume('10Mi'),
      { volumes: new Map([['v', 10 * Mi + 1]]) },
      'Usage of EmptyDir volume "v" exceeds the limit "10Mi". ',
    ],
    ["one in memory is the kernel's business", volume('10Mi', 'Memory'), { volumes: new Map([['v', Gi]]) }, null],
    [
      'a pod above the sum of its containers',
      limit('1Mi'),
      { diskBytes: 2 * Mi },
      'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ',
    ],
    [
      'a container above its own',
      {
        containers: [
          ...(limit('1Mi').containers ?? []),
          { ...main, name: 'b', resources: { limits: { 'ephemeral-storage': '9Mi' } } },
        ],
      },
      { diskBytes: 2 * Mi, containers: [{ name: 'main', diskBytes: 2 * Mi }] },
      'Container main exceeded its local ephemeral storage limit "1Mi". ',
    ],
  ];
  for (const [name, spec, used, message] of cases)
    test(name, () => assert.equal(overLimit(pod('p', spec), usage(used)), message));
});

test('a node under pressure takes only whom it must', () => {
  const tolerates = { tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' as const }] };
  const memory = new Set<Pressure>(['MemoryPressure']);
  const both = new Set<Pressure>(['MemoryPressure', 'DiskPressure']);
  const cases: [Set<Pressure>, Pod, string | null][] = [
    [new Set(), pod('p', {}, 'BestEffort'), null],
    [memory, pod('p', {}, 'BestEffort'), 'The node had condition: [MemoryPressure]. '],
    [memory, pod('p', tolerates, 'BestEffort'), null],
    [memory, pod('p'), null],
    [both, pod('p'), 'The node had condition: [MemoryPressure DiskPressure]. '],
    [both, pod('p', { priority: 2_000_001_000 }), null],
  ];
  for (const [now, p, why] of cases) assert.equal(refusedUnder(now, p), why);
});

/** A machine with room for all, but for what a test takes away. */
const roomy = (more: Partial<MachineReader> = {}): MachineReader => ({
  memory: () => ({ totalBytes: 4 * Gi, usedBytes: 2 * Gi, workingSetBytes: Gi, swapBytes: 0 }),
  cpu: () => ({ cpuNanos: 0, bootMs: 0 }),
  processes: () => ({ most: 1000, running: 10 }),
  disk: () => ({ capacityBytes: 100 * Gi, availableBytes: 50 * Gi, inodes: 1000, inodesFree: 900 }),
  hugePages: () => [],
  ...more,
});

describe('on a node', () => {
  let m: Machine;
  beforeEach(async () => {
    m = await Machine.start();
  });
  afterEach(() => m.close());
  const evictor = (machine: MachineReader, told: string[] = [], freed: () => void = () => undefined) =>
    new Evictor({
      ...{
        runtime: m.runtime,
        images: m.runtime.images,
        machine,
        root: m.root,
        logRoot: join(m.root, 'logs'),
        env: m.clock,
      },
      pods: () => [...m.kubelet.workers.values()].filter((w) => w.admitted).map((w) => w.pod),
      end: (p, why) => m.kubelet.workers.get(p.metadata.uid ?? '')?.end(why),
      reclaim: async () => {
        told.push('reclaim');
        freed();
      },
      tell: (_, reason, text) => told.push(`${reason}: ${text}`),
    });

  test('without memory one pod at a time fails, Evicted, and a new one is refused', async () => {
    await m.create('a', { containers: [container('main', ['pause'])] });
    await m.create('b', { containers: [container('main', ['pause'])] });
    m.runtime.setUsage(m.id('b'), { cpuNanos: 0, memoryBytes: Gi });
    const told: string[] = [];
    const e = evictor(
      roomy({
        memory: () => ({ totalBytes: 4 * Gi, usedBytes: 4 * Gi, workingSetBytes: 4 * Gi - 50 * Mi, swapBytes: 0 }),
      }),
      told,
    );
    await e.look();
    await m.pass(3);
    assert.deepEqual(
      [m.status('a').phase, m.status('b').phase, m.status('b').reason],
      ['Running', 'Failed', 'Evicted'],
    );
    assert.match(
      m.status('b').message ?? '',
      /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 50Mi\. /,
    );
    assert.match(m.condition('b', 'DisruptionTarget'), /^True TerminationByKubelet: The node was low/);
    assert.deepEqual(told, ['EvictionThresholdMet: Attempting to reclaim memory']);
    assert.deepEqual([...e.pressures], ['MemoryPressure']);
    assert.match(m.events('Evicted')[0] ?? '', /^The node was low on resource: memory/);
  });
  test('images go before pods when the disk is full', async () => {
    await m.create('a', { containers: [container('main', ['pause'])] });
    const told: string[] = [];
    let free = Gi;
    const disk = () => ({ capacityBytes: 100 * Gi, availableBytes: free, inodes: 0, inodesFree: 0 });
    const e = evictor(roomy({ disk }), told, () => {
      free = 50 * Gi;
    });
    await e.look();
    await m.pass(2);
    assert.equal(m.status('a').phase, 'Running');
    assert.deepEqual(told, ['EvictionThresholdMet: Attempting to reclaim ephemeral-storage', 'reclaim']);
  });
  test('a pod that writes more into its emptyDir than it may fails', async () => {
    const volumes = [{ name: 'v', emptyDir: { sizeLimit: '64Ki' } }];
    const volumeMounts = [{ name: 'v', mountPath: '/v' }];
    await m.create('a', { containers: [container('main', ['pause'], { volumeMounts })], volumes });
    const e = evictor(roomy());
    await e.look();
    await m.pass(1);
    assert.equal(m.status('a').phase, 'Running');
    await writeFile(join(m.root, 'pods/uid-a/volumes/kubernetes.io~empty-dir/v/big'), Buffer.alloc(128 * 1024));
    await m.clock.advance(31_000);
    await e.look();
    await m.pass(3);
    assert.deepEqual(
      [m.status('a').phase, m.status('a').message],
      ['Failed', 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". '],
    );
    assert.equal(m.condition('a', 'DisruptionTarget'), 'none');
  });
});

describe('what a machine says of itself', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'machine-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));
  const put = async (files: Record<string, string>) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
  };
  const MEMINFO = 'MemTotal:       4096 kB\nMemFree:        1024 kB\nSwapTotal:      512 kB\nInactive(file):  64 kB\n';
  test('memory in use, by cgroup v1', async () => {
    await put({
      'proc/meminfo': MEMINFO,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '2000000\n',
      'sys/fs/cgroup/memory/memory.stat': 'cache 5\ninactive_file 7\ntotal_inactive_file 500000\n',
    });
    assert.deepEqual(machineReader(root).memory(), {
      totalBytes: 4194304,
      usedBytes: 2000000,
      workingSetBytes: 1500000,
      swapBytes: 524288,
    });
  });
  test('memory in use, by cgroup v2, and without any', async () => {
    await put({ 'proc/meminfo': MEMINFO });
    assert.equal(machineReader(root).memory().workingSetBytes, 3 * Mi - 64 * 1024);
    await put({ 'sys/fs/cgroup/memory.stat': 'anon 1\ninactive_file 1048576\n' });
    assert.equal(machineReader(root).memory().workingSetBytes, 2 * Mi);
  });
  test('processes and huge pages', async () => {
    await put({
      'proc/sys/kernel/pid_max': '4194304\n',
      'proc/sys/kernel/threads-max': '90000\n',
      'proc/loadavg': '0.1 0.2 0.3 2/345 999\n',
      'sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '3\n',
      'sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages': '0\n',
    });
    const r = machineReader(root);
    assert.deepEqual(r.processes(), { most: 90000, running: 345 });
    assert.deepEqual(
      r.hugePages().sort((a, b) => b.bytes - a.bytes),
      [
        { size: '2Mi', pages: 3, bytes: 6 * Mi },
        { size: '1Gi', pages: 0, bytes: 0 },
      ],
    );
  });
  test('capacity and what of it is for pods', () => {
    const hugePages = () => [{ size: '2Mi', pages: 2, bytes: 4 * Mi }];
    const disk = () => ({ capacityBytes: 100 * Gi, availableBytes: 1, inodes: 1, inodesFree: 1 });
    const { capacity, allocatable } = capacityOf(roomy({ hugePages, disk }), 2, '/');
    assert.deepEqual(capacity, {
      cpu: '2',
      pods: '110',
      'hugepages-2Mi': '4Mi',
      memory: '4Gi',
      'ephemeral-storage': '100Gi',
    });
    assert.deepEqual(allocatable, {
      ...{ cpu: '2', pods: '110', 'hugepages-2Mi': '4Mi' },
      memory: '3992Mi',
      'ephemeral-storage': '96636764160',
    });
  });
  test('disk usage counts files, folders and nothing behind links', async () => {
    await put({ 'd/a': 'x'.repeat(8192), 'd/e/b': 'y', 'other/big': 'z'.repeat(1e6) });
    const { symlink } = await import('node:fs/promises');
    await symlink(join(root, 'other'), join(root, 'd/link'));
    const use = await diskUse(join(root, 'd'));
    assert.equal(use.inodes, 5);
    assert.ok(use.bytes >= 8192 && use.bytes < 100_000, String(use.bytes));
    assert.deepEqual(await diskUse(join(root, 'nothing')), { bytes: 0, inodes: 0 });
  });
});

describe('a Node', () => {
  const says = (runtime: boolean, network: boolean) => ({
    status: {
      conditions: [
        { type: 'RuntimeReady', status: runtime, reason: runtime ? '' : 'R', message: runtime ? '' : 'r' },
        { type: 'NetworkReady', status: network, reason: network ? '' : 'N', message: network ? '' : 'n' },
      ],
    },
    info: {},
    runtimeHandlers: [],
  });
  test('is ready by the word of its runtime', () => {
    const message = (x: Parameters<typeof readiness>[0]) => `${readiness(x).status} ${readiness(x).message}`;
    const network = 'container runtime network not ready: NetworkReady=false reason:N message:n';
    assert.equal(message(says(true, true)), 'True kubelet is posting ready status');
    assert.equal(message(says(true, false)), `False ${network}`);
    assert.equal(
      message(says(false, false)),
      `False [container runtime not ready: RuntimeReady=false reason:R message:r, ${network}]`,
    );
    assert.equal(message(new Error('x')), 'False container runtime is down');
  });
  test('keeps the time of a transition while the status stays', () => {
    const old = timedConditions([{ type: 'Ready', status: 'True' }], [], 0);
    const next = timedConditions([{ type: 'Ready', status: 'True' }], old, 60_000);
    assert.deepEqual(
      [next[0]?.lastTransitionTime, old[0]?.lastTransitionTime === next[0]?.lastTransitionTime],
      ['1970-01-01T00:00:00Z', true],
    );
    const turned = timedConditions([{ type: 'Ready', status: 'False' }], next, 120_000);
    assert.equal(turned[0]?.lastTransitionTime, '1970-01-01T00:02:00Z');
  });
  test('shows all of its addresses, in place of those before', () => {
    assert.deepEqual(addressesOf(['10.0.0.1', 'fd00::1'], 'n'), [
      { $patch: 'replace' },
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'InternalIP', address: 'fd00::1' },
      { type: 'Hostname', address: 'n' },
    ]);
  });
});
