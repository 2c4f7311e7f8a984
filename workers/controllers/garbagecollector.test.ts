import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult, View } from '../../kube/reconcile/controller.ts';
import { garbagecollector } from './garbagecollector.ts';
import { NOW } from './testing/view.ts';

const KEY = 'garbage/u';
const row = {
  key: KEY,
  revision: 7,
  uid: 'garbage-u',
  labels: {},
  owner: '',
  data: { garbage: { of: 'pods/a/b', version: 'v1' } },
};
function planned(results: Record<string, EffectResult>, there = true) {
  const view = { now: NOW, results: new Map(Object.entries(results)), get: () => (there ? row : undefined) };
  return garbagecollector.reconcile(KEY, undefined, view as unknown as View);
}
const found = (value: JsonObject) =>
  ({ ok: true, value: { done: false, at: NOW, since: NOW, ...value } }) as EffectResult;

describe('a row of the collector', () => {
  const table: {
    what: string;
    results: Record<string, EffectResult>;
    asks: string | undefined;
    again?: number;
    input?: JsonObject;
  }[] = [
    { what: 'is looked at', results: {}, asks: 'collect/7/1', input: { uid: 'u', of: 'pods/a/b' } },
    {
      what: 'that was looked at as it was before is looked at anew',
      results: { 'collect/6/4': found({ done: true }) },
      asks: 'collect/7/1',
    },
    { what: 'that is done is left', results: { 'collect/7/1': found({ done: true }) }, asks: undefined },
    {
      what: 'goes on at once where more dependents follow',
      results: { 'collect/7/1': found({ after: 'pods/a/x', blocked: true }) },
      asks: 'collect/7/2',
      input: { after: 'pods/a/x', blocked: true },
    },
    {
      what: 'that waits is looked at again soon',
      results: { 'collect/7/1': found({}) },
      asks: 'collect/7/1',
      again: 50,
    },
    {
      what: 'that waits long is looked at less often',
      results: { 'collect/7/9': found({ since: NOW - 40_000 }) },
      asks: 'collect/7/9',
      again: 10_000,
    },
    {
      what: 'is looked at each minute at least',
      results: { 'collect/7/9': found({ since: NOW - 9e7 }) },
      asks: 'collect/7/9',
      again: 60_000,
    },
    {
      what: 'is looked at again when it is time',
      results: { 'collect/7/9': found({ at: NOW - 50 }) },
      asks: 'collect/7/10',
    },
    {
      what: 'that could not be seen to is tried again, later each time',
      results: { 'collect/7/3': found({ failures: 3 }) },
      asks: 'collect/7/3',
      again: 2_000,
    },
    {
      what: 'that nobody knows of is tried again',
      results: { 'collect/7/3': { ok: false, error: 'x' } },
      asks: undefined,
      again: 500,
    },
  ];
  for (const { what, results, asks, again, input } of table)
    it(what, () => {
      const plan = planned(results);
      assert.deepEqual([plan.effects?.[0]?.id, plan.again], [asks, again]);
      for (const k in input) assert.deepEqual(plan.effects?.[0]?.input[k], input[k]);
    });
  it('that has gone is nobody', () => assert.deepEqual(planned({}, false), { writes: [] }));
});
