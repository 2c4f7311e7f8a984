import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerStats } from '../runtime/messages.ts';
import { LABEL, logDirectory } from './container.ts';
import type { PodUsage } from './eviction.ts';
import { type Pod, uidOf } from './pod.ts';

/** What a folder takes on its disk. */
export interface DiskUse {
  bytes: number;
  inodes: number;
}
const BLOCK_BYTES = 512;

/** All that is in a folder, as `du` counts it, on the folder's own file system; nothing where there is no such folder. */
export async function diskUse(path: string, device?: number): Promise<DiskUse> {
  const s = await lstat(path).catch(() => null);
  if (s === null || (device !== undefined && s.dev !== device)) return { bytes: 0, inodes: 0 };
  const sum = { bytes: s.blocks * BLOCK_BYTES, inodes: 1 };
  if (!s.isDirectory()) return sum;
  try {
    for await (const entry of await opendir(path)) {
      const below = await diskUse(join(path, entry.name), s.dev);
      sum.bytes += below.bytes;
      sum.inodes += below.inodes;
    }
  } catch {
    // removed while it was counted
  }
  return sum;
}

const onDisk = (volume: NonNullable<Pod['spec']['volumes']>[number]) =>
  volume.emptyDir !== undefined && (volume.emptyDir.medium ?? '') === '';
const FILES = ['configmap', 'secret', 'downward-api', 'projected'];

/** What a pod uses: its containers by the runtime's numbers, its volumes and logs by their files. */
export async function podUsage(
  pod: Pod,
  stats: readonly ContainerStats[],
  at: { root: string; logRoot: string },
): Promise<PodUsage> {
  const dir = join(at.root, 'pods', uidOf(pod), 'volumes');
  const usage: PodUsage = { memoryBytes: 0, diskBytes: 0, inodes: 0, containers: [], volumes: new Map() };
  const add = (use: DiskUse) => {
    usage.diskBytes = (usage.diskBytes ?? 0) + use.bytes;
    usage.inodes = (usage.inodes ?? 0) + use.inodes;
  };
  const volumes = new Map<string, number>();
  for (const v of (pod.spec.volumes ?? []).filter(onDisk)) {
    const use = await diskUse(join(dir, 'kubernetes.io~empty-dir', v.name));
    volumes.set(v.name, use.bytes);
    add(use);
  }
  for (const kind of FILES) add(await diskUse(join(dir, `kubernetes.io~${kind}`)));
  for (const s of stats.filter((x) => x.attributes.labels[LABEL.uid] === uidOf(pod))) {
    const { name } = s.attributes.metadata;
    const logs = await diskUse(join(logDirectory(at.logRoot, pod), name));
    const layer = { bytes: s.writableLayer?.usedBytes ?? 0, inodes: s.writableLayer?.inodesUsed ?? 0 };
    add(logs);
    add(layer);
    const memory = s.memory?.workingSetBytes;
    usage.memoryBytes = (usage.memoryBytes ?? 0) + (memory ?? 0);
    const disk = { diskBytes: logs.bytes + layer.bytes };
    usage.containers.push({ name, ...disk, ...(memory === undefined ? {} : { memoryBytes: memory }) });
  }
  return { ...usage, volumes };
}
