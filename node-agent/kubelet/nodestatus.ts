import { readFileSync } from 'node:fs';
import { arch, cpus, release } from 'node:os';
import type { JsonObject } from '../../kube/meta/json.ts';
import { quantityOf } from '../../kube/meta/quantity.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { StatusResponse } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { THRESHOLDS } from './eviction.ts';
import { type MachineReader, machineReader } from './machinereader.ts';
import type { Condition } from './pod.ts';

/** Kubernetes' minor that this agent follows, as kubectl shows it. */
export const KUBELET_VERSION = 'v1.37.1+coracle';
/** kubelet's maxPods. */
export const MAX_PODS = 110;

const ARCH: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
export const architecture = () => ARCH[arch()] ?? arch();

type Resources = Record<string, string>;
const binary = (n: number) => quantityOf(Math.max(0, Math.floor(n)), 0, 'BinarySI').text;

/** What a machine offers and what of it is for pods, in Kubernetes' quantities. `root`: a path on the disk of volumes and logs. */
export function capacityOf(
  m: MachineReader,
  cores: number,
  root: string,
): { capacity: Resources; allocatable: Resources } {
  const { totalBytes } = m.memory();
  const disk = m.disk(root).capacityBytes;
  const huge = m.hugePages();
  const pages = Object.fromEntries(huge.map((h) => [`hugepages-${h.size}`, binary(h.bytes)]));
  const common = { cpu: String(cores), pods: String(MAX_PODS), ...pages };
  const hugeBytes = huge.reduce((sum, h) => sum + h.bytes, 0);
  return {
    capacity: { ...common, memory: binary(totalBytes), 'ephemeral-storage': binary(disk) },
    allocatable: {
      ...common,
      memory: binary(totalBytes - kept('memory.available', totalBytes) - hugeBytes),
      // Upstream prints this one without a unit.
      'ephemeral-storage': String(Math.floor(disk - kept('nodefs.available', disk))),
    },
  };
}

/** Of what pods get, the part below which they would be evicted is kept back. */
function kept(signal: string, capacity: number): number {
  const least = THRESHOLDS.find((t) => t.signal === signal)?.least ?? 0;
  return typeof least === 'number' ? least : Math.floor(capacity * least.part);
}

/** This machine's. */
export const capacity = (root = '/') => capacityOf(machineReader(), cpus().length, root);

/** core/v1 NodeSystemInfo of this machine. */
export function systemInfo(runtimeVersion: string, swapBytes: number): JsonObject {
  const read = (...paths: string[]) => {
    for (const path of paths) {
      try {
        const text = readFileSync(path, 'utf8').replaceAll('\0', '').trim();
        if (text !== '') return text;
      } catch {
        // not every machine has one
      }
    }
    return '';
  };
  const os = /^PRETTY_NAME="?(.*?)"?$/m.exec(read('/etc/os-release', '/usr/lib/os-release'))?.[1] ?? 'Linux';
  const machineID = read('/etc/machine-id', '/var/lib/dbus/machine-id');
  return {
    machineID,
    systemUUID: read('/sys/class/dmi/id/product_uuid', '/proc/device-tree/system-id', '/etc/machine-id'),
    bootID: read('/proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: os,
    containerRuntimeVersion: runtimeVersion,
    kubeletVersion: KUBELET_VERSION,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: architecture(),
    ...(swapBytes > 0 ? { swap: { capacity: swapBytes } } : {}),
  };
}

/** Addresses replace those that are there: a strategic merge would join two of one type. */
export function addressesOf(ips: readonly string[], host: string): JsonObject[] {
  return [
    { $patch: 'replace' },
    ...ips.map((address) => ({ type: 'InternalIP', address })),
    { type: 'Hostname', address: host },
  ];
}

type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** Ready by the runtime's word: kubelet's runtimeState. */
export function readiness(status: StatusResponse | Error): Verdict {
  const bad: string[] = [];
  if (status instanceof Error) bad.push('container runtime is down');
  else {
    const conditions = status.status?.conditions ?? [];
    for (const [type, what] of [
      ['RuntimeReady', 'container runtime not ready'],
      ['NetworkReady', 'container runtime network not ready'],
    ]) {
      const c = conditions.find((x) => x.type === type);
      if (!c) bad.push(`${what}: <nil>`);
      else if (!c.status) bad.push(`${what}: ${c.type}=false reason:${c.reason} message:${c.message}`);
    }
  }
  if (bad.length === 0)
    return { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' };
  const message = bad.length === 1 ? (bad[0] ?? '') : `[${bad.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message };
}

/** Conditions with their times: the transition's stays while the status does. */
export function timedConditions(verdicts: readonly Verdict[], old: readonly Condition[], now: number): Condition[] {
  return verdicts.map((v) => {
    const before = old.find((c) => c.type === v.type);
    const since = before?.status === v.status ? before.lastTransitionTime : undefined;
    return {
      ...v,
      lastHeartbeatTime: formatTime(now),
      lastTransitionTime: since ?? formatTime(now),
    } as Condition;
  });
}

/** What the runtime's handlers and the runtime itself can do; nothing of a runtime that doesn't say. */
export function runtimeAbilities(status: StatusResponse): JsonObject {
  const handlers = status.runtimeHandlers.map((h) => ({
    name: h.name,
    features: {
      recursiveReadOnlyMounts: h.features?.recursiveReadOnlyMounts ?? false,
      userNamespaces: h.features?.userNamespaces ?? false,
    },
  }));
  const groups = status.features?.supplementalGroupsPolicy;
  return {
    ...(handlers.length > 0 ? { runtimeHandlers: handlers } : {}),
    ...(groups === undefined ? {} : { features: { supplementalGroupsPolicy: groups } }),
  };
}

/** Whether what lies below read-only mounts of a handler is read-only too; absent handlers (containerd before 2.0) can't. */
export async function recursiveReadOnly(runtime: Runtime, handler: string): Promise<boolean> {
  const { runtimeHandlers } = await runtime.status();
  return runtimeHandlers.find((h) => h.name === handler)?.features?.recursiveReadOnlyMounts ?? false;
}
