import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { INDEXED, LIMIT, MET, run } from './testing/jobcases.suite.ts';
import { created, jobOf, plan, podOf, podsOf, TRACKING } from './testing/jobs.ts';
import { ago } from './testing/view.ts';

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
