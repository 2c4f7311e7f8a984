import assert from 'node:assert/strict';
import { it } from 'node:test';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import { daemonset } from './daemonset.ts';
import { deployment } from './deployment.ts';
import { controllers } from './index.ts';
import { replicaset, replicationcontroller } from './replicaset.ts';
import { statefulset } from './statefulset.ts';

const workloads = [replicaset, replicationcontroller, deployment, daemonset, statefulset];

const of = (resource: string, beside: Record<string, string[]> = {}) =>
  interestsOf(workloads, beside).flatMap(({ resource: r, ...rest }) => (r === resource ? [rest] : []));

it('a cluster without workloads is asked for nothing on their behalf but themselves and what has an owner', () => {
  for (const roots of [
    'deployments.apps',
    'daemonsets.apps',
    'statefulsets.apps',
    'replicasets.apps',
    'replicationcontrollers',
  ])
    assert.deepEqual(of(roots), [{}]);
  for (const c of workloads) assert.ok(controllers.includes(c), c.name);
  assert.deepEqual(of('pods'), [{ owned: true }]);
  assert.deepEqual(of('controllerrevisions.apps'), [{ owned: true }]);
  assert.deepEqual(of('persistentvolumeclaims'), []);
  assert.deepEqual(of('nodes'), [{ of: ['labels', 'standing', 'terminating'] }]);
});

it('claims are looked at beside StatefulSets alone, and wake when they go', () =>
  assert.deepEqual(of('persistentvolumeclaims', { 'statefulset-controller': ['a'] }), [
    { wakes: 'end', namespaces: ['a'] },
  ]));
