import { tolerates } from '../../kube/kinds/podspec/fit.ts';
import { parseQuantity, quantityOf, wholeValue } from '../../kube/meta/quantity.ts';
import { requestOf } from './admit.ts';
import type { Condition, Container, Pod } from './pod.ts';
import { allContainers, isSidecar } from './pod.ts';

/** What a node can run out of: pkg/kubelet/eviction/api. */
export type Signal =
  | 'memory.available'
  | 'nodefs.available'
  | 'nodefs.inodesFree'
  | 'imagefs.available'
  | 'imagefs.inodesFree'
  | 'pid.available';
export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

/** How much of it there is and how much is left; absent: it can't be told. */
export type Observations = Partial<Record<Signal, { available: number; capacity: number }>>;

export interface Threshold {
  signal: Signal;
  /** Whole units, or a part of the capacity. */
  least: number | { part: number };
}

/** The kubelet's evictionHard. It has none for process ids. */
export const THRESHOLDS: readonly Threshold[] = [
  { signal: 'memory.available', least: 100 * 1024 * 1024 },
  { signal: 'nodefs.available', least: { part: 0.1 } },
  { signal: 'nodefs.inodesFree', least: { part: 0.05 } },
  { signal: 'imagefs.available', least: { part: 0.15 } },
  { signal: 'imagefs.inodesFree', least: { part: 0.05 } },
];
/** The kubelet's evictionPressureTransitionPeriod: a condition stays so long after it was seen last. */
export const TRANSITION_MS = 300_000;

interface SignalOf {
  pressure: Pressure;
  resource: 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';
}
const SIGNALS: Record<Signal, SignalOf> = {
  'memory.available': { pressure: 'MemoryPressure', resource: 'memory' },
  'nodefs.available': { pressure: 'DiskPressure', resource: 'ephemeral-storage' },
  'nodefs.inodesFree': { pressure: 'DiskPressure', resource: 'inodes' },
  'imagefs.available': { pressure: 'DiskPressure', resource: 'ephemeral-storage' },
  'imagefs.inodesFree': { pressure: 'DiskPressure', resource: 'inodes' },
  'pid.available': { pressure: 'PIDPressure', resource: 'pids' },
};
export const resourceOf = (s: Signal) => SIGNALS[s].resource;

/** What a pod uses; absent: not known. */
export interface PodUsage {
  memoryBytes?: number;
  processes?: number;
  /** Writable layers, logs and volumes on disk. */
  diskBytes?: number;
  inodes?: number;
  containers: { name: string; memoryBytes?: number; diskBytes?: number }[];
  /** Bytes of emptyDirs, by volume. */
  volumes: ReadonlyMap<string, number>;
}
export type UsageOf = (pod: Pod) => PodUsage | undefined;

const leastOf = (t: Threshold, capacity: number) =>
  typeof t.least === 'number' ? t.least : Math.floor(capacity * t.least.part);

/** Thresholds that are crossed, memory first. */
export function crossed(thresholds: readonly Threshold[], seen: Observations): Threshold[] {
  const out = thresholds.filter((t) => {
    const o = seen[t.signal];
    return o !== undefined && o.available < leastOf(t, o.capacity);
  });
  return out.sort((a, b) => Number(b.signal === 'memory.available') - Number(a.signal === 'memory.available'));
}

/** Pressures that are seen now, or were within the transition period. `lastMs` is brought up to date. */
export function pressures(
  now: number,
  met: readonly Threshold[],
  lastMs: Map<Pressure, number>,
  transitionMs = TRANSITION_MS,
): Set<Pressure> {
  for (const t of met) lastMs.set(SIGNALS[t.signal].pressure, now);
  return new Set([...lastMs].filter(([, ms]) => now - ms < transitionMs).map(([p]) => p));
}

/** A priority from which on a pod is the system's own. */
const CRITICAL_PRIORITY = 2_000_000_000;
/** Never evicted: what the node itself needs. */
export const isCritical = (pod: Pod) =>
  (pod.spec.priority ?? 0) >= CRITICAL_PRIORITY ||
  pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;

/** Pods in the order in which they are evicted for a signal: who uses more than it asked for, then low priority, then who uses most above its request. */
export function rank(signal: Signal, pods: readonly Pod[], usage: UsageOf): Pod[] {
  const of = (pod: Pod) => {
    const u = usage(pod);
    const resource = SIGNALS[signal].resource;
    if (u === undefined) return undefined;
    const used =
      { memory: u.memoryBytes, pids: u.processes, 'ephemeral-storage': u.diskBytes, inodes: u.inodes }[resource] ?? 0;
    const asked = resource === 'memory' || resource === 'ephemeral-storage' ? requestOf(pod, resource) : 0;
    return { exceeds: resource !== 'pids' && used > asked, above: used - asked };
  };
  const rows = pods.map((pod) => ({ pod, use: of(pod), priority: pod.spec.priority ?? 0 }));
  rows.sort((a, b) => {
    // Of what nothing is known goes first.
    if (!a.use || !b.use) return Number(!b.use) - Number(!a.use);
    return Number(b.use.exceeds) - Number(a.use.exceeds) || a.priority - b.priority || b.use.above - a.use.above;
  });
  return rows.map((r) => r.pod);
}

