import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { job } from './job.ts';
import { LIMIT, MET, run } from './testing/jobcases.suite.ts';
import { after, counted, jobOf, plan, podOf, podsOf, statusOf, TRACKING } from './testing/jobs.ts';
import { ago, type Given, keyFor, NOW, printed, viewOf } from './testing/view.ts';

describe('a Job', () => {
  run([
    { what: 'starts', does: [2, 0, 0], now: [2, 0, 0] },
    { what: 'without completions starts', spec: { completions: -1 }, does: [2, 0, 0], now: [2, 0, 0] },
    { what: 'with pods that wait', pods: '2*P', now: [2, 0, 0] },
    { what: 'with as many as it wants', spec: { parallelism: 3 }, pods: '2*r R', now: [3, 2, 0] },
    { what: 'without completions, with as many', spec: { completions: -1 }, pods: '2*R', now: [2, 0, 0] },
    { what: 'with too few', pods: 'R S', does: [1, 0, 1], now: [2, 0, 0], ends: [1, 0] },
    { what: 'that is dynamic, with too few', spec: { completions: -1 }, pods: 'R', does: [1, 0, 0], now: [2, 0, 0] },
    { what: 'with too many', pods: '3*R', does: [0, 1, 1], now: [2, 0, 1] },
    { what: 'with too many that are ready', pods: '3*r', does: [0, 1, 1], now: [2, 2, 1] },
    { what: 'with far too many', pods: '10*R', does: [0, 8, 8], now: [2, 0, 8] },
    {
      what: 'with more than are left to do',
      spec: { parallelism: 3, completions: 4 },
      pods: '3*R 2*S',
      does: [0, 1, 3],
      now: [2, 0, 1],
      ends: [2, 0],
    },
    { what: 'with a pod that failed', pods: 'R F', does: [1, 0, 1], now: [2, 0, 0], ends: [0, 1] },
    { what: 'with pods that failed and succeeded', pods: 'R S F', does: [1, 0, 2], now: [2, 0, 0], ends: [1, 1] },
    {
      what: 'that counted a failure already',
      spec: { parallelism: 1, completions: 1 },
      status: { active: 1, failed: 1, startTime: ago(100) },
      pods: 'R',
      now: [1, 0, 0],
      ends: [0, 1],
    },
    { what: 'counts pods that ended', pods: '2*R 2*S', does: [0, 0, 2], now: [2, 0, 0], ends: [2, 0] },
    {
      what: 'that is done',
      pods: '5*S',
      does: [0, 0, 5],
      now: [0, 0, 0],
      ends: [5, 0],
      conditions: [MET, 'Complete True CompletionsReached'],
    },
    {
      what: 'without completions lets the rest run',
      spec: { completions: -1 },
      pods: 'R S',
      does: [0, 0, 1],
      now: [1, 0, 0],
      ends: [1, 0],
    },
    {
      what: 'without completions is done',
      spec: { completions: -1 },
      pods: '2*S',
      does: [0, 0, 2],
      now: [0, 0, 0],
      ends: [2, 0],
      conditions: [MET, 'Complete True CompletionsReached'],
    },
    {
      what: 'without completions is done in spite of a failure',
      spec: { completions: -1 },
      pods: 'S F',
      does: [0, 0, 2],
      now: [0, 0, 0],
      ends: [1, 1],
      conditions: [MET, 'Complete True CompletionsReached'],
    },
    {
      what: 'that is being deleted makes nothing',
      metadata: { deletionTimestamp: ago(1) },
      pods: 'P R S',
      does: [0, 0, 3],
      now: [2, 0, 0],
      ends: [1, 0],
    },
    {
      what: 'that failed too often',
      spec: { backoffLimit: 0 },
      metadata: { deletionTimestamp: ago(1) },
      pods: 'F',
      does: [0, 0, 1],
      now: [0, 0, 0],
      ends: [0, 1],
      conditions: [LIMIT, 'Failed True BackoffLimitExceeded'],
    },
    {
      what: 'that failed too often takes the rest along',
      spec: { completions: 3, backoffLimit: 0 },
      pods: '2*r F',
      does: [0, 2, 3],
      now: [0, 0, 2],
      ends: [0, 3],
      conditions: [LIMIT],
    },
    {
      what: 'makes at most 500 at once',
      spec: { parallelism: 900, completions: 900 },
      does: [500, 0, 0],
      now: [500, 0, 0],
    },
    {
      what: 'with a False target put there by hand goes on',
      spec: { parallelism: 1, completions: 1 },
      status: { active: 1, startTime: ago(5), conditions: [{ type: 'FailureTarget', status: 'False', reason: 'x' }] },
      pods: 'r',
      now: [1, 1, 0],
      conditions: ['FailureTarget False x'],
    },
    {
      what: 'with a False success put there by hand goes on',
      spec: { parallelism: 1, completions: 1 },
      status: {
        active: 1,
        startTime: ago(5),
        conditions: [{ type: 'SuccessCriteriaMet', status: 'False', reason: 'x' }],
      },
      pods: 'r',
      now: [1, 1, 0],
      conditions: ['SuccessCriteriaMet False x'],
    },
  ]);
});

