import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { findKubectl } from '../e2e/system.ts';
import { startControlPlane, type Workerd } from './start.ts';

// kubectl rolls workloads out on the whole control plane: API, store, scheduler and controllers. The node is played.

const KUBECTL = await findKubectl();
const skip = KUBECTL ? false : 'kubectl is not there: set KUBECTL';
/** One command shall not hang the suite. */
const TIMEOUT_MS = 60_000;
/** Until the played node has let a deleted pod go. */
const GONE_MS_MAX = 5_000;
const NODE = 'node-1';

interface Pod {
  metadata: { name: string; namespace: string; deletionTimestamp?: string; labels?: Record<string, string> };
  spec: { nodeName?: string; hostname?: string; containers: { image: string }[] };
  status?: { phase?: string };
}
interface Claim {
  metadata: { name: string; namespace: string; uid: string };
  spec: { volumeName?: string };
}
interface Cluster {
  url: string;
  token: string;
}

let workerd: Workerd;
let cluster: Cluster;
let door: Server | undefined;
let playing = true;
let played: Promise<void> = Promise.resolve();

async function ask<T>(path: string, method = 'GET', body?: object, type = 'application/json'): Promise<T> {
  const response = await fetch(cluster.url + path, {
    method,
    headers: { authorization: `Bearer ${cluster.token}`, 'content-type': type },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as T;
}

async function newCluster(): Promise<Cluster> {
  const made = await fetch(`${workerd.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator', 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name: 'rollouts' } }),
  });
  const { status } = (await made.json()) as { status: { url: string; adminToken: string } };
  return { url: status.url, token: status.adminToken };
}

/** kubectl sends no token without TLS: this sends it for kubectl. */
async function openDoor(): Promise<Server> {
  const server = createServer((req, res) => {
    const headers = { ...req.headers, host: new URL(cluster.url).host, authorization: `Bearer ${cluster.token}` };
    const onward = request(cluster.url + req.url, { method: req.method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      // A watch on which nothing happens has an answer too: an older kubectl waits for it before it ends.
      res.flushHeaders();
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

async function addNode(): Promise<void> {
  await ask('/api/v1/nodes', 'POST', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  const now = new Date().toISOString().replace(/\.\d+/, '');
  const size = { cpu: '8', memory: '16Gi', pods: '110' };
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now };
  const status = { capacity: size, allocatable: size, conditions: [ready] };
  await ask(`/api/v1/nodes/${NODE}/status`, 'PATCH', { status }, 'application/merge-patch+json');
}

/** What a kubelet would do, in no time: what is bound runs and is ready, what is deleted goes. Images named `broken` never get ready. */
async function play(): Promise<void> {
  while (playing) {
    const { items = [] } = await ask<{ items?: Pod[] }>(`/api/v1/pods?fieldSelector=spec.nodeName=${NODE}`);
    await Promise.all(items.map(playPod));
    const claims = await ask<{ items?: Claim[] }>('/api/v1/persistentvolumeclaims');
    await Promise.all((claims.items ?? []).filter((c) => !c.spec.volumeName).map(bindClaim));
    await delay(50);
  }
}
/** What a volume's provisioner and the binder would do. */
async function bindClaim({ metadata: { name, namespace, uid } }: Claim): Promise<void> {
  const volumeName = `pv-${name}`;
  const size = { storage: '1Gi' };
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid };
  const spec = { capacity: size, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' }, claimRef };
  await ask('/api/v1/persistentvolumes', 'POST', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName },
    spec,
  });
  const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
  const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  await ask(path, 'PATCH', { metadata: { annotations }, spec: { volumeName } }, 'application/merge-patch+json');
  await ask(`${path}/status`, 'PATCH', { status: { phase: 'Bound', capacity: size } }, 'application/merge-patch+json');
}
async function playPod(p: Pod): Promise<void> {
  const path = `/api/v1/namespaces/${p.metadata.namespace}/pods/${p.metadata.name}`;
  if (p.metadata.deletionTimestamp) {
    await ask(path, 'DELETE', { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 });
    return;
  }
  if (p.status?.phase === 'Running') return;
  const now = new Date().toISOString().replace(/\.\d+/, '');
  const works = p.spec.containers.every((c) => c.image !== 'broken');
  const ready = { type: 'Ready', status: works ? 'True' : 'False', lastTransitionTime: now };
  await ask(
    `${path}/status`,
    'PATCH',
    { status: { phase: 'Running', conditions: [ready] } },
    'application/merge-patch+json',
  );
}

function kubectl(args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  const port = (door?.address() as AddressInfo | undefined)?.port;
  return new Promise((resolve) => {
    const child = execFile(
      KUBECTL ?? '',
      ['--server', `http://127.0.0.1:${port}`, ...args],
      { timeout: TIMEOUT_MS, env: { ...process.env, KUBECONFIG: '/dev/null' } },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}
async function ok(args: string, input = ''): Promise<string> {
  const r = await kubectl(args.split(' '), input);
  assert.equal(r.code, 0, `${args}: ${r.err}${r.out}`);
  return r.out;
}
/** Pods of a selector have these images. One that is being deleted counts for no rollout, and may be there a moment longer. */
async function haveImages(selector: string, want: readonly string[]): Promise<void> {
  const get = `get pods -l ${selector} -o jsonpath={.items[*].spec.containers[0].image}`;
  let found: string[] = [];
  for (const end = Date.now() + GONE_MS_MAX; Date.now() < end && !isDeepStrictEqual(found, want); await delay(50))
    found = (await ok(get)).split(' ').sort();
  assert.deepEqual(found, want);
}

describe('rollouts with kubectl', { skip }, () => {
  before(async () => {
    workerd = await startControlPlane();
    cluster = await newCluster();
    door = await openDoor();
    await addNode();
    played = play();
  });
  after(async () => {
    playing = false;
    await played;
    door?.closeAllConnections();
    door?.close();
    await workerd?.stop();
  });

  it('a Deployment is made, changed, found broken, and taken back', async () => {
    await ok('create deployment web --image=v1 --replicas=3');
    assert.match(await ok('rollout status deployment/web --timeout=50s'), /successfully rolled out/);
    await ok('set image deployment/web v1=v2');
    assert.match(await ok('rollout status deployment/web --timeout=50s'), /successfully rolled out/);
    await haveImages('app=web', ['v2', 'v2', 'v2']);

    await ok('set image deployment/web v1=broken');
    const waited = await kubectl(['rollout', 'status', 'deployment/web', '--timeout=2s']);
    assert.notEqual(waited.code, 0);
    await ok('rollout undo deployment/web');
    assert.match(await ok('rollout status deployment/web --timeout=50s'), /successfully rolled out/);
    await haveImages('app=web', ['v2', 'v2', 'v2']);
    assert.match(await ok('rollout history deployment/web'), /\n1 .*\n3 .*\n4 /);

    await ok('scale deployment/web --replicas=1');
    assert.match(await ok('rollout status deployment/web --timeout=50s'), /successfully rolled out/);
    assert.match(await ok('get deployment web'), /web\s+1\/1\s+1\s+1\s/);
    const told = await ok('describe deployment web');
    assert.match(told, /Available\s+True\s+MinimumReplicasAvailable/);
    assert.match(told, /Progressing\s+True\s+NewReplicaSetAvailable/);
    assert.match(told, /ScalingReplicaSet.*Scaled up replica set web-\w+ from 0 to 3/);
  });

  it('a DaemonSet runs on the node, is replaced, and taken back', async () => {
    await ok('apply -f -', DAEMONSET);
    assert.match(await ok('rollout status daemonset/agent --timeout=50s'), /successfully rolled out/);
    await ok('set image daemonset/agent c=v2');
    assert.match(await ok('rollout status daemonset/agent --timeout=50s'), /successfully rolled out/);
    await haveImages('app=agent', ['v2']);
    await ok('rollout undo daemonset/agent');
    assert.match(await ok('rollout status daemonset/agent --timeout=50s'), /successfully rolled out/);
    await haveImages('app=agent', ['v1']);
    assert.match(await ok('rollout history daemonset/agent'), /\n2 .*\n3 /);
    assert.match(await ok('describe daemonset agent'), /SuccessfulCreate.*daemonset-controller.*Created pod: agent-/);
  });

  it('a StatefulSet has names that stay, is replaced, and taken back', async () => {
    await ok('apply -f -', STATEFULSET);
    assert.match(await ok('rollout status statefulset/db --timeout=50s'), /rolling update complete|roll out complete/);
    assert.equal(await ok('get pods -l app=db -o jsonpath={.items[*].metadata.name}'), 'db-0 db-1');
    await ok('set image statefulset/db c=v2');
    assert.match(await ok('rollout status statefulset/db --timeout=50s'), /rolling update complete|roll out complete/);
    await haveImages('app=db', ['v2', 'v2']);
    await ok('rollout undo statefulset/db');
    assert.match(await ok('rollout status statefulset/db --timeout=50s'), /rolling update complete|roll out complete/);
    await haveImages('app=db', ['v1', 'v1']);
    assert.match(
      await ok('describe statefulset db'),
      /SuccessfulCreate.*Create Pod db-0 in StatefulSet db successful/i,
    );
  });

  it('a ReplicationController has its pods, and is scaled', async () => {
    await ok('apply -f -', CONTROLLER);
    await ok('wait rc/old --for=jsonpath={.status.readyReplicas}=2 --timeout=50s');
    await ok('scale rc/old --replicas=1');
    await ok('wait rc/old --for=jsonpath={.status.replicas}=1 --timeout=50s');
    await haveImages('app=old', ['v1']);
  });
});

const CONTROLLER = `
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: c, image: v1}]}
`;
const DAEMONSET = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: v1}]}
`;
const STATEFULSET = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: v1, volumeMounts: [{name: data, mountPath: /data}]}]}
`;
