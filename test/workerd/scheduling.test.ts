import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane, type Workerd } from './start.ts';

// What the conformance tests of [sig-scheduling] do, on the whole control plane: API, store, scheduler and controllers. The node is played.

const WAIT_MS = 30_000;
const RENEW_MS = 5_000;
const NODE = 'node-1';
const FOO = 'scheduling.k8s.io/foo';

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}
interface Pod {
  metadata: { name: string; namespace: string; uid: string; deletionTimestamp?: string };
  spec: { nodeName?: string; priority?: number };
  status?: { phase?: string; conditions?: Condition[]; nominatedNodeName?: string };
}
interface Answer<T> {
  code: number;
  body: T;
}

let workerd: Workerd;
let cluster: { url: string; token: string };
let playing = true;
let played: Promise<void> = Promise.resolve();
/** Names of pods that have come, each once. */
const seen = new Set<string>();

async function call<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Answer<T>> {
  const response = await fetch(cluster.url + path, {
    method,
    headers: { authorization: `Bearer ${cluster.token}`, 'content-type': type },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { code: response.status, body: (await response.json()) as T };
}
async function ok<T>(method: string, path: string, body?: unknown, type?: string): Promise<T> {
  const answer = await call<T>(method, path, body, type);
  assert.ok(answer.code < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const STRATEGIC = 'application/strategic-merge-patch+json';
async function until<T>(what: string, found: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    const value = await found();
    if (value) return value;
    await delay(50);
  }
  throw new Error(`${what} did not come to be`);
}

/** Nodes without a tunnel live by their Leases. */
async function renew(): Promise<void> {
  const { items } = await ok<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/nodes');
  for (const { metadata } of items) {
    const spec = {
      holderIdentity: metadata.name,
      leaseDurationSeconds: 40,
      renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
    };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: metadata.name }, spec };
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    if ((await call('PATCH', `${path}/${metadata.name}`, { spec }, STRATEGIC)).code === 404)
      await ok('POST', path, lease);
  }
}
/** A kubelet that runs whatever is bound, and takes a moment to end it. */
async function play(): Promise<void> {
  const dying = new Map<string, number>();
  let renewed = 0;
  while (playing) {
    if (Date.now() - renewed > RENEW_MS) {
      renewed = Date.now();
      await renew();
    }
    const { items } = await ok<{ items: Pod[] }>('GET', '/api/v1/pods');
    for (const { metadata: m, spec, status } of items) {
      seen.add(`${m.namespace}/${m.name}`);
      const path = `/api/v1/namespaces/${m.namespace}/pods/${m.name}`;
      if (!spec.nodeName) continue;
      if (m.deletionTimestamp) {
        const since = dying.get(m.uid) ?? Date.now();
        dying.set(m.uid, since);
        if (Date.now() - since >= 200)
          await call('DELETE', path, { gracePeriodSeconds: 0, preconditions: { uid: m.uid } });
      } else if (status?.phase !== 'Running') {
        const conditions = ['Ready', 'ContainersReady', 'Initialized'].map((t) => ({ type: t, status: 'True' }));
        await call('PATCH', `${path}/status`, { status: { phase: 'Running', conditions } }, STRATEGIC);
      }
    }
    await delay(50);
  }
}

let space = 0;
let ns = '';
const podPath = (name: string, namespace = ns) => `/api/v1/namespaces/${namespace}/pods/${name}`;
const getPod = async (name: string, namespace = ns): Promise<Pod | undefined> => {
  const { code, body } = await call<Pod>('GET', podPath(name, namespace));
  return code === 404 ? undefined : body;
};
const condition = (p: Pod | undefined, type: string) => p?.status?.conditions?.find((c) => c.type === type);

function podOf(name: string, spec: object, requests: Record<string, string> = {}) {
  const container = { name: 'c', image: 'pause', resources: { requests, limits: requests } };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [container], ...spec } };
}
const createPod = (name: string, spec: object, requests?: Record<string, string>, namespace = ns) =>
  ok<Pod>('POST', `/api/v1/namespaces/${namespace}/pods`, podOf(name, spec, requests));