describe('pods of a Job that end', () => {
  run([
    {
      what: 'are replaced when they have, by Failed',
      spec: { parallelism: 1, completions: -1, podReplacementPolicy: 'Failed' },
      pods: 'R F T',
      does: [0, 0, 1],
      now: [1, 0, 1],
      ends: [0, 1],
    },
    {
      what: 'are failures, by TerminatingOrFailed',
      spec: { parallelism: 1, completions: -1, podReplacementPolicy: 'TerminatingOrFailed' },
      pods: 'R F T',
      does: [0, 0, 2],
      now: [1, 0, 1],
      ends: [0, 2],
    },
    {
      what: 'are failures, where nothing is said',
      spec: { parallelism: 1, completions: 1 },
      pods: 'R F T',
      does: [0, 0, 2],
      now: [1, 0, 1],
      ends: [0, 2],
    },
    {
      what: 'may be more than are wanted',
      spec: { parallelism: 1, completions: 1, podReplacementPolicy: 'Failed' },
      pods: '2*R 4*T',
      does: [0, 1, 1],
      now: [1, 0, 5],
    },
    {
      what: 'may be more than are wanted, with a policy',
      spec: { parallelism: 1, completions: 1, podReplacementPolicy: 'Failed', podFailurePolicy: { rules: [] } },
      pods: '2*R 4*T',
      does: [0, 1, 1],
      now: [1, 0, 5],
    },
  ]);
});

describe('a Job that is suspended', () => {
  const on = 'Suspended True JobSuspended';
  run([
    {
      what: 'loses its pods, which do not count',
      spec: { suspend: true, completions: 4 },
      pods: '2*r',
      does: [0, 2, 2],
      now: [0, 0, 2],
      conditions: [on],
    },
    {
      what: 'and deleted keeps them',
      spec: { suspend: true, completions: 4 },
      metadata: { deletionTimestamp: ago(1) },
      pods: '2*R',
      does: [0, 0, 2],
      now: [2, 0, 0],
    },
    {
      what: 'goes on when it no longer is',
      spec: { suspend: false, completions: 4 },
      status: { conditions: [{ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }] },
      does: [2, 0, 0],
      now: [2, 0, 0],
      conditions: ['Suspended False JobResumed'],
    },
    {
      what: 'has no deadline',
      spec: { suspend: true, completions: 2, activeDeadlineSeconds: 10 },
      status: { startTime: ago(15) },
      now: [0, 0, 0],
      conditions: [on],
    },
  ]);
  it('has no start until it goes on', () => {
    const suspended = statusOf(plan(jobOf({ suspend: true }, { status: { startTime: ago(100) } }), []));
    assert.equal(suspended?.startTime, undefined);
    const p = plan(jobOf({}, { status: suspended as JsonObject }), []);
    assert.equal(statusOf(p)?.startTime, ago(0));
    assert.deepEqual(
      p.notes?.map((n) => `${n.type} ${n.reason} ${n.message}`),
      ['Normal Resumed Job resumed'],
    );
  });
});

describe('a deadline', () => {
  const target = 'FailureTarget True DeadlineExceeded';
  const spec = { parallelism: 1, activeDeadlineSeconds: 10 };
  run([
    {
      what: 'ends the pods',
      spec: { ...spec, completions: 1 },
      status: { startTime: ago(15) },
      pods: 'R',
      does: [0, 1, 1],
      now: [0, 0, 1],
      ends: [0, 1],
      conditions: [target],
    },
    {
      what: 'lets what is done count',
      spec: { ...spec, completions: 2 },
      status: { startTime: ago(15) },
      pods: 'R S',
      does: [0, 1, 2],
      now: [0, 0, 1],
      ends: [1, 1],
      conditions: [target],
    },
    {
      what: 'comes before any pod',
      spec: { ...spec, completions: 1 },
      status: { startTime: ago(10) },
      now: [0, 0, 0],
      conditions: [target, 'Failed True DeadlineExceeded'],
    },
    {
      what: 'is less than the limit of failures',
      spec: { ...spec, completions: 1, backoffLimit: 0 },
      status: { startTime: ago(10) },
      pods: 'F',
      does: [0, 0, 1],
      now: [0, 0, 0],
      ends: [0, 1],
      conditions: [LIMIT, 'Failed True BackoffLimitExceeded'],
    },
    {
      what: 'is waited for',
      spec: { ...spec, completions: 1 },
      status: { startTime: ago(4) },
      pods: 'R',
      now: [1, 0, 0],
      again: 6_000,
    },
  ]);
});

