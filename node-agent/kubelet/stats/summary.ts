import { formatTime } from '../../../kube/meta/time.ts';
import type { ContainerStats } from '../../runtime/messages.ts';
import { LABEL } from '../container.ts';
import type { Disk } from '../machinereader.ts';
import { type Pod, uidOf } from '../pod.ts';
import type { DiskUse } from '../podusage.ts';

/** What a summary is made of: the machine and its containers at one moment. */
export interface Sample {
  atMs: number;
  node: {
    name: string;
    bootMs: number;
    cpuNanos: number;
    memory: { totalBytes: number; usedBytes: number; workingSetBytes: number; swapBytes: number };
    processes: { most: number; running: number };
    disk: Disk;
    imageDisk: Disk;
    imageUsedBytes: number;
  };
  pods: readonly PodSample[];
}
export interface PodSample {
  pod: Pod;
  containers: readonly { stats: ContainerStats; logs: DiskUse; startedMs: number }[];
  /** emptyDirs on disk and volumes of files, by name. */
  volumes: ReadonlyMap<string, DiskUse>;
}

/** kubelet's stats/summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1), as far as this node knows it. */
export interface Summary {
  node: NodeStats;
  pods: PodStats[];
}
interface Cpu {
  time: string;
  usageNanoCores?: number;
  usageCoreNanoSeconds?: number;
}
interface Memory {
  time: string;
  availableBytes?: number;
  usageBytes?: number;
  workingSetBytes?: number;
  rssBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
}
interface Fs {
  time: string;
  availableBytes?: number;
  capacityBytes?: number;
  usedBytes?: number;
  inodesFree?: number;
  inodes?: number;
  inodesUsed?: number;
}
interface NodeStats {
  nodeName: string;
  startTime: string;
  cpu: Cpu;
  memory: Memory;
  fs: Fs;
  runtime: { imageFs: Fs; containerFs: Fs };
  rlimit: { time: string; maxpid: number; curproc: number };
  swap: { time: string; swapAvailableBytes?: number; swapUsageBytes?: number };
}
interface ContainerStat {
  name: string;
  startTime: string;
  cpu: Cpu;
  memory: Memory;
  rootfs: Fs;
  logs: Fs;
}
interface PodStats {
  podRef: { name: string; namespace: string; uid: string };
  startTime: string;
  containers: ContainerStat[];
  cpu: Cpu;
  memory: Memory;
  volume?: (Fs & { name: string })[];
  'ephemeral-storage': Fs;
}

/** CPU time used, by what it was used, at an earlier moment. */
export interface Before {
  atMs: number;
  nanos: ReadonlyMap<string, number>;
}

/** What CPU time is remembered by: the node, or a container's id. */
export const NODE = '';
export const nanosOf = (s: Sample): Map<string, number> =>
  new Map([
    [NODE, s.node.cpuNanos],
    ...s.pods.flatMap((p) =>
      p.containers.map(({ stats }) => [stats.attributes.id, stats.cpu?.usageCoreNanoSeconds ?? 0] as const),
    ),
  ]);

/** The summary of a sample. Rates of CPU use are those since `before`; without it they are left out. */
export function summaryOf(s: Sample, before?: Before): Summary {
  const time = formatTime(s.atMs);
  const rate = (id: string, nanos: number): { usageNanoCores?: number } => {
    const was = before?.nanos.get(id);
    const ms = s.atMs - (before?.atMs ?? 0);
    return was === undefined || ms <= 0 || nanos < was
      ? {}
      : { usageNanoCores: Math.round(((nanos - was) * 1000) / ms) };
  };
  const { node } = s;
  const fs = (d: Disk, usedBytes = d.capacityBytes - d.availableBytes): Fs => ({
    time,
    availableBytes: d.availableBytes,
    capacityBytes: d.capacityBytes,
    usedBytes,
    inodesFree: d.inodesFree,
    inodes: d.inodes,
    inodesUsed: d.inodes - d.inodesFree,
  });
  const { totalBytes, usedBytes, workingSetBytes, swapBytes } = node.memory;
  return {
    node: {
      nodeName: node.name,
      startTime: formatTime(node.bootMs),
      cpu: { time, ...rate(NODE, node.cpuNanos), usageCoreNanoSeconds: node.cpuNanos },
      memory: { time, availableBytes: totalBytes - workingSetBytes, usageBytes: usedBytes, workingSetBytes },
      fs: fs(node.disk),
      runtime: { imageFs: fs(node.imageDisk, node.imageUsedBytes), containerFs: fs(node.imageDisk) },
      rlimit: { time, maxpid: node.processes.most, curproc: node.processes.running },
      swap: { time, swapAvailableBytes: swapBytes, swapUsageBytes: 0 },
    },
    pods: s.pods.map((p) => podStats(p, s, time, rate)),
  };
}

