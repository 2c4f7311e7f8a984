import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOf } from '../../kube/kinds/policy.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { StatusError } from '../../kube/meta/status.ts';
import { baseLayer } from '../../kube/store/base/base.ts';
import { parseKey } from '../../kube/store/key.ts';
import { MemoryStore } from '../../kube/store/memory.ts';
import type { PolicyView, RequestInfo, User } from '../attributes.ts';
import { createPolicyView } from '../policy.ts';
import { chain } from './authorize.ts';
import { checkEscalation } from './escalation.ts';
import { nodeAuthorizer, nodeRules } from './node.ts';
import { rbac } from './rbac.ts';
import { rulesReview } from './review.ts';

const RBAC = 'rbac.authorization.k8s.io';
const rule = (verbs: string, groups: string, resources: string, names = ''): JsonObject => ({
  verbs: verbs.split(','),
  apiGroups: groups.split(','),
  resources: resources.split(','),
  ...(names === '' ? {} : { resourceNames: names.split(',') }),
});
const subject = (text: string): JsonObject => {
  const [kind = '', name = '', namespace] = text.split(' ');
  return { kind, name, ...(namespace ? { namespace } : {}) };
};
const bound = (role: string, ...subjects: string[]): JsonObject => {
  const [kind = '', name = ''] = role.split(' ');
  return { roleRef: { kind, name, apiGroup: RBAC }, subjects: subjects.map(subject) };
};
/** Rows by key: `clusterroles/a`, `roles/ns/a`, ...; the base layer too when asked. */
function viewOf(rows: Record<string, JsonObject>, withBase = false): PolicyView {
  const view = createPolicyView();
  const changes = Object.entries(rows).map(([short, body]) => {
    const slash = short.indexOf('/');
    const resource = `${short.slice(0, slash)}.${RBAC}`;
    const object = { metadata: {}, ...body } as KubeObject;
    return { key: `${resource}${short.slice(slash)}`, uid: short, policy: policyOf(resource, object) ?? '' };
  });
  const base = withBase ? baseLayer().rows : [];
  changes.push(...base.map((r) => ({ key: r.key, uid: r.facts.uid, policy: r.facts.policy ?? '' })));
  view.apply({ ok: false, stale: true, policy: 1, whole: true, changes, missing: [] });
  return view;
}
/** `get pods/log ns/name` with `.group` after the resource, or `get /path`. */
function ask(text: string): RequestInfo {
  const [verb = '', what = '', where = ''] = text.split(' ');
  const none = { group: '', version: 'v1', resource: '', subresource: '', namespace: '', name: '', rest: [] };
  if (what.startsWith('/')) return { ...none, isResource: false, path: what, verb };
  const [plural = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = plural.split('.');
  const [namespace = '', name = ''] = where.includes('/') ? where.split('/') : [where];
  return { ...none, isResource: true, path: '', verb, resource, group: group.join('.'), subresource, namespace, name };
}
const user = (name: string, ...groups: string[]): User => ({ name, groups: [...groups, 'system:authenticated'] });
const store = () => new MemoryStore({ now: () => 0, after: () => () => {} });
const authorize = chain([nodeAuthorizer(nodeRules([])), rbac]);

const rows = {
  'clusterroles/reader': { rules: [rule('get,list', '', 'pods,pods/log'), rule('get', 'apps', '*/scale')] },
  'clusterroles/one': { rules: [rule('get,update', '', 'configmaps', 'a,b')] },
  'clusterroles/all': { rules: [rule('*', '*', '*'), { verbs: ['*'], nonResourceURLs: ['*'] }] },
  'clusterroles/urls': { rules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/apis/*'] }] },
  'clusterroles/part': { rules: [rule('delete', '', 'jobs')], metadata: { labels: { sum: 'yes' } } },
  'clusterroles/nested': {
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { sum: 'yes' } }] },
    metadata: { labels: { more: 'yes' } },
  },
  'clusterroles/sum': { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { more: 'yes' } }] } },
  'roles/ns/local': { rules: [rule('create', '', 'secrets')] },
  'clusterrolebindings/1': bound('ClusterRole reader', 'User ann', 'ServiceAccount bot tools'),
  'clusterrolebindings/2': bound('ClusterRole urls', 'Group system:authenticated'),
  'clusterrolebindings/3': bound('ClusterRole all', 'Group root'),
  'clusterrolebindings/4': bound('ClusterRole gone', 'User eve'),
  'clusterrolebindings/5': bound('ClusterRole sum', 'User sam'),
  'clusterrolebindings/6': bound('ClusterRole one', 'User kim'),
  'rolebindings/ns/1': bound('Role local', 'ServiceAccount bot', 'User ann'),
  'rolebindings/ns/2': bound('ClusterRole all', 'User nick'),
  'rolebindings/ns/3': bound('Role gone', 'User eve'),
};
const yes = 'yes';
const cases: [User, string, string][] = [
  [user('ann'), 'get pods ns/p', yes],
  [user('ann'), 'list pods', yes],
  [user('ann'), 'get pods/log ns/p', yes],
  [user('ann'), 'get pods/exec ns/p', ''],
  [user('ann'), 'delete pods ns/p', ''],
  [user('ann'), 'get deployments.apps/scale ns/d', yes],
  [user('ann'), 'get deployments.apps ns/d', ''],
  [user('ann'), 'get deployments/scale ns/d', ''],
  [user('ann'), 'create secrets ns', yes],
  [user('ann'), 'create secrets other', ''],
  [user('system:serviceaccount:tools:bot'), 'get pods x/p', yes],
  [user('system:serviceaccount:ns:bot'), 'create secrets ns', yes],
  [user('system:serviceaccount:ns:bot'), 'get pods ns/p', ''],
  [user('bob', 'root'), 'frobnicate things.example.com/part any/n', yes],
  [user('bob', 'root'), 'post /metrics', yes],
  [user('nick'), 'delete pods ns/p', yes],
  [user('nick'), 'delete pods other/p', ''],
  [user('nick'), 'delete nodes', ''],
  [user('nick'), 'post /metrics', ''],
  [user('kim'), 'get configmaps ns/a', yes],
  [user('kim'), 'get configmaps ns/c', ''],
  [user('kim'), 'list configmaps ns', ''],
  [user('sam'), 'delete jobs ns/j', yes],
  [user('zoe'), 'get /healthz', yes],
  [user('zoe'), 'get /healthz/etcd', ''],
  [user('zoe'), 'get /apis/apps/v1', yes],
  [user('zoe'), 'post /healthz', ''],
  [user('zoe', 'system:masters'), 'delete nodes /n', yes],
  [user('eve'), 'get pods ns/p', `rbac: RBAC: [clusterrole.${RBAC} "gone" not found, role.${RBAC} "gone" not found]`],
  [user('eve'), 'get pods', `rbac: RBAC: clusterrole.${RBAC} "gone" not found`],
];
for (const [who, what, expected] of cases) {
  const title = expected === yes ? 'may' : 'may not';
  test(`RBAC: ${who.name} ${title} ${what}`, async () => {
    const got = await authorize(who, ask(what), viewOf(rows), store());
    assert.equal(got.allow, expected === yes);
    if (!got.allow) assert.equal(got.reason, expected);
  });
}

test('an allowed request says by which binding', async () => {
  const view = viewOf(rows);
  const reason = async (who: User, what: string) => (await authorize(who, ask(what), view, store())).reason;
  assert.equal(
    await reason(user('ann'), 'get pods ns/p'),
    'RBAC: allowed by ClusterRoleBinding "1" of ClusterRole "reader" to User "ann"',
  );
  assert.equal(
    await reason(user('system:serviceaccount:ns:bot'), 'create secrets ns'),
    'RBAC: allowed by RoleBinding "1/ns" of Role "local" to ServiceAccount "bot/ns"',
  );
});

test('a change of a role or a binding counts at once', async () => {
  const view = viewOf(rows);
  const may = async (what: string) => (await authorize(user('ann'), ask(what), view, store())).allow;
  const change = (key: string, policy: string | null) =>
    view.apply({ ok: false, stale: true, policy: 2, whole: false, changes: [{ key, policy, uid: '' }], missing: [] });
  assert.equal(await may('get pods ns/p'), true);
  change(`clusterroles.${RBAC}/reader`, JSON.stringify({ rules: [rule('get', '', 'nodes')] }));
  assert.deepEqual([await may('get pods ns/p'), await may('get nodes')], [false, true]);
  change(`clusterrolebindings.${RBAC}/1`, null);
  assert.equal(await may('get nodes'), false);
});

test('the bootstrap roles work with the base layer', async () => {
  const view = viewOf({ 'rolebindings/ns/v': bound('ClusterRole view', 'User ann') }, true);
  const may = async (who: User, what: string) => (await authorize(who, ask(what), view, store())).allow;
  assert.equal(await may(user('ann'), 'list pods ns'), true);
  assert.equal(await may(user('ann'), 'list secrets ns'), false);
  assert.equal(await may(user('ann'), 'get /api'), true);
  assert.equal(await may(user('ann'), 'create selfsubjectaccessreviews.authorization.k8s.io'), true);
  assert.equal(await may({ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'get /version'), true);
  assert.equal(await may({ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'get /api'), false);
  assert.equal(await may(user('system:kube-scheduler'), 'create pods/binding ns/p'), true);
  const controller = user('system:serviceaccount:kube-system:replicaset-controller');
  assert.equal(await may(controller, 'create pods ns'), true);
  assert.equal(await may(controller, 'create nodes'), false);
});

test('a rules review lists what a user holds', () => {
  const status = rulesReview(user('ann'), 'ns', viewOf(rows));
  assert.deepEqual(
    (status.resourceRules as JsonObject[]).map((r) => r.resources),
    [['pods', 'pods/log'], ['*/scale'], ['secrets']],
  );
  assert.deepEqual(status.nonResourceRules, [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/apis/*'] }]);
  assert.equal(status.incomplete, false);
  assert.match(String(rulesReview(user('eve'), 'ns', viewOf(rows)).evaluationError), /"gone" not found/);
  assert.equal(rulesReview(user('system:node:a', 'system:nodes'), 'ns', viewOf(rows)).incomplete, true);
});

const role = (rules: JsonObject[], more: Record<string, Json> = {}): KubeObject => ({
  metadata: { name: 'new' },
  rules,
  ...more,
});
const grant = (ref: string): KubeObject => ({ metadata: { name: 'new' }, ...bound(ref, 'User x') });
const attempt = (who: string) =>
  `user "${who}" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n`;
const escalations: { name: string; who: User; what: string; object: KubeObject; error: string }[] = [
  {
    name: 'what one holds',
    who: user('ann'),
    what: `create roles.${RBAC} ns`,
    object: role([rule('get', '', 'pods')]),
    error: '',
  },
  {
    name: 'what one does not hold',
    who: user('ann'),
    what: `create roles.${RBAC} ns`,
    object: role([rule('get,delete,watch', '', 'pods,nodes', 'x'), { verbs: ['get'], nonResourceURLs: ['/logs'] }]),
    error:
      `roles.${RBAC} "new" is forbidden: ${attempt('ann')}` +
      '{APIGroups:[""], Resources:["nodes"], ResourceNames:["x"], Verbs:["get" "delete" "watch"]}\n' +
      '{APIGroups:[""], Resources:["pods"], ResourceNames:["x"], Verbs:["delete" "watch"]}\n' +
      '{NonResourceURLs:["/logs"], Verbs:["get"]}',
  },
  {
    name: 'anything, as root',
    who: user('bob', 'root'),
    what: `create clusterroles.${RBAC}`,
    object: role([rule('*', '*', '*')]),
    error: '',
  },
  {
    name: 'anything, as a master',
    who: user('m', 'system:masters'),
    what: `create clusterroles.${RBAC}`,
    object: role([rule('*', '*', '*')]),
    error: '',
  },
  {
    name: 'an aggregation rule',
    who: user('ann'),
    what: `create clusterroles.${RBAC}`,
    object: role([], { aggregationRule: { clusterRoleSelectors: [{}] } }),
    error: `clusterroles.${RBAC} "new" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
  },
  {
    name: 'a binding to a role one holds',
    who: user('ann'),
    what: `create rolebindings.${RBAC} ns`,
    object: grant('Role local'),
    error: '',
  },
  {
    name: 'a binding to a role one does not hold',
    who: user('kim'),
    what: `create rolebindings.${RBAC} ns`,
    object: grant('Role local'),
    error: `rolebindings.${RBAC} "new" is forbidden: ${attempt('kim')}{APIGroups:[""], Resources:["secrets"], Verbs:["create"]}`,
  },
  {
    name: 'a binding to nothing',
    who: user('ann'),
    what: `create rolebindings.${RBAC} ns`,
    object: grant('ClusterRole none'),
    error: `clusterroles.${RBAC} "none" not found`,
  },
];
for (const e of escalations) {
  test(`granting ${e.name} ${e.error === '' ? 'is allowed' : 'is refused'}`, async () => {
    const view = viewOf(rows);
    const a = { ...ask(e.what), user: e.who, object: e.object, oldObject: null };
    const done = checkEscalation(a, view, (u, r) => authorize(u, r, view, store()));
    if (e.error === '') return done;
    await assert.rejects(done, (err) => err instanceof StatusError && err.message === e.error);
  });
}
test('the collector may take finalizers off a role that it does not hold', async () => {
  const view = viewOf(rows);
  const prev = { metadata: { name: 'r', finalizers: ['a'], resourceVersion: '1' }, rules: [rule('*', '*', '*')] };
  const next = { metadata: { name: 'r' }, rules: [rule('*', '*', '*')] };
  const a = { ...ask(`update roles.${RBAC} ns/r`), user: user('ann'), object: next, oldObject: prev };
  await checkEscalation(a, view, (u, r) => authorize(u, r, view, store()));
  const more = { ...a, object: { ...next, rules: [rule('*', '*', '*'), rule('get', '', 'x')] } };
  await assert.rejects(
    checkEscalation(more, view, (u, r) => authorize(u, r, view, store())),
    /attempting to grant/,
  );
});

async function nodeStore(): Promise<MemoryStore> {
  const s = store();
  const put = (key: string, facts: JsonObject) => ({
    key,
    expect: 0,
    value: { text: `{"metadata":{"name":"${parseKey(key).name}"}}`, version: 'v1', schema: '' },
    facts: { uid: key, ...facts },
  });
  await s.commit([
    put('pods/ns/mine', {
      node: 'n1',
      refs: ['secrets/ns/s', 'configmaps/ns/c', 'serviceaccounts/ns/sa', 'persistentvolumeclaims/ns/claim'],
    }),
    put('pods/ns/theirs', { node: 'n2', refs: ['secrets/ns/other'] }),
    put('persistentvolumes/v', { refs: ['persistentvolumeclaims/ns/claim', 'secrets/ns/volume'] }),
    put('persistentvolumes/w', { refs: ['persistentvolumeclaims/ns/claim2'] }),
    put('resourceslices.resource.k8s.io/slice', { node: 'n1' }),
  ]);
  return s;
}
const NOT_RELATED = "node: no relationship found between node 'n1' and this object";
const nodeCases: [string, string][] = [
  ['get secrets ns/s', yes],
  ['watch secrets ns/s', yes],
  ['get secrets ns/volume', yes],
  ['get secrets ns/other', NOT_RELATED],
  ['list secrets ns', 'node: No Object name found'],
  ['list secrets', 'node: can only read namespaced object of this type'],
  ['delete secrets ns/s', 'node: can only read resources of this type'],
  ['get configmaps ns/c', yes],
  ['get persistentvolumeclaims ns/claim', yes],
  ['list persistentvolumeclaims ns', 'node: can only get individual resources of this type'],
  ['patch persistentvolumeclaims/status ns/claim', yes],
  ['patch persistentvolumeclaims/status ns/claim2', NOT_RELATED],
  ['get persistentvolumes /v', yes],
  ['get persistentvolumes /w', NOT_RELATED],
  ['create serviceaccounts/token ns/sa', yes],
  ['create serviceaccounts/token ns/sb', NOT_RELATED],
  ['get serviceaccounts ns/sa', yes],
  ['create serviceaccounts ns', 'node: can only create tokens for individual service accounts'],
  ['update leases.coordination.k8s.io kube-node-lease/n1', yes],
  [
    'update leases.coordination.k8s.io kube-node-lease/n2',
    'node: can only access node lease with the same name as the requesting node',
  ],
  ['get leases.coordination.k8s.io ns/n1', 'node: can only access leases in the "kube-node-lease" system namespace'],
  ['get csinodes.storage.k8s.io /n1', yes],
  ['get csinodes.storage.k8s.io /n2', 'node: can only access CSINode with the same name as the requesting node'],
  ['delete resourceslices.resource.k8s.io /slice', yes],
  ['delete resourceslices.resource.k8s.io /other', NOT_RELATED],
  ['get nodes /n1', yes],
  ['get nodes /n2', "node: node 'n1' cannot read 'n2', only its own Node object"],
  ['list nodes', "node: node 'n1' cannot read all nodes, only its own Node object"],
  ['patch nodes/status /n1', yes],
  ['delete nodes /n1', ''],
  ['get pods ns/mine', yes],
  ['get pods ns/theirs', NOT_RELATED],
  ['list pods', 'node: can only list/watch pods with spec.nodeName field selector'],
  ['create pods/eviction ns/theirs', yes],
  ['create pods ns', yes],
  ['list services', yes],
  ['create services ns', ''],
];
for (const [what, expected] of nodeCases) {
  test(`a node ${expected === yes ? 'may' : 'may not'} ${what}`, async () => {
    const key = `clusterroles.${RBAC}/system:node`;
    const rules = JSON.parse(baseLayer().rows.find((r) => r.key === key)?.text ?? '{}').rules;
    const all = chain([nodeAuthorizer(nodeRules(rules)), rbac]);
    const got = await all(user('system:node:n1', 'system:nodes'), ask(what), viewOf({}), await nodeStore());
    assert.equal(got.allow, expected === yes);
    if (!got.allow) assert.equal(got.reason, expected);
  });
}
test('a node lists its own pods by field selector', async () => {
  const list = (value: string): RequestInfo => ({
    ...ask('list pods'),
    fields: [{ field: 'spec.nodeName', op: '=', value }],
  });
  const may = async (value: string) =>
    (await authorize(user('system:node:n1', 'system:nodes'), list(value), viewOf({}), store())).allow;
  assert.deepEqual([await may('n1'), await may('n2')], [true, false]);
});
