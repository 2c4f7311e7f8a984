import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { bench } from '../testing.ts';

const NS = '/api/v1/namespaces/default';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const pod = (name: string) => ({
  metadata: { name, labels: { app: 'a' } },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'i' }] },
});
const bind = (name: string, node: string) => ({
  metadata: { name, annotations: { note: 'x' } },
  target: { kind: 'Node', name: node },
});

test('a pod is bound once', async () => {
  const b = await bench();
  await b.ask('POST', `${NS}/pods`, pod('p'));
  const done = await b.ask('POST', `${NS}/pods/p/binding`, bind('p', 'n1'));
  assert.deepEqual([done.code, done.body.status], [201, 'Success']);
  const { body } = await b.ask('GET', `${NS}/pods/p`);
  assert.deepEqual([at(body, 'spec.nodeName'), at(body, 'metadata.annotations.note')], ['n1', 'x']);
  assert.equal((at(body, 'status.conditions') as KubeObject[]).find((c) => c.type === 'PodScheduled')?.status, 'True');
  const again = await b.ask('POST', `${NS}/bindings`, bind('p', 'n2'));
  assert.deepEqual(
    [again.code, again.body.message],
    [409, 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'],
  );
});

test('an eviction takes from the budget and is refused when nothing is left', async () => {
  const b = await bench();
  const running = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
  for (const name of ['p', 'q']) {
    await b.ask('POST', `${NS}/pods`, pod(name));
    await b.ask('POST', `${NS}/pods/${name}/binding`, bind(name, 'n1'));
    assert.equal((await b.ask('PATCH', `${NS}/pods/${name}/status`, running, MERGE)).code, 200);
  }
  const PDBS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  await b.ask('POST', PDBS, {
    metadata: { name: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'a' } } },
  });
  const status = {
    disruptionsAllowed: 1,
    currentHealthy: 2,
    desiredHealthy: 1,
    expectedPods: 2,
    observedGeneration: 1,
  };
  assert.equal((await b.ask('PATCH', `${PDBS}/b/status`, { status }, MERGE)).code, 200);
  const evict = (name: string) => b.ask('POST', `${NS}/pods/${name}/eviction`, { metadata: { name } });
  assert.equal((await evict('p')).code, 201);
  assert.equal((await b.ask('GET', `${NS}/pods/p`)).code, 404);
  const refused = await evict('q');
  assert.deepEqual(
    [refused.code, refused.body.message, at(refused.body, 'details.causes')],
    [
      429,
      "Cannot evict pod as it would violate the pod's disruption budget.",
      [{ reason: 'DisruptionBudget', message: 'The disruption budget b does not allow evicting pods currently' }],
    ],
  );
  const budget = await b.ask('GET', `${PDBS}/b`);
  assert.equal(at(budget.body, 'status.disruptionsAllowed'), 0);
  assert.ok(at(budget.body, 'status.disruptedPods.p'));
});

test('reviews answer from the authorizers', async () => {
  const b = await bench();
  const mine = await b.ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
  });
  assert.deepEqual([mine.code, at(mine.body, 'status.allowed')], [201, true]);
  const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const table = await b.ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { spec: {} }, accept);
  assert.equal(table.code, 406);
  const who = await b.ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  assert.equal(at(who.body, 'status.userInfo.username'), 'admin');
  const nothing = await b.ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { spec: {} });
  assert.equal(nothing.code, 422);
});

test('Services get addresses of their own, and one that is wanted is taken once', async () => {
  const b = await bench();
  const create = (name: string, clusterIP?: string) =>
    b.ask('POST', `${NS}/services`, {
      metadata: { name },
      spec: { ports: [{ port: 80 }], ...(clusterIP ? { clusterIP } : {}) },
    });
  const [one, two] = [await create('one'), await create('two')].map((r) => at(r.body, 'spec.clusterIP'));
  assert.match(String(one), /^10\.96\.\d+\.\d+$/);
  assert.notEqual(one, two);
  const taken = await create('three', String(one));
  assert.equal(taken.code, 422);
  assert.match(String(taken.body.message), /provided IP is already allocated/);
  assert.equal((await b.ask('DELETE', `${NS}/services/one`)).code, 200);
  assert.equal((await create('three', String(one))).code, 201);
});

test('scale speaks for the replicas of its object', async () => {
  const b = await bench();
  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
  const labels = { app: 'a' };
  await b.ask('POST', DEPLOYMENTS, {
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  const scale = await b.ask('GET', `${DEPLOYMENTS}/d/scale`);
  assert.deepEqual(
    [scale.body.kind, at(scale.body, 'spec.replicas'), at(scale.body, 'status.selector')],
    ['Scale', 1, 'app=a'],
  );
  const put = await b.ask('PUT', `${DEPLOYMENTS}/d/scale`, { ...scale.body, spec: { replicas: 4 } });
  assert.deepEqual([put.code, at(put.body, 'spec.replicas')], [200, 4]);
  const stale = await b.ask('PUT', `${DEPLOYMENTS}/d/scale`, { ...scale.body, spec: { replicas: 5 } });
  assert.equal(stale.code, 409);
  const { body } = await b.ask('GET', `${DEPLOYMENTS}/d`);
  assert.deepEqual([at(body, 'spec.replicas'), body.metadata.generation], [4, 2]);
});

test('status changes status, and the main resource everything else', async () => {
  const b = await bench();
  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
  const labels = { app: 'a' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await b.ask('POST', DEPLOYMENTS, {
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: labels }, template },
    status: { replicas: 9 },
  });
  const both = { spec: { replicas: 3 }, status: { replicas: 2, updatedReplicas: 2 } };
  const status = await b.ask('PATCH', `${DEPLOYMENTS}/d/status`, both, MERGE);
  assert.deepEqual([at(status.body, 'spec.replicas'), at(status.body, 'status.replicas')], [1, 2]);
  const main = await b.ask('PATCH', `${DEPLOYMENTS}/d`, { ...both, status: { replicas: 7 } }, MERGE);
  assert.deepEqual([at(main.body, 'spec.replicas'), at(main.body, 'status.replicas')], [3, 2]);
});