function podStats(p: PodSample, s: Sample, time: string, rate: (id: string, nanos: number) => object): PodStats {
  const { pod } = p;
  const { capacityBytes, availableBytes, inodes, inodesFree } = s.node.disk;
  const onDisk = { time, availableBytes, capacityBytes, inodes, inodesFree };
  const containers = p.containers.map(({ stats, logs, startedMs }): ContainerStat => {
    const nanos = stats.cpu?.usageCoreNanoSeconds ?? 0;
    const layer = stats.writableLayer;
    return {
      name: stats.attributes.metadata.name,
      startTime: formatTime(startedMs),
      cpu: { time, ...rate(stats.attributes.id, nanos), usageCoreNanoSeconds: nanos },
      memory: memoryOf(stats, time),
      rootfs: { ...onDisk, usedBytes: layer?.usedBytes ?? 0, inodesUsed: layer?.inodesUsed ?? 0 },
      logs: { ...onDisk, usedBytes: logs.bytes, inodesUsed: logs.inodes },
    };
  });
  const sum = (of: (c: ContainerStat) => number | undefined) => containers.reduce((n, c) => n + (of(c) ?? 0), 0);
  const volume = [...p.volumes].map(([name, u]) => ({ ...onDisk, name, usedBytes: u.bytes, inodesUsed: u.inodes }));
  const own = volume.reduce((n, v) => n + v.usedBytes, 0);
  const rates = containers.every((c) => c.cpu.usageNanoCores !== undefined);
  return {
    podRef: { name: pod.metadata.name ?? '', namespace: pod.metadata.namespace ?? '', uid: uidOf(pod) },
    startTime: pod.status?.startTime ?? time,
    containers,
    cpu: {
      time,
      ...(rates ? { usageNanoCores: sum((c) => c.cpu.usageNanoCores) } : {}),
      usageCoreNanoSeconds: sum((c) => c.cpu.usageCoreNanoSeconds),
    },
    memory: {
      time,
      usageBytes: sum((c) => c.memory.usageBytes),
      workingSetBytes: sum((c) => c.memory.workingSetBytes),
      rssBytes: sum((c) => c.memory.rssBytes),
    },
    ...(volume.length > 0 ? { volume } : {}),
    'ephemeral-storage': {
      ...onDisk,
      usedBytes: own + sum((c) => c.rootfs.usedBytes) + sum((c) => c.logs.usedBytes),
      inodesUsed:
        volume.reduce((n, v) => n + v.inodesUsed, 0) + sum((c) => c.rootfs.inodesUsed) + sum((c) => c.logs.inodesUsed),
    },
  };
}

function memoryOf(stats: ContainerStats, time: string): Memory {
  const { timestamp: _, psi: __, availableBytes, ...known } = stats.memory ?? { timestamp: 0 };
  return { time, ...(availableBytes ? { availableBytes } : {}), ...known };
}

/** The containers of a pod among all. */
export const statsOf = (pod: Pod, all: readonly ContainerStats[]): ContainerStats[] =>
  all.filter((s) => s.attributes.labels[LABEL.uid] === uidOf(pod));
