import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceaccount } from './serviceaccount.ts';
import { ago, type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

const namespace = (phase: string, deletionTimestamp?: string): Given => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'a', ...(deletionTimestamp ? { deletionTimestamp } : {}) },
  status: { phase },
});
const account = (name: string, of = 'a'): Given => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: of },
});

describe('the account default', () => {
  const table: { what: string; given: [Given, ...Given[]]; does: string[] }[] = [
    { what: 'is made where it is missing', given: [namespace('Active')], does: ['create serviceaccounts/a/default'] },
    { what: 'is left alone where it is', given: [namespace('Active'), account('default')], does: [] },
    {
      what: 'is not made up for by another',
      given: [namespace('Active'), account('other'), account('default', 'b')],
      does: ['create serviceaccounts/a/default'],
    },
    { what: 'is not made in a namespace that goes', given: [namespace('Terminating')], does: [] },
    { what: 'is not made in one that is asked to go', given: [namespace('Active', ago(1))], does: [] },
  ];
  for (const { what, given, does } of table)
    it(what, () => assert.deepEqual(printed(planFor(serviceaccount, given)), does));

  it('is made anew when it is deleted: it wakes its namespace, others are not looked at', () => {
    const view = viewOf(serviceaccount, [account('default')]);
    const row = view.get(keyFor(account('default')));
    assert.deepEqual(row && serviceaccount.watches?.[0]?.map(row, view), ['namespaces/a']);
    assert.equal(serviceaccount.watches?.[0]?.name, 'default');
  });
});
