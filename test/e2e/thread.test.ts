import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, freePort } from '../ports.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
let s: System;
before(
  async () => {
    if (!skip) s = await startSystem(1);
  },
  { timeout: 600_000 },
);
after(async () => {
  await s?.close();
});

const pod = (name: string, command: string, more = '') => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  terminationGracePeriodSeconds: 1
  ${more}
  containers:
  - name: main
    image: ${BUSYBOX}
    command: [sh, -c, ${JSON.stringify(command)}]
`;
const sha = (b: Buffer) => createHash('sha256').update(b).digest('hex');
const apply = (text: string) => s.kubectlWith(text, 'apply', '-f', '-');
const eventually = async (what: string, probe: () => Promise<boolean>, ms = 30_000) => {
  const end = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > end) assert.fail(`not after ${ms} ms: ${what}`);
    await delay(100);
  }
};

test('kubectl apply of a pod starts a real container, and kubectl logs shows what it says', { skip }, async () => {
  const made = await apply(pod('hello', 'echo hello from $HOSTNAME; sleep 1000'));
  assert.equal(made.stdout.toString(), 'pod/hello created\n', made.stderr);
  await s.kubectl('wait', '--for=condition=Ready', 'pod/hello', '--timeout=30s');
  assert.equal(await s.kubectl('logs', 'hello'), 'hello from hello\n');
  assert.match(
    await s.kubectl('get', 'pod', 'hello', '-o', 'wide'),
    /hello\s+1\/1\s+Running\s+0\s+\S+\s+10\.214\.1\.\d+\s+node-1/,
  );
  const again = await apply(pod('hello', 'echo hello from $HOSTNAME; sleep 1000'));
  assert.equal(again.stdout.toString(), 'pod/hello unchanged\n');
});

test('exec gives output, errors and exit codes', { skip }, async () => {
  const r = await s.kubectlWith('', 'exec', 'hello', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7');
  assert.equal(r.stdout.toString(), 'out\n');
  assert.match(r.stderr, /^err$/m);
  assert.equal(r.code, 7);
});

test('exec -i carries 64 MiB in, and back, and sees the end of the input', { skip }, async () => {
  const data = randomBytes(64 << 20);
  const there = await s.kubectlWith(data, 'exec', '-i', 'hello', '--', 'sha256sum');
  assert.equal(there.stdout.toString().split(' ')[0], sha(data), there.stderr);
  const back = await s.kubectlWith(data, 'exec', '-i', 'hello', '--', 'cat');
  assert.equal(back.stdout.length, data.length);
  assert.equal(sha(back.stdout), sha(data));
});

test('attach, logs -f and --tail follow a running container', { skip }, async () => {
  await apply(pod('ticker', 'i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.1; done'));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/ticker', '--timeout=30s');
  const child = spawn((await findKubectl()) ?? '', ['logs', '-f', '--tail=1', 'ticker'], {
    env: { ...process.env, KUBECONFIG: s.kubeconfig },
  });
  let text = '';
  child.stdout.on('data', (b: Buffer) => {
    text += b;
  });
  await eventually('five more lines', async () => text.split('\n').length > 5);
  child.kill();
  const numbers = text
    .trim()
    .split('\n')
    .map((l) => Number(l.split(' ')[1]));
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => (numbers[0] ?? 0) + i),
    'no line is lost or repeated',
  );
});

test('port-forward reaches a port of the pod', { skip }, async () => {
  await apply(pod('web', 'echo it works > /tmp/index.html; httpd -f -p 8080 -h /tmp'));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=30s');
  const port = await freePort();
  const child = spawn((await findKubectl()) ?? '', ['port-forward', 'pod/web', `${port}:8080`], {
    env: { ...process.env, KUBECONFIG: s.kubeconfig },
  });
  try {
    await eventually('the forwarded port answers', () => answers(port));
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(), 'it works\n');
  } finally {
    child.kill();
  }
});

test('a failing container is restarted and says why', { skip }, async () => {
  await apply(pod('crash', 'echo no > /dev/termination-log; exit 3'));
  await eventually(
    'a restart',
    async () =>
      Number(await s.kubectl('get', 'pod', 'crash', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')) >= 1,
  );
  const last = JSON.parse(await s.kubectl('get', 'pod', 'crash', '-o', 'json')).status.containerStatuses[0];
  const ended = last.lastState.terminated ?? last.state.terminated;
  assert.equal(ended.exitCode, 3);
  assert.equal(ended.message, 'no\n');
});

test('a pod reads its ServiceAccount token, ConfigMap and downward fields', { skip }, async () => {
  await s.kubectl('create', 'configmap', 'settings', '--from-literal=color=blue');
  const spec = pod(
    'reader',
    'cat /etc/settings/color; echo; echo $COLOR $POD; head -c 3 /var/run/secrets/kubernetes.io/serviceaccount/token; echo; sleep 1000',
  ).replace(
    '    command:',
    `    env:
    - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    volumeMounts: [{name: settings, mountPath: /etc/settings}]
    command:`,
  );
  await apply(`${spec}  volumes: [{name: settings, configMap: {name: settings}}]\n`);
  await s.kubectl('wait', '--for=condition=Ready', 'pod/reader', '--timeout=30s');
  assert.equal(await s.kubectl('logs', 'reader'), 'blue\nblue reader\neyJ\n');
});

test('a deleted pod ends, and its object goes when the container has', { skip }, async () => {
  await s.kubectl('delete', 'pod', 'hello', 'ticker', 'web', 'crash', 'reader', '--timeout=60s');
  assert.equal(await s.kubectl('get', 'pods', '-o', 'name'), '');
});

test('a ReplicaSet keeps its pods, and scales', { skip }, async () => {
  const template = `    metadata: {labels: {app: rs}}\n    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: ${BUSYBOX}, command: [sleep, '1000']}]}`;
  await apply(
    `apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: rs}}\n  template:\n${template}\n`,
  );
  const ready = (n: number) => async () =>
    (await s.kubectl('get', 'rs', 'rs', '-o', 'jsonpath={.status.readyReplicas}')) === String(n);
  await eventually('three ready replicas', ready(3), 60_000);
  const [victim = ''] = (await s.kubectl('get', 'pods', '-l', 'app=rs', '-o', 'name')).trim().split('\n');
  await s.kubectl('delete', victim, '--timeout=60s');
  await eventually('a new pod for the deleted one', ready(3), 60_000);
  await s.kubectl('scale', 'rs', 'rs', '--replicas=1');
  await eventually(
    'one pod',
    async () => (await s.kubectl('get', 'pods', '-l', 'app=rs', '-o', 'name')).trim().split('\n').length === 1,
    60_000,
  );
  await s.kubectl('delete', 'rs', 'rs');
});

test('a namespace goes with everything in it', { skip }, async () => {
  await s.kubectl('create', 'namespace', 'gone');
  await eventually(
    'its default ServiceAccount',
    async () => (await s.kubectl('get', 'sa', '-n', 'gone', '-o', 'name')) !== '',
  );
  await s.kubectl('create', 'configmap', 'a', '-n', 'gone');
  await s.kubectl('delete', 'namespace', 'gone', '--timeout=30s');
  const r = await s.kubectlWith('', 'get', 'namespace', 'gone');
  assert.match(r.stderr, /namespaces "gone" not found/);
});

test('two clusters on one endpoint know nothing of each other', { skip }, async () => {
  const file = `${s.home}/second.kubeconfig`;
  await s.coracle('cluster', 'create', 'second', '--output', file);
  const second = (...args: string[]) => s.kubectlWith('', '--kubeconfig', file, ...args);
  assert.equal((await second('get', 'nodes', '-o', 'name')).stdout.toString(), '');
  const crossed = await s.kubectlWith('', '--kubeconfig', file, '--token', s.token, 'get', 'namespaces');
  assert.equal(crossed.code, 1);
  assert.match(crossed.stderr, /Unauthorized|must be logged in/);
  await s.coracle('cluster', 'delete', 'second');
  assert.notEqual((await second('get', 'namespaces')).code, 0);
});

test('pods outlive a restart of control plane and agent', { skip }, async () => {
  await apply(pod('stays', 'while true; do date; sleep 1; done'));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=30s');
  const id = () =>
    s.kubectl(
      'get',
      'pod',
      'stays',
      '-o',
      'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}',
    );
  const before_ = await id();
  await s.restart();
  assert.notEqual(await s.kubectl('logs', 'stays', '--tail=1'), '');
  assert.equal(await id(), before_);
  await s.kubectl('delete', 'pod', 'stays', '--timeout=30s');
});
