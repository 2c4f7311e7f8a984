import { release } from 'node:os';
import { type Env, pause } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatMicroTime } from '../../kube/meta/time.ts';
import { DOUBT_MS, RENEWED_BY } from '../../kube/wire/messages.ts';
import { type Api, ApiError } from '../api.ts';
import type { Image } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Link } from '../tunnel/control.ts';
import type { NodeView } from './admit.ts';
import { type Pressure, pressureConditions } from './eviction.ts';
import { imagesOfStatus } from './imagegc.ts';
import { machineReader } from './machinereader.ts';
import {
  addressesOf,
  architecture,
  capacity,
  readiness,
  runtimeAbilities,
  systemInfo,
  timedConditions,
} from './nodestatus.ts';
import type { Condition } from './pod.ts';

/** kubelet's nodeStatusReportFrequency, nodeStatusUpdateFrequency, nodeLeaseDurationSeconds. */
export const STATUS_MS = 300_000;
const LOOK_MS = 10_000;
export const LEASE_SECONDS = 40;
const RENEW_MS = (LEASE_SECONDS * 1000) / 4;
/** After a renewal that failed. */
const RETRY_MS = 2_000;

export interface NodeSettings {
  name: string;
  addresses: readonly string[];
  labels: Readonly<Record<string, string>>;
  taints: readonly JsonObject[];
  podCIDRs: readonly string[];
  /** A path on the disk of volumes and logs; absent: /. */
  root?: string;
}

/** What is known of this node beside its runtime. */
export interface NodeSources {
  images?(): Promise<readonly Image[]>;
  pressures?(): ReadonlySet<Pressure>;
  /** Counts up with each image that comes or goes. */
  imageChanges?(): number;
  /** An Event of the node. */
  tell?(type: 'Normal' | 'Warning', reason: string, message: string): void;
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

/** The Node as the API has it, made when it's missing. */
export async function ownNode(api: Api, s: NodeSettings): Promise<JsonObject> {
  const found = await api.get(`/api/v1/nodes/${s.name}`).catch((e: unknown) => {
    if (e instanceof ApiError && e.code === 404) return null;
    throw e;
  });
  return found ?? api.send('POST', '/api/v1/nodes', newNode(s));
}

/** Makes the Node when it's missing and brings its status up to date; the Node as the API has it. */
export async function reportNode(
  api: Api,
  runtime: Runtime,
  s: NodeSettings,
  env: Env,
  sources: NodeSources = {},
): Promise<JsonObject> {
  const path = `/api/v1/nodes/${s.name}`;
  const node = await ownNode(api, s);
  const old = ((node.status as JsonObject | undefined)?.conditions ?? []) as unknown as Condition[];
  const [version, answer, images] = await Promise.all([
    runtime.version(),
    runtime.status().catch((e: Error) => e),
    sources.images?.() ?? [],
  ]);
  const verdicts = [...pressureConditions(sources.pressures?.() ?? new Set()), readiness(answer)];
  const conditions = timedConditions(verdicts, old, env.now());
  for (const c of conditions) tellChange(c, old, s.name, sources);
  const status = {
    ...capacity(s.root),
    conditions,
    addresses: addressesOf(s.addresses, s.name),
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: systemInfo(`${version.runtimeName}://${version.runtimeVersion}`, machineReader().memory().swapBytes),
    ...(images.length > 0 ? { images: imagesOfStatus(images) } : {}),
    ...(answer instanceof Error ? {} : runtimeAbilities(answer)),
  };
  const body = { status } as unknown as JsonObject;
  return api.send('PATCH', `${path}/status`, body, 'application/strategic-merge-patch+json');
}

function newNode(s: NodeSettings): JsonObject {
  const labels = {
    'kubernetes.io/hostname': s.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture(),
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': architecture(),
    ...s.labels,
  };
  const annotations = { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' };
  const spec = {
    ...(s.podCIDRs[0] ? { podCIDR: s.podCIDRs[0], podCIDRs: [...s.podCIDRs] } : {}),
    ...(s.taints.length > 0 ? { taints: [...s.taints] } : {}),
  };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: s.name, labels, annotations }, spec };
}

const EVENTS: Record<string, { True: string; False: string }> = {
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
};

function tellChange(c: Condition, old: readonly Condition[], node: string, sources: NodeSources): void {
  if (c.status === 'Unknown' || old.find((o) => o.type === c.type)?.status === c.status) return;
  const reason = EVENTS[c.type]?.[c.status];
  if (reason) sources.tell?.('Normal', reason, `Node ${node} status is now: ${reason}`);
}

/** Keeps the Node's status true until `signal` aborts: reported at once when a condition or the images change, else each 5 min. */
export async function keepNode(
  api: Api,
  runtime: Runtime,
  s: NodeSettings,
  env: Env,
  sources: NodeSources,
  signal: AbortSignal,
): Promise<void> {
  let shown = '';
  let reportedMs = Number.NEGATIVE_INFINITY;
  sources.tell?.('Normal', 'Starting', 'Starting kubelet.');
  while (!signal.aborted) {
    const answer = await runtime.status().catch((e: Error) => e);
    const now = JSON.stringify([
      readiness(answer),
      [...(sources.pressures?.() ?? [])].sort(),
      sources.imageChanges?.(),
    ]);
    let wait = LOOK_MS;
    if (now !== shown || env.now() - reportedMs >= STATUS_MS) {
      try {
        await reportNode(api, runtime, s, env, sources);
        [shown, reportedMs] = [now, env.now()];
      } catch (error) {
        env.log('warn', 'node.status.failed', { error: String(error) });
        wait = RETRY_MS;
      }
    }
    await pause(env, wait, signal);
  }
}

/** What workers ask the API of their node and of RuntimeClasses. */
export function nodeReads(api: Pick<Api, 'get'>, name: string) {
  const node = () => api.get(`/api/v1/nodes/${name}`);
  return {
    labels: async () => nodeView(await node()).labels,
    nodeUid: async () => String(((await node()).metadata as JsonObject).uid),
    async runtimeHandler(runtimeClass: string): Promise<string> {
      if (runtimeClass === '') return '';
      const found = await api.get(`/apis/node.k8s.io/v1/runtimeclasses/${runtimeClass}`);
      return String(found.handler ?? '');
    },
  };
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
