import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from './pod.ts';
import { MIN_SHARES, milliOfQuota, type PodCgroup, qosOf, sharesOf } from './resources.ts';

/** Cgroups of pods. Paths are as the runtime is told them: `/kubepods/burstable/pod<uid>`. */
export interface Cgroups {
  /** Makes a group with its limits; one that is there stays as it is. False when it was there. */
  ensure(path: string, limits: PodCgroup): Promise<boolean>;
  /** Sets what is given. */
  set(path: string, limits: Partial<PodCgroup>): Promise<void>;
  /** Removes a group and what is left below it. Silent when there is none. */
  remove(path: string): Promise<void>;
  /** Bytes that its processes use; undefined when nobody can tell. */
  memoryUsage(path: string): Promise<number | undefined>;
}

/** The group of a pod below that of all pods: by class, Guaranteed ones at the top. */
export function podCgroupPath(root: string, pod: Pod): string {
  const qos = qosOf(pod);
  const tier = qos === 'Guaranteed' ? root : join(root, qos.toLowerCase());
  return join(tier, `pod${pod.metadata.uid}`);
}

/** Makes the groups of the classes: best effort gets what nobody else wants, burstable what `milliCpu` asks for. */
export async function ensureTiers(cgroups: Cgroups, root: string, milliCpu: number): Promise<void> {
  const best = { cpuShares: MIN_SHARES };
  const burstable = { cpuShares: sharesOf(milliCpu) };
  if (!(await cgroups.ensure(join(root, 'besteffort'), best))) await cgroups.set(join(root, 'besteffort'), best);
  if (!(await cgroups.ensure(join(root, 'burstable'), burstable)))
    await cgroups.set(join(root, 'burstable'), burstable);
}

/** A file of a group's controller, and what is written into it. */
type Setting = readonly [controller: string, file: string, text: string];

/** cgroup v1: a hierarchy for each controller. */
function settingsV1(c: Partial<PodCgroup>): Setting[] {
  return [
    ...(c.cpuShares === undefined ? [] : [['cpu', 'cpu.shares', String(c.cpuShares)] as const]),
    ...(c.cpuPeriod === undefined ? [] : [['cpu', 'cpu.cfs_period_us', String(c.cpuPeriod)] as const]),
    ...(c.cpuQuota === undefined ? [] : [['cpu', 'cpu.cfs_quota_us', String(c.cpuQuota || -1)] as const]),
    ...(c.memoryBytes === undefined ? [] : [['memory', 'memory.limit_in_bytes', String(c.memoryBytes || -1)] as const]),
  ];
}

/** cpu.weight of shares: KEP-2254's line from [2, 262144] to [1, 10000]. */
export const weightOf = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

/** cgroup v2: one hierarchy. */
function settingsV2(c: Partial<PodCgroup>): Setting[] {
  const max = (n: number) => (n > 0 ? String(n) : 'max');
  return [
    ...(c.cpuShares === undefined ? [] : [['', 'cpu.weight', String(weightOf(c.cpuShares))] as const]),
    ...(c.cpuQuota === undefined ? [] : [['', 'cpu.max', `${max(c.cpuQuota)} ${c.cpuPeriod ?? 100_000}`] as const]),
    ...(c.memoryBytes === undefined ? [] : [['', 'memory.max', max(c.memoryBytes)] as const]),
  ];
}

/** Controllers that pods' groups are made in; the runtime makes them in all others. */
const CONTROLLERS = ['cpu', 'memory', 'pids'];
const there = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** The kernel's cgroups below `root`, of the version that is mounted there. `removeDirectory`: the kernel's directories go although files are in them. */
export function kernelCgroups(
  root = '/sys/fs/cgroup',
  removeDirectory: (path: string) => Promise<void> = rmdir,
): Cgroups {
  let version: Promise<1 | 2> | undefined;
  const unified = async () => {
    version ??= there(join(root, 'cgroup.controllers')).then((yes) => (yes ? 2 : 1));
    return (await version) === 2;
  };
  const set = async (path: string, limits: Partial<PodCgroup>) => {
    const settings = (await unified()) ? settingsV2(limits) : settingsV1(limits);
    for (const [controller, file, text] of settings) await writeFile(join(root, controller, path, file), text);
  };
  return {
    async ensure(path, limits) {
      const v2 = await unified();
      const hierarchies = v2 ? [''] : CONTROLLERS;
      const missing: string[] = [];
      for (const h of hierarchies) if (!(await there(join(root, h, path)))) missing.push(h);
      if (missing.length === 0) return false;
      if (v2) await delegate(root, path);
      for (const h of missing) if (await there(join(root, h))) await mkdir(join(root, h, path), { recursive: true });
      await set(path, limits);
      return true;
    },
    set,
    async remove(path) {
      const hierarchies = (await unified()) ? [''] : await readdir(root);
      for (const h of hierarchies) await removeTree(join(root, h, path), removeDirectory);
    },
    async memoryUsage(path) {
      const file = (await unified()) ? join(path, 'memory.current') : join('memory', path, 'memory.usage_in_bytes');
      const text = await readFile(join(root, file), 'utf8').catch(() => null);
      return text === null ? undefined : Number(text);
    },
  };
}

/** On v2 a group has limits only where all above it say so. */
async function delegate(root: string, path: string): Promise<void> {
  let above = root;
  for (const part of path.split('/').filter((p) => p !== '')) {
    const available = (await readFile(join(above, 'cgroup.controllers'), 'utf8').catch(() => '')).trim().split(/\s+/);
    const wanted = ['cpu', 'cpuset', 'memory', 'hugetlb', 'pids'].filter((c) => available.includes(c));
    if (wanted.length > 0) await writeFile(join(above, 'cgroup.subtree_control'), wanted.map((c) => `+${c}`).join(' '));
    above = join(above, part);
    await mkdir(above, { recursive: true });
  }
}

async function removeTree(path: string, removeDirectory: (path: string) => Promise<void>): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => null);
  if (entries === null) return;
  for (const e of entries) if (e.isDirectory()) await removeTree(join(path, e.name), removeDirectory);
  await removeDirectory(path);
}

/** Groups in memory, for tests. */
export class MemoryCgroups implements Cgroups {
  readonly groups = new Map<string, PodCgroup>();
  /** All that was done, in order. */
  readonly calls: string[] = [];
  usage = 0;
  async ensure(path: string, limits: PodCgroup): Promise<boolean> {
    if (this.groups.has(path)) return false;
    this.calls.push(`ensure ${path}`);
    this.groups.set(path, { ...limits });
    return true;
  }
  async set(path: string, limits: Partial<PodCgroup>): Promise<void> {
    this.calls.push(`set ${path} ${Object.keys(limits).join(' ')}`);
    this.groups.set(path, { ...(this.groups.get(path) ?? { cpuShares: MIN_SHARES }), ...limits });
  }
  async remove(path: string): Promise<void> {
    this.groups.delete(path);
  }
  async memoryUsage(): Promise<number | undefined> {
    return this.usage;
  }
}

/** A pod's CPU limit in thousandths; 0: none. */
export const milliLimitOf = (c: PodCgroup): number => milliOfQuota(c.cpuQuota ?? 0, c.cpuPeriod ?? 0);
