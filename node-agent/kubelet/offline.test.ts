import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const pause = container('main', ['pause']);
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('an agent that begins anew', () => {
  test('goes on with what runs: nothing is started, nothing is restarted', async () => {
    await m.create('a', { initContainers: [container('init', ['true'])], containers: [pause] });
    const before = [m.id('a'), m.container('a').restartCount, m.status('a').startTime];
    const sandboxes = m.runtime.calls.filter((c) => c.startsWith('runPodSandbox')).length;
    await m.crash();
    await m.pass(3);
    assert.deepEqual([m.id('a'), m.container('a').restartCount, m.status('a').startTime], before);
    assert.equal(m.runtime.calls.filter((c) => c.startsWith('runPodSandbox')).length, sandboxes);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test('leaves a pod ready that was, until its probe says otherwise', async () => {
    const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 5 };
    await m.create('a', { containers: [{ ...pause, readinessProbe }] });
    await m.pass(30);
    const patches = m.api.patches.length;
    await m.crash();
    await m.pass(12);
    assert.equal(m.api.patches.length, patches, 'no status was sent: nothing has changed');
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test('counts on from the restarts that were', async () => {
    await m.create('a', { containers: [pause] });
    m.runtime.exit(m.id('a'), 1);
    await m.pass(2);
    await m.crash();
    m.runtime.exit(m.id('a'), 1);
    await m.pass(15);
    assert.equal(m.container('a').restartCount, 2);
  });

  test('starts a container that was made but not started', async () => {
    const { RuntimeError } = await import('../runtime/error.ts');
    m.runtime.fail('startContainer', new RuntimeError('Unavailable', 'the agent died here'));
    await m.create('a', { containers: [pause] });
    await m.crash();
    await m.pass(4);
    assert.equal(m.status('a').phase, 'Running');
  });

  test('ends pods that were deleted while none ran', async () => {
    await m.create('a', { containers: [pause] });
    const crash = m.kubelet.stop();
    m.api.remove('default/a');
    await m.pass(1);
    await crash;
    await m.crash();
    await m.pass(4);
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
    assert.deepEqual(await readdir(join(m.root, 'pods')), []);
  });

  test('answers for a pod only after it has looked at the runtime', async () => {
    await m.create('a', { containers: [pause] });
    m.runtime.delay('listContainers', 700);
    const crashed = m.crash();
    await m.pass(2);
    await crashed;
    const asked = m.kubelet.observed('default', 'a');
    await m.pass(3);
    const worker = await asked;
    assert.equal(worker?.attempt('main'), 0, 'known, not "waiting to start"');
    m.runtime.delay('listContainers', 0);
  });

  test('answers for the pod that is meant, not for one of its name that is still ending', async () => {
    await m.create('a', { containers: [pause] });
    const [old] = m.kubelet.workers.values();
    const asked = m.kubelet.observed('default', 'a', 'the next one');
    await m.pass(9);
    assert.equal(await asked, undefined);
    const own = m.kubelet.observed('default', 'a', old?.pod.metadata.uid);
    await m.pass(1);
    assert.equal(await own, old);
  });

  test('gives up waiting for a pod that is nowhere', async () => {
    m.api.setReachable(false);
    const asked = m.kubelet.observed('default', 'nowhere');
    await m.pass(9);
    assert.equal(await asked, undefined);
  });
});

describe('without a control plane', () => {
  test('a pod ends, though nothing of it can be saved', async () => {
    await m.create('a', { containers: [pause] });
    const [uid = ''] = m.kubelet.workers.keys();
    await mkdir(join(m.root, 'pods', uid, 'pod.json.new'));
    m.kubelet.workers.get(uid)?.end({ reason: 'Evicted', message: 'the disk is full', graceSeconds: 1 });
    await m.pass(4);
    assert.deepEqual([m.status('a').phase, m.status('a').reason], ['Failed', 'Evicted']);
  });

  test('containers that die are started again, and the statuses arrive later', async () => {
    await m.create('a', { containers: [pause] });
    m.api.setReachable(false);
    m.runtime.exit(m.id('a'), 1);
    await m.pass(4);
    assert.equal((await m.runtime.listContainers({ state: 'CONTAINER_RUNNING' })).length, 1);
    assert.equal(m.container('a').restartCount, 0, 'the API has heard nothing');
    m.api.setReachable(true);
    await m.pass(40);
    assert.equal(m.container('a').restartCount, 1);
  });

  test('an agent that begins goes on with the pods on disk, their volumes and references', async () => {
    m.api.objects.set('/api/v1/namespaces/default/configmaps/settings', { data: { color: 'blue' } });
    m.api.objects.set('/api/v1/namespaces/default/secrets/key', { data: { k: base64('s3cret') } });
    const env = [
      { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } },
    ];
    const volumes = [
      { name: 'v', configMap: { name: 'settings' } },
      { name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }] } },
    ];
    const volumeMounts = volumes.map((v) => ({ name: v.name, mountPath: `/${v.name}` }));
    await m.create('a', { containers: [{ ...pause, env, volumeMounts }], volumes });
    m.api.setReachable(false);
    const id = m.id('a');
    await m.crash();
    await m.pass(3);
    m.runtime.exit(id, 1);
    await m.pass(15);
    const [running] = await m.runtime.listContainers({ state: 'CONTAINER_RUNNING' });
    assert.notEqual(running, undefined, 'it was started again');
    assert.notEqual(running?.id, id);
    const token = join(m.root, 'pods/uid-a/volumes/kubernetes.io~projected/t/token');
    assert.equal(await readFile(token, 'utf8'), 'token-1');
    m.api.setReachable(true);
    await m.pass(40);
    assert.equal(m.container('a').restartCount, 1);
    assert.equal(m.status('a').phase, 'Running');
  });

  test('what was deleted meanwhile ends when the API is back', async () => {
    await m.create('a', { containers: [pause] });
    m.api.setReachable(false);
    await m.crash();
    await m.pass(6);
    assert.equal(m.kubelet.workers.size, 1);
    m.api.pods.clear();
    m.api.setReachable(true);
    await m.pass(40);
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
    assert.deepEqual(await readdir(join(m.root, 'pods')), []);
  });

  test('a file that was cut off or is not a pod holds up nothing', async () => {
    const { mkdir, writeFile } = await import('node:fs/promises');
    await m.create('a', { containers: [pause] });
    for (const [uid, text] of [
      ['cut', '{"metadata":{"uid":"cu'],
      ['other', '{"metadata":{"uid":"x"}}'],
    ] as const) {
      await mkdir(join(m.root, 'pods', uid), { recursive: true });
      await writeFile(join(m.root, 'pods', uid, 'pod.json'), text);
    }
    m.api.setReachable(false);
    await m.crash();
    await m.pass(6);
    assert.deepEqual([...m.kubelet.workers.keys()], ['uid-a']);
  });
});