const running = (name: string, namespace = ns) =>
  until(`${name} running`, async () => {
    const p = await getPod(name, namespace);
    return p?.status?.phase === 'Running' && p;
  });
const failed = (name: string) =>
  until(`an Event that ${name} fits nowhere`, async () => {
    const { items } = await ok<{ items: { reason: string; message: string; involvedObject: { name: string } }[] }>(
      'GET',
      `/api/v1/namespaces/${ns}/events`,
    );
    return items.find((e) => e.reason === 'FailedScheduling' && e.involvedObject.name === name)?.message;
  });
const setResource = (name: string, amount: string) =>
  ok(
    'PATCH',
    `/api/v1/nodes/${NODE}/status`,
    { status: { capacity: { [name]: amount }, allocatable: { [name]: amount } } },
    STRATEGIC,
  );
async function priorities(values: Record<string, number>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const body = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
    await call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', body);
  }
}

before(async () => {
  workerd = await startControlPlane();
  const made = await fetch(`${workerd.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator', 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name: 'scheduling' } }),
  });
  const { status } = (await made.json()) as { status: { url: string; adminToken: string } };
  cluster = { url: status.url, token: status.adminToken };
  const labels = { 'kubernetes.io/hostname': NODE };
  await ok('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, labels } });
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' };
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }];
  const status_ = { capacity: amounts, allocatable: amounts, conditions };
  await ok('PATCH', `/api/v1/nodes/${NODE}/status`, { status: status_ }, STRATEGIC);
  played = play();
});
after(async () => {
  playing = false;
  await played;
  await workerd?.stop();
});
beforeEach(async () => {
  ns = `space-${++space}`;
  await ok('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } });
  await until(
    'the account of the namespace',
    async () => (await call('GET', `/api/v1/namespaces/${ns}/serviceaccounts/default`)).code === 200,
  );
});

describe('the scheduler in a cluster', () => {
  it('refuses what asks for more than is left, and tells of it', async () => {
    await createPod('filler', {}, { cpu: '2800m' });
    await running('filler');
    await createPod('additional', {}, { cpu: '2' });
    assert.match(await failed('additional'), /^0\/1 nodes are available: 1 Insufficient cpu\. preemption: 0\/1 nodes/);
    assert.equal(condition(await getPod('additional'), 'PodScheduled')?.reason, 'Unschedulable');
    await ok('DELETE', podPath('filler'));
    await running('additional');
    await ok('DELETE', podPath('additional'));
  });

  it('goes by labels of nodes, those that come later too', async () => {
    await createPod('picky', { nodeSelector: { label: 'nonempty' } });
    await failed('picky');
    await ok('PATCH', `/api/v1/nodes/${NODE}`, { metadata: { labels: { label: 'nonempty' } } }, STRATEGIC);
    assert.equal((await running('picky')).spec.nodeName, NODE);
    await ok('PATCH', `/api/v1/nodes/${NODE}`, { metadata: { labels: { label: null } } }, STRATEGIC);
  });

  it('puts the less important out for a critical pod', async () => {
    await priorities({ low: 1, medium: 100 });
    await setResource(FOO, '5');
    const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [NODE] }] }];
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
    await createPod('first', { priorityClassName: 'low', affinity }, { [FOO]: '2' });
    await createPod('second', { priorityClassName: 'medium', affinity }, { [FOO]: '2' });
    await Promise.all([running('first'), running('second')]);
    await createPod('critical', { priorityClassName: 'system-cluster-critical' }, { [FOO]: '2' }, 'kube-system');
    await running('critical', 'kube-system');
    assert.equal(await getPod('first'), undefined);
    assert.equal((await getPod('second'))?.status?.phase, 'Running');
    assert.equal((await getPod('critical', 'kube-system'))?.status?.nominatedNodeName, undefined);
    await ok('DELETE', podPath('critical', 'kube-system'));
  });

  it('tells whom it puts out why', async () => {
    await priorities({ low: 1, high: 1000 });
    await setResource('example.com/one', '1');
    await ok('POST', `/api/v1/namespaces/${ns}/pods`, {
      ...podOf('victim', { priorityClassName: 'low' }, { 'example.com/one': '1' }),
      metadata: { name: 'victim', finalizers: ['example.com/test-finalizer'] },
    });
    await running('victim');
    await createPod('preemptor', { priorityClassName: 'high' }, { 'example.com/one': '1' });
    const told = await until('the condition', async () => condition(await getPod('victim'), 'DisruptionTarget'));
    assert.deepEqual(
      [told.status, told.reason, told.message],
      ['True', 'PreemptionByScheduler', 'default-scheduler: preempting to accommodate a higher priority pod'],
    );
    await ok('PATCH', podPath('victim'), { metadata: { finalizers: null } }, 'application/merge-patch+json');
    await running('preemptor');
  });

  it('puts out as many pods of ReplicaSets as it must, once', async () => {
    await priorities({ p1: 1, p2: 2, p3: 3, p4: 4 });
    await setResource('example.com/fakecpu', '1000');
    const spec = (n: number, amount: string) => ({
      ...podOf(
        '',
        { priorityClassName: `p${n}`, nodeSelector: { 'kubernetes.io/hostname': NODE } },
        { 'example.com/fakecpu': amount },
      ).spec,
    });
    for (const [n, amount] of [
      [1, '200'],
      [2, '300'],
      [3, '450'],
    ] as const) {
      const labels = { name: `pod${n}` };
      await ok('POST', `/apis/apps/v1/namespaces/${ns}/replicasets`, {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name: `rs-pod${n}` },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: spec(n, amount) },
        },
      });
      await until(`rs-pod${n} available`, async () => {
        const rs = await ok<{ status?: { availableReplicas?: number } }>(
          'GET',
          `/apis/apps/v1/namespaces/${ns}/replicasets/rs-pod${n}`,
        );
        return rs.status?.availableReplicas === 1;
      });
    }
    await ok('POST', `/api/v1/namespaces/${ns}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'pod4' },
      spec: spec(4, '500'),
    });
    await until('pod4 on a node', async () => (await getPod('pod4'))?.spec.nodeName);
    const counts = () => [1, 2, 3].map((n) => [...seen].filter((name) => name.startsWith(`${ns}/rs-pod${n}-`)).length);
    await until('new pods of the sets', async () => counts().join() === '2,2,1');
    // Whoever was put out comes again and waits: nobody else goes for it.
    await until('both told that they wait', async () => {
      const { items } = await ok<{ items: Pod[] }>('GET', `/api/v1/namespaces/${ns}/pods`);
      return items.filter((p) => condition(p, 'PodScheduled')?.reason === 'Unschedulable').length === 2;
    });
    await delay(1500);
    assert.deepEqual(counts(), [2, 2, 1]);
  });
});

