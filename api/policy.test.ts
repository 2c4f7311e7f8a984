import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOf } from '../kube/kinds/policy.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { Stale } from '../kube/store/store.ts';
import { createPolicyView, sharedRows } from './policy.ts';

const stale = (policy: number, changes: Stale['changes'], whole = false): Stale => ({
  ok: false,
  stale: true,
  policy,
  whole,
  changes,
  missing: [],
});
const namespace = (name: string, labels: Record<string, string> = {}) => ({
  key: `namespaces/${name}`,
  uid: `uid-${name}`,
  policy: policyOf('namespaces', { metadata: { name, uid: `uid-${name}`, labels }, status: { phase: 'Active' } }) ?? '',
});
const keys = (rows: Iterable<{ key: string }>) => [...rows].map((r) => r.key);

test('rows are found by key and listed by resource and namespace in key order', () => {
  const v = createPolicyView();
  v.apply(
    stale(7, [
      namespace('b'),
      namespace('a'),
      { key: 'limitranges/a/z', uid: '1', policy: '{}' },
      { key: 'limitranges/a/y', uid: '2', policy: '{}' },
      { key: 'limitranges/ab/x', uid: '3', policy: '{}' },
    ]),
  );
  assert.equal(v.revision, 7);
  assert.equal(v.get('namespaces/a')?.data.phase, 'Active');
  assert.equal(v.get('namespaces/a')?.uid, 'uid-a');
  assert.equal(v.get('namespaces/c'), undefined);
  assert.deepEqual(keys(v.list('namespaces')), ['namespaces/a', 'namespaces/b']);
  assert.deepEqual(keys(v.list('limitranges', 'a')), ['limitranges/a/y', 'limitranges/a/z']);
  assert.equal(keys(v.list('limitranges')).length, 3);
  v.apply(stale(8, [{ key: 'limitranges/a/y', uid: '', policy: null }]));
  assert.deepEqual(keys(v.list('limitranges', 'a')), ['limitranges/a/z']);
});

test('a whole change starts the view anew, and shares rows that are as in the base layer', () => {
  const shared = sharedRows([{ key: 'namespaces/default', uid: 'd', text: '{"phase":"Active"}' }]);
  const [v, w] = [createPolicyView(shared), createPolicyView(shared)];
  const same = { key: 'namespaces/default', uid: 'd', policy: '{"phase":"Active"}' };
  v.apply(stale(1, [namespace('a')]));
  v.apply(stale(2, [namespace('b'), same], true));
  w.apply(stale(2, [same], true));
  assert.deepEqual(keys(v.list('namespaces')), ['namespaces/b', 'namespaces/default']);
  assert.equal(v.get('namespaces/default'), w.get('namespaces/default'));
  w.apply(stale(3, [{ ...same, policy: '{"phase":"Terminating"}' }]));
  assert.equal(w.get('namespaces/default')?.data.phase, 'Terminating');
  assert.equal(v.get('namespaces/default')?.data.phase, 'Active');
  w.apply(stale(4, [{ ...same, policy: null }]));
  assert.deepEqual([w.get('namespaces/default'), keys(w.list('namespaces'))], [undefined, []]);
  w.apply(stale(5, [same]));
  assert.equal(w.get('namespaces/default'), v.get('namespaces/default'));
  w.apply(stale(6, [namespace('c')], true));
  assert.deepEqual(keys(w.list('namespaces')), ['namespaces/c']);
  assert.equal(w.get('namespaces/default'), undefined);
});

test('before the first whole change nothing of the base layer is taken for granted', () => {
  const v = createPolicyView(sharedRows([{ key: 'namespaces/default', uid: 'd', text: '{}' }]));
  assert.deepEqual([v.get('namespaces/default'), keys(v.list('namespaces'))], [undefined, []]);
});

test('what is compiled is dropped only when something that it read changed', () => {
  const v = createPolicyView();
  v.apply(stale(1, [namespace('a')]));
  let made = 0;
  const count = () =>
    v.compiled('names', (view) => {
      made++;
      return keys(view.list('namespaces')).length;
    });
  const outer = () => v.compiled('outer', () => `${count()} namespaces`);
  assert.equal(outer(), '1 namespaces');
  v.apply(stale(2, [{ key: 'limitranges/a/y', uid: '2', policy: '{}' }]));
  assert.equal(outer(), '1 namespaces');
  assert.equal(made, 1);
  v.apply(stale(3, [namespace('b')]));
  assert.equal(outer(), '2 namespaces');
  assert.equal(made, 2);
});

const cases: { name: string; resource: string; a: KubeObject; b: KubeObject; same: boolean }[] = [
  {
    name: 'a namespace condition decides nothing',
    resource: 'namespaces',
    a: { metadata: { name: 'a', uid: '1' }, status: { phase: 'Active' } },
    b: { metadata: { name: 'a', uid: '1', resourceVersion: '9' }, status: { phase: 'Active', conditions: [] } },
    same: true,
  },
  {
    name: 'the phase of a namespace decides',
    resource: 'namespaces',
    a: { metadata: { name: 'a' }, status: { phase: 'Active' } },
    b: { metadata: { name: 'a' }, status: { phase: 'Terminating' } },
    same: false,
  },
  {
    name: 'a node heartbeat decides nothing',
    resource: 'nodes',
    a: { metadata: { name: 'n', uid: '1' }, status: { conditions: [] } },
    b: { metadata: { name: 'n', uid: '1', labels: { a: 'b' } }, status: {} },
    same: true,
  },
  {
    name: 'key order decides nothing',
    resource: 'limitranges',
    a: { metadata: {}, spec: { a: 1, b: { c: 1, d: 2 } } },
    b: { metadata: {}, spec: { b: { d: 2, c: 1 }, a: 1 } },
    same: true,
  },
  {
    name: 'the status of a resource quota decides nothing',
    resource: 'resourcequotas',
    a: { metadata: {}, spec: { hard: { pods: '1' } } },
    b: { metadata: {}, spec: { hard: { pods: '1' } }, status: { used: { pods: '1' } } },
    same: true,
  },
];
for (const c of cases) {
  test(c.name, () => {
    const [a, b] = [policyOf(c.resource, c.a), policyOf(c.resource, c.b)];
    assert.notEqual(a, undefined);
    assert.equal(a === b, c.same);
  });
}

test('kinds that decide nothing have no policy text', () => {
  assert.equal(policyOf('pods', { metadata: { name: 'p' } }), undefined);
  assert.equal(policyOf('configmaps', { metadata: { name: 'p' } }), undefined);
});

test('an int64 in a schema keeps its digits', () => {
  const v = createPolicyView();
  const key = 'customresourcedefinitions.apiextensions.k8s.io/a';
  v.apply(stale(1, [{ key, uid: '', policy: '{"spec":{"maximum":9223372036854775807}}' }]));
  assert.deepEqual(v.get(key)?.data, { spec: { maximum: 9223372036854775807n } });
});
