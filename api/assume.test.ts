import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMembers } from '../kube/store/members.ts';
import type { CommitOptions, Op, Stale } from '../kube/store/store.ts';
import { namespaceLifecycle } from './admission/namespacelifecycle.ts';
import { serviceAccount } from './admission/serviceaccount.ts';
import type { Authorizer, ClusterContext } from './attributes.ts';
import { createPolicyView } from './policy.ts';
import { type Bench, bench } from './testing.ts';

// What a request rests on, and what becomes of it when that changes.

const PODS = '/api/v1/namespaces/default/pods';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const SERVICES = '/api/v1/namespaces/default/services';
const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } });

async function codeAs(b: Bench, method: string, path: string, key: string, uid: string): Promise<number> {
  const user = { name: 'bound', groups: ['system:authenticated'], bound: [{ key, uid }] };
  const init = { method, headers: { 'content-type': 'application/json' } };
  const body = method === 'POST' ? { body: JSON.stringify({ metadata: { name: 'made' } }) } : {};
  const r = await b.api.handle(new Request(`https://test.example${path}`, { ...init, ...body }), b.cluster, { user });
  return r.status;
}

test('a credential counts as long as what it is bound to exists, and is 401 from then on', async () => {
  const b = await bench();
  const { body } = await b.ask('POST', ACCOUNTS, { metadata: { name: 'robot' } });
  const [key, uid] = ['serviceaccounts/default/robot', body.metadata.uid as string];
  const all: [string, string][] = [
    ['GET', '/api/v1/namespaces/default/configmaps'],
    ['GET', '/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1'],
    ['POST', '/api/v1/namespaces/default/configmaps'],
    ['DELETE', '/api/v1/namespaces/default/configmaps/made'],
    ['GET', '/api/v1/namespaces/default/configmaps/none'],
  ];
  const codes = [];
  for (const [method, path] of all) codes.push(await codeAs(b, method, path, key, uid));
  assert.deepEqual(codes, [200, 200, 201, 200, 404]);
  await b.ask('DELETE', `${ACCOUNTS}/robot`);
  for (const [method, path] of all) assert.equal(await codeAs(b, method, path, key, uid), 401, `${method} ${path}`);
  await b.ask('POST', ACCOUNTS, { metadata: { name: 'robot' } });
  assert.equal(await codeAs(b, 'GET', all[0]?.[1] ?? '', key, uid), 401, 'one of the same name is another');
});

test('what is revoked while a body is under way is refused, also where another request has taken that in', async () => {
  const key = 'serviceaccounts/default/robot';
  const needsRobot: Authorizer = {
    name: 'NeedsRobot',
    authorize: (user, _, view) => ({ allow: user.name !== 'late' || view.get(key) !== undefined, reason: '' }),
  };
  const b = await bench({ authorizers: [needsRobot] });
  await b.ask('POST', ACCOUNTS, { metadata: { name: 'robot' } });
  await b.ask('GET', ACCOUNTS);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: readable,
    duplex: 'half',
  };
  const request = new Request('https://test.example/api/v1/namespaces/default/configmaps', init as RequestInit);
  const late = b.api.handle(request, b.cluster, { user: { name: 'late', groups: ['system:authenticated'] } });
  await new Promise((resolve) => setTimeout(resolve, 5));
  await b.ask('DELETE', `${ACCOUNTS}/robot`);
  assert.equal((await b.ask('GET', ACCOUNTS)).code, 200);
  assert.equal(b.cluster.view.get(key), undefined, 'the View has moved');
  const writer = writable.getWriter();
  void writer.write(new TextEncoder().encode(JSON.stringify({ metadata: { name: 'made' } })));
  void writer.close();
  assert.equal((await late).status, 403);
});

test('what changed is learned of the main store when another store says that something has', async () => {
  const b = await bench({ admission: [namespaceLifecycle] });
  const askOf = async (cluster: ClusterContext, path: string, body: object) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
    return (await b.api.handle(new Request(`https://test.example${path}`, init), cluster, { user })).status;
  };
  await b.ask('GET', ACCOUNTS);
  const before = b.cluster.view.revision;
  // Another isolate makes a namespace: this View doesn't know, and the first to hear of it is the store of Leases.
  const other = createPolicyView();
  await askOf({ ...b.cluster, view: other }, '/api/v1/namespaces', { metadata: { name: 'new' } });
  assert.equal(b.cluster.view.revision, before);
  const leases = withMembers(b.store, {
    commit: async (ops: Op[], o: CommitOptions = {}) => {
      const { policy } = await b.store.confirm({});
      const stale: Stale = { ok: false, stale: true, policy, whole: false, changes: [], missing: [], elsewhere: true };
      return (o.assume?.policy ?? policy) < policy ? stale : b.store.commit(ops, o);
    },
  });
  const cluster = { ...b.cluster, store: (r: string) => (r.startsWith('leases') ? leases : b.store) };
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' } };
  const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  assert.equal(await askOf(cluster, path, lease), 201);
  assert.ok(b.cluster.view.revision > before);
  const made = { metadata: { name: 'made' } };
  assert.equal(await askOf(cluster, '/api/v1/namespaces/new/configmaps', made), 201);
});

