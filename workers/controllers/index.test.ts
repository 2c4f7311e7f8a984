import assert from 'node:assert/strict';
import { it } from 'node:test';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import { controllers } from './index.ts';

const of = (resource: string, beside: Record<string, string[]> = {}) =>
  interestsOf(controllers, beside).flatMap(({ resource: r, ...rest }) => (r === resource ? [rest] : []));

it('a cluster without workloads is asked for nothing on their behalf but themselves and what has an owner', () => {
  for (const roots of [
    'deployments.apps',
    'daemonsets.apps',
    'statefulsets.apps',
    'replicasets.apps',
    'replicationcontrollers',
  ])
    assert.deepEqual(of(roots), [{}]);
  const bound = [{ field: 'spec.nodeName', op: '!=', value: '' }];
  assert.deepEqual(of('pods'), [{ fields: bound, wakes: 'never' }, { owned: true }]);
  assert.deepEqual(of('controllerrevisions.apps'), [{ owned: true }]);
  assert.deepEqual(of('persistentvolumeclaims'), []);
  assert.deepEqual(of('nodes'), [{ of: ['labels', 'standing', 'terminating'] }, { wakes: 'never' }]);
});

it('claims are looked at beside StatefulSets alone, and wake when they go', () =>
  assert.deepEqual(of('persistentvolumeclaims', { 'statefulset-controller': ['a'] }), [
    { wakes: 'end', namespaces: ['a'] },
  ]));
