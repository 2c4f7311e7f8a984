import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { matchesLabels } from '../../kube/meta/selectors.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Controller, Note, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { decide } from './jobend.ts';
import { manage } from './jobmanage.ts';
import { mineOf, projectJobPod, TRACKING } from './jobpods.ts';
import {
  condition,
  finishedOf,
  type Job,
  type JobCondition,
  type JobStatus,
  jobs,
  withCondition,
} from './jobstatus.ts';
import { type Claimed, isSuspended, syncOf } from './jobsync.ts';
import { track } from './jobtrack.ts';
import { needKind } from './kind.ts';
import { controllerRef, EVENTS, orphans, requirementsOf } from './owning.ts';
import { ACTIVE } from './pods.ts';

const pods = needKind(kindByStorage, 'pods');
const MANAGER = 'kubernetes.io/job-controller';

/** Runs pods to their end: kubernetes pkg/controller/job. What upstream does in one sync may take two here, each by what the store says. */
export const job: Controller = {
  name: 'job-controller',
  rules: [
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list', 'patch', 'update', 'watch'] },
    { apiGroups: ['batch'], resources: ['jobs/status', 'jobs/finalizers'], verbs: ['update'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'list', 'patch', 'watch'] },
    EVENTS,
  ],
  for: jobs,
  owns: [pods],
  project: { pods: projectJobPod },
  watches: [
    // Pods that wait to be counted by a Job that has gone.
    { kind: pods, where: { owned: true }, map: (row, view) => (isLeft(row, view) ? [row.key] : []) },
    orphans(pods, jobs, { fields: ACTIVE }),
  ],
  reconcile(key, object, view): Plan {
    if (key.startsWith('pods/')) {
      const row = view.get(key);
      return { writes: row && isLeft(row, view) ? untrack(row) : [] };
    }
    if (object === undefined) return { writes: leftBehind(key, view) };
    const job = object as Job;
    if (job.spec.managedBy !== undefined && job.spec.managedBy !== MANAGER) return { writes: [] };
    if (finishedOf(job)) return { writes: view.owned('pods', job.metadata.uid ?? '').flatMap(untrack) };
    const { completionMode } = job.spec;
    if (completionMode !== undefined && completionMode !== 'NonIndexed' && completionMode !== 'Indexed') {
      const message = 'Skipped Job sync because completion mode is unknown';
      return { writes: [], notes: [{ on: key, type: 'Warning', reason: 'UnknownCompletionMode', message }] };
    }
    return sync(key, job, view);
  },
};

function sync(key: Key, job: Job, view: View): Plan {
  const claimed = claim(job, view);
  const s = syncOf(job, claimed, view.now);
  const notes: Note[] = [];
  const status: JobStatus = { ...job.status };
  if (status.startTime === undefined && !isSuspended(job)) status.startTime = formatTime(view.now);
  const end = decide(s, status, view.now);
  const work = manage(s, end.condition, view, key);
  let finished: JobCondition | undefined = end.condition;
  if (finished === undefined) {
    const { completions } = job.spec;
    const complete = completions === undefined ? s.succeeded > 0 : s.succeeded >= completions;
    if (complete && work.active === 0)
      finished = condition('SuccessCriteriaMet', 'True', 'CompletionsReached', REACHED, view.now);
    else if (job.metadata.deletionTimestamp === undefined) suspension(key, job, status, view.now, notes);
  }
  const counts = { active: work.active, ready: work.ready, terminating: work.terminating };
  const done = track(s, status, finished, counts, view.now);
  notes.push(...done.reasons.map(({ type, reason, message }) => ({ on: key, type, reason, message })));
  const changed = !equalJson(tidy(done.status) as Json, tidy(job.status ?? {}) as Json);
  const written: Write[] = changed
    ? [{ do: 'update', object: { ...job, status: tidy(done.status) }, subresource: 'status' }]
    : [];
  // Nothing is let go of before it stands in the status. What was refused last time must not keep the status from telling of the rest.
  const writes =
    view.failure === undefined
      ? [...claimed.writes, ...work.writes, ...written, ...done.untracked.flatMap(untrack)]
      : [...claimed.writes, ...written, ...done.untracked.flatMap(untrack), ...work.writes];
  const waits = [end.again, work.again].filter((ms) => ms !== undefined);
  return { writes, notes, ...(waits.length > 0 ? { again: Math.max(0, Math.min(...waits)) } : {}) };
}
const REACHED = 'Reached expected number of succeeded pods';

