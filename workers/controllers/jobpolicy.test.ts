import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  countIndexes,
  freeIndexes,
  hasIndex,
  mergeIndexes,
  parseIndexes,
  printIndexes,
  withIndexes,
} from './jobindexes.ts';
import type { JobPod } from './jobpods.ts';
import { type FailureRule, judge, type SuccessPolicy, successOf } from './jobpolicy.ts';

// Cases of kubernetes pkg/controller/job indexed_job_utils_test.go, pod_failure_policy_test.go and success_policy_test.go.

describe('indexes', () => {
  const parsed: [string, number, string][] = [
    ['', 3, ''],
    ['0', 3, '0'],
    ['0,1,2', 3, '0-2'],
    ['0,1', 3, '0,1'],
    ['2,4-5,7', 10, '2,4,5,7'],
    ['0-2,4-9', 6, '0-2,4,5'],
    ['0,7,8', 5, '0'],
    ['0,x,2', 5, '0,2'],
    ['0-x,2', 5, '2'],
  ];
  for (const [text, completions, is] of parsed)
    it(`'${text}' below ${completions} are '${is}'`, () =>
      assert.equal(printIndexes(parseIndexes(text, completions)), is));
  const merged: [string, number[], string][] = [
    ['', [], ''],
    ['0-2', [], '0-2'],
    ['', [1, 3, 4], '1,3,4'],
    ['0-2,6', [3, 5, 7], '0-3,5-7'],
    ['1-4', [2, 3], '1-4'],
    ['3-5', [9, 0], '0,3-5,9'],
  ];
  for (const [text, more, is] of merged)
    it(`'${text}' with ${more} are '${is}'`, () =>
      assert.equal(printIndexes(withIndexes(parseIndexes(text, 99), more)), is));
  const free: [string, number, number, number[]][] = [
    ['', 3, 8, [0, 1, 2]],
    ['0', 3, 8, [1, 2, 3]],
    ['0-2', 3, 8, [3, 4, 5]],
    ['2-6,8', 4, 20, [0, 1, 7, 9]],
    ['0-3', 9, 5, [4]],
    ['0-4', 2, 5, []],
  ];
  for (const [taken, count, completions, is] of free)
    it(`${count} below ${completions} beside '${taken}' are ${is}`, () =>
      assert.deepEqual(freeIndexes(parseIndexes(taken, 99), count, completions), is));
  it('are counted and found', () => {
    const a = mergeIndexes(parseIndexes('1-3,7', 99), parseIndexes('5', 99));
    assert.deepEqual([countIndexes(a), [0, 1, 3, 4, 5, 6, 7, 8].filter((i) => hasIndex(a, i))], [5, [1, 3, 5, 7]]);
  });
});

