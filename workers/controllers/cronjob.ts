import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject, ObjectMeta } from '../../kube/meta/object.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Note, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { mostRecent, nextAfter } from './crontimes.ts';
import { finishedOf, type Job, jobs } from './jobstatus.ts';
import { needKind } from './kind.ts';
import { controllerRef, EVENTS } from './owning.ts';
import { clockOf, formatInZone, parseSchedule, type Schedule } from './schedule.ts';

const cronjobs = needKind(kindByStorage, 'cronjobs.batch');
const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
const MINUTE_MS = 60_000;

interface Reference extends JsonObject {
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  apiVersion: string;
  resourceVersion?: string;
}
interface CronJobStatus extends JsonObject {
  active?: Reference[];
  lastScheduleTime?: string;
  lastSuccessfulTime?: string;
}
export interface CronJob extends KubeObject {
  spec: JsonObject & {
    schedule: string;
    timeZone?: string;
    startingDeadlineSeconds?: number;
    concurrencyPolicy?: string;
    suspend?: boolean;
    jobTemplate: JsonObject & { metadata?: ObjectMeta; spec?: JsonObject };
    successfulJobsHistoryLimit?: number;
    failedJobsHistoryLimit?: number;
  };
  status?: CronJobStatus;
}
interface Child {
  row: Row;
  job: Job;
}

/** Makes Jobs by the clock: kubernetes pkg/controller/cronjob. A Job's uid comes with the next look, which puts it among the active ones. */
export const cronjob: Controller = {
  name: 'cronjob-controller',
  rules: [
    { apiGroups: ['batch'], resources: ['cronjobs'], verbs: ['get', 'list', 'watch', 'update'] },
    {
      apiGroups: ['batch'],
      resources: ['jobs'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'delete', 'patch'],
    },
    { apiGroups: ['batch'], resources: ['cronjobs/status', 'cronjobs/finalizers'], verbs: ['update'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'delete'] },
    EVENTS,
  ],
  for: cronjobs,
  owns: [jobs],
  reconcile(key, object, view): Plan {
    if (object === undefined) return { writes: [] };
    const cron = object as CronJob;
    const children = view
      .owned('jobs.batch', cron.metadata.uid ?? '')
      .filter((row) => parseKey(row.key).namespace === cron.metadata.namespace)
      .map((row): Child => ({ row, job: row.data as unknown as Job }));
    const s = new Sync(key, cron, view);
    s.cleanUp(children);
    s.follow(children);
    const again = cron.metadata.deletionTimestamp ? undefined : s.schedule();
    const status = s.written();
    const changed = !equalJson(status as Json, tidy(cron.status ?? {}) as Json);
    const writes: Write[] = changed
      ? [...s.writes, { do: 'update', object: { ...cron, status }, subresource: 'status' }]
      : s.writes;
    return { writes, notes: s.notes, ...(again === undefined ? {} : { again }) };
  },
};

const tidy = ({ active, ...rest }: CronJobStatus): CronJobStatus => ({
  ...rest,
  ...(active && active.length > 0 ? { active } : {}),
});

/** One look at a CronJob: what it writes, tells, and how its status changes. */
class Sync {
  readonly writes: Write[] = [];
  readonly notes: Note[] = [];
  readonly #key: Key;
  readonly #cron: CronJob;
  readonly #view: View;
  #active: Reference[];
  readonly #status: CronJobStatus;

  constructor(key: Key, cron: CronJob, view: View) {
    this.#key = key;
    this.#cron = cron;
    this.#view = view;
    this.#status = { ...cron.status };
    this.#active = [...(cron.status?.active ?? [])];
  }