describe('back-off', () => {
  const failed = (n: number, seconds: number, phase = 'F') =>
    podOf(phase, n, {
      status: { containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 1, finishedAt: ago(seconds) } } }] },
    });
  const table: { what: string; pods: Given[]; status?: JsonObject; waits: number | undefined }[] = [
    { what: 'one failure: 10 s', pods: [failed(0, 4)], waits: 6_000 },
    { what: 'two: 20 s from the last', pods: [failed(0, 40), failed(1, 4)], waits: 16_000 },
    { what: 'a time that is over', pods: [failed(0, 11)], waits: undefined },
    { what: 'a success after it', pods: [failed(0, 4), failed(1, 2, 'S')], waits: undefined },
    { what: 'a success before it', pods: [failed(0, 4), failed(1, 6, 'S')], waits: 6_000 },
    {
      what: 'those whose pods have gone count',
      pods: [failed(0, 4)],
      status: { failed: 2, startTime: ago(99) },
      waits: 36_000,
    },
    { what: 'ten minutes at most', pods: [failed(0, 4)], status: { failed: 20, startTime: ago(99) }, waits: 596_000 },
  ];
  for (const { what, pods, status, waits } of table)
    it(what, () => {
      const p = plan(jobOf({ parallelism: 1, backoffLimit: 99 }, status ? { status } : {}), pods);
      assert.deepEqual([p.again, counted(p, 'create')], [waits, waits === undefined ? 1 : 0]);
    });
  it('restarts in place count where pods restart on failure', () => {
    const restarted = (restartCount: number) => [
      podOf('R', 0, { status: { containerStatuses: [{ name: 'c', restartCount }] } }),
    ];
    const of = (backoffLimit: number) =>
      jobOf({ backoffLimit, template: { metadata: {}, spec: { restartPolicy: 'OnFailure', containers: [] } } });
    const ends = (limit: number, n: number) => statusOf(plan(of(limit), restarted(n)))?.conditions?.[0]?.reason;
    assert.deepEqual(
      [ends(0, 0), ends(0, 1), ends(3, 2), ends(3, 3)],
      [undefined, 'BackoffLimitExceeded', undefined, 'BackoffLimitExceeded'],
    );
  });
});

describe('whose pods are whose', () => {
  it('a Job of another manager is left alone', () => {
    assert.deepEqual(plan(jobOf({ managedBy: 'x.test/y' }), podsOf('F')), { writes: [] });
    assert.equal(counted(plan(jobOf({ managedBy: 'kubernetes.io/job-controller' }), []), 'create'), 2);
  });
  it('a pod that matches is adopted with the finalizer, and counts', () => {
    const p = plan(jobOf(), [podOf('R-', 0, { metadata: { ownerReferences: [] } })]);
    const [w] = p.writes;
    assert.ok(w?.do === 'patch');
    const metadata = w.patch.metadata as JsonObject;
    assert.deepEqual([metadata.finalizers, counted(p, 'create'), statusOf(p)?.active], [[TRACKING], 1, 2]);
  });
  it('a pod that no longer matches is let go of, without the finalizer', () => {
    const p = plan(jobOf(), [podOf('R', 0, { metadata: { labels: {} } })]);
    assert.deepEqual([printed(p)[0], counted(p, 'create')], ['patch pods/default/pod-0', 2]);
  });
  it('pods of a Job that has gone lose the finalizer', () => {
    const [mine] = podsOf('R');
    assert.ok(mine);
    const view = viewOf(job, [mine]);
    assert.deepEqual(printed(job.reconcile('jobs.batch/default/foobar', undefined, view)), [
      'patch pods/default/pod-0',
    ]);
    const row = view.get(keyFor(mine));
    assert.ok(row);
    assert.deepEqual(job.watches?.[0]?.map(row, view), ['pods/default/pod-0']);
    assert.deepEqual(printed(job.reconcile('pods/default/pod-0', undefined, view)), ['patch pods/default/pod-0']);
  });
  it('a Job that is over does nothing', () => {
    const over = jobOf({}, { status: { conditions: [{ type: 'Complete', status: 'True' }] } });
    assert.deepEqual(plan(over, podsOf('S-')).writes, []);
  });
});

describe('what is written in which order', () => {
  const order = (p: ReturnType<typeof plan>) => p.writes.map((w) => w.do).join(' ');
  it('the status stands before a finalizer goes', () =>
    assert.equal(order(plan(jobOf(), podsOf('R F'))), 'create update patch'));
  it('where something was refused the status goes first, and tells of no pod that is not there', () => {
    const p = plan(jobOf(), podsOf('R F'), { failure: 'quota' });
    assert.deepEqual([order(p), statusOf(p)?.active], ['update patch create', 1]);
  });
  it('an end is told of once', () => {
    const first = plan(jobOf(), podsOf('5*S'));
    assert.deepEqual(first.notes, []);
    const stands = after(jobOf(), podsOf('5*S'), first);
    const second = plan(stands.of, stands.others);
    assert.deepEqual(
      second.notes?.map((n) => n.reason),
      ['Completed'],
    );
    assert.equal(statusOf(second)?.completionTime, ago(0));
    assert.equal(NOW, Date.parse(ago(0)));
  });
});
