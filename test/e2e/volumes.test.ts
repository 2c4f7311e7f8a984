import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

// What only a kernel can show of volumes: tmpfs and its size, binds of subPaths, images as volumes, updates inside a container, that nothing
// stays mounted, and what the node tells of it. Needs root, Debian packages and kubectl.

const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : (await findKubectl()) === null
      ? 'no kubectl, and nothing to build it with'
      : false;

const manifest = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { one: 'first' } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: { x: 'y' } },
      spec: {
        securityContext: { fsGroup: 1234, runAsUser: 1000, runAsGroup: 1000 },
        volumes: [
          { name: 'mem', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
          { name: 'disk', emptyDir: {} },
          { name: 'cm', configMap: { name: 'c', defaultMode: 0o400 } },
          { name: 'img', image: { reference: BUSYBOX } },
          { name: 'dw', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ],
        containers: [
          {
            name: 'main',
            image: BUSYBOX,
            command: ['sleep', '100000'],
            volumeMounts: [
              { name: 'mem', mountPath: '/mem' },
              { name: 'disk', mountPath: '/disk' },
              { name: 'disk', mountPath: '/sub', subPath: 'deep/part' },
              { name: 'cm', mountPath: '/cm' },
              { name: 'cm', mountPath: '/file', subPath: 'one' },
              { name: 'img', mountPath: '/img' },
              { name: 'dw', mountPath: '/dw' },
            ],
          },
        ],
      },
    },
  ],
});

let s: System;
before(async () => {
  if (!skip) s = await startSystem(81);
});
after(async () => {
  if (skip) return;
  await s.close();
  assert.deepEqual(await mountsHere(), [], 'a node that is taken away leaves no mounts');
});

/** A command in the pod: its output, or what it said in failing. */
const sh = (command: string) =>
  s.kubectl('exec', 'a', '--', 'sh', '-c', command).then(
    (out) => out.trim(),
    (e: { stderr?: string }) => e.stderr ?? String(e),
  );
async function until(what: string, f: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await f()) return;
    await delay(200);
  }
  assert.fail(`never: ${what}`);
}
const mountsHere = async () =>
  (await readFile('/proc/mounts', 'utf8'))
    .split('\n')
    .filter((l) => l.includes(`${s.home}/state`) && l.includes('/pods/'));

test('volumes of a pod are what they say, follow what they are made of, outlive the agent, and go with the pod', {
  skip,
}, async () => {
  const made = await s.kubectlWith(manifest, 'apply', '-f', '-');
  assert.equal(made.code, 0, made.stderr);
  await s.kubectl('wait', '--for=condition=Ready', 'pod/a', '--timeout=60s');

  assert.match(await sh('grep " /mem " /proc/mounts'), /^tmpfs \/mem tmpfs rw,.*size=1024k/);
  assert.equal(
    await sh('touch /mem/x /disk/y /sub/z && ls /disk/deep/part'),
    'z',
    'who runs as a user may write by the group',
  );
  assert.equal(await sh('cat /cm/one /file'), 'firstfirst', 'mode 0400, opened to the group');
  assert.match(await sh('touch /cm/no'), /Read-only file system/);
  assert.match(await sh('touch /img/no'), /Read-only file system/);
  assert.match(await sh('ls /img'), /bin/);
  assert.equal(await sh('cat /var/run/secrets/kubernetes.io/serviceaccount/namespace'), 'default');

  await s.kubectl('patch', 'configmap', 'c', '-p', '{"data":{"one":"second"}}');
  await s.kubectl('label', 'pod', 'a', 'later=1');
  await until('an update is seen', async () => (await sh('cat /cm/one')) === 'second');
  await until('a label is seen', async () => (await sh('cat /dw/labels')).includes('later="1"'));
  assert.equal(await sh('cat /file'), 'first', 'a subPath stays at the file that it was bound to');

  const node = (path: string) => s.kubectl('get', '--raw', `/api/v1/nodes/node-81/proxy${path}`);
  assert.equal(await node('/healthz'), 'ok');
  const { pods } = JSON.parse(await node('/stats/summary')) as { pods: { podRef: { name: string } }[] };
  assert.deepEqual(
    pods.map((p) => p.podRef.name),
    ['a'],
  );
  assert.match(
    await node('/metrics/resource'),
    /^pod_memory_working_set_bytes\{namespace="default",pod="a"\} \d{4,}$/m,
  );
  assert.equal(JSON.parse(await node('/pods')).items[0].metadata.name, 'a');
  await assert.rejects(node('/nothing'), /NotFound/);

  await s.restart();
  await s.kubectl('patch', 'configmap', 'c', '-p', '{"data":{"one":"third"}}');
  await until('an agent that has begun anew goes on with it', async () => (await sh('cat /cm/one')) === 'third');
  assert.equal(await sh('ls /mem'), 'x');

  assert.ok((await mountsHere()).length >= 4);
  await s.kubectl('delete', 'pod', 'a', '--grace-period=1');
  await until('nothing is mounted any more', async () => (await mountsHere()).length === 0);
  // This one is there when the node is taken away.
  await s.kubectlWith(manifest, 'apply', '-f', '-');
  await until('mounts are there again', async () => (await mountsHere()).length >= 4);
  const log = await readFile(join(s.home, 'state/node/agent.log'), 'utf8');
  assert.ok(!log.includes('pod.sync.failed'), log);
});
