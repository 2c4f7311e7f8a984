import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../kube/meta/status.ts';
import type { RequestInfo, User } from '../attributes.ts';
import { impersonate, impersonationWanted } from './impersonate.ts';

const request: RequestInfo = {
  isResource: true,
  path: '',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'ns',
  name: '',
  rest: [],
};
const admin: User = { name: 'admin', groups: ['system:authenticated'], bound: [{ key: 'serviceaccounts/a/b' }] };
const print = (a: RequestInfo) =>
  [a.verb, `${a.resource}.${a.group}${a.subresource === '' ? '' : `/${a.subresource}`}`, a.namespace, a.name].join(' ');
/** Allows the checks whose printed form is listed; collects all. */
async function run(headers: [string, string][], rights: string[], who = admin) {
  const asked: string[] = [];
  const wanted = impersonationWanted(new Headers(headers));
  assert.ok(wanted);
  const ask = (_u: User, a: RequestInfo) => {
    asked.push(print(a));
    return { allow: rights.includes(print(a)), reason: '' };
  };
  try {
    return { asked, user: await impersonate(wanted, who, request, ask) };
  } catch (e) {
    if (!(e instanceof StatusError)) throw e;
    return { asked, error: e.message };
  }
}

test('without headers nobody is impersonated, and without a user nothing is', () => {
  assert.equal(impersonationWanted(new Headers()), null);
  assert.throws(
    () => impersonationWanted(new Headers({ 'Impersonate-Group': 'g' })),
    /requested &user.DefaultInfo\{Name:"", UID:"", Groups:\[\]string\{"g"\}, Extra:map\[string\]\[\]string\(nil\)\} without impersonating a user name/,
  );
});

test('a user, groups, uid and extra are each checked with the verb impersonate', async () => {
  const { user, asked } = await run(
    [
      ['Impersonate-User', 'jane'],
      ['Impersonate-Group', 'dev'],
      ['Impersonate-Group', 'ops'],
      ['Impersonate-Uid', '42'],
      ['Impersonate-Extra-Scopes%2Fa', 'x'],
    ],
    [
      'impersonate users.  jane',
      'impersonate uids.authentication.k8s.io  42',
      'impersonate groups.  dev',
      'impersonate groups.  ops',
      'impersonate userextras.authentication.k8s.io/scopes/a  x',
    ],
  );
  assert.deepEqual(user, {
    name: 'jane',
    uid: '42',
    groups: ['dev', 'ops', 'system:authenticated'],
    extra: { 'scopes/a': ['x'] },
    bound: admin.bound,
  });
  assert.equal(asked[0], 'impersonate-on:user-info:list pods. ns ');
});

test('the first refusal is the answer', async () => {
  const { error } = await run([['Impersonate-User', 'jane']], []);
  assert.equal(
    error,
    'pods is forbidden: User "admin" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "ns"',
  );
});

test('a ServiceAccount gets its groups, also in its own mode', async () => {
  const headers: [string, string][] = [['Impersonate-User', 'system:serviceaccount:ns:sa']];
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'];
  const legacy = await run(headers, ['impersonate serviceaccounts. ns sa']);
  assert.deepEqual(legacy.user?.groups, groups);
  const own = await run(headers, [
    'impersonate-on:serviceaccount:list pods. ns ',
    'impersonate:serviceaccount serviceaccounts.authentication.k8s.io ns sa',
  ]);
  assert.deepEqual(own.user?.groups, groups);
});

test('a pod impersonates its own node with one right for all nodes', async () => {
  const agent: User = {
    name: 'system:serviceaccount:ns:agent',
    groups: [],
    extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
  };
  const rights = [
    'impersonate-on:associated-node:list pods. ns ',
    'impersonate:associated-node nodes.authentication.k8s.io  *',
  ];
  const mine = await run([['Impersonate-User', 'system:node:n1']], rights, agent);
  assert.deepEqual(mine.user, { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] });
  assert.ok((await run([['Impersonate-User', 'system:node:n2']], rights, agent)).error);
});

test('constrained modes never give system:masters, the plain verb may', async () => {
  const headers: [string, string][] = [
    ['Impersonate-User', 'jane'],
    ['Impersonate-Group', 'system:masters'],
  ];
  const constrained = await run(headers, [
    'impersonate-on:user-info:list pods. ns ',
    'impersonate:user-info users.authentication.k8s.io  jane',
    'impersonate:user-info groups.authentication.k8s.io  system:masters',
  ]);
  assert.match(constrained.error ?? '', /impersonating the system:masters group is not allowed/);
  const plain = await run(headers, ['impersonate users.  jane', 'impersonate groups.  system:masters']);
  assert.deepEqual(plain.user?.groups, ['system:masters', 'system:authenticated']);
});

test('anonymous is unauthenticated', async () => {
  const { user } = await run([['Impersonate-User', 'system:anonymous']], ['impersonate users.  system:anonymous']);
  assert.deepEqual(user?.groups, ['system:unauthenticated']);
});