/** The condition Suspended, and what goes with it. */
function suspension(key: Key, job: Job, status: JobStatus, now: number, notes: Note[]): void {
  const had = status.conditions ?? [];
  const suspended = isSuspended(job);
  const made = suspended
    ? condition('Suspended', 'True', 'JobSuspended', 'Job suspended', now)
    : condition('Suspended', 'False', 'JobResumed', 'Job resumed', now);
  const next = withCondition(had, made);
  if (next === had) return;
  status.conditions = [...next];
  if (suspended) delete status.startTime;
  else status.startTime = formatTime(now);
  const reason = suspended ? 'Suspended' : 'Resumed';
  notes.push({ on: key, type: 'Normal', reason, message: made.message ?? '' });
}

/** As it is stored: without what is empty. */
function tidy(s: JobStatus): JobStatus {
  const { active, succeeded, failed, completedIndexes, conditions, uncountedTerminatedPods: u, ...rest } = s;
  return {
    ...rest,
    ...(conditions && conditions.length > 0 ? { conditions } : {}),
    ...(active ? { active } : {}),
    ...(succeeded ? { succeeded } : {}),
    ...(failed ? { failed } : {}),
    ...(completedIndexes ? { completedIndexes } : {}),
    uncountedTerminatedPods: {
      ...(u?.succeeded?.length ? { succeeded: u.succeeded } : {}),
      ...(u?.failed?.length ? { failed: u.failed } : {}),
    },
  };
}

/** The Job's pods; those that it should have, and those that it shouldn't, are patched. */
function claim(job: Job, view: View): Claimed {
  const { namespace = '', uid = '', deletionTimestamp } = job.metadata;
  const requirements = requirementsOf(job);
  const matches = (row: Row) => requirements !== undefined && matchesLabels(requirements, row.labels);
  const owned = view.owned('pods', uid).filter((row) => parseKey(row.key).namespace === namespace);
  const released = deletionTimestamp ? [] : owned.filter((row) => !matches(row));
  const free = deletionTimestamp
    ? []
    : view.orphans('pods', namespace).filter((row) => matches(row) && mineOf(row)?.pod.deleting === false);
  const owner = controllerRef(jobs, job);
  return {
    owned: deletionTimestamp ? owned : owned.filter(matches),
    adopted: free,
    writes: [
      ...free.map((row): Write => patch(row, { ownerReferences: [owner], uid: row.uid, finalizers: [TRACKING] })),
      ...released.map(
        (row): Write =>
          patch(row, { ownerReferences: [{ $patch: 'delete', uid }], uid: row.uid, [UNTRACK]: [TRACKING] }),
      ),
    ],
  };
}
const UNTRACK = '$deleteFromPrimitiveList/finalizers';
const patch = (row: Row, metadata: KubeObject['metadata'] | Record<string, Json>): Extract<Write, { do: 'patch' }> => ({
  do: 'patch',
  key: row.key,
  type: 'strategic',
  patch: { metadata: metadata as Record<string, Json> },
});

/** Takes the finalizer off, so that the pod may go. */
function untrack(row: Row): Write[] {
  return mineOf(row)?.pod.tracked ? [{ ...patch(row, { uid: row.uid, [UNTRACK]: [TRACKING] }), apart: true }] : [];
}
const jobKey = (row: Row): Key => keyOf('batch', 'jobs', parseKey(row.key).namespace, mineOf(row)?.pod.job ?? '');

/** It waits to be counted, but nobody will: its Job isn't there. */
function isLeft(row: Row, view: View): boolean {
  const pod = mineOf(row)?.pod;
  return pod?.tracked === true && pod.job !== '' && view.get(jobKey(row))?.uid !== row.owner;
}
/** Pods of a Job that has gone. */
function leftBehind(key: Key, view: View): Write[] {
  const { namespace, name } = parseKey(key);
  return [...view.list('pods', namespace)].flatMap((row) => (mineOf(row)?.pod.job === name ? untrack(row) : []));
}
