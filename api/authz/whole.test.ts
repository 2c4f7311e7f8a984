import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { parseApiVersion } from '../../kube/meta/object.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { baseLayer } from '../../kube/store/base/base.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import { MAX_OPS } from '../../kube/store/store.ts';
import { chain } from '../admission/index.ts';
import type { ClusterContext } from '../attributes.ts';
import { createAuthenticator } from '../authn/authenticate.ts';
import { signNodeToken } from '../authn/jwt.ts';
import { sha256Hex } from '../authn/text.ts';
import { bench } from '../testing.ts';
import { createAuthorizer } from './index.ts';

// Authentication, RBAC, Node authorizer and admission together, through the server, on the base layer.

const ISSUER = 'https://kubernetes.default.svc';

async function cluster() {
  const b = await bench({
    authenticators: [createAuthenticator()],
    authorizers: [createAuthorizer()],
    admission: chain,
  });
  // The bench's own namespaces are in the layer too.
  const rows = baseLayer().rows.filter((r) => r.key !== 'namespaces/default');
  for (let i = 0; i < rows.length; i += MAX_OPS) {
    const ops = rows.slice(i, i + MAX_OPS).map((r) => ({
      key: r.key,
      expect: 0,
      value: { text: r.text, version: r.version, schema: schemaOf(r.key, r.version) },
      facts: r.facts,
    }));
    assert.equal((await b.store.commit(ops)).ok, true);
  }
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const c: ClusterContext = {
    ...b.cluster,
    keys: {
      issuer: ISSUER,
      signing: [(await exportJWK(privateKey)) as JsonWebKey],
      ca: '',
      tokens: {
        [await sha256Hex('root')]: { name: 'root', groups: ['system:masters'] },
        [await sha256Hex('ann')]: { name: 'ann', groups: [] },
      },
    },
  };
  const ask = async (token: string, method: string, path: string, body?: JsonObject) => {
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const init: RequestInit = { method, headers };
    if (body) init.body = JSON.stringify(body);
    const r = await b.api(new Request(`https://test.example${path}`, init), c);
    const text = await r.text();
    const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : {};
    return { code: r.status, body: isObject(parsed) ? parsed : {}, text };
  };
  return { ask, c };
}
function schemaOf(key: string, apiVersion: string): string {
  const kind = kindByStorage(resourceOfKey(key))?.kind ?? '';
  return schemas.hash({ ...(parseApiVersion(apiVersion) ?? { group: '', version: 'v1' }), kind });
}
const binding = (user: string, role: string): JsonObject => ({
  metadata: { name: `${user}-${role}` },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
});
const ROLE_BINDINGS = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings';
const pod = (name: string, spec: JsonObject = {}): JsonObject => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});

