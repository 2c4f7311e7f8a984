import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Plan } from '../../kube/reconcile/controller.ts';
import { cronjob } from './cronjob.ts';
import { mostRecent, nextAfter } from './crontimes.ts';
import { parseSchedule, type Schedule } from './schedule.ts';
import { type Given, planFor, printed } from './testing/view.ts';
import { ttlafterfinished } from './ttlafterfinished.ts';

// Cases of kubernetes pkg/controller/cronjob cronjob_controllerv2_test.go, utils_test.go and ttlafterfinished_controller_test.go.

const ms = (text: string) => Date.parse(text);
const AFTER_PRIOR = '2016-05-19T09:01:00Z';
const BEFORE = '2016-05-19T09:59:00Z';
const AFTER = '2016-05-19T10:01:00Z';
const WEEK_LATER = '2016-05-26T10:01:00Z';
const at = (text: string) => Math.floor(ms(text) / 60_000);
const DUE = `mycronjob-${at('2016-05-19T10:00:00Z')}`;
const HOUR = 3_600_000;
const MINUTE = 60_000;

const cron = (spec: JsonObject = {}, status?: JsonObject, metadata: JsonObject = {}): Given =>
  ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'mycronjob', namespace: 'cats', uid: 'cj', creationTimestamp: AFTER_PRIOR, ...metadata },
    spec: {
      schedule: '0 * * * ?',
      concurrencyPolicy: 'Allow',
      jobTemplate: { metadata: { labels: { a: 'b' }, annotations: { x: 'y' } }, spec: { parallelism: 1 } },
      ...spec,
    },
    ...(status ? { status } : {}),
  }) as Given;
const OWNER = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'mycronjob', uid: 'cj', controller: true };
const child = (name: string, status: JsonObject = {}, metadata: JsonObject = {}): Given => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'cats', uid: `uid-${name}`, ownerReferences: [OWNER], ...metadata },
  spec: {},
  status,
});
const over = (type: string, start: string, end = start): JsonObject => ({
  startTime: start,
  ...(type === 'Complete' ? { completionTime: end } : {}),
  conditions: [{ type, status: 'True', lastTransitionTime: end }],
});
const active = (...names: string[]) =>
  names.map((name) => ({ kind: 'Job', namespace: 'cats', name, uid: `uid-${name}`, apiVersion: 'batch/v1' }));
const OLD = `mycronjob-${at('2016-05-19T09:00:00Z')}`;
const RAN = { lastScheduleTime: '2016-05-19T09:00:00Z' };

const statusOf = (plan: Plan): JsonObject | undefined => {
  const w = plan.writes.find((x) => x.do === 'update');
  return w?.do === 'update' ? (w.object.status as JsonObject) : undefined;
};
const job = (plan: Plan) => plan.writes.flatMap((w) => (w.do === 'create' ? [w.object] : []))[0];
const verbs = (plan: Plan) =>
  printed(plan).map((t) => t.replace('cronjobs.batch/cats/mycronjob ', '').replace('jobs.batch/cats/', ''));