/** Lets virtual time pass until the answer is there. */
async function passing<T>(b: Bench, answer: Promise<T>, ms: number, then: () => Promise<unknown>): Promise<T> {
  let done = false;
  void answer.finally(() => {
    done = true;
  });
  for (let passed = 0; !done; passed += 100) {
    if (passed === ms) await then();
    b.world.pass(100);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return answer;
}

test('a pod waits for the default ServiceAccount of a new namespace, no longer than two seconds', async () => {
  const b = await bench({ admission: [serviceAccount] });
  const came = await passing(b, b.ask('POST', PODS, pod('a')), 500, () =>
    b.ask('POST', ACCOUNTS, { metadata: { name: 'default' } }),
  );
  assert.equal(came.code, 201);
  const begin = b.world.now();
  const path = PODS.replace('default', 'other');
  const never = await passing(b, b.ask('POST', path, pod('a')), -1, async () => {});
  assert.equal(never.code, 403);
  assert.equal(
    never.body.message,
    'pods "a" is forbidden: error looking up service account other/default: serviceaccount "default" not found',
  );
  const waited = b.world.now() - begin;
  assert.ok(waited >= 900 && waited <= 2500, `waited ${waited} ms`);
});

test('what a Service gives up another may have at once', async () => {
  const b = await bench();
  const port = (nodePort: number) => ({ type: 'NodePort', ports: [{ port: 80, nodePort }] });
  const make = (name: string, spec: object) => b.ask('POST', SERVICES, { metadata: { name }, spec: { ...spec } });
  const merge = (spec: object, dry = '') =>
    b.ask('PATCH', `${SERVICES}/a${dry}`, { spec: { ...spec } }, { 'content-type': 'application/merge-patch+json' });
  const a = await make('a', { ...port(30500), clusterIP: '10.96.0.77' });
  assert.equal(a.code, 201, a.text);
  assert.equal((await make('b', port(30500))).code, 422, 'the port is taken');
  assert.equal((await merge(port(30501), '?dryRun=All')).code, 200);
  assert.equal((await make('b', port(30500))).code, 422, 'a dry run gives nothing up');
  assert.equal((await merge(port(30501))).code, 200);
  assert.equal((await make('b', port(30500))).code, 201, 'the old port is free');
  assert.equal((await make('c', port(30501))).code, 422, 'the new port is taken');
  const gone = await merge({ type: 'ExternalName', externalName: 'x.example', clusterIP: null, clusterIPs: null });
  assert.equal(gone.code, 200, gone.text);
  assert.equal((await make('c', { ...port(30501), clusterIP: '10.96.0.77' })).code, 201, 'address and port are free');
});

test('rows know the node they are for, and volumes their claim and Secrets', async () => {
  const b = await bench();
  const factsOf = async (path: string, key: string, body: object) => {
    const r = await b.ask('POST', path, body as never);
    assert.equal(r.code, 201, r.text);
    const page = await b.store.read({ from: key, to: `${key}\0` });
    return page.ok ? page.entries[0]?.facts : undefined;
  };
  const volume = {
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { namespace: 'default', name: 'c' },
      csi: {
        driver: 'd.example',
        volumeHandle: 'h',
        nodeStageSecretRef: { namespace: 'other', name: 'stage' },
        controllerPublishSecretRef: { namespace: 'other', name: 'controller' },
      },
    },
  };
  assert.deepEqual((await factsOf('/api/v1/persistentvolumes', 'persistentvolumes/v', volume))?.refs, [
    'persistentvolumeclaims/default/c',
    'secrets/other/stage',
  ]);
  const attachment = {
    metadata: { name: 'x' },
    spec: { attacher: 'd.example', nodeName: 'n1', source: { persistentVolumeName: 'v' } },
  };
  const facts = await factsOf(
    '/apis/storage.k8s.io/v1/volumeattachments',
    'volumeattachments.storage.k8s.io/x',
    attachment,
  );
  assert.equal(facts?.node, 'n1');
  const mirror = {
    ...pod('m'),
    metadata: { name: 'm', annotations: { 'kubernetes.io/config.mirror': 'x' } },
    spec: { ...pod('m').spec, nodeName: 'n1', imagePullSecrets: [{ name: 's' }] },
  };
  const own = await factsOf(PODS, 'pods/default/m', mirror);
  assert.deepEqual([own?.node, own?.refs], ['n1', undefined], 'a mirror pod opens nothing to its node');
});