test('rights come and go with bindings, and nobody grants more than they hold', async () => {
  const { ask } = await cluster();
  const list = () => ask('ann', 'GET', '/api/v1/namespaces/default/pods');
  const refused = await list();
  assert.equal(refused.code, 403);
  assert.equal(
    refused.body.message,
    'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  assert.equal((await ask('root', 'POST', ROLE_BINDINGS, binding('ann', 'admin'))).code, 201);
  assert.equal((await list()).code, 200);
  assert.equal((await ask('ann', 'POST', ROLE_BINDINGS, binding('bob', 'view'))).code, 201);
  const grab = await ask('ann', 'POST', ROLE_BINDINGS, binding('ann', 'cluster-admin'));
  assert.equal(grab.code, 403);
  assert.match(
    String(grab.body.message),
    /^rolebindings.rbac.authorization.k8s.io "ann-cluster-admin" is forbidden: user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n/,
  );
  assert.equal((await ask('root', 'DELETE', `${ROLE_BINDINGS}/ann-admin`)).code, 200);
  assert.equal((await list()).code, 403);
});

test('who is nobody, or says something false, is told so', async () => {
  const { ask } = await cluster();
  const bad = await ask('nonsense', 'GET', '/api/v1/pods');
  assert.deepEqual([bad.code, bad.body.message], [401, 'Unauthorized']);
  const anonymous = await ask('', 'GET', '/api/v1/pods');
  assert.equal(
    anonymous.body.message,
    'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
  );
  assert.equal((await ask('', 'GET', '/version')).code, 200);
  const path = await ask('', 'GET', '/metrics');
  assert.deepEqual(
    [path.code, path.body.message],
    [403, 'forbidden: User "system:anonymous" cannot get path "/metrics"'],
  );
});

test('a pod gets its account and priority; its token works until the account goes', async () => {
  const { ask } = await cluster();
  const absent = pod('p', { serviceAccountName: 'absent' });
  const missing = await ask('root', 'POST', '/api/v1/namespaces/default/pods', absent);
  assert.equal(
    missing.body.message,
    'pods "p" is forbidden: error looking up service account default/absent: serviceaccount "absent" not found',
  );
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  assert.equal((await ask('root', 'POST', accounts, { metadata: { name: 'default' } })).code, 201);
  const created = await ask(
    'root',
    'POST',
    '/api/v1/namespaces/default/pods',
    pod('p', { priorityClassName: 'system-cluster-critical' }),
  );
  assert.equal(created.code, 201, created.text);
  const spec = created.body.spec as JsonObject;
  assert.deepEqual([spec.serviceAccountName, spec.priority], ['default', 2000000000]);
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p' };
  const request = await ask('root', 'POST', `${accounts}/default/token`, { spec: { boundObjectRef } });
  assert.equal(request.code, 201, request.text);
  const { token } = request.body.status as { token: string };
  const self = () => ask(token, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  const me = ((await self()).body.status as { userInfo: JsonObject }).userInfo;
  assert.equal(me.username, 'system:serviceaccount:default:default');
  assert.equal((await ask('root', 'DELETE', `${accounts}/default`)).code, 200);
  assert.equal((await self()).code, 401);
});

test('a node registers itself and sees only its own', async () => {
  const { ask, c } = await cluster();
  const token = await signNodeToken({ name: 'n1', uid: '' }, 3_600, c);
  const node = { metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } }, spec: {}, status: {} };
  const registered = await ask(token, 'POST', '/api/v1/nodes', node);
  assert.equal(registered.code, 201, registered.text);
  assert.deepEqual((registered.body.spec as JsonObject).taints, [
    { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
  ]);
  assert.equal((await ask(token, 'GET', '/api/v1/nodes/n1')).code, 200);
  const other = await ask(token, 'GET', '/api/v1/nodes/n2');
  assert.equal(
    other.body.message,
    `nodes "n2" is forbidden: User "system:node:n1" cannot get resource "nodes" in API group "" at the cluster scope: node: node 'n1' cannot read 'n2', only its own Node object`,
  );
  assert.equal((await ask(token, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1')).code, 200);
  assert.equal((await ask(token, 'GET', '/api/v1/pods')).code, 403);
  for (const path of ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes'])
    assert.equal((await ask(token, 'GET', path)).code, 200, `${path}: its packet filter follows them`);
  assert.equal((await ask(token, 'GET', '/api/v1/namespaces')).code, 200, 'its DNS server follows them');
  assert.equal(
    (await ask('root', 'POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } })).code,
    201,
  );
  const secrets = '/api/v1/namespaces/default/secrets';
  for (const name of ['mine', 'theirs'])
    assert.equal((await ask('root', 'POST', secrets, { metadata: { name } })).code, 201);
  const volumes = [{ name: 's', secret: { secretName: 'mine' } }];
  const placed = await ask('root', 'POST', '/api/v1/namespaces/default/pods', pod('q', { nodeName: 'n1', volumes }));
  assert.equal(placed.code, 201, placed.text);
  assert.equal((await ask(token, 'GET', `${secrets}/mine`)).code, 200);
  assert.equal((await ask(token, 'GET', `${secrets}/theirs`)).code, 403);
  const tainted = await ask(token, 'PATCH', '/api/v1/nodes/n1', { spec: { taints: null } });
  assert.ok(tainted.code === 403 || tainted.code === 415, tainted.text);
});

test('namespaces guard their content', async () => {
  const { ask } = await cluster();
  const gone = await ask('root', 'POST', '/api/v1/namespaces/nowhere/configmaps', { metadata: { name: 'c' } });
  assert.deepEqual([gone.code, gone.body.message], [404, 'namespaces "nowhere" not found']);
  const immortal = await ask('root', 'DELETE', '/api/v1/namespaces/kube-system');
  assert.deepEqual(
    [immortal.code, immortal.body.message],
    [403, 'namespaces "kube-system" is forbidden: this namespace may not be deleted'],
  );
  assert.equal((await ask('root', 'DELETE', '/api/v1/namespaces/other')).code, 200);
  const late = await ask('root', 'POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: 'c' } });
  assert.equal(late.code, 403, late.text);
  assert.equal(
    late.body.message,
    'configmaps "c" is forbidden: unable to create new content in namespace other because it is being terminated',
  );
});