const bytes = (n: number) => quantityOf(Math.round(n), 0, 'BinarySI').text;
const texts = (resource: string, n: number) =>
  resource === 'memory' || resource === 'ephemeral-storage' ? bytes(n) : quantityOf(Math.round(n)).text;

/** Why a pod was evicted, as its status and its event say it. */
export function evictionMessage(
  signal: Signal,
  met: readonly Threshold[],
  seen: Observations,
  pod: Pod,
  usage: UsageOf,
): string {
  const { resource } = SIGNALS[signal];
  let message = `The node was low on resource: ${resource}. `;
  const t = met.find((x) => SIGNALS[x.signal].resource === resource && seen[x.signal]);
  const o = t && seen[t.signal];
  if (t && o) {
    const least = texts(resource, leastOf(t, o.capacity));
    message += `Threshold quantity: ${least}, available: ${texts(resource, o.available)}. `;
  }
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return message;
  for (const used of usage(pod)?.containers ?? []) {
    const c = allContainers(pod).find((x) => x.name === used.name);
    const amount = resource === 'memory' ? used.memoryBytes : used.diskBytes;
    const request = parseQuantity(c?.resources?.requests?.[resource] ?? '0');
    if (!c || amount === undefined || !request || amount <= wholeValue(request)) continue;
    message += `Container ${c.name} was using ${bytes(amount)}, request is ${request.text}, has larger consumption of ${resource}. `;
  }
  return message;
}

/** Why a pod has more on the disk than it may have; null when it hasn't. Only its own limits count, the node may be as empty as it will. */
export function overLimit(pod: Pod, usage: PodUsage): string | null {
  for (const v of pod.spec.volumes ?? []) {
    // The kernel holds a volume in memory to its size.
    if (!v.emptyDir?.sizeLimit || v.emptyDir.medium === 'Memory') continue;
    const limit = parseQuantity(v.emptyDir.sizeLimit);
    const used = usage.volumes.get(v.name);
    if (limit && wholeValue(limit) > 0 && used !== undefined && used > wholeValue(limit))
      return `Usage of EmptyDir volume "${v.name}" exceeds the limit "${limit.text}". `;
  }
  const total = storageLimit(pod);
  if (total !== null && (usage.diskBytes ?? 0) > total)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${bytes(total)}. `;
  for (const used of usage.containers) {
    const c = limited(pod).find((x) => x.name === used.name);
    const limit = parseQuantity(limitOf(c) ?? '0');
    if (limit && wholeValue(limit) > 0 && (used.diskBytes ?? 0) > wholeValue(limit))
      return `Container ${used.name} exceeded its local ephemeral storage limit "${limit.text}". `;
  }
  return null;
}

const limited = (pod: Pod) => [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)];
const limitOf = (c: Container | undefined) => c?.resources?.limits?.['ephemeral-storage'];

/** The sum of what containers may have; null where none has a limit. */
function storageLimit(pod: Pod): number | null {
  const limits = limited(pod).flatMap((c) => limitOf(c) ?? []);
  if (limits.length === 0) return null;
  const whole = (text: string) => wholeValue(parseQuantity(text) ?? quantityOf(0));
  const init = (pod.spec.initContainers ?? []).flatMap((c) => limitOf(c) ?? []).map(whole);
  return Math.max(
    limits.reduce((sum, text) => sum + whole(text), 0),
    ...init,
  );
}

/** True when a pod's disk usage has a limit of any kind: others needn't be measured. */
export const hasDiskLimit = (pod: Pod) =>
  (pod.spec.volumes ?? []).some((v) => v.emptyDir?.sizeLimit && v.emptyDir.medium !== 'Memory') ||
  limited(pod).some((c) => limitOf(c) !== undefined);

const MEMORY_TAINT = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' } as const;

/** Why a node under pressure doesn't take a pod; null when it does. */
export function refusedUnder(now: ReadonlySet<Pressure>, pod: Pod): string | null {
  if (now.size === 0 || isCritical(pod)) return null;
  if (now.size === 1 && now.has('MemoryPressure')) {
    if (pod.status?.qosClass !== 'BestEffort') return null;
    if ((pod.spec.tolerations ?? []).some((t) => tolerates(t, MEMORY_TAINT))) return null;
  }
  return `The node had condition: [${[...now].join(' ')}]. `;
}

const WORDS: Record<Pressure, { bad: [string, string]; good: [string, string] }> = {
  MemoryPressure: {
    bad: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    good: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  },
  DiskPressure: {
    bad: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    good: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  },
  PIDPressure: {
    bad: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    good: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  },
};

/** A Node's three conditions of pressure, in upstream's order and words. */
export function pressureConditions(
  now: ReadonlySet<Pressure>,
): Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[] {
  return (Object.keys(WORDS) as Pressure[]).map((type) => {
    const [reason, message] = now.has(type) ? WORDS[type].bad : WORDS[type].good;
    return { type, status: now.has(type) ? 'True' : 'False', reason, message };
  });
}
