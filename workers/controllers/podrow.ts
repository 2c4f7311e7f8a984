import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { Row } from '../../kube/reconcile/controller.ts';

// What workload controllers know of a pod; everything else stays in the store.

/** How far a pod is. */
export interface PodState extends JsonObject {
  phase: string;
  node: string;
  deleting: boolean;
  ready: boolean;
  readySince: string;
}
export interface PodRow extends PodState {
  created: string;
  restarts: number;
  /** Restarts of init containers that run on. */
  sidecarRestarts: number;
  /** annotation controller.kubernetes.io/pod-deletion-cost; 0 without one. */
  cost: number;
  /** The node that a pod without one is for, by the name that its affinity requires. Absent: none, or it has a node. */
  target?: string;
  /** PersistentVolumeClaim by volume; absent without any. */
  claims?: Record<string, string>;
}

interface PodSpec {
  nodeName?: string;
  initContainers?: { name: string; restartPolicy?: string }[];
  volumes?: { name: string; persistentVolumeClaim?: { claimName?: string } }[];
  affinity?: { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: Term[] } } };
}
interface Term {
  matchFields?: { key: string; operator: string; values?: string[] }[];
}

export function podState(o: KubeObject): PodState {
  const status = (o.status ?? {}) as {
    phase?: string;
    conditions?: { type: string; status: string; lastTransitionTime?: string }[];
  };
  const ready = status.conditions?.find((c) => c.type === 'Ready');
  return {
    phase: status.phase ?? 'Pending',
    node: (o.spec as PodSpec | undefined)?.nodeName ?? '',
    deleting: o.metadata.deletionTimestamp !== undefined,
    ready: ready?.status === 'True',
    readySince: ready?.lastTransitionTime ?? '',
  };
}

/** The projection of pods that workload controllers share. */
export function projectPod(o: KubeObject): PodRow {
  const status = (o.status ?? {}) as {
    containerStatuses?: { restartCount?: number }[];
    initContainerStatuses?: { name: string; restartCount?: number }[];
  };
  const spec = (o.spec ?? {}) as PodSpec;
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name);
  const most = (statuses: { restartCount?: number }[] = []) => Math.max(0, ...statuses.map((c) => c.restartCount ?? 0));
  const target = spec.nodeName ? undefined : targetOf(spec);
  const claims = claimsOf(spec);
  return {
    ...podState(o),
    created: o.metadata.creationTimestamp ?? '',
    restarts: most(status.containerStatuses),
    sidecarRestarts: most(status.initContainerStatuses?.filter((c) => sidecars.includes(c.name))),
    cost: Number(o.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0,
    ...(target === undefined ? {} : { target }),
    ...(claims === undefined ? {} : { claims }),
  };
}

/** daemon/util GetTargetNodeName, of a pod without a node. */
function targetOf(spec: PodSpec): string | undefined {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const term of terms)
    for (const e of term.matchFields ?? [])
      if (e.key === 'metadata.name' && e.operator === 'In') return e.values?.length === 1 ? e.values[0] : undefined;
  return undefined;
}

function claimsOf(spec: PodSpec): Record<string, string> | undefined {
  const with_ = spec.volumes?.filter((v) => v.persistentVolumeClaim !== undefined) ?? [];
  if (with_.length === 0) return undefined;
  return Object.fromEntries(with_.map((v) => [v.name, v.persistentVolumeClaim?.claimName ?? '']));
}

/** A pod's row and what is known of it. */
export type Pod = { row: Row; data: PodRow };
export const pod = (row: Row): Pod => ({ row, data: row.data as PodRow });

/** It has ended, well or not. */
export const ended = (p: Pod): boolean => p.data.phase === 'Succeeded' || p.data.phase === 'Failed';
/** It hasn't ended, and nobody deletes it. */
export const active = (p: Pod): boolean => !ended(p) && !p.data.deleting;

/** api/v1/pod IsPodAvailable: ready for that long. */
export const available = (p: Pod, minReadySeconds: number, now: number): boolean =>
  p.data.ready && (minReadySeconds === 0 || timeToMillis(p.data.readySince) + minReadySeconds * 1000 <= now);

/** Milliseconds until the next ready pod becomes available; undefined when none waits. */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  const waits = pods
    .filter((p) => p.data.ready)
    .map((p) => timeToMillis(p.data.readySince) + minReadySeconds * 1000 - now)
    .filter((ms) => ms > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
