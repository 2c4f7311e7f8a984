import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { cronjob } from '../../workers/controllers/cronjob.ts';
import { endpoints } from '../../workers/controllers/endpoints.ts';
import { endpointslice } from '../../workers/controllers/endpointslice.ts';
import { garbagecollector } from '../../workers/controllers/garbagecollector.ts';
import { job } from '../../workers/controllers/job.ts';
import { podgc } from '../../workers/controllers/podgc.ts';
import { replicaset } from '../../workers/controllers/replicaset.ts';
import { tainteviction } from '../../workers/controllers/tainteviction.ts';
import { ttlafterfinished } from '../../workers/controllers/ttlafterfinished.ts';
import { type LoopCluster, loopCluster } from './loops.ts';

// Controllers over the API's whole chain: what they write is taken, and what comes of it brings them on.

const PODS = '/api/v1/namespaces/default/pods';
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const all = () =>
  loopCluster([
    replicaset,
    endpointslice,
    endpoints,
    garbagecollector,
    job,
    ttlafterfinished,
    cronjob,
    podgc,
    tainteviction,
  ]);
const template = (labels: JsonObject, more: JsonObject = {}) => ({
  metadata: { labels },
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }], ...more },
});
async function node(c: LoopCluster, name = 'n'): Promise<void> {
  await c.ask('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'topology.kubernetes.io/zone': 'z' } },
  });
}
/** As scheduler and agent would: every pod gets a node, an address, and ends as it is told. */
async function run(
  c: LoopCluster,
  phase: 'Running' | 'Succeeded' | 'Failed',
  only: (p: KubeObject) => boolean = () => true,
): Promise<void> {
  for (const [i, p] of (await c.list(PODS)).entries()) {
    const over = ['Succeeded', 'Failed'].includes(String((p.status as JsonObject).phase));
    if (over || !only(p)) continue;
    const path = `${PODS}/${p.metadata.name}`;
    if (!(p.spec as JsonObject).nodeName)
      await c.ask('POST', `${path}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: p.metadata.name ?? '' },
        target: { kind: 'Node', name: 'n' },
      });
    const ip = `10.0.0.${i + 1}`;
    const ready = { type: 'Ready', status: phase === 'Running' ? 'True' : 'False' };
    await c.merge(`${path}/status`, { status: { phase, podIP: ip, podIPs: [{ ip }], conditions: [ready] } });
  }
}
/** Pods that are being deleted are gone, as the agent ends them. */
async function end(c: LoopCluster): Promise<void> {
  for (const p of await c.list(PODS))
    if (p.metadata.deletionTimestamp) await c.ask('DELETE', `${PODS}/${p.metadata.name}`, { gracePeriodSeconds: 0 });
}
const conditions = (o: KubeObject) =>
  (((o.status as JsonObject).conditions ?? []) as { type: string; status: string }[]).map(
    (x) => `${x.type} ${x.status}`,
  );

describe('a Service', () => {
  it('has its pods as endpoints as long as they are ready, and takes everything along when it goes', async () => {
    const c = await all();
    await node(c);
    const spec = {
      replicas: 3,
      selector: { matchLabels: { a: 'b' } },
      template: template({ a: 'b' }, { restartPolicy: 'Always' }),
    };
    await c.ask('POST', '/apis/apps/v1/namespaces/default/replicasets', {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web' },
      spec,
    });
    await c.ask('POST', '/api/v1/namespaces/default/services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { selector: { a: 'b' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await c.settle(2, 1_000);
    await run(c, 'Running');
    await c.settle(2, 1_000);
    const slices = () => c.list('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices');
    const shown = async () =>
      (await slices())
        .flatMap((s) =>
          ((s.endpoints ?? []) as JsonObject[]).map(
            (e) => `${(e.addresses as string[])[0]} ${(e.conditions as JsonObject).ready} ${e.zone}`,
          ),
        )
        .sort();
    assert.deepEqual(await shown(), ['10.0.0.1 true z', '10.0.0.2 true z', '10.0.0.3 true z']);
    const subsets = async () => (await c.get('/api/v1/namespaces/default/endpoints/s')).subsets as JsonObject[];
    assert.deepEqual((await subsets())[0]?.ports, [{ port: 8080, protocol: 'TCP' }]);
    const [first] = await c.list(PODS);
    await c.merge(`${PODS}/${first?.metadata.name}/status`, {
      status: { conditions: [{ type: 'Ready', status: 'False' }] },
    });
    await c.settle(2, 1_000);
    assert.equal((await shown()).filter((t) => t.includes('false')).length, 1);
    assert.equal(((await subsets())[0]?.notReadyAddresses as unknown[] | undefined)?.length, 1);
    // It leaves the Service with its label.
    await c.merge(`${PODS}/${first?.metadata.name}`, { metadata: { labels: { a: 'x' } } });
    await c.settle(1, 1_000);
    assert.equal(
      (await shown()).some((t) => t.includes('false')),
      false,
    );
    await c.ask('DELETE', '/api/v1/namespaces/default/services/s');
    await c.settle(3, 1_000);
    assert.deepEqual([await slices(), (await c.rows('endpoints/default/s')).length], [[], 0]);
    await c.ask('DELETE', '/apis/apps/v1/namespaces/default/replicasets/web');
    await c.settle(3, 1_000);
    await end(c);
    assert.deepEqual(
      (await c.list(PODS)).map((p) => p.metadata.labels?.a),
      ['x'],
    );
    assert.deepEqual(c.refused, []);
  });
});

describe('a Job', () => {
  const make = (c: LoopCluster, spec: JsonObject, name = 'j') =>
    c.ask('POST', JOBS, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name },
      spec: { template: template({}), ...spec },
    });
  it('runs its pods, counts each once, is complete, and goes when its time is over', async () => {
    const c = await all();
    await node(c);
    await make(c, { completions: 3, parallelism: 2, completionMode: 'Indexed', ttlSecondsAfterFinished: 100 });
    await c.settle(1, 1_000);
    assert.equal((await c.list(PODS)).length, 2);
    for (let i = 0; i < 2; i++) {
      await run(c, 'Succeeded');
      await c.settle(3, 1_000);
    }
    const done = await c.get(`${JOBS}/j`);
    const { succeeded, completedIndexes, uncountedTerminatedPods, active } = done.status as JsonObject;
    assert.deepEqual([succeeded, completedIndexes, uncountedTerminatedPods, active], [3, '0-2', {}, undefined]);
    assert.deepEqual(conditions(done), ['SuccessCriteriaMet True', 'Complete True']);
    assert.ok((await c.list(PODS)).every((p) => p.metadata.finalizers === undefined));
    await c.settle(6, 60_000);
    assert.deepEqual([await c.list(JOBS), await c.list(PODS), c.refused], [[], [], []]);
  });
  it('fails when its pods fail too often, and its pods that run end', async () => {
    const c = await all();
    await node(c);
    await make(c, { parallelism: 2, completions: 2, backoffLimit: 0 });
    await c.settle(1, 1_000);
    await run(c, 'Running');
    const [first] = await c.list(PODS);
    await run(c, 'Failed', (p) => p.metadata.name === first?.metadata.name);
    await c.settle(3, 1_000);
    assert.deepEqual(conditions(await c.get(`${JOBS}/j`)), ['FailureTarget True']);
    await end(c);
    await c.settle(3, 1_000);
    const over = await c.get(`${JOBS}/j`);
    assert.deepEqual(conditions(over), ['FailureTarget True', 'Failed True']);
    assert.deepEqual([(over.status as JsonObject).failed, c.refused], [2, []]);
  });
  it('that is deleted takes its pods along, also those that it had not counted', async () => {
    const c = await all();
    await node(c);
    await make(c, { parallelism: 2, completions: 2 });
    await c.settle(1, 1_000);
    await run(c, 'Running');
    await c.ask('DELETE', `${JOBS}/j`, { propagationPolicy: 'Background' });
    await c.settle(3, 1_000);
    await end(c);
    await c.settle(2, 1_000);
    assert.deepEqual([await c.list(PODS), (await c.rows('garbage/')).length, c.refused], [[], 0, []]);
  });
  it('that is suspended ends its pods, and goes on', async () => {
    const c = await all();
    await node(c);
    await make(c, { parallelism: 2, completions: 2 });
    await c.settle(1, 1_000);
    await run(c, 'Running');
    await c.merge(`${JOBS}/j`, { spec: { suspend: true } });
    await c.settle(2, 1_000);
    await end(c);
    await c.settle(2, 1_000);
    const still = await c.get(`${JOBS}/j`);
    assert.deepEqual(
      [await c.list(PODS), conditions(still), (still.status as JsonObject).startTime],
      [[], ['Suspended True'], undefined],
    );
    await c.merge(`${JOBS}/j`, { spec: { suspend: false } });
    await c.settle(1, 1_000);
    assert.deepEqual([(await c.list(PODS)).length, c.refused], [2, []]);
  });
});

describe('a CronJob', () => {
  it('makes a Job each minute, knows which run, and keeps so many', async () => {
    const c = await all();
    await node(c);
    const path = '/apis/batch/v1/namespaces/default/cronjobs';
    const spec = {
      schedule: '* * * * *',
      successfulJobsHistoryLimit: 1,
      jobTemplate: { spec: { template: template({}) } },
    };
    await c.ask('POST', path, { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'c' }, spec });
    await c.settle(1, 61_000);
    await c.settle(2, 1_000);
    const [first] = await c.list(JOBS);
    const status = (await c.get(`${path}/c`)).status as JsonObject;
    assert.deepEqual(
      ((status.active ?? []) as { name: string; uid: string }[]).map((a) => [a.name, a.uid]),
      [[first?.metadata.name, first?.metadata.uid]],
    );
    for (let i = 0; i < 3; i++) {
      await run(c, 'Succeeded');
      await c.settle(4, 1_000);
      await c.settle(1, 60_000);
      await c.settle(2, 1_000);
    }
    const jobs = await c.list(JOBS);
    assert.deepEqual([jobs.length, jobs.filter((j) => conditions(j).includes('Complete True')).length], [2, 1]);
    assert.ok(((await c.get(`${path}/c`)).status as JsonObject).lastSuccessfulTime);
    await c.ask('DELETE', `${path}/c`, { propagationPolicy: 'Background' });
    await c.settle(4, 1_000);
    await end(c);
    await c.settle(2, 1_000);
    assert.deepEqual([await c.list(JOBS), await c.list(PODS), c.refused], [[], [], []]);
  });
});

describe('a node', () => {
  const pod = (c: LoopCluster, name: string, spec: JsonObject = {}) =>
    c.ask('POST', PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { ...template({}).spec, nodeName: 'n', ...spec },
    });
  const names = async (c: LoopCluster) =>
    (await c.list(PODS)).filter((p) => !p.metadata.deletionTimestamp).map((p) => p.metadata.name);
  it('that is tainted loses the pods that do not tolerate it, each in its time', async () => {
    const c = await all();
    await node(c);
    const tolerations = (tolerationSeconds?: number) => ({
      tolerations: [
        {
          key: 'k',
          operator: 'Exists',
          effect: 'NoExecute',
          ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
        },
      ],
    });
    await pod(c, 'none');
    await pod(c, 'ever', tolerations());
    await pod(c, 'while', tolerations(100));
    await c.settle(1, 1_000);
    await c.merge('/api/v1/nodes/n', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } });
    await c.settle(2, 30_000);
    assert.deepEqual(await names(c), ['ever', 'while']);
    await c.settle(2, 30_000);
    await c.settle(2, 30_000);
    assert.deepEqual(await names(c), ['ever']);
    const gone = await c.get(`${PODS}/while`);
    assert.deepEqual(
      conditions(gone).filter((x) => x.startsWith('Disruption')),
      ['DisruptionTarget True'],
    );
    assert.deepEqual(c.refused, []);
  });
  it('that has gone loses its pods after a while', async () => {
    const c = await all();
    await node(c);
    await pod(c, 'a');
    await c.settle(1, 1_000);
    await c.ask('DELETE', '/api/v1/nodes/n');
    await c.settle(2, 10_000);
    assert.deepEqual(await names(c), ['a']);
    await c.settle(3, 30_000);
    assert.deepEqual([await c.list(PODS), c.refused], [[], []]);
  });
});
