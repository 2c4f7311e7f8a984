import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { View, Write } from '../../kube/reconcile/controller.ts';
import type { Key } from '../../kube/store/store.ts';
import { freeIndexes, mergeIndexes, withIndexes } from './jobindexes.ts';
import { byProgress, FAILURES, IGNORED, INDEX, isTerminating, type Mine, NO_INDEX, TRACKING } from './jobpods.ts';
import { type Job, type JobCondition, jobs } from './jobstatus.ts';
import { failuresOf, isSuspended, replacesFailedOnly, type Sync } from './jobsync.ts';
import { controllerRef, creation, deletion, generatedName, NAME_BASE_MAX, podOf } from './owning.ts';

/** Pods that one plan makes or deletes. */
const BURST = 500;
/** Between failures of pods: doubling, to that. */
const BACKOFF_MS = 10_000;
const BACKOFF_MS_MAX = 600_000;
const INDEX_ENV = 'JOB_COMPLETION_INDEX';

export interface Work {
  writes: Write[];
  active: number;
  ready: number;
  terminating: number;
  /** Milliseconds until pods may be made that wait for a failure's back-off. */
  again?: number;
}

/** manageJob: makes or deletes pods, never both at once. A Job that ends loses all that are active. */
export function manage(s: Sync, finished: JobCondition | undefined, view: View, key: Key): Work {
  const { job, active } = s;
  const now: Work = {
    writes: [],
    active: active.length,
    ready: active.filter(({ pod }) => pod.ready).length,
    terminating: s.terminating,
  };
  // Their finalizers go when they are noted.
  if (finished) return without(now, active, key, false);
  if (job.metadata.deletionTimestamp) return now;
  const wanted = isSuspended(job) ? 0 : wantedOf(s);
  const surplus = Math.max(0, active.length - wanted);
  const doomed = isSuspended(job) ? forRemoval(s, active.length) : forRemoval(s, surplus).slice(0, BURST);
  if (doomed.length > 0 || isSuspended(job)) return without(now, doomed, key, true);
  const ending = replacesFailedOnly(job) ? s.terminating : 0;
  const missing = wanted - ending - active.length;
  return missing > 0 ? more(s, now, Math.min(missing, BURST), view, key) : now;
}

