import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStats } from '../../runtime/messages.ts';
import type { Pod } from '../pod.ts';
import { printMetrics, resourceMetrics } from './metrics.ts';
import { nanosOf, type Sample, statsOf, summaryOf } from './summary.ts';

const disk = { capacityBytes: 1000, availableBytes: 400, inodes: 100, inodesFree: 60 };
const pod: Pod = {
  metadata: { name: 'web', namespace: 'a', uid: 'u' },
  spec: { containers: [] },
  status: { phase: 'Running', startTime: '1970-01-01T00:00:01Z' },
};
const stats = (name: string, cpuNanos: number, memory: number): ContainerStats => ({
  attributes: {
    id: `id-${name}`,
    metadata: { name, attempt: 0 },
    labels: { 'io.kubernetes.pod.uid': 'u' },
    annotations: {},
  },
  cpu: { timestamp: 0, usageCoreNanoSeconds: cpuNanos },
  memory: { timestamp: 0, workingSetBytes: memory, usageBytes: memory + 1, rssBytes: memory - 1 },
  writableLayer: { timestamp: 0, usedBytes: 7, inodesUsed: 2 },
});
const sample = (atMs: number, cpu: number): Sample => ({
  atMs,
  node: {
    name: 'n',
    bootMs: 0,
    cpuNanos: cpu * 10,
    memory: { totalBytes: 1000, usedBytes: 700, workingSetBytes: 600, swapBytes: 0 },
    processes: { most: 500, running: 50 },
    ...{ disk, imageDisk: disk, imageUsedBytes: 33 },
  },
  pods: [
    {
      pod,
      containers: [
        { stats: stats('one', cpu, 100), logs: { bytes: 5, inodes: 1 }, startedMs: 2000 },
        { stats: stats('two', cpu * 2, 50), logs: { bytes: 3, inodes: 1 }, startedMs: 3000 },
      ],
      volumes: new Map([['v', { bytes: 11, inodes: 4 }]]),
    },
  ],
});

describe('a summary', () => {
  const s = summaryOf(sample(10_000, 1_000_000));
  test('adds a pod up from its containers, volumes and logs', () => {
    const [p] = s.pods;
    assert.deepEqual(p?.podRef, { name: 'web', namespace: 'a', uid: 'u' });
    assert.deepEqual([p?.cpu.usageCoreNanoSeconds, p?.memory.workingSetBytes], [3_000_000, 150]);
    assert.deepEqual(
      [p?.['ephemeral-storage'].usedBytes, p?.['ephemeral-storage'].inodesUsed],
      [11 + 14 + 8, 4 + 4 + 2],
    );
    assert.deepEqual([p?.volume?.[0]?.name, p?.volume?.[0]?.usedBytes], ['v', 11]);
  });
  test('tells the node by its machine', () => {
    const { node } = s;
    assert.deepEqual([node.memory.availableBytes, node.fs.usedBytes, node.fs.inodesUsed], [400, 600, 40]);
    assert.deepEqual(
      [node.runtime.imageFs.usedBytes, node.rlimit.curproc, node.startTime],
      [33, 50, '1970-01-01T00:00:00Z'],
    );
  });
  test('has rates once there was one before, none of what began anew', () => {
    assert.equal(s.pods[0]?.cpu.usageNanoCores, undefined);
    const before = { atMs: 0, nanos: nanosOf(sample(0, 500_000)) };
    const next = summaryOf(sample(10_000, 1_000_000), before);
    assert.equal(next.pods[0]?.containers[0]?.cpu.usageNanoCores, 50_000);
    assert.equal(next.pods[0]?.cpu.usageNanoCores, 150_000);
    assert.equal(next.node.cpu.usageNanoCores, 500_000);
    assert.equal(summaryOf(sample(10_000, 1), before).pods[0]?.cpu.usageNanoCores, undefined);
  });
  test('gives each pod its own containers', () => {
    const other = { ...stats('x', 1, 1), attributes: { ...stats('x', 1, 1).attributes, labels: {} } };
    assert.deepEqual(
      statsOf(pod, [stats('a', 1, 1), other]).map((x) => x.attributes.metadata.name),
      ['a'],
    );
  });
});

describe('metrics', () => {
  test('of resources are what metrics-server reads', () => {
    const lines = resourceMetrics(summaryOf(sample(10_000, 2_000_000_000))).split('\n');
    for (const line of [
      '# TYPE container_cpu_usage_seconds_total counter',
      'container_cpu_usage_seconds_total{container="one",namespace="a",pod="web"} 2',
      'container_memory_working_set_bytes{container="two",namespace="a",pod="web"} 50',
      'container_start_time_seconds{container="one",namespace="a",pod="web"} 2',
      'node_cpu_usage_seconds_total 20',
      'node_memory_working_set_bytes 600',
      'pod_cpu_usage_seconds_total{namespace="a",pod="web"} 6',
      'pod_memory_working_set_bytes{namespace="a",pod="web"} 150',
      'resource_scrape_error 0',
    ])
      assert.ok(lines.includes(line), line);
  });
  test('escape what labels hold, and leave out what is not known', () => {
    const rows: [Record<string, string>, number | undefined][] = [
      [{ a: 'x"y\\z\nw' }, 1],
      [{ a: 'b' }, undefined],
    ];
    const text = printMetrics([
      { name: 'm', help: 'h', type: 'gauge', rows },
      { name: 'none', help: 'h', type: 'gauge', rows: [[{}, undefined]] },
    ]);
    assert.equal(text, '# HELP m h\n# TYPE m gauge\nm{a="x\\"y\\\\z\\nw"} 1\n');
  });
});