describe('statuses', () => {
  test('nothing is sent while nothing changes', async () => {
    await m.create('a', { containers: [pause] });
    await m.pass(3);
    const sent = m.api.patches.length;
    await m.pass(70);
    assert.equal(m.api.patches.length, sent);
    assert.ok(sent <= 5, `${sent} patches for one start`);
  });

  test('what another has written over our status is set right', async () => {
    const pod = await m.create('a', { containers: [pause] });
    const now = m.api.pods.get('default/a') ?? pod;
    const conditions = (now.status?.conditions ?? []).map((c) =>
      c.type === 'Ready' ? { ...c, status: 'False' as const, reason: 'NodeNotReady' } : c,
    );
    if (now.status) m.api.put({ ...now, status: { ...now.status, conditions } });
    await m.pass(2);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test("conditions of others stay, and a readiness gate is waited for in upstream's words", async () => {
    await m.create('a', { containers: [pause], readinessGates: [{ conditionType: 'example.com/up' }] });
    assert.equal(
      m.condition('a', 'Ready'),
      'False ReadinessGatesNotReady: corresponding condition of pod readiness gate "example.com/up" does not exist.',
    );
    assert.equal(m.condition('a', 'ContainersReady'), 'True');
    const open = (status: 'True' | 'False') => {
      const pod = m.api.pods.get('default/a');
      if (!pod?.status) return;
      const others = (pod.status.conditions ?? []).filter((c) => c.type !== 'example.com/up');
      m.api.put({ ...pod, status: { ...pod.status, conditions: [...others, { type: 'example.com/up', status }] } });
    };
    open('False');
    await m.pass(2);
    assert.match(
      m.condition('a', 'Ready'),
      /: the status of pod readiness gate "example.com\/up" is not "True", but False$/,
    );
    open('True');
    await m.pass(2);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test('the generation that was seen is told', async () => {
    await m.create('a', { containers: [pause] });
    assert.equal(m.status('a').observedGeneration, 1);
    const pod = m.api.pods.get('default/a');
    if (pod) m.api.put({ ...pod, metadata: { ...pod.metadata, generation: 2 } });
    await m.pass(2);
    assert.equal(m.status('a').observedGeneration, 2);
    assert.ok(m.status('a').conditions?.every((c) => c.observedGeneration === 2));
  });

  test('the same Event is sent once and counted', async () => {
    await m.create('a', { containers: [{ ...pause, image: 'nothere:1' }] });
    await m.pass(60);
    const all = m.events('BackOff');
    assert.deepEqual(all, [...new Set(all)]);
  });
});
