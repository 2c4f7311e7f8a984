import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chain } from '../../api/admission/index.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at } from '../../kube/meta/object.ts';
import { resourcequota } from '../../workers/controllers/resourcequota.ts';
import { type LoopCluster, loopCluster } from './loops.ts';

// Quotas from both sides: the API charges them, the controller counts; cases of kubernetes test/e2e/apimachinery/resource_quota.go.

const NS = '/api/v1/namespaces/default';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const admission = chain.filter((p) => p.name === 'ResourceQuota');
const cluster = () => loopCluster([resourcequota], { admission });
const pod = (name: string, resources: JsonObject = {}) => ({
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'i', resources }] },
});
const quota = (c: LoopCluster, spec: JsonObject, name = 'q') =>
  c.ask('POST', `${NS}/resourcequotas`, { metadata: { name }, spec });
const used = async (c: LoopCluster, name = 'q'): Promise<JsonObject> =>
  (at(await c.get(`${NS}/resourcequotas/${name}`), 'status.used') ?? {}) as JsonObject;
const post = (c: LoopCluster, plural: string, body: JsonObject) => c.b.ask('POST', `${NS}/${plural}`, body);

describe('a quota', () => {
  it('counts what is there before it refuses anything, and what comes in the commit that makes it', async () => {
    const c = await cluster();
    await c.ask('POST', `${NS}/pods`, pod('a', { requests: { cpu: '100m' } }));
    await quota(c, { hard: { pods: '3', 'requests.cpu': '1', 'count/configmaps': '2' } });
    assert.deepEqual(await used(c), {});
    await c.settle(3, 1_000);
    assert.deepEqual(await used(c), { pods: '1', 'requests.cpu': '100m', 'count/configmaps': '0' });
    await c.ask('POST', `${NS}/pods`, pod('b', { requests: { cpu: '700m' } }));
    await c.ask('POST', `${NS}/configmaps`, { metadata: { name: 'm' } });
    assert.deepEqual(await used(c), { pods: '2', 'requests.cpu': '800m', 'count/configmaps': '1' });
    const refused = await post(c, 'pods', pod('c', { requests: { cpu: '300m' } }));
    assert.deepEqual(
      [refused.code, refused.body.reason, refused.body.message],
      [
        403,
        'Forbidden',
        'pods "c" is forbidden: exceeded quota: q, requested: requests.cpu=300m, used: requests.cpu=800m, limited: requests.cpu=1',
      ],
    );
    const silent = await post(c, 'pods', pod('d'));
    assert.equal(silent.body.message, 'pods "d" is forbidden: failed quota: q: must specify requests.cpu for: c');
    assert.deepEqual(await used(c), { pods: '2', 'requests.cpu': '800m', 'count/configmaps': '1' });
  });

  it('is given back what goes, and what ends', async () => {
    const c = await cluster();
    await quota(c, { hard: { pods: '2', 'count/pods': '9', secrets: '5' } });
    await c.settle(3, 1_000);
    for (const name of ['a', 'b']) await c.ask('POST', `${NS}/pods`, pod(name));
    await c.ask('POST', `${NS}/secrets`, { metadata: { name: 's' } });
    assert.deepEqual(await used(c), { pods: '2', 'count/pods': '2', secrets: '1' });
    await c.b.ask('PATCH', `${NS}/pods/a/status`, { status: { phase: 'Succeeded' } }, MERGE);
    await c.ask('DELETE', `${NS}/secrets/s`);
    await c.settle(3, 1_000);
    assert.deepEqual(await used(c), { pods: '1', 'count/pods': '2', secrets: '0' });
    await c.ask('DELETE', `${NS}/pods/b`);
    await c.settle(3, 1_000);
    assert.deepEqual(await used(c), { pods: '0', 'count/pods': '1', secrets: '0' });
  });

  it('is never passed by many who come at once, and lets in as many as fit', async () => {
    const c = await cluster();
    await quota(c, { hard: { 'count/configmaps': '5' } });
    await c.settle(3, 1_000);
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, i) => post(c, 'configmaps', { metadata: { name: `m${i}` } })),
    );
    assert.deepEqual(made.map((r) => r.code).sort(), [...Array(5).fill(201), ...Array(7).fill(403)]);
    assert.deepEqual(await used(c), { 'count/configmaps': '5' });
  });

  it('charges nothing for what is refused, dry, or not counted, and never more than one name', async () => {
    const c = await cluster();
    await quota(c, { hard: { 'count/configmaps': '5' } });
    await c.settle(3, 1_000);
    await c.ask('POST', `${NS}/configmaps`, { metadata: { name: 'm' } });
    assert.equal((await post(c, 'configmaps', { metadata: { name: 'm' } })).code, 409);
    assert.equal((await post(c, 'configmaps?dryRun=All', { metadata: { name: 'n' } })).code, 201);
    assert.equal((await post(c, 'secrets', { metadata: { name: 's' } })).code, 201);
    assert.equal((await c.b.ask('PATCH', `${NS}/configmaps/m`, { data: { a: 'b' } }, MERGE)).code, 200);
    assert.deepEqual(await used(c), { 'count/configmaps': '1' });
  });

  it('counts a Service by what it is: a change of its type is charged, and given back', async () => {
    const c = await cluster();
    await quota(c, { hard: { services: '5', 'services.nodeports': '1', 'services.loadbalancers': '0' } });
    await c.settle(3, 1_000);
    const service = { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } };
    await c.ask('POST', `${NS}/services`, service);
    assert.deepEqual(await used(c), { services: '1', 'services.nodeports': '0', 'services.loadbalancers': '0' });
    await c.merge(`${NS}/services/s`, { spec: { type: 'NodePort' } });
    assert.deepEqual(await used(c), { services: '1', 'services.nodeports': '1', 'services.loadbalancers': '0' });
    const balanced = await c.b.ask('PATCH', `${NS}/services/s`, { spec: { type: 'LoadBalancer' } }, MERGE);
    assert.match(String(balanced.body.message), /exceeded quota: q, requested: services.loadbalancers=1/);
    await c.merge(`${NS}/services/s`, { spec: { type: 'ClusterIP' } });
    await c.settle(3, 1_000);
    assert.deepEqual(await used(c), { services: '1', 'services.nodeports': '0', 'services.loadbalancers': '0' });
  });

  it('that is being counted misses nothing that comes meanwhile', async () => {
    const c = await cluster();
    await quota(c, { hard: { 'count/configmaps': '9' } });
    const { resourceVersion } = (await c.get(`${NS}/resourcequotas/q`)).metadata;
    await c.ask('POST', `${NS}/configmaps`, { metadata: { name: 'm' } });
    assert.notEqual((await c.get(`${NS}/resourcequotas/q`)).metadata.resourceVersion, resourceVersion);
    await c.settle(3, 1_000);
    assert.deepEqual(await used(c), { 'count/configmaps': '1' });
  });

  it('with a scope counts what is in it', async () => {
    const c = await cluster();
    await quota(c, { hard: { pods: '5' }, scopes: ['BestEffort'] }, 'best');
    await quota(c, { hard: { pods: '5' }, scopes: ['NotBestEffort'] }, 'rest');
    await c.settle(3, 1_000);
    await c.ask('POST', `${NS}/pods`, pod('a'));
    assert.deepEqual([await used(c, 'best'), await used(c, 'rest')], [{ pods: '1' }, { pods: '0' }]);
    await c.settle(3, 1_000);
    assert.deepEqual([await used(c, 'best'), await used(c, 'rest')], [{ pods: '1' }, { pods: '0' }]);
  });

  it('that changes is counted anew', async () => {
    const c = await cluster();
    await c.ask('POST', `${NS}/configmaps`, { metadata: { name: 'm' } });
    await quota(c, { hard: { pods: '5' } });
    await c.settle(3, 1_000);
    await c.merge(`${NS}/resourcequotas/q`, { spec: { hard: { pods: '6', configmaps: '9' } } });
    await c.settle(3, 1_000);
    const { status } = await c.get(`${NS}/resourcequotas/q`);
    assert.deepEqual(status, { hard: { configmaps: '9', pods: '6' }, used: { configmaps: '1', pods: '0' } });
  });
});

it('without a quota nothing is looked at, and a quota that is as it should be asks for nothing more', async () => {
  const c = await cluster();
  await c.ask('POST', `${NS}/pods`, pod('a'));
  await c.settle(3, 1_000);
  assert.equal(c.asked.length, 0);
  await quota(c, { hard: { pods: '3' } });
  await c.settle(4, 1_000);
  const { length } = c.asked;
  await c.settle(4, 1_000);
  assert.equal(c.asked.length, length);
});
