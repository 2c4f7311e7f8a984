import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { job } from './job.ts';
import { after, counted, created, jobOf, plan, podOf, podsOf, statusOf, TRACKING } from './testing/jobs.ts';
import { ago, type Given, keyFor, NOW, printed, viewOf } from './testing/view.ts';

// Cases of kubernetes pkg/controller/job job_controller_test.go.

const MET = 'SuccessCriteriaMet True CompletionsReached';
const LIMIT = 'FailureTarget True BackoffLimitExceeded';
const INDEXED = { completionMode: 'Indexed' };
interface Case {
  what: string;
  spec?: JsonObject;
  status?: JsonObject;
  metadata?: JsonObject;
  pods?: string | Given[];
  /** Created, deleted, patched. */
  does?: [number, number, number];
  /** Active, ready, terminating at once. */
  now: [number, number, number];
  /** Succeeded, failed once they are counted. */
  ends?: [number, number];
  done?: string;
  failed?: string;
  conditions?: string[];
  indexes?: number[];
  again?: number;
  uncounted?: JsonObject;
}
function check(c: Case): void {
  const of = jobOf(c.spec, {
    ...(c.status ? { status: c.status } : {}),
    ...(c.metadata ? { metadata: c.metadata } : {}),
  });
  const pods = typeof c.pods === 'string' ? podsOf(c.pods) : (c.pods ?? []);
  const first = plan(of, pods);
  assert.deepEqual([counted(first, 'create'), counted(first, 'delete'), counted(first, 'patch')], c.does ?? [0, 0, 0]);
  const s = statusOf(first) ?? (c.status as ReturnType<typeof statusOf>);
  assert.deepEqual([s?.active ?? 0, s?.ready ?? 0, s?.terminating ?? 0], c.now, 'at once');
  if (c.again !== undefined) assert.equal(first.again, c.again);
  if (c.indexes)
    assert.deepEqual(
      created(first).map((p) => Number(p.metadata.annotations?.['batch.kubernetes.io/job-completion-index'])),
      c.indexes,
    );
  const stands = after(of, pods, first);
  const ends = statusOf(plan(stands.of, stands.others)) ?? (stands.of.status as NonNullable<typeof s>);
  assert.deepEqual([ends.succeeded ?? 0, ends.failed ?? 0], c.ends ?? [0, 0], 'once counted');
  assert.deepEqual([ends.completedIndexes, ends.failedIndexes], [c.done, c.failed]);
  assert.deepEqual(
    (ends.conditions ?? []).map((x) => `${x.type} ${x.status} ${x.reason}`),
    c.conditions ?? [],
  );
  assert.deepEqual(ends.uncountedTerminatedPods, c.uncounted ?? {});
}
const run = (table: Case[]) => {
  for (const c of table) it(c.what, () => check(c));
};

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

