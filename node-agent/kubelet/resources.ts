import {
  addQuantities,
  compareQuantities,
  milliValue,
  type Quantity,
  quantity,
  quantityOf,
  wholeValue,
} from '../../kube/meta/quantity.ts';
import type { LinuxContainerResources } from '../runtime/messages.ts';
import { type Container, isInit, isSidecar, type Pod, type Resources } from './pod.ts';

/** Bounds of cgroups: pkg/kubelet/cm helpers_linux.go. */
export const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;
export const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
/** The CPU limit that MIN_QUOTA_US comes to. */
export const MIN_MILLI_LIMIT = 10;

/** oom_score_adj of the classes: pkg/kubelet/qos. */
const OOM_GUARANTEED = -997;
const OOM_BEST_EFFORT = 1000;

const HUGE = 'hugepages-';
/** Resources that a pod may state as a whole. */
const isPodLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith(HUGE);

export type QOS = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** What a pod asks for, or may use, in total: its containers and sidecars, or the highest step of its init containers; what it states as a whole goes before. */
export function podTotal(
  pod: Pod,
  which: 'requests' | 'limits',
  o: { overhead?: boolean } = {},
): Map<string, Quantity> {
  const sum = new Map<string, Quantity>();
  for (const c of pod.spec.containers) add(sum, c.resources?.[which]);
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const c of pod.spec.initContainers ?? []) {
    const step = isSidecar(c) ? sidecars : new Map(sidecars);
    add(step, c.resources?.[which]);
    if (isSidecar(c)) add(sum, c.resources?.[which]);
    for (const [name, q] of step) if (compareQuantities(q, peak.get(name) ?? quantity(0)) > 0) peak.set(name, q);
  }
  for (const [name, q] of peak) if (compareQuantities(q, sum.get(name) ?? quantity(0)) > 0) sum.set(name, q);
  for (const [name, text] of Object.entries(pod.spec.resources?.[which] ?? {}))
    if (isPodLevel(name)) sum.set(name, quantity(text));
  if (o.overhead === false) return sum;
  for (const [name, text] of Object.entries(pod.spec.overhead ?? {}))
    if (which === 'requests' || (sum.get(name)?.unscaled ?? 0n) !== 0n) add(sum, { [name]: text });
  return sum;
}
function add(sum: Map<string, Quantity>, list: Record<string, string> | undefined): void {
  for (const [name, text] of Object.entries(list ?? {})) {
    const held = sum.get(name);
    sum.set(name, held === undefined ? quantity(text) : addQuantities(held, quantity(text)));
  }
}

/** Quantities as the API writes them. */
export const texts = (total: ReadonlyMap<string, Quantity>): Record<string, string> =>
  Object.fromEntries([...total].map(([name, q]) => [name, q.text]));

/** True when the pod states resources as a whole. */
export const hasPodLevel = (pod: Pod): boolean =>
  Object.keys({ ...pod.spec.resources?.requests, ...pod.spec.resources?.limits }).some(isPodLevel);

export function sharesOf(milli: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milli * SHARES_PER_CPU) / 1000)));
}
/** CFS quota in microseconds of each PERIOD_US; 0 without a limit. */
export function quotaOf(milli: number): number {
  return milli === 0 ? 0 : Math.max(MIN_QUOTA_US, Math.floor((milli * PERIOD_US) / 1000));
}
/** The CPU that shares stand for, in thousandths, rounded up. */
export const milliOfShares = (shares: number): number =>
  shares < MIN_SHARES ? 0 : Math.ceil((shares * 1000) / SHARES_PER_CPU);
/** The CPU that a quota stands for, in thousandths; 0 without one. */
export const milliOfQuota = (quota: number, period: number): number =>
  quota <= 0 || period <= 0 ? 0 : Math.floor((quota * 1000) / period);