describe('among several nodes', () => {
  const others = ['node-2', 'node-3'];
  before(async () => {
    for (const name of others) {
      const labels = { 'kubernetes.io/hostname': name };
      await ok('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
      const amounts = { cpu: '4', memory: '8Gi', pods: '110' };
      const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }];
      await ok(
        'PATCH',
        `/api/v1/nodes/${name}/status`,
        { status: { capacity: amounts, allocatable: amounts, conditions } },
        STRATEGIC,
      );
    }
  });
  const nodesOf = async (prefix: string) => {
    const { items } = await ok<{ items: Pod[] }>('GET', `/api/v1/namespaces/${ns}/pods`);
    return items.filter((p) => p.metadata.name.startsWith(prefix)).map((p) => p.spec.nodeName ?? '');
  };
  const deploy = (name: string, replicas: number, spec: object) =>
    ok('POST', `/apis/apps/v1/namespaces/${ns}/deployments`, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: podOf('', spec).spec },
      },
    });

  it('pods that avoid one another each have their own, and one too many waits', async () => {
    const labelSelector = { matchLabels: { app: 'lone' } };
    const terms = [{ topologyKey: 'kubernetes.io/hostname', labelSelector }];
    await deploy('lone', 4, {
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
    });
    await until('three of four', async () => (await nodesOf('lone')).filter((n) => n !== '').length === 3);
    assert.deepEqual((await nodesOf('lone')).sort(), ['', NODE, ...others].sort());
    const { items } = await ok<{ items: Pod[] }>('GET', `/api/v1/namespaces/${ns}/pods`);
    const waits = items.find((p) => !p.spec.nodeName)?.metadata.name ?? '';
    assert.match(
      await failed(waits),
      /^0\/3 nodes are available: 3 node\(s\) didn't match pod anti-affinity rules\. preemption: /,
    );
    const placed = items.find((p) => p.spec.nodeName === 'node-2')?.metadata.name ?? '';
    await ok('DELETE', podPath(placed));
    // It, or the one that the ReplicaSet makes in place of the other.
    await until('another there', async () => !(await getPod(placed)) && (await nodesOf('lone')).includes('node-2'));
  });

  it('pods are spread, by what they say and by whom they belong to', async () => {
    const spread = {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'even' } },
    };
    await deploy('even', 6, { topologySpreadConstraints: [spread] });
    await deploy('plain', 3, {});
    await until(
      'all',
      async () => [...(await nodesOf('even')), ...(await nodesOf('plain'))].filter((n) => n !== '').length === 9,
    );
    assert.deepEqual((await nodesOf('even')).sort(), [NODE, NODE, 'node-2', 'node-2', 'node-3', 'node-3']);
    assert.deepEqual((await nodesOf('plain')).sort(), [NODE, 'node-2', 'node-3']);
  });

  it('a gate keeps a pod back', async () => {
    await createPod('gated', { schedulingGates: [{ name: 'example.com/a' }] });
    assert.equal(condition(await getPod('gated'), 'PodScheduled')?.reason, 'SchedulingGated');
    await ok('PATCH', podPath('gated'), { spec: { schedulingGates: null } }, 'application/merge-patch+json');
    await running('gated');
  });

  it('a claim that waits for its pod is told where it goes', async () => {
    await call('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'late' },
      provisioner: 'csi.example.com',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }];
    await createPod('user', { volumes, nodeSelector: { 'kubernetes.io/hostname': 'node-3' } });
    assert.match(await failed('user'), /persistentvolumeclaim "c" not found/);
    const claims = `/api/v1/namespaces/${ns}/persistentvolumeclaims`;
    const resources = { requests: { storage: '1Gi' } };
    await ok('POST', claims, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'c' },
      spec: { storageClassName: 'late', accessModes: ['ReadWriteOnce'], resources },
    });
    interface Claim {
      metadata: { uid: string; annotations?: Record<string, string> };
    }
    const claim = await until('the node in the claim', async () => {
      const c = await ok<Claim>('GET', `${claims}/c`);
      return c.metadata.annotations?.['volume.kubernetes.io/selected-node'] === 'node-3' && c;
    });
    assert.equal((await getPod('user'))?.spec.nodeName, undefined);
    // Whoever provisions makes the volume, and the binder binds it.
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace: ns,
      name: 'c',
      uid: claim.metadata.uid,
    };
    const required = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-3'] }] },
      ],
    };
    await ok('POST', '/api/v1/persistentvolumes', {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `v-${ns}` },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'late',
        claimRef,
        nodeAffinity: { required },
        csi: { driver: 'csi.example.com', volumeHandle: 'h' },
      },
    });
    const bound = {
      metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
      spec: { volumeName: `v-${ns}` },
    };
    await ok('PATCH', `${claims}/c`, bound, STRATEGIC);
    await ok('PATCH', `${claims}/c/status`, { status: { phase: 'Bound' } }, STRATEGIC);
    assert.equal((await running('user')).spec.nodeName, 'node-3');
  });

  it('a budget sends others away', async () => {
    await priorities({ low: 1, high: 1000 });
    for (const [app, node] of [
      ['guarded', 'node-2'],
      ['free', 'node-3'],
    ] as const) {
      const nodeSelector = { 'kubernetes.io/hostname': node };
      await ok(
        'PATCH',
        `/api/v1/nodes/${node}/status`,
        { status: { capacity: { 'example.com/two': '1' }, allocatable: { 'example.com/two': '1' } } },
        STRATEGIC,
      );
      const made = podOf(app, { priorityClassName: 'low', nodeSelector }, { 'example.com/two': '1' });
      await ok('POST', `/api/v1/namespaces/${ns}/pods`, { ...made, metadata: { name: app, labels: { app } } });
    }
    await Promise.all([running('guarded'), running('free')]);
    await ok('POST', `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'guard' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } },
    });
    await createPod('urgent', { priorityClassName: 'high' }, { 'example.com/two': '1' });
    assert.equal((await running('urgent')).spec.nodeName, 'node-3');
    assert.ok(await getPod('guarded'));
  });
});

describe('what schedulers go by', () => {
  it('PriorityClasses can be patched and updated but for their value', async () => {
    const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
    const labels = { e2e: 'x' };
    for (const [name, value] of [
      ['q1', 1],
      ['q2', 2],
    ] as const)
      await ok('POST', path, {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name, labels },
        value,
      });
    assert.equal((await call('PATCH', `${path}/q1`, { value: 10 }, STRATEGIC)).code, 422);
    const q2 = await ok<{ value: number; metadata: { resourceVersion: string } }>('GET', `${path}/q2`);
    assert.equal((await call('PUT', `${path}/q2`, { ...q2, value: 20 })).code, 422);
    await ok('PATCH', `${path}/q1`, { description: 'updated' }, STRATEGIC);
    const next = await ok<typeof q2>('PUT', `${path}/q2`, { ...q2, description: 'updated' });
    assert.ok(BigInt(next.metadata.resourceVersion) > BigInt(q2.metadata.resourceVersion));
    await ok('DELETE', `${path}?labelSelector=e2e%3Dx`);
    assert.deepEqual((await ok<{ items: unknown[] }>('GET', `${path}?labelSelector=e2e%3Dx`)).items, []);
  });

  it('LimitRanges can be listed, patched and deleted as a collection', async () => {
    const path = `/api/v1/namespaces/${ns}/limitranges`;
    const min = { cpu: '50m', memory: '100Mi', 'ephemeral-storage': '100Gi' };
    const max = { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' };
    const item = {
      type: 'Container',
      min,
      max,
      default: max,
      defaultRequest: { cpu: '100m', memory: '200Mi', 'ephemeral-storage': '200Gi' },
    };
    const body = {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'lr', labels: { e: 'lr', lr: 'created' } },
      spec: { limits: [item] },
    };
    const made = await ok<{ metadata: { resourceVersion: string } }>('POST', path, body);
    await ok('POST', '/api/v1/namespaces/default/limitranges', body);
    const all = '/api/v1/limitranges?labelSelector=e%3Dlr';
    assert.equal((await ok<{ items: unknown[] }>('GET', all)).items.length, 2);
    const newMin = { cpu: '9m', memory: '49Mi', 'ephemeral-storage': '49Gi' };
    const patch = { metadata: { labels: { lr: 'patched' } }, spec: { limits: [{ ...item, min: newMin }] } };
    const patched = await ok<typeof body & typeof made>('PATCH', `${path}/lr`, patch, STRATEGIC);
    assert.deepEqual(patched.spec.limits[0]?.min, newMin);
    assert.ok(BigInt(patched.metadata.resourceVersion) > BigInt(made.metadata.resourceVersion));
    await ok('DELETE', `${path}?labelSelector=lr%3Dpatched`);
    assert.equal((await ok<{ items: unknown[] }>('GET', all)).items.length, 1);
    await ok('DELETE', '/api/v1/namespaces/default/limitranges/lr');
  });
});
