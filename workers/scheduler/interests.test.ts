import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '../../kube/meta/facts.ts';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import { Interests } from '../../kube/store/interest.ts';
import type { Key } from '../../kube/store/store.ts';
import { scheduler } from './index.ts';

const all = new Interests(interestsOf([scheduler]).map((i) => [i, true] as const));
/** What a change is for the scheduler's loop. */
function news(key: Key, before: Facts | null, after: Facts | null): 'none' | 'quiet' | 'wake' {
  let heard: 'none' | 'quiet' | 'wake' = 'none';
  all.news(key, before, after, (_, wakes) => {
    if (wakes) heard = 'wake';
    else if (heard === 'none') heard = 'quiet';
  });
  return heard;
}
const pod = (fields: Record<string, string>, more: Partial<Facts> = {}): Facts =>
  ({
    uid: 'u',
    labels: { app: 'a' },
    generation: 1,
    fields: { 'spec.nodeName': '', 'spec.schedulerName': 'default-scheduler', 'status.phase': 'Pending', ...fields },
    ...more,
  }) as Facts;
const facts = (more: Partial<Facts> = {}): Facts => ({ uid: 'u', labels: {}, fields: {}, ...more }) as Facts;
const on = { 'spec.nodeName': 'n' };
const RUNS = { ...on, 'status.phase': 'Running' };

describe('what wakes the scheduler', () => {
  const table: [what: string, key: Key, before: Facts | null, after: Facts | null, is: 'none' | 'quiet' | 'wake'][] = [
    ['a pod that wants a node', 'pods/a/p', null, pod({}), 'wake'],
    ['a pod that wants another scheduler', 'pods/a/p', null, pod({ 'spec.schedulerName': 'mine' }), 'none'],
    ['what a pod is told that waits', 'pods/a/p', pod({}), pod({}), 'quiet'],
    ['a gate that opens', 'pods/a/p', pod({}), pod({}, { generation: 2 }), 'wake'],
    ['a pod that is promised a node', 'pods/a/p', pod({}), pod({ 'status.nominatedNodeName': 'n' }), 'wake'],
    ['a pod that gets its node', 'pods/a/p', pod({}), pod(on), 'wake'],
    ['a pod that starts', 'pods/a/p', pod(on), pod(RUNS), 'quiet'],
    ['a pod that becomes ready', 'pods/a/p', pod(RUNS), pod(RUNS), 'none'],
    ['a pod that is resized', 'pods/a/p', pod(RUNS), pod(RUNS, { generation: 2 }), 'quiet'],
    ['a pod that is to go', 'pods/a/p', pod(RUNS), pod(RUNS, { terminating: true }), 'quiet'],
    ['a pod that gets other labels', 'pods/a/p', pod(RUNS), pod(RUNS, { labels: { app: 'b' } }), 'wake'],
    ['a pod that ends', 'pods/a/p', pod(RUNS), pod({ ...on, 'status.phase': 'Succeeded' }), 'wake'],
    ['a pod that goes', 'pods/a/p', pod(RUNS), null, 'wake'],
    ['a pod that had ended and goes', 'pods/a/p', pod({ ...on, 'status.phase': 'Failed' }), null, 'none'],
    ['a node that comes', 'nodes/n', null, facts({ standing: 'x' }), 'wake'],
    ['a node that has other room', 'nodes/n', facts({ standing: 'x' }), facts({ standing: 'y' }), 'wake'],
    ["a node's heartbeat", 'nodes/n', facts({ standing: 'x' }), facts({ standing: 'x' }), 'quiet'],
    ['a namespace that comes', 'namespaces/a', null, facts(), 'quiet'],
    ['a namespace that changes but for its labels', 'namespaces/a', facts(), facts(), 'none'],
    ['a Service that comes', 'services/a/s', null, facts(), 'quiet'],
    ['a ReplicaSet that comes', 'replicasets.apps/a/r', null, facts(), 'quiet'],
    ['a ReplicaSet that grows', 'replicasets.apps/a/r', facts({ generation: 1 }), facts({ generation: 2 }), 'none'],
    ['a disruption budget', 'poddisruptionbudgets.policy/a/b', facts(), facts(), 'quiet'],
    ['a claim that is bound', 'persistentvolumeclaims/a/c', facts(), facts(), 'wake'],
    ['a ConfigMap', 'configmaps/a/c', null, facts(), 'none'],
    ['a Deployment', 'deployments.apps/a/d', null, facts(), 'none'],
    ['a Lease', 'leases.coordination.k8s.io/kube-node-lease/n', facts(), facts(), 'none'],
  ];
  for (const [what, key, before, after, is] of table)
    it(`${what}: ${is}`, () => assert.equal(news(key, before, after), is));
});