/** A container's limit of CPU or memory; the pod's own where it has none. */
function limitOf(pod: Pod, c: Pick<Container, 'resources'>, name: 'cpu' | 'memory'): Quantity {
  const own = quantity(c.resources?.limits?.[name]);
  return own.unscaled === 0n && hasPodLevel(pod) ? quantity(pod.spec.resources?.limits?.[name]) : own;
}
/** A container's limits with the pod's own where it has none: kubelet's GetLimits. */
export function effectiveLimits(pod: Pod, c: Pick<Container, 'resources'>): Record<string, string> {
  const limits = { ...c.resources?.limits };
  for (const name of ['cpu', 'memory'] as const) {
    const q = limitOf(pod, c, name);
    if (q.unscaled !== 0n) limits[name] = q.text;
  }
  return limits;
}

/** What resources are made for: this machine. */
export interface MachineFacts {
  memoryBytes: number;
  /** Sizes of huge pages, as cgroups name them: `2MB`. */
  hugePages: readonly string[];
  unified: boolean;
}

/** The cgroup settings of one container: kubelet's generateLinuxContainerResources. */
export function containerResources(pod: Pod, c: Container, machine: MachineFacts): LinuxContainerResources {
  const request = c.resources?.requests?.cpu;
  const cpu = limitOf(pod, c, 'cpu');
  return {
    ...linuxResources(request === undefined ? cpu : quantity(request), cpu, limitOf(pod, c, 'memory')),
    oomScoreAdj: oomScore(pod, c, machine.memoryBytes),
    ...(machine.hugePages.length === 0 ? {} : { hugepageLimits: hugeLimits(pod, c, machine.hugePages) }),
    // No policy of memory protection is set: what another kubelet has left is taken back.
    ...(machine.unified ? { unified: { 'memory.min': '0', 'memory.low': '0' } } : {}),
  };
}

/** CPU in shares and CFS quota, memory in bytes; without a limit the quota is 0. */
export function linuxResources(request: Quantity, limit: Quantity, memory: Quantity): LinuxContainerResources {
  const bytes = wholeValue(memory);
  return {
    cpuShares: sharesOf(milliValue(request)),
    cpuPeriod: PERIOD_US,
    cpuQuota: quotaOf(milliValue(limit)),
    ...(bytes === 0 ? {} : { memoryLimitInBytes: bytes }),
  };
}

