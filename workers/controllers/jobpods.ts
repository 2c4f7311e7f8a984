import type { KubeObject } from '../../kube/meta/object.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { type PodRow, projectPod } from './podrow.ts';

// What a Job knows of its pods.

export const TRACKING = 'batch.kubernetes.io/job-tracking';
export const INDEX = 'batch.kubernetes.io/job-completion-index';
export const FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const IGNORED = 'batch.kubernetes.io/job-index-ignored-failure-count';
/** No index, or one that can't be read. */
export const NO_INDEX = -1;
const INT32_MAX = 2 ** 31 - 1;

export interface JobPod extends PodRow {
  /** Name of the Job that owns it; '' without an owner. */
  job: string;
  /** It has the Job's finalizer: it isn't counted yet. */
  tracked: boolean;
  index: number;
  /** Failures of its index before it, and those that didn't count. */
  failures: number;
  ignored: number;
  /** Restarts of all containers together. */
  allRestarts: number;
  /** When it ended, in milliseconds since the epoch; of one that has. */
  finished: number;
  /** Exit codes other than 0, containers before init containers. */
  codes: { name: string; code: number }[];
  conditions: { type: string; status: string }[];
}
interface Status {
  name: string;
  restartCount?: number;
  state?: { terminated?: { exitCode: number; finishedAt?: string } };
}
interface PodStatus {
  phase?: string;
  conditions?: { type: string; status: string; lastTransitionTime?: string }[];
  containerStatuses?: Status[];
  initContainerStatuses?: Status[];
}

/** Of pods that a Job owns, or nobody: everything else has no row data for Jobs. */
export function projectJobPod(o: KubeObject): JobPod | Record<string, never> {
  const owner = o.metadata.ownerReferences?.find((r) => r.controller === true);
  if (owner && (owner.kind !== 'Job' || owner.apiVersion !== 'batch/v1')) return {};
  const status = (o.status ?? {}) as PodStatus;
  const spec = (o.spec ?? {}) as { initContainers?: { name: string; restartPolicy?: string }[] };
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name);
  const { containerStatuses = [], initContainerStatuses = [] } = status;
  const all = [...containerStatuses, ...initContainerStatuses];
  const row = projectPod(o);
  const over = row.deleting || row.phase === 'Failed' || row.phase === 'Succeeded';
  return {
    ...row,
    job: owner?.name ?? '',
    tracked: o.metadata.finalizers?.includes(TRACKING) === true,
    index: indexOf(o.metadata.annotations),
    failures: count(o.metadata.annotations?.[FAILURES]),
    ignored: count(o.metadata.annotations?.[IGNORED]),
    allRestarts: all.reduce((n, c) => n + (c.restartCount ?? 0), 0),
    finished: over ? finishedAt(o, status, sidecars) : 0,
    codes: over ? all.flatMap(exitCode) : [],
    conditions: over ? (status.conditions ?? []).map((c) => ({ type: c.type, status: c.status })) : [],
  };
}
const exitCode = (c: Status) => {
  const code = c.state?.terminated?.exitCode ?? 0;
  return code === 0 ? [] : [{ name: c.name, code }];
};
function indexOf(annotations: Record<string, string> | undefined): number {
  const text = annotations?.[INDEX];
  return text !== undefined && /^\+?\d+$/.test(text) ? Number(text) : NO_INDEX;
}
function count(text: string | undefined): number {
  const n = text !== undefined && /^\+?\d+$/.test(text) ? Number(text) : 0;
  return n > INT32_MAX ? 0 : n;
}

/** getFinishedTime: by its containers, else since when it isn't ready, else when it was deleted, else when it was made. */
function finishedAt(o: KubeObject, status: PodStatus, sidecars: readonly string[]): number {
  const { metadata } = o;
  const init = (status.initContainerStatuses ?? []).filter((c) => sidecars.includes(c.name));
  const byContainers = latest(init, latest(status.containerStatuses ?? [], undefined));
  if (byContainers !== undefined) return byContainers;
  const ready = status.conditions?.find((c) => c.type === 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime) return timeToMillis(ready.lastTransitionTime);
  if (metadata.deletionTimestamp)
    return timeToMillis(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return metadata.creationTimestamp ? timeToMillis(metadata.creationTimestamp) : 0;
}
function latest(of: readonly Status[], before: number | undefined): number | undefined {
  let last = before;
  for (const c of of) {
    const at = c.state?.terminated?.finishedAt;
    if (at === undefined) return undefined;
    last = Math.max(last ?? 0, timeToMillis(at));
  }
  return last;
}

/** A pod of a Job with its row. */
export interface Mine {
  row: Row;
  pod: JobPod;
}
export const mineOf = (row: Row): Mine | undefined =>
  row.data.job === undefined ? undefined : { row, pod: row.data as JobPod };
export const isActive = ({ pod }: Mine): boolean =>
  pod.phase !== 'Succeeded' && pod.phase !== 'Failed' && !pod.deleting;
export const isTerminating = ({ pod }: Mine): boolean =>
  pod.phase !== 'Succeeded' && pod.phase !== 'Failed' && pod.deleting;

const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
/** controller.ActivePods: those that have got less far go first. */
export function byProgress({ pod: a }: Mine, { pod: b }: Mine): number {
  return (
    Number(a.node !== '') - Number(b.node !== '') ||
    (PHASES[a.phase] ?? 0) - (PHASES[b.phase] ?? 0) ||
    Number(a.ready) - Number(b.ready) ||
    (a.ready ? later(a.readySince, b.readySince) : 0) ||
    b.restarts - a.restarts ||
    b.sidecarRestarts - a.sidecarRestarts ||
    later(a.created, b.created)
  );
}
/** Negative where the first is later; no time is the latest. */
function later(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '' || b === '') return a === '' ? -1 : 1;
  return a > b ? -1 : 1;
}