describe('a CronJob', () => {
  const START = [`create ${DUE}`, 'update cron'];
  const table: {
    what: string;
    of: Given;
    jobs?: Given[];
    now: string;
    does?: string[];
    tells?: string[];
    again?: number;
    active?: string[];
  }[] = [
    {
      what: 'whose schedule nobody can read',
      of: cron({ schedule: 'obvious error schedule' }),
      now: AFTER,
      tells: ['UnparseableSchedule'],
    },
    { what: 'in a zone nobody knows', of: cron({ timeZone: 'bad timezone' }), now: AFTER, tells: ['UnknownTimeZone'] },
    { what: 'that is due on no day', of: cron({ schedule: '59 23 31 2 *' }), now: AFTER, tells: ['InvalidSchedule'] },
    { what: 'before its time', of: cron(), now: BEFORE, again: MINUTE + 100 },
    { what: 'at its time', of: cron(), now: AFTER, does: START, again: HOUR - MINUTE + 100 },
    {
      what: 'at its time in a zone',
      of: cron({ timeZone: 'America/New_York' }),
      now: AFTER,
      does: START,
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'with a zone in its schedule',
      of: cron({ schedule: 'TZ=UTC 0 * * * ?' }),
      now: AFTER,
      does: START,
      tells: ['UnsupportedSchedule'],
      again: HOUR - MINUTE + 100,
    },
    { what: 'that is suspended', of: cron({ suspend: true }), now: AFTER },
    { what: 'that is being deleted', of: cron({}, undefined, { deletionTimestamp: AFTER }), now: AFTER },
    {
      what: 'whose time is over',
      of: cron({ startingDeadlineSeconds: 600 }),
      now: '2016-05-19T10:12:00Z',
      again: 48 * MINUTE + 100,
    },
    {
      what: 'whose time is not over',
      of: cron({ startingDeadlineSeconds: 1_000_000 }),
      now: AFTER,
      does: START,
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'that ran, before its time',
      of: cron({}, { ...RAN, active: active(OLD) }),
      jobs: [child(OLD, over('Complete', AFTER_PRIOR))],
      now: BEFORE,
      does: ['update cron'],
      tells: ['SawCompletedJob'],
      again: MINUTE + 100,
      active: [],
    },
    {
      what: 'that ran, at its time',
      of: cron({ concurrencyPolicy: 'Forbid' }, { ...RAN, active: active(OLD) }),
      jobs: [child(OLD, over('Complete', AFTER_PRIOR))],
      now: AFTER,
      does: START,
      tells: ['SawCompletedJob'],
      again: HOUR - MINUTE + 100,
      active: [],
    },
    {
      what: 'that runs, at its time, by Allow',
      of: cron({}, { ...RAN, active: active(OLD) }),
      jobs: [child(OLD)],
      now: AFTER,
      does: START,
      again: HOUR - MINUTE + 100,
      active: [OLD],
    },
    {
      what: 'that runs, at its time, by Forbid',
      of: cron({ concurrencyPolicy: 'Forbid' }, { ...RAN, active: active(OLD) }),
      jobs: [child(OLD)],
      now: AFTER,
      tells: ['JobAlreadyActive'],
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'that runs, at its time, by Replace',
      of: cron({ concurrencyPolicy: 'Replace' }, { ...RAN, active: active(OLD) }),
      jobs: [child(OLD)],
      now: AFTER,
      does: [`delete ${OLD}`, ...START],
      again: HOUR - MINUTE + 100,
      active: [],
    },
    {
      what: 'long overdue',
      of: cron({}, { ...RAN, active: [] }),
      now: WEEK_LATER,
      does: [`create mycronjob-${at('2016-05-26T10:00:00Z')}`, 'update cron'],
      tells: ['TooManyMissedTimes'],
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'long overdue with a deadline',
      of: cron({ startingDeadlineSeconds: 7200 }, RAN),
      now: WEEK_LATER,
      does: [`create mycronjob-${at('2016-05-26T10:00:00Z')}`, 'update cron'],
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'long overdue, and its deadline over',
      of: cron({ startingDeadlineSeconds: 10 }, RAN),
      now: WEEK_LATER,
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'whose Job was made already',
      of: cron({}, { lastScheduleTime: '2016-05-19T10:00:00Z' }),
      now: AFTER,
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'whose new Job shows its uid',
      of: cron({}, { lastScheduleTime: '2016-05-19T10:00:00Z' }),
      jobs: [child(DUE)],
      now: AFTER,
      does: ['update cron'],
      again: HOUR - MINUTE + 100,
      active: [DUE],
    },
    {
      what: 'whose status was not written when its Job was made',
      of: cron({}, RAN),
      jobs: [child(DUE)],
      now: AFTER,
      does: ['update cron'],
      again: HOUR - MINUTE + 100,
      active: [DUE],
    },
    {
      what: 'whose name for a Job is taken',
      of: cron({}, RAN),
      jobs: [child(DUE, {}, { ownerReferences: [] })],
      now: AFTER,
      again: HOUR - MINUTE + 100,
    },
    {
      what: 'with a Job nobody made here',
      of: cron({}, RAN),
      jobs: [child('other')],
      now: BEFORE,
      tells: ['UnexpectedJob'],
      again: MINUTE + 100,
    },
    {
      what: 'whose active Job has gone',
      of: cron({}, { ...RAN, active: active(OLD) }),
      now: BEFORE,
      does: ['update cron'],
      tells: ['MissingJob'],
      again: MINUTE + 100,
      active: [],
    },
    {
      what: 'by @every, before its time',
      of: cron({ schedule: '@every 1h' }, { lastScheduleTime: '2016-05-19T09:10:00Z' }),
      now: BEFORE,
      again: 11 * MINUTE + 100,
    },
    {
      what: 'by @every, at its time',
      of: cron({ schedule: '@every 1h' }, { lastScheduleTime: '2016-05-19T09:00:00Z' }),
      now: AFTER,
      does: START,
      again: HOUR - MINUTE + 100,
    },
  ];
  for (const { what, of, jobs = [], now, does = [], tells = [], again, active: names } of table)
    it(what, () => {
      const plan = planFor(cronjob, [of, ...jobs], { now: ms(now) });
      assert.deepEqual(
        verbs(plan),
        does.map((d) => d.replace('update cron', 'update status')),
      );
      assert.deepEqual(
        (plan.notes ?? []).map((n) => n.reason),
        tells,
      );
      assert.equal(plan.again, again);
      if (names)
        assert.deepEqual(
          ((statusOf(plan)?.active ?? []) as { name: string }[]).map((a) => a.name),
          names,
        );
    });

  it('makes Jobs of its template, by the minute, with the time in its zone', () => {
    const made = job(planFor(cronjob, [cron({ timeZone: 'America/New_York' })], { now: ms(AFTER) }));
    assert.deepEqual(made?.metadata, {
      name: DUE,
      namespace: 'cats',
      labels: { a: 'b' },
      annotations: { x: 'y', 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2016-05-19T06:00:00-04:00' },
      ownerReferences: [{ ...OWNER, blockOwnerDeletion: true }],
    });
    assert.deepEqual(made?.spec, { parallelism: 1 });
  });
  it('says when it was due last, in the same plan', () => {
    const plan = planFor(cronjob, [cron()], { now: ms(AFTER) });
    assert.equal(statusOf(plan)?.lastScheduleTime, '2016-05-19T10:00:00Z');
  });
  it('says when a Job succeeded last', () => {
    const two = [
      child('mycronjob-1', over('Complete', '2016-05-19T08:00:00Z')),
      child('mycronjob-2', over('Complete', '2016-05-19T09:00:00Z')),
    ];
    const of = (last?: string) => cron({}, { ...RAN, ...(last ? { lastSuccessfulTime: last } : {}) });
    const said = (given: Given) => statusOf(planFor(cronjob, [given, ...two], { now: ms(BEFORE) }))?.lastSuccessfulTime;
    assert.deepEqual(
      [said(of()), said(of('2016-05-19T08:00:00Z')), said(of('2016-05-19T09:30:00Z'))],
      ['2016-05-19T09:00:00Z', '2016-05-19T09:00:00Z', undefined],
    );
  });
});

describe('how many Jobs are kept', () => {
  const jobs = [
    child('mycronjob-1', over('Complete', '2016-05-19T04:20:00Z')),
    child('mycronjob-2', over('Failed', '2016-05-19T05:20:00Z')),
    child('mycronjob-3', over('Complete', '2016-05-19T06:20:00Z')),
    child('mycronjob-4', over('Failed', '2016-05-19T07:20:00Z')),
    child('mycronjob-5', over('Complete', '2016-05-19T08:20:00Z')),
    child(OLD, {}),
  ];
  const table: [string, number | undefined, number | undefined, string[]][] = [
    ['all, where nothing is said', undefined, undefined, []],
    ['some of each', 1, 1, ['1', '3', '2']],
    ['none', 0, 0, ['1', '3', '5', '2', '4']],
    ['of one kind', 2, undefined, ['1']],
    ['more than there are', 9, 9, []],
  ];
  for (const [what, successfulJobsHistoryLimit, failedJobsHistoryLimit, gone] of table)
    it(what, () => {
      const limits = {
        ...(successfulJobsHistoryLimit === undefined ? {} : { successfulJobsHistoryLimit }),
        ...(failedJobsHistoryLimit === undefined ? {} : { failedJobsHistoryLimit }),
      };
      const status = { ...RAN, active: active(OLD), lastSuccessfulTime: '2016-05-19T08:20:00Z' };
      const plan = planFor(cronjob, [cron(limits, status), ...jobs], { now: ms(BEFORE) });
      assert.deepEqual(
        verbs(plan),
        gone.map((n) => `delete mycronjob-${n}`),
      );
    });
});

describe('which time is due', () => {
  const top = ms('2016-05-19T10:00:00Z');
  const schedule = (text: string): Schedule => {
    const s = parseSchedule(text);
    assert.ok(!(s instanceof Error));
    return s;
  };
  const table: {
    what: string;
    spec: string;
    since: number;
    now: number;
    deadline?: number;
    due?: number;
    missed: string;
  }[] = [
    { what: 'none before the next', spec: '0 * * * *', since: 0, now: 0.5, missed: 'none' },
    { what: 'the next just after it', spec: '0 * * * *', since: 0, now: 61, due: 60, missed: 'none' },
    { what: 'the last of five', spec: '0 * * * *', since: 1 / 6, now: 301, due: 300, missed: 'few' },
    {
      what: 'one of uneven times',
      spec: '30 6-16/4 * * 1-5',
      since: 30,
      now: 24 * 60 + 31,
      due: 24 * 60 + 30,
      missed: 'few',
    },
    {
      what: 'none where the last ones were closer',
      spec: '30 10,11,12 * * 1-5',
      since: 30,
      now: 30 * 60 + 30,

      missed: 'few',
    },
    {
      what: 'one after a week end',
      spec: '30 6-16/4 * * 1-5',
      since: 30,
      now: 96 * 60 + 31,
      due: 96 * 60 + 30,
      missed: 'few',
    },
    { what: 'many', spec: '* * * * *', since: 0, now: 500, due: 500, missed: 'many' },
    { what: 'none within a deadline', spec: '@every 1h', since: 1, now: 7 * 24 * 60 + 1, deadline: 10, missed: 'none' },
  ];
  for (const { what, spec, since, now, deadline, due, missed } of table)
    it(what, () => {
      const found = mostRecent(top + since * MINUTE, top + now * MINUTE, schedule(spec), deadline);
      assert.ok(!(found instanceof Error));
      assert.deepEqual([found.due === undefined ? undefined : (found.due - top) / MINUTE, found.missed], [due, missed]);
    });
  it('none where there never is any', () => {
    assert.ok(mostRecent(top, top + HOUR, schedule('59 23 31 2 *')) instanceof Error);
    assert.equal(nextAfter(top, top + HOUR, schedule('59 23 31 2 *')), undefined);
  });
  it('the next comes a little later', () =>
    assert.equal(nextAfter(top - 10_000, top + 301 * MINUTE, schedule('0 * * * *')), 59 * MINUTE + 100));
});

describe('a Job with a time to live', () => {
  const NOW = '2016-05-19T10:00:00Z';
  const of = (ttl: number | undefined, status: JsonObject, metadata: JsonObject = {}): Given => ({
    ...child('j', status, metadata),
    spec: ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl },
  });
  const done = (seconds: number) =>
    over('Complete', '2016-05-19T09:00:00Z', new Date(ms(NOW) - seconds * 1000).toISOString().replace('.000', ''));
  const table: { what: string; of: Given; does?: string[]; again?: number }[] = [
    { what: 'that runs stays', of: of(10, {}) },
    { what: 'not said stays', of: of(undefined, done(99)) },
    { what: 'that is over a while stays that long', of: of(15, done(10)), again: 5_000 },
    { what: 'that is over goes', of: of(10, done(10)), does: ['delete jobs.batch/cats/j'] },
    { what: 'of none goes at once', of: of(0, done(0)), does: ['delete jobs.batch/cats/j'] },
    { what: 'that is being deleted is left', of: of(0, done(9), { deletionTimestamp: NOW }) },
  ];
  for (const { what, of: given, does = [], again } of table)
    it(what, () => {
      const plan = planFor(ttlafterfinished, [given], { now: ms(NOW) });
      assert.deepEqual([printed(plan), plan.again], [does, again]);
      for (const w of plan.writes) assert.ok(w.do === 'delete' && w.propagation === 'Foreground' && w.uid === 'uid-j');
    });
});