describe('an Indexed Job', () => {
  run([
    { what: 'starts', spec: INDEXED, does: [2, 0, 0], now: [2, 0, 0], indexes: [0, 1] },
    {
      what: 'with a pod that ends, by Failed',
      spec: { ...INDEXED, podReplacementPolicy: 'Failed' },
      pods: 'T',
      does: [1, 0, 0],
      now: [1, 0, 1],
      indexes: [0],
    },
    {
      what: 'with a pod that ends, by TerminatingOrFailed',
      spec: { ...INDEXED, podReplacementPolicy: 'TerminatingOrFailed' },
      pods: 'T',
      does: [2, 0, 1],
      now: [2, 0, 1],
      indexes: [0, 1],
    },
    {
      what: 'is done',
      spec: { ...INDEXED, completions: 3 },
      pods: '0:S 1:F 1:S 2:S',
      does: [0, 0, 4],
      now: [0, 0, 0],
      ends: [3, 1],
      done: '0-2',
      conditions: [MET, 'Complete True CompletionsReached'],
    },
    {
      what: 'has failed',
      spec: { ...INDEXED, completions: 3, backoffLimit: 0 },
      pods: '0:S 1:F 2:R',
      does: [0, 1, 3],
      now: [0, 0, 1],
      ends: [1, 2],
      done: '0',
      conditions: [LIMIT],
    },
    {
      what: 'counts an index once',
      spec: { ...INDEXED, completions: 3 },
      pods: '0:S 1:S 1:S',
      does: [1, 0, 3],
      now: [1, 0, 0],
      ends: [2, 0],
      done: '0,1',
      indexes: [2],
    },
    {
      what: 'fills what is free',
      spec: { ...INDEXED, parallelism: 8, completions: 20 },
      pods: '0:R 2:S 3:P 4:S 5:S 7:S 8:S 9:S',
      does: [6, 0, 6],
      now: [8, 0, 0],
      ends: [6, 0],
      done: '2,4,5,7-9',
      indexes: [1, 6, 10, 11, 12, 13],
    },
    {
      what: 'tries failed indexes again',
      spec: { ...INDEXED, parallelism: 3, completions: 4 },
      pods: '0:F 1:P 2:F',
      does: [2, 0, 2],
      now: [3, 0, 0],
      ends: [0, 2],
      indexes: [0, 2],
    },
    {
      what: 'takes pods without an index away and counts none',
      spec: INDEXED,
      pods: 'S F R x:R x:S x:F x:P 0:S 1:R 2:R',
      does: [0, 3, 8],
      now: [2, 0, 3],
      ends: [1, 0],
      done: '0',
    },
    {
      what: 'takes the lesser of two of an index away',
      spec: { ...INDEXED, parallelism: 5 },
      pods: 'S F x:R 0:S 1:R 2:R 2:P',
      does: [0, 2, 5],
      now: [2, 0, 2],
      ends: [1, 0],
      done: '0',
    },
    {
      what: 'takes indexes beyond its range away',
      spec: INDEXED,
      pods: '0:S 5:R 6:S 7:P 8:F',
      does: [0, 2, 5],
      now: [0, 0, 2],
      ends: [1, 0],
      done: '0',
    },
    {
      what: 'knows what it counted',
      spec: INDEXED,
      status: { completedIndexes: '0-2', succeeded: 3, startTime: ago(9) },
      pods: '1:S',
      does: [2, 0, 1],
      now: [2, 0, 0],
      ends: [3, 0],
      done: '0-2',
      indexes: [3, 4],
    },
  ]);
  it('tells its pods their index', () => {
    const [p] = created(plan(jobOf(INDEXED), []));
    const index = 'batch.kubernetes.io/job-completion-index';
    assert.match(p?.metadata.name ?? '', /^foobar-0-.{5}$/);
    assert.equal(p?.metadata.generateName, 'foobar-0-');
    assert.deepEqual(p?.metadata.labels, { foo: 'bar', [index]: '0' });
    assert.deepEqual(p?.metadata.annotations, { [index]: '0' });
    assert.deepEqual(p?.metadata.finalizers, [TRACKING]);
    const spec = p?.spec as JsonObject;
    assert.equal(spec.hostname, 'foobar-0');
    assert.deepEqual((spec.containers as JsonObject[])[0]?.env, [
      { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${index}']` } } },
    ]);
  });
  it('cuts a long name before the index', () => {
    const [p] = created(plan(jobOf(INDEXED, { metadata: { name: 'x'.repeat(63) } }), []));
    assert.equal(p?.metadata.generateName, `${'x'.repeat(55)}-0-`);
  });
});

describe('a limit per index', () => {
  const spec = { ...INDEXED, completions: 2, backoffLimit: 2147483647, backoffLimitPerIndex: 1 };
  const code = (n: number, index: string, exitCode: number, at = ago(9_000)) =>
    podOf(`${index}:F/0`, n, {
      status: { containerStatuses: [{ name: 'x', state: { terminated: { exitCode, finishedAt: at } } }] },
    });
  const rule = (action: string) => ({
    podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [3] } }] },
  });
  run([
    {
      what: 'that is kept',
      spec,
      pods: '0:F/0 0:S/1 1:S/0',
      does: [0, 0, 3],
      now: [0, 0, 0],
      ends: [2, 1],
      done: '0,1',
      failed: '',
      conditions: [MET, 'Complete True CompletionsReached'],
    },
    {
      what: 'a failed pod is counted once it is replaced',
      spec,
      pods: '0:F/0',
      does: [2, 0, 0],
      now: [2, 0, 0],
      ends: [0, 0],
      uncounted: { failed: ['p0'] },
      failed: '',
      indexes: [0, 1],
    },
    {
      what: 'a failed pod that is replaced is counted',
      spec,
      pods: '0:F/0 0:P/1',
      does: [1, 0, 1],
      now: [2, 0, 0],
      ends: [0, 1],
      failed: '',
      indexes: [1],
    },
    {
      what: 'a failed pod is replaced after a while',
      spec,
      pods: [podOf('0:R/0', 0), code(1, '1', 1, ago(0))],
      now: [1, 0, 0],
      failed: '',
      again: 10_000,
    },
    {
      what: 'an index that reaches it fails, the Job goes on',
      spec,
      pods: '0:F/1',
      does: [1, 0, 1],
      now: [1, 0, 0],
      ends: [0, 1],
      failed: '0',
      indexes: [1],
    },
    {
      what: 'an index fails by FailIndex at once',
      spec: { ...spec, ...rule('FailIndex') },
      pods: [code(0, '0', 3)],
      does: [1, 0, 1],
      now: [1, 0, 0],
      ends: [0, 1],
      failed: '0',
    },
    {
      what: 'a Job fails by FailJob',
      spec: { ...spec, ...rule('FailJob') },
      pods: [code(0, '0', 3)],
      does: [0, 0, 1],
      now: [0, 0, 0],
      ends: [0, 1],
      failed: '',
      conditions: ['FailureTarget True PodFailurePolicy', 'Failed True PodFailurePolicy'],
    },
    {
      what: 'a failure that is ignored does not count',
      spec: { ...spec, ...rule('Ignore') },
      pods: [code(0, '0', 3)],
      does: [2, 0, 0],
      now: [2, 0, 0],
      failed: '',
    },
    {
      what: 'all indexes done, one failed: the Job has',
      spec,
      pods: '0:F/1 1:S/0',
      does: [0, 0, 2],
      now: [0, 0, 0],
      ends: [1, 1],
      done: '1',
      failed: '0',
      conditions: ['FailureTarget True FailedIndexes', 'Failed True FailedIndexes'],
    },
    {
      what: 'more indexes failed than may',
      spec: { ...spec, completions: 3, maxFailedIndexes: 1 },
      pods: '0:F/1 1:F/1',
      does: [0, 0, 2],
      now: [0, 0, 0],
      ends: [0, 2],
      failed: '0,1',
      conditions: ['FailureTarget True MaxFailedIndexesExceeded', 'Failed True MaxFailedIndexesExceeded'],
    },
  ]);
  it('is told in the next pod of the index', () => {
    const marks = (text: string, more = {}) => {
      const [p] = created(plan(jobOf({ ...spec, backoffLimitPerIndex: 9, ...more }), podsOf(text)));
      const {
        'batch.kubernetes.io/job-index-failure-count': n,
        'batch.kubernetes.io/job-index-ignored-failure-count': i,
      } = p?.metadata.annotations ?? {};
      return [n, i];
    };
    assert.deepEqual(
      [marks(''), marks('0:F/2'), marks('0:F/2/3')],
      [
        ['0', undefined],
        ['3', undefined],
        ['3', '3'],
      ],
    );
  });
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
