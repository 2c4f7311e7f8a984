import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const path = () => join(m.root, 'manifests', 'web.yaml');
const write = (command: string) =>
  writeFile(
    path(),
    `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: busybox, command: [${command}]}
`,
  );
const mirror = () => m.api.pods.get('default/web-node-a');
const running = () => [...m.kubelet.workers.values()].filter((w) => w.containerId('main') !== undefined);

test('a file is a pod, and the API shows it by a mirror that has its status', async () => {
  await write('pause');
  await m.pass(25);
  assert.equal(running().length, 1);
  const uid = running()[0]?.pod.metadata.uid;
  assert.equal(mirror()?.metadata.annotations?.['kubernetes.io/config.mirror'], uid);
  assert.equal(mirror()?.metadata.annotations?.['kubernetes.io/config.source'], 'file');
  assert.equal(mirror()?.metadata.ownerReferences?.[0]?.kind, 'Node');
  assert.equal(mirror()?.status?.phase, 'Running');
  assert.equal(mirror()?.metadata.labels?.app, 'web');
});

test('a mirror that is deleted comes back, and its pod runs on', async () => {
  await write('pause');
  await m.pass(25);
  const [id, before] = [running()[0]?.containerId('main'), mirror()?.metadata.uid];
  m.api.remove('default/web-node-a');
  await m.pass(2);
  assert.notEqual(mirror()?.metadata.uid, before);
  assert.equal(mirror()?.status?.phase, 'Running');
  assert.equal(running()[0]?.containerId('main'), id);
  await m.delete('web-node-a');
  await m.pass(2);
  assert.equal(mirror()?.metadata.deletionTimestamp, undefined);
  assert.equal(running()[0]?.containerId('main'), id);
});

test('a file that changes is another pod; one that goes takes its pod and the mirror', async () => {
  await write('pause');
  await m.pass(25);
  const before = mirror()?.metadata.annotations?.['kubernetes.io/config.mirror'];
  await write('sleep, "999"');
  await m.pass(25);
  assert.notEqual(mirror()?.metadata.annotations?.['kubernetes.io/config.mirror'], before);
  assert.equal(running().length, 1);
  await rm(path());
  await m.pass(25);
  assert.equal(mirror(), undefined);
  assert.equal(running().length, 0);
});

test('it begins without an API, and is adopted by the next agent', async () => {
  m.api.setReachable(false);
  await write('pause');
  await m.pass(25);
  assert.equal(running().length, 1);
  const id = running()[0]?.containerId('main');
  await m.crash();
  await m.pass(25);
  assert.equal(running()[0]?.containerId('main'), id);
  m.api.setReachable(true);
  await m.pass(60);
  assert.equal(mirror()?.status?.phase, 'Running');
});
