// What one authorize() costs in a cluster with the bootstrap roles and 1,000 more bindings. Run: node --expose-gc test/bench/authz.ts

import type { RequestInfo, User } from '../../api/attributes.ts';
import { chain } from '../../api/authz/authorize.ts';
import { nodeAuthorizer, nodeRules } from '../../api/authz/node.ts';
import { rbac } from '../../api/authz/rbac.ts';
import { createPolicyView, sharedRows } from '../../api/policy.ts';
import { policyOf } from '../../kube/kinds/policy.ts';
import { baseLayer } from '../../kube/store/base/base.ts';
import type { Store } from '../../kube/store/store.ts';

const RBAC = 'rbac.authorization.k8s.io';
const BINDINGS = 1_000;
const ROUNDS = 200_000;

const base = baseLayer().rows;
const rows = base.map((r) => ({ key: r.key, uid: r.facts.uid, policy: r.facts.policy ?? '' }));
for (let i = 0; i < BINDINGS; i++) {
  const resource = i % 2 === 0 ? `rolebindings.${RBAC}` : `clusterrolebindings.${RBAC}`;
  const policy = policyOf(resource, {
    metadata: {},
    roleRef: { kind: 'ClusterRole', name: i % 2 === 0 ? 'edit' : 'view' },
    subjects: [{ kind: i % 3 === 0 ? 'Group' : 'User', name: `subject-${i}` }],
  });
  const key = i % 2 === 0 ? `${resource}/ns-${i % 50}/b-${i}` : `${resource}/b-${i}`;
  rows.push({ key, uid: `${i}`, policy: policy ?? '' });
}
const shared = sharedRows(base.map((r) => ({ key: r.key, uid: r.facts.uid, text: r.facts.policy ?? '' })));
const store = {} as Store;
const authorize = chain([nodeAuthorizer(nodeRules([])), rbac]);
const info = (verb: string, resource: string, namespace: string): RequestInfo => ({
  isResource: true,
  path: '',
  verb,
  group: '',
  version: 'v1',
  resource,
  subresource: '',
  namespace,
  name: 'x',
  rest: [],
});
const user = (name: string, ...groups: string[]): User => ({ name, groups: [...groups, 'system:authenticated'] });

function view() {
  const v = createPolicyView(shared);
  v.apply({ ok: false, stale: true, policy: 1, whole: true, changes: rows, missing: [] });
  return v;
}
const CASES: [string, User, RequestInfo, boolean][] = [
  ['allowed by a cluster-wide role', user('subject-1'), info('list', 'pods', 'ns-9'), true],
  ['allowed by a role in the namespace', user('subject-2'), info('create', 'pods', 'ns-2'), true],
  ['refused', user('subject-1'), info('delete', 'nodes', ''), false],
  [
    'refused, 20 groups',
    user('nobody', ...Array.from({ length: 20 }, (_, i) => `g${i}`)),
    info('get', 'pods', 'ns-2'),
    false,
  ],
  ['system:masters', user('root', 'system:masters'), info('get', 'pods', 'ns-2'), true],
];

const v = view();
for (const [name, who, what, expected] of CASES) {
  let allowed = 0;
  for (let i = 0; i < ROUNDS / 10; i++) authorize(who, what, v, store);
  const start = performance.now();
  for (let i = 0; i < ROUNDS; i++) if ((authorize(who, what, v, store) as { allow: boolean }).allow) allowed++;
  const us = ((performance.now() - start) * 1000) / ROUNDS;
  if (allowed !== (expected ? ROUNDS : 0)) throw new Error(`${name}: wrong answer`);
  console.log(`${us.toFixed(2).padStart(8)} us  ${name}`);
}
const first = (make: () => ReturnType<typeof view>): string => {
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const fresh = make();
    const start = performance.now();
    authorize(user('subject-1'), info('list', 'pods', 'ns-9'), fresh, store);
    times.push((performance.now() - start) * 1000);
  }
  return (times.sort((a, b) => a - b)[10] ?? 0).toFixed(0).padStart(8);
};
console.log(`${first(view)} us  first decision of a view (index of all bindings), median of 20`);
const changed = () => {
  const [row] = rows.slice(-1);
  if (row) v.apply({ ok: false, stale: true, policy: 2, whole: false, changes: [row], missing: [] });
  return v;
};
console.log(`${first(changed)} us  first decision after one binding changed, median of 20`);
const VIEWS = 500;
// Without --expose-gc the figure counts garbage too.
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});
collect();
const before = process.memoryUsage().heapUsed;
const kept = Array.from({ length: VIEWS }, () => {
  const fresh = createPolicyView(shared);
  fresh.apply({ ok: false, stale: true, policy: 1, whole: true, changes: rows.slice(0, base.length), missing: [] });
  authorize(user('subject-1'), info('list', 'pods', 'ns-9'), fresh, store);
  return fresh;
});
collect();
const each = (process.memoryUsage().heapUsed - before) / kept.length / 1024;
console.log(`${each.toFixed(1).padStart(8)} KiB of heap for each view of a cluster with only the base layer`);
