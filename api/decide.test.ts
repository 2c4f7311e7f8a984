import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chain } from './admission/index.ts';
import type { ClusterContext } from './attributes.ts';
import { createAuthorizer } from './authz/index.ts';
import { createPolicyView } from './policy.ts';
import { bench } from './testing.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const BOB = { name: 'bob', groups: ['system:authenticated'] };

/** Two isolates of one cluster: one store, a View each. */
async function isolates() {
  const a = await bench({ authorizers: [createAuthorizer()], admission: chain });
  const other: ClusterContext = { ...a.cluster, view: createPolicyView() };
  const ask = async (cluster: ClusterContext, method: string, path: string, body?: object) => {
    const init: RequestInit = { method, headers: { 'content-type': 'application/json' } };
    if (body) init.body = JSON.stringify(body);
    const r = await a.api.handle(new Request(`https://x${path}`, init), cluster, { user: BOB });
    return { code: r.status, body: (await r.json()) as { message?: string } };
  };
  return { a, ask, other };
}
const grant = (verbs: string[]) => ({
  role: {
    metadata: { name: 'r', namespace: 'default' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs }],
  },
  binding: {
    metadata: { name: 'b', namespace: 'default' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
  },
});
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

test('a right that was given elsewhere counts at once, and one that was taken does not', async () => {
  const { a, ask, other } = await isolates();
  assert.equal((await ask(other, 'GET', CONFIGMAPS)).code, 403);
  const { role, binding } = grant(['list', 'create']);
  assert.equal((await a.ask('POST', `${RBAC}/namespaces/default/roles`, role)).code, 201);
  assert.equal((await a.ask('POST', `${RBAC}/namespaces/default/rolebindings`, binding)).code, 201);
  assert.equal((await ask(other, 'GET', CONFIGMAPS)).code, 200);
  assert.equal((await ask(other, 'POST', CONFIGMAPS, { metadata: { name: 'x' } })).code, 201);
  assert.equal((await a.ask('DELETE', `${RBAC}/namespaces/default/rolebindings/b`)).code, 200);
  assert.equal((await ask(other, 'POST', CONFIGMAPS, { metadata: { name: 'y' } })).code, 403);
  assert.equal((await a.ask('GET', `${CONFIGMAPS}/y`)).code, 404);
});

test('a namespace that was made elsewhere is there at once', async () => {
  const { a, other } = await isolates();
  const late = { ...other };
  const admin = { user: { name: 'admin', groups: ['system:masters'] } };
  const post = (namespace: string) =>
    a.api.handle(
      new Request(`https://x/api/v1/namespaces/${namespace}/configmaps`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"metadata":{"name":"x"}}',
      }),
      late,
      admin,
    );
  assert.equal((await post('new')).status, 404);
  await a.ask('POST', '/api/v1/namespaces', { metadata: { name: 'new' } });
  assert.equal((await post('new')).status, 201);
});

test('a View that is always behind ends in an answer, not in a loop', async () => {
  const { a, other } = await isolates();
  const view = createPolicyView();
  // It takes nothing in.
  view.apply = () => {
    view.revision = 1;
  };
  const stubborn = { ...other, view };
  const r = await a.api.handle(new Request(`https://x${CONFIGMAPS}`), stubborn, { user: BOB });
  assert.equal(r.status, 500);
  assert.equal(r.headers.get('retry-after'), '1');
});
