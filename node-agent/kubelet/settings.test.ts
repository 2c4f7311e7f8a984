import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const prints = (name: string, more: object = {}) =>
  container('main', ['sh', '-c', `echo got $${name}; sleep 999`], more);
const log = async (pod: string) => {
  const { readFile } = await import('node:fs/promises');
  const path = join(m.root, 'logs', `default_${pod}_uid-${pod}`, 'main', '0.log');
  return (await readFile(path, 'utf8')).replace(/^\S+ stdout F /gm, '');
};
const kubernetes = {
  namespace: 'default',
  name: 'kubernetes',
  clusterIP: '10.96.0.1',
  ports: [{ port: 443, name: 'https' }],
};

test('a pod finds Services by its environment, and its own variables go before', async () => {
  m.services = [kubernetes];
  await m.create('a', { containers: [prints('KUBERNETES_SERVICE_HOST')] });
  assert.equal(await log('a'), 'got 10.96.0.1\n');
  const env = [{ name: 'KUBERNETES_SERVICE_HOST', value: 'mine:$(KUBERNETES_SERVICE_PORT)' }];
  await m.create('b', { containers: [prints('KUBERNETES_SERVICE_HOST', { env })] });
  assert.equal(await log('b'), 'got mine:443\n');
});

test('before Services are known a container waits, a restarted one has the variables it had', async () => {
  m.services = undefined;
  await m.create('a', { containers: [prints('KUBERNETES_SERVICE_HOST')] });
  assert.deepEqual(m.container('a').state.waiting, {
    reason: 'CreateContainerConfigError',
    message: 'services have not yet been read at least once, cannot construct envvars',
  });
  m.services = [kubernetes];
  await m.pass(6);
  assert.equal(await log('a'), 'got 10.96.0.1\n');
  m.services = undefined;
  m.runtime.exit(m.id('a'), 1);
  await m.pass(3);
  assert.equal(m.container('a').restartCount, 1);
});

test('a sysctl that is not safe ends the pod before it begins', async () => {
  await m.create('a', {
    securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] },
    containers: [prints('X')],
  });
  assert.equal(m.status('a').reason, 'SysctlForbidden');
  assert.equal(m.status('a').message, 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted');
  assert.deepEqual(m.events(), ['SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted']);
});

test('a RuntimeClass is looked up; one that is gone holds the sandbox back', async () => {
  m.api.objects.set('/apis/node.k8s.io/v1/runtimeclasses/fast', { handler: 'runc' });
  await m.create('a', { runtimeClassName: 'fast', containers: [prints('X')] });
  assert.equal(m.status('a').phase, 'Running');
  await m.create('b', { runtimeClassName: 'gone', containers: [prints('X')] });
  assert.equal(m.status('b').phase, 'Pending');
  assert.match(m.events('FailedCreatePodSandBox')[0] ?? '', /^Failed to create pod sandbox: .*gone not found$/);
});

test('a variable comes from a file in a volume; a key that is missing is an error unless optional', async () => {
  const dir = join(m.root, 'shared');
  await mkdir(dir);
  await writeFile(join(dir, 'env'), "A='from a file'\n");
  const volumes = [{ name: 'v', hostPath: { path: dir } }];
  const ref = (key: string, more: object = {}) => ({ fileKeyRef: { volumeName: 'v', path: 'env', key, ...more } });
  const env = [
    { name: 'A', valueFrom: ref('A') },
    { name: 'B', valueFrom: ref('B', { optional: true }) },
  ];
  await m.create('a', { volumes, containers: [prints('A', { env })] });
  assert.equal(await log('a'), 'got from a file\n');
  await m.create('b', { volumes, containers: [prints('B', { env: [{ name: 'B', valueFrom: ref('B') }] })] });
  assert.match(m.container('b').state.waiting?.message ?? '', /^environment variable key "B" not found in file/);
  const out = { fileKeyRef: { volumeName: 'v', path: 'none', key: 'A' } };
  await m.create('c', { volumes, containers: [prints('A', { env: [{ name: 'A', valueFrom: out }] })] });
  assert.equal(m.container('c').state.waiting?.message, "couldn't parse env file");
});