/** How many pods should be active. */
function wantedOf({ job, active, succeeded }: Sync): number {
  const { parallelism = 1, completions } = job.spec;
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

/** activePodsForRemoval: those of no index or one that another has, then as many as there are too many, the least advanced first. */
function forRemoval(s: Sync, atLeast: number): Mine[] {
  const { active, completions } = s;
  const removed: Mine[] = [];
  const left: Mine[] = [];
  if (s.isIndexed) {
    for (const [index, of] of Map.groupBy(active, ({ pod }) => pod.index)) {
      if (index === NO_INDEX || index >= completions) removed.push(...of);
      else {
        const sorted = [...of].sort(byProgress);
        removed.push(...sorted.slice(0, -1));
        left.push(...sorted.slice(-1));
      }
    }
  } else left.push(...active);
  if (removed.length < atLeast) removed.push(...left.sort(byProgress).slice(0, atLeast - removed.length));
  return removed;
}

/** Deletes these; with `release` their finalizer goes first, so that they aren't counted. */
function without(w: Work, gone: readonly Mine[], key: Key, release: boolean): Work {
  const writes = gone.flatMap(({ row, pod }): Write[] => {
    if (!release || !pod.tracked) return [deletion(row, key)];
    const metadata = { uid: row.uid, '$deleteFromPrimitiveList/finalizers': [TRACKING] };
    return [{ do: 'patch', key: row.key, type: 'strategic', patch: { metadata }, apart: true }, deletion(row, key)];
  });
  return {
    writes,
    active: w.active - gone.length,
    ready: w.ready - gone.filter(({ pod }) => pod.ready).length,
    terminating: w.terminating + gone.length,
  };
}

/** Makes pods, where no failure's back-off forbids it. */
function more(s: Sync, w: Work, count: number, view: View, key: Key): Work {
  const perIndex = s.job.spec.backoffLimitPerIndex !== undefined;
  if (!perIndex) {
    const wait = backoffOf(s, view.now);
    if (wait > 0) return { ...w, again: wait };
  }
  let indexes: number[] | undefined;
  let again: number | undefined;
  if (s.isIndexed) {
    indexes = freeIndexes(takenIndexes(s), count, s.completions);
    if (perIndex) {
      const waits = new Map(indexes.map((i) => [i, backoffOfIndex(s.delayed.get(i), view.now)]));
      const ready = indexes.filter((i) => waits.get(i) === 0);
      const later = [...waits.values()].filter((ms) => ms > 0);
      if (later.length > 0) again = Math.min(...later);
      indexes = ready;
    }
  }
  const which = indexes ?? Array.from({ length: count }, () => NO_INDEX);
  // What was refused is tried again, but isn't there.
  const made = view.failure === undefined ? which.length : 0;
  return {
    ...w,
    writes: which.map((index) => creation(podFor(s, index, view), key)),
    active: w.active + made,
    ...(again === undefined ? {} : { again }),
  };
}

/** Indexes that need no pod: done, failed, or with a pod that runs, or with one that ends where that counts. */
function takenIndexes(s: Sync) {
  const busy = replacesFailedOnly(s.job) ? [...s.active, ...s.pods.filter(isTerminating)] : s.active;
  const indexes = busy.map(({ pod }) => pod.index).filter((i) => i !== NO_INDEX);
  return mergeIndexes(withIndexes(s.doneIndexes, indexes), s.failedIndexes ?? []);
}

/**
 * How long to wait after the last failure: by the failures since the last success. Upstream counts them while it runs; here the pods that
 * ended tell, and the Job's own count where none has succeeded.
 */
function backoffOf(s: Sync, now: number): number {
  const ended = (test: (m: Mine) => boolean) => s.pods.filter(test).map(({ pod }) => pod.finished);
  const success = Math.max(0, ...ended(({ pod }) => pod.phase === 'Succeeded'));
  const failures = ended(({ pod }) => s.isFailed(pod)).filter((at) => at > success);
  if (failures.length === 0) return 0;
  const counted = success === 0 && s.succeeded === 0 ? Math.max(failures.length, s.failed) : failures.length;
  return remaining(counted, Math.max(...failures), now);
}
const backoffOfIndex = (last: Mine | undefined, now: number): number =>
  last === undefined ? 0 : remaining(failuresOf(last) + 1, last.pod.finished, now);
function remaining(failures: number, last: number, now: number): number {
  if (failures === 0) return 0;
  return Math.max(0, last + Math.min(BACKOFF_MS * 2 ** (failures - 1), BACKOFF_MS_MAX) - now);
}

interface Container extends JsonObject {
  env?: (JsonObject & { name: string })[];
}
function podFor(s: Sync, index: number, view: View): KubeObject {
  const { job } = s;
  const isIndexed = index !== NO_INDEX;
  const base = isIndexed ? indexedBase(job.metadata.name ?? '', index) : `${job.metadata.name}-`;
  const pod = podOf(job.spec.template, job, controllerRef(jobs, job), generatedName(base, view));
  const { labels, annotations, finalizers = [], ...rest } = pod.metadata;
  const marks = isIndexed ? { [INDEX]: String(index) } : undefined;
  const counts = isIndexed ? failureMarks(s, index) : {};
  const metadata: KubeObject['metadata'] = {
    ...rest,
    generateName: base,
    ...(labels || marks ? { labels: { ...labels, ...marks } } : {}),
    ...(annotations || marks ? { annotations: { ...annotations, ...marks, ...counts } } : {}),
    finalizers: finalizers.includes(TRACKING) ? finalizers : [...finalizers, TRACKING],
  };
  return { ...pod, metadata, ...(isIndexed ? { spec: indexedSpec(pod.spec as JsonObject, job, index) } : {}) };
}
function indexedBase(name: string, index: number): string {
  const end = `-${index}-`;
  return name.length + end.length > NAME_BASE_MAX ? name.slice(0, NAME_BASE_MAX - end.length) + end : name + end;
}

/** How often the index has failed: what the pod's place in the limit is told by. */
function failureMarks(s: Sync, index: number): Record<string, string> {
  if (s.job.spec.backoffLimitPerIndex === undefined) return {};
  const last = s.delayed.get(index);
  if (last === undefined) return { [FAILURES]: '0' };
  const { counts } = s.verdict(last);
  const ignored = last.pod.ignored + Number(!counts);
  return {
    [FAILURES]: String(last.pod.failures + Number(counts)),
    ...(ignored > 0 ? { [IGNORED]: String(ignored) } : {}),
  };
}

function indexedSpec(spec: JsonObject, job: Job, index: number): JsonObject {
  const withEnv = (of: Json | undefined) => ((of ?? []) as Container[]).map(addIndex);
  return {
    ...spec,
    hostname: `${job.metadata.name}-${index}`,
    containers: withEnv(spec.containers),
    ...(spec.initContainers === undefined ? {} : { initContainers: withEnv(spec.initContainers) }),
  };
}
function addIndex(c: Container): Container {
  if (c.env?.some((e) => e.name === INDEX_ENV)) return c;
  const fieldRef = { fieldPath: `metadata.labels['${INDEX}']` };
  return { ...c, env: [...(c.env ?? []), { name: INDEX_ENV, valueFrom: { fieldRef } }] };
}