  written(): CronJobStatus {
    return tidy({ ...this.#status, active: this.#active });
  }

  #tell(type: Note['type'], reason: string, message: string): void {
    this.notes.push({ on: this.#key, type, reason, message });
  }

  #delete(key: Key, uid: string, apart = false): void {
    const message = `Deleted job ${parseKey(key).name}`;
    const note = { on: this.#key, reason: 'SuccessfulDelete', message, failed: 'FailedDelete' };
    this.writes.push({ do: 'delete', key, uid, propagation: 'Background', note, ...(apart ? { apart } : {}) });
    this.#active = this.#active.filter((a) => a.uid !== uid);
  }

  /** Of what is over only so many are kept: the oldest go. */
  cleanUp(children: readonly Child[]): void {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = this.#cron.spec;
    for (const [type, limit] of [
      ['Complete', successfulJobsHistoryLimit],
      ['Failed', failedJobsHistoryLimit],
    ] as const) {
      if (limit === undefined) continue;
      const over = children.filter(({ job }) => finishedOf(job)?.type === type).sort(byStart);
      for (const { row, job } of over.slice(0, Math.max(0, over.length - limit)))
        if (!job.metadata.deletionTimestamp) this.#delete(row.key, row.uid, true);
    }
  }

  /** Brings status.active to what its Jobs are. */
  follow(children: readonly Child[]): void {
    for (const { row, job } of children) {
      const isActive = this.#active.some((a) => a.uid === row.uid);
      const finished = finishedOf(job);
      const { name } = parseKey(row.key);
      if (finished === undefined) {
        if (!isActive) this.#found(row, name);
        continue;
      }
      if (isActive) {
        this.#active = this.#active.filter((a) => a.uid !== row.uid);
        this.#tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${finished.type}`);
      }
      if (finished.type === 'Complete') this.#succeeded(job.status?.completionTime);
    }
    for (const { uid, name, namespace } of this.#active) {
      if (children.some(({ row }) => row.uid === uid)) continue;
      if (this.#view.get(keyOf('batch', 'jobs', namespace, name)) !== undefined) continue;
      this.#tell('Normal', 'MissingJob', `Active job went missing: ${name}`);
      this.#active = this.#active.filter((a) => a.uid !== uid);
    }
  }

  /** A Job that isn't among the active ones: the one that was made last, whose uid is known now; or one that nobody made here. */
  #found(row: Row, name: string): void {
    const last = this.#status.lastScheduleTime;
    if (last !== undefined && name === this.#nameAt(timeToMillis(last))) this.#active.push(this.#referTo(row));
    else if (name !== this.#due()) {
      const message = `Saw a job that the controller did not create or forgot: ${name}`;
      this.#tell('Warning', 'UnexpectedJob', message);
    }
  }
  #succeeded(at: string | undefined): void {
    const last = this.#status.lastSuccessfulTime;
    if (at !== undefined && (last === undefined || at > last)) this.#status.lastSuccessfulTime = at;
  }

  /** Makes the Job that is due; milliseconds until the next one is. */
  schedule(): number | undefined {
    const { spec } = this.#cron;
    const { timeZone } = spec;
    if (timeZone !== undefined && clockOf(timeZone) === undefined) {
      const message = `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`;
      this.#tell('Warning', 'UnknownTimeZone', message);
      return undefined;
    }
    if (spec.suspend === true) return undefined;
    if (spec.schedule.includes('TZ')) this.#tell('Warning', 'UnsupportedSchedule', unsupported(spec.schedule));
    const schedule = parseSchedule(spec.schedule, timeZone);
    if (schedule instanceof Error) {
      const message = `unparseable schedule: ${JSON.stringify(spec.schedule)} : ${schedule.message}`;
      this.#tell('Warning', 'UnparseableSchedule', message);
      return undefined;
    }
    const { now } = this.#view;
    const found = mostRecent(this.#times(), now, schedule, spec.startingDeadlineSeconds);
    if (found instanceof Error) {
      this.#tell('Warning', 'InvalidSchedule', `invalid schedule: ${spec.schedule} : ${found.message}`);
      return undefined;
    }
    if (found.due !== undefined) {
      if (found.missed === 'many') this.#tell('Warning', 'TooManyMissedTimes', TOO_MANY);
      this.#start(found.due);
    }
    return this.#next(schedule);
  }
  #times() {
    const { lastScheduleTime } = this.#status;
    const since = lastScheduleTime ?? this.#cron.metadata.creationTimestamp;
    return since === undefined ? this.#view.now : timeToMillis(since);
  }
  #next(schedule: Schedule): number | undefined {
    return nextAfter(this.#times(), this.#view.now, schedule);
  }
  #due(): string | undefined {
    const { spec } = this.#cron;
    const schedule = parseSchedule(spec.schedule, spec.timeZone);
    if (schedule instanceof Error) return undefined;
    const found = mostRecent(this.#times(), this.#view.now, schedule, spec.startingDeadlineSeconds);
    return found instanceof Error || found.due === undefined ? undefined : this.#nameAt(found.due);
  }

  #start(due: number): void {
    const { spec } = this.#cron;
    const { now } = this.#view;
    const deadline = spec.startingDeadlineSeconds;
    if (deadline !== undefined && due + deadline * 1000 < now) {
      this.#tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(due)}`);
      return;
    }
    const name = this.#nameAt(due);
    if (this.#active.some((a) => a.name === name)) return;
    if (spec.concurrencyPolicy === 'Forbid' && this.#active.length > 0) {
      this.#tell('Normal', 'JobAlreadyActive', FORBIDDEN);
      return;
    }
    if (spec.concurrencyPolicy === 'Replace')
      for (const a of this.#active) this.#delete(keyOf('batch', 'jobs', a.namespace, a.name), a.uid);
    const key = keyOf('batch', 'jobs', this.#cron.metadata.namespace ?? '', name);
    const standing = this.#view.get(key);
    if (standing !== undefined) {
      // Made before, when the status could not be written; or somebody else's, who sees to it.
      if (standing.owner !== this.#cron.metadata.uid) return;
      if (!finishedOf(standing.data as unknown as Job)) this.#active.push(this.#referTo(standing));
    } else this.#create(name, due);
    this.#status.lastScheduleTime = formatTime(due);
  }

  #create(name: string, due: number): void {
    const { metadata: of, spec } = this.#cron;
    const { labels, annotations } = spec.jobTemplate.metadata ?? {};
    const metadata: ObjectMeta = {
      name,
      namespace: of.namespace ?? '',
      ...(labels ? { labels } : {}),
      annotations: { ...annotations, [SCHEDULED]: formatInZone(due, spec.timeZone ?? 'UTC') },
      ownerReferences: [controllerRef(cronjobs, this.#cron)],
    };
    this.writes.push({
      do: 'create',
      object: { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: spec.jobTemplate.spec ?? {} },
      note: { on: this.#key, reason: 'SuccessfulCreate', message: `Created job ${name}`, failed: 'FailedCreate' },
    });
  }

  /** The same time has the same name: nothing is made twice. */
  #nameAt(ms: number): string {
    return `${this.#cron.metadata.name}-${Math.floor(ms / MINUTE_MS)}`;
  }
  #referTo(row: Row): Reference {
    const { namespace, name } = parseKey(row.key);
    return {
      kind: 'Job',
      namespace,
      name,
      uid: row.uid,
      apiVersion: 'batch/v1',
      resourceVersion: String(row.revision),
    };
  }
}

const FORBIDDEN = 'Not starting job because prior execution is running and concurrency policy is Forbid';
const TOO_MANY = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
const unsupported = (schedule: string) =>
  `CRON_TZ or TZ used in schedule ${JSON.stringify(schedule)} is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details`;
/** `Mon, 02 Jan 2006 15:04:05 UTC`. */
const rfc1123 = (ms: number): string => new Date(ms).toUTCString().replace('GMT', 'UTC');

/** Those that began first; those that didn't begin last; then by name. */
function byStart(a: Child, b: Child): number {
  const [p, q] = [a.job.status?.startTime, b.job.status?.startTime];
  if (p !== q) return p === undefined ? 1 : q === undefined ? -1 : p < q ? -1 : 1;
  return a.row.key < b.row.key ? -1 : 1;
}