/** What the sandbox is told of the pod's resources, and of its overhead: for runtimes that run pods in machines of their own. */
export function sandboxResources(pod: Pod): { resources: LinuxContainerResources; overhead: LinuxContainerResources } {
  const requests = podTotal(pod, 'requests', { overhead: false });
  const limits = podTotal(pod, 'limits', { overhead: false });
  const zero = quantity(0);
  const cpu = limits.get('cpu') ?? zero;
  const over = (name: string) => quantity(pod.spec.overhead?.[name]);
  return {
    resources: linuxResources(requests.get('cpu') ?? cpu, cpu, limits.get('memory') ?? zero),
    overhead: pod.spec.overhead ? linuxResources(over('cpu'), over('cpu'), over('memory')) : {},
  };
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
/** `2MB` of `hugepages-2Mi`. */
function pageSize(resource: string): string {
  let bytes = wholeValue(quantity(resource.slice(HUGE.length)));
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${bytes}${UNITS[unit]}`;
}
function hugeLimits(pod: Pod, c: Container, sizes: readonly string[]) {
  const asked = new Map<string, number>();
  for (const limits of [pod.spec.resources?.limits, c.resources?.limits])
    for (const [name, text] of Object.entries(limits ?? {}))
      if (name.startsWith(HUGE)) asked.set(pageSize(name), wholeValue(quantity(text)));
  return sizes.map((size) => ({ pageSize: size, limit: asked.get(size) ?? 0 }));
}

/** The class of a pod by its requests and limits: pkg/apis/core/helper/qos. */
export function qosOf(pod: Pod): QOS {
  const own = pod.spec.resources;
  if (own && Object.keys({ ...own.requests, ...own.limits }).length > 0) return classOf(own);
  return (
    together([...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((c) => classOf(c.resources ?? {}))) ??
    'BestEffort'
  );
}
function together(all: readonly QOS[]): QOS | undefined {
  return all.every((q) => q === all[0]) ? all[0] : 'Burstable';
}
function classOf(r: Resources): QOS {
  if (Object.keys({ ...r.requests, ...r.limits }).length === 0) return 'BestEffort';
  const of = (name: string): QOS => {
    const request = quantity(r.requests?.[name]);
    if (compareQuantities(request, quantity(r.limits?.[name])) !== 0) return 'Burstable';
    return request.unscaled === 0n ? 'BestEffort' : 'Guaranteed';
  };
  return together([of('cpu'), of('memory')]) ?? 'BestEffort';
}

/** Whom the kernel ends first when memory runs out: kubelet's GetContainerOOMScoreAdjust. */
export function oomScore(pod: Pod, c: Container, machineBytes: number): number {
  if (pod.spec.priorityClassName === 'system-node-critical') return OOM_GUARANTEED;
  const qos = qosOf(pod);
  if (qos === 'Guaranteed') return OOM_GUARANTEED;
  if (qos === 'BestEffort') return OOM_BEST_EFFORT;
  const of = (x: Container) => wholeValue(quantity(x.resources?.requests?.memory));
  const share = pod.spec.resources?.requests ? remaining(pod) : 0;
  const score = (bytes: number) => 1000 - Math.trunc((1000 * (bytes + share)) / machineBytes);
  let adjust = score(of(c));
  if (isInit(pod, c) && isSidecar(c)) adjust = Math.min(adjust, score(Math.min(...pod.spec.containers.map(of))));
  if (adjust < 1000 + OOM_GUARANTEED) return 1000 + OOM_GUARANTEED;
  return adjust === OOM_BEST_EFFORT ? adjust - 1 : adjust;
}
/** What the pod asks for beyond its containers, divided among them. */
function remaining(pod: Pod): number {
  const all = pod.spec.containers.length + (pod.spec.initContainers ?? []).filter(isSidecar).length;
  const { resources: _, ...spec } = pod.spec;
  const whole = wholeValue(podTotal(pod, 'requests', { overhead: false }).get('memory') ?? quantity(0));
  const containers = podTotal({ ...pod, spec }, 'requests', { overhead: false }).get('memory');
  return Math.max(0, Math.floor((whole - wholeValue(containers ?? quantity(0))) / all));
}

/** The settings of a pod's own cgroup: kubelet's ResourceConfigForPod. Absent: the kernel's own. */
export interface PodCgroup {
  cpuShares: number;
  cpuPeriod?: number;
  cpuQuota?: number;
  memoryBytes?: number;
}
export function podCgroup(pod: Pod): PodCgroup {
  const qos = qosOf(pod);
  if (qos === 'BestEffort') return { cpuShares: MIN_SHARES };
  const limits = podTotal(pod, 'limits');
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const declared = (name: 'cpu' | 'memory') =>
    qos === 'Guaranteed' ||
    quantity(pod.spec.resources?.limits?.[name]).unscaled !== 0n ||
    all.every((c) => quantity(c.resources?.limits?.[name]).unscaled !== 0n);
  const milli = (q: Quantity | undefined) => (q === undefined ? 0 : milliValue(q));
  return {
    cpuShares: sharesOf(milli(podTotal(pod, 'requests').get('cpu'))),
    ...(declared('cpu') ? { cpuPeriod: PERIOD_US, cpuQuota: quotaOf(milli(limits.get('cpu'))) } : {}),
    ...(declared('memory') ? { memoryBytes: wholeValue(limits.get('memory') ?? quantity(0)) } : {}),
  };
}

/** CPU of thousandths, memory of bytes, as the kubelet writes them into a status. */
export const cpuText = (milli: number): string => quantityOf(milli, -3).text;
export const memoryText = (bytes: number): string => quantityOf(bytes, 0, 'BinarySI').text;