describe('what a policy says of a failed pod', () => {
  const pod = (codes: [string, number][], conditions: [string, string][] = []) =>
    ({
      codes: codes.map(([name, code]) => ({ name, code })),
      conditions: conditions.map(([type, status]) => ({ type, status })),
    }) as JobPod;
  const codes = (
    action: FailureRule['action'],
    operator: string,
    values: number[],
    containerName?: string,
  ): FailureRule => ({
    action,
    onExitCodes: { operator, values, ...(containerName ? { containerName } : {}) },
  });
  const on = (action: FailureRule['action'], type: string, status = 'True'): FailureRule => ({
    action,
    onPodConditions: [{ type, status }],
  });
  const text = (n: number, i = 0, name = 'a') =>
    `Container ${name} for pod d/p failed with exit code ${n} matching FailJob rule at index ${i}`;
  const table: {
    what: string;
    rules: FailureRule[];
    pod: JobPod;
    counts: boolean;
    message?: string;
    action?: string;
  }[] = [
    { what: 'no rules', rules: [], pod: pod([['a', 2]]), counts: true },
    { what: 'a rule that does not match', rules: [codes('FailJob', 'In', [1, 3])], pod: pod([['a', 2]]), counts: true },
    {
      what: 'FailJob by code',
      rules: [codes('FailJob', 'In', [1, 2])],
      pod: pod([['a', 2]]),
      counts: true,
      message: text(2),
      action: 'FailJob',
    },
    {
      what: 'Ignore by code',
      rules: [codes('Ignore', 'In', [2])],
      pod: pod([['a', 2]]),
      counts: false,
      action: 'Ignore',
    },
    {
      what: 'FailIndex by code',
      rules: [codes('FailIndex', 'In', [2])],
      pod: pod([['a', 2]]),
      counts: true,
      action: 'FailIndex',
    },
    {
      what: 'Count by code',
      rules: [codes('Count', 'In', [2]), codes('FailJob', 'In', [2])],
      pod: pod([['a', 2]]),
      counts: true,
      action: 'Count',
    },
    {
      what: 'the first that matches',
      rules: [codes('FailJob', 'In', [5]), codes('FailJob', 'NotIn', [1])],
      pod: pod([['a', 2]]),
      counts: true,
      message: text(2, 1),
      action: 'FailJob',
    },
    { what: 'NotIn', rules: [codes('Ignore', 'NotIn', [2])], pod: pod([['a', 2]]), counts: true },
    {
      what: 'a container by name',
      rules: [codes('FailJob', 'In', [2], 'b')],
      pod: pod([
        ['a', 2],
        ['b', 2],
      ]),
      counts: true,
      message: text(2, 0, 'b'),
      action: 'FailJob',
    },
    {
      what: 'a container by another name',
      rules: [codes('FailJob', 'In', [2], 'c')],
      pod: pod([['a', 2]]),
      counts: true,
    },
    { what: 'an operator nobody knows', rules: [codes('FailJob', 'Is', [2])], pod: pod([['a', 2]]), counts: true },
    {
      what: 'Ignore by condition',
      rules: [on('Ignore', 'DisruptionTarget')],
      pod: pod([], [['DisruptionTarget', 'True']]),
      counts: false,
      action: 'Ignore',
    },
    {
      what: 'a condition of another status',
      rules: [on('Ignore', 'DisruptionTarget')],
      pod: pod([], [['DisruptionTarget', 'False']]),
      counts: true,
    },
    {
      what: 'FailJob by condition',
      rules: [on('FailJob', 'X', 'Unknown')],
      pod: pod([], [['X', 'Unknown']]),
      counts: true,
      message: 'Pod d/p has condition X matching FailJob rule at index 0',
      action: 'FailJob',
    },
  ];
  for (const { what, rules, pod: p, counts, message, action } of table)
    it(what, () => {
      const v = judge({ rules }, p, 'd/p');
      assert.deepEqual([v.counts, v.message, v.action], [counts, message, action]);
    });
});

describe('success by policy', () => {
  type Rule = SuccessPolicy['rules'][number];
  const table: { what: string; rules: Rule[] | undefined; done: string; is?: string }[] = [
    { what: 'none', rules: undefined, done: '0' },
    { what: 'without rules', rules: [], done: '0' },
    { what: 'indexes nobody can read', rules: [{ succeededIndexes: 'invalid-form' }], done: '0' },
    {
      what: 'indexes that are done',
      rules: [{ succeededIndexes: '0-2' }],
      done: '0-2,4-7',
      is: 'Matched rules at index 0',
    },
    { what: 'indexes that are not', rules: [{ succeededIndexes: '3' }], done: '0-2' },
    { what: 'as many as are wanted', rules: [{ succeededCount: 2 }], done: '0-2', is: 'Matched rules at index 0' },
    { what: 'fewer', rules: [{ succeededCount: 4 }], done: '0-2' },
    {
      what: 'the second rule',
      rules: [{ succeededIndexes: '9' }, { succeededIndexes: '4,6' }],
      done: '0-2,4-7',
      is: 'Matched rules at index 1',
    },
    {
      what: 'as many of some indexes',
      rules: [{ succeededIndexes: '0-4', succeededCount: 2 }],
      done: '3-5',
      is: 'Matched rules at index 0',
    },
    { what: 'fewer of some indexes', rules: [{ succeededIndexes: '0-4', succeededCount: 3 }], done: '3-5' },
    { what: 'nothing done', rules: [{ succeededCount: 0 }], done: '' },
  ];
  for (const { what, rules, done, is } of table)
    it(what, () => assert.equal(successOf(rules && { rules }, 10, parseIndexes(done, 10)), is));
});
