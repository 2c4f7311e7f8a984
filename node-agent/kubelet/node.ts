import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatMicroTime, formatTime } from '../../kube/meta/time.ts';
import { DOUBT_MS, RENEWED_BY } from '../../kube/wire/messages.ts';
import { type Api, ApiError } from '../api.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Link } from '../tunnel/control.ts';
import type { NodeView } from './admit.ts';
import type { Condition } from './pod.ts';

/** Kubernetes' minor that this agent follows, as kubectl shows it. */
export const KUBELET_VERSION = 'v1.37.1+coracle';
/** kubelet's defaults: maxPods, nodeStatusReportFrequency, nodeLeaseDurationSeconds. */
export const MAX_PODS = 110;
export const STATUS_MS = 300_000;
export const LEASE_SECONDS = 40;
const RENEW_MS = (LEASE_SECONDS * 1000) / 4;
/** After a renewal that failed. */
const RETRY_MS = 2_000;
/** Kept back for the machine itself: kubelet's default hard eviction threshold of memory. */
const RESERVED_MEMORY = 100 * 1024 * 1024;

export interface NodeSettings {
  name: string;
  addresses: readonly string[];
  labels: Readonly<Record<string, string>>;
  taints: readonly JsonObject[];
  podCIDRs: readonly string[];
}

/** What this machine offers, in Kubernetes' quantities. */
export function capacity(): { capacity: Record<string, string>; allocatable: Record<string, string> } {
  const memory = Math.floor(totalmem() / 1024);
  const common = { cpu: String(cpus().length), pods: String(MAX_PODS) };
  return {
    capacity: { ...common, memory: `${memory}Ki` },
    allocatable: { ...common, memory: `${memory - RESERVED_MEMORY / 1024}Ki` },
  };
}

const ARCH: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

function systemInfo(runtimeVersion: string): JsonObject {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      return ''; // not every machine has one
    }
  };
  const os = /^PRETTY_NAME="?(.*?)"?$/m.exec(read('/etc/os-release'))?.[1] ?? 'Linux';
  return {
    machineID: read('/etc/machine-id'),
    systemUUID: read('/sys/class/dmi/id/product_uuid'),
    bootID: read('/proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: os,
    containerRuntimeVersion: runtimeVersion,
    kubeletVersion: KUBELET_VERSION,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: ARCH[arch()] ?? arch(),
  };
}

/** The conditions a healthy node shows, Ready after the runtime's word. */
async function conditions(runtime: Runtime, old: readonly Condition[], now: number): Promise<Condition[]> {
  const status = await runtime.status().catch((e: Error) => e);
  const bad =
    status instanceof Error
      ? [`container runtime is down: ${status.message}`]
      : (status.status?.conditions ?? [])
          .filter((c) => !c.status)
          .map(
            (c) =>
              `container runtime ${c.type === 'NetworkReady' ? 'network' : 'status check'} not ready: ${c.reason} ${c.message}`,
          );
  const make = (type: string, status: Condition['status'], reason: string, message: string): Condition => {
    const before = old.find((c) => c.type === type);
    const since = before?.status === status ? before.lastTransitionTime : undefined;
    return {
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: formatTime(now),
      lastTransitionTime: since ?? formatTime(now),
    } as Condition;
  };
  return [
    make('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    make('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    make('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    bad.length === 0
      ? make('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : make('Ready', 'False', 'KubeletNotReady', bad.join(', ')),
  ];
}

/** What the kubelet judges pods by. */
export function nodeView(node: JsonObject): NodeView {
  const meta = node.metadata as JsonObject;
  const spec = (node.spec ?? {}) as JsonObject;
  const status = (node.status ?? {}) as JsonObject;
  return {
    name: String(meta.name),
    labels: (meta.labels ?? {}) as Record<string, string>,
    taints: (spec.taints ?? []) as unknown as NodeView['taints'],
    allocatable: (status.allocatable ?? {}) as Record<string, string>,
    kernel: String((status.nodeInfo as JsonObject | undefined)?.kernelVersion ?? release()),
    strictGroups: (status.features as JsonObject | undefined)?.supplementalGroupsPolicy === true,
  };
}

/** Makes the Node when it's missing and brings its status up to date; the Node as the API has it. */
export async function reportNode(api: Api, runtime: Runtime, s: NodeSettings, env: Env): Promise<JsonObject> {
  const path = `/api/v1/nodes/${s.name}`;
  const labels = {
    'kubernetes.io/hostname': s.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': ARCH[arch()] ?? arch(),
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': ARCH[arch()] ?? arch(),
    ...s.labels,
  };
  let node = await api.get(path).catch((e: unknown) => {
    if (e instanceof ApiError && e.code === 404) return null;
    throw e;
  });
  const spec = {
    ...(s.podCIDRs[0] ? { podCIDR: s.podCIDRs[0], podCIDRs: [...s.podCIDRs] } : {}),
    ...(s.taints.length > 0 ? { taints: [...s.taints] } : {}),
  };
  node ??= await api.send('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: s.name, labels },
    spec,
  });
  const version = await runtime.version();
  const old = ((node.status as JsonObject | undefined)?.conditions ?? []) as unknown as Condition[];
  const status = {
    ...capacity(),
    conditions: await conditions(runtime, old, env.now()),
    addresses: [
      ...s.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: s.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: systemInfo(`${version.runtimeName}://${version.runtimeVersion}`),
  };
  return api.send(
    'PATCH',
    `${path}/status`,
    { status } as unknown as JsonObject,
    'application/strategic-merge-patch+json',
  );
}

/** Renews this node's Lease in kube-node-lease, making it when it's missing. `linked`: from now on the control channel renews it. */
export async function renewLease(api: Api, name: string, env: Env, linked = false): Promise<void> {
  const base = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: formatMicroTime(env.now()) };
  const annotations = { [RENEWED_BY]: linked ? 'tunnel' : null };
  try {
    await api.send('PATCH', `${base}/${name}`, { metadata: { annotations }, spec }, 'application/merge-patch+json');
  } catch (e) {
    if (!(e instanceof ApiError) || e.code !== 404) throw e;
    const metadata = { name, ...(linked ? { annotations } : {}) };
    await api.send('POST', base, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
  }
}

/** Keeps this node's Lease renewed until `signal` aborts: each 10 s as kubelet does, or with the status while the control channel is alive. */
export async function keepLease(api: Api, name: string, link: Link, env: Env, signal: AbortSignal): Promise<void> {
  let renewedMs = 0;
  let wasLinked = false;
  while (!signal.aborted) {
    const linked = env.now() - link.heardMs < DOUBT_MS;
    let wait = RENEW_MS;
    if (!linked || !wasLinked || env.now() - renewedMs >= STATUS_MS) {
      try {
        await renewLease(api, name, env, linked);
        renewedMs = env.now();
        wasLinked = linked;
      } catch (error) {
        env.log('warn', 'node.lease.failed', { error: String(error) });
        wait = RETRY_MS;
      }
    }
    await pause(env, wait, signal);
  }
}

/** Waits, but not past an abort. */
function pause(env: Env, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((next) => {
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      next();
    };
    const cancel = env.after(ms, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
