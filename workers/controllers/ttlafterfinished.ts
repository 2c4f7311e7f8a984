import { kindByStorage } from '../../kube/kinds/index.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Plan } from '../../kube/reconcile/controller.ts';
import { finishedOf, type Job } from './jobstatus.ts';
import { needKind } from './kind.ts';
import { EVENTS } from './owning.ts';

/** Deletes Jobs some time after they ended: kubernetes pkg/controller/ttlafterfinished. */
export const ttlafterfinished: Controller = {
  name: 'ttl-after-finished-controller',
  rules: [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['delete', 'get', 'list', 'watch'] }, EVENTS],
  for: needKind(kindByStorage, 'jobs.batch'),
  reconcile(key, object, view): Plan {
    const job = object as Job | undefined;
    const ttl = job?.spec.ttlSecondsAfterFinished;
    if (job === undefined || ttl === undefined || job.metadata.deletionTimestamp) return { writes: [] };
    const ended = finishedOf(job)?.lastTransitionTime;
    if (ended === undefined) return { writes: [] };
    const left = timeToMillis(ended) + ttl * 1000 - view.now;
    if (left > 0) return { writes: [], again: left };
    // Never one that has got a longer time since.
    const revision = Number(job.metadata.resourceVersion ?? 0);
    const uid = job.metadata.uid ?? '';
    return { writes: [{ do: 'delete', key, uid, ...(revision > 0 ? { revision } : {}), propagation: 'Foreground' }] };
  },
};
