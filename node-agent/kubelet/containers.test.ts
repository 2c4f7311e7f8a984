import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container, Probe, Volume } from './pod.ts';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const pause = container('main', ['pause']);
const fails = { exec: { command: ['sh', '-c', 'echo broken; exit 1'] } };
const passes = { exec: { command: ['true'] } };
const probed = (more: Partial<Container>, spec: object = {}) => ({ containers: [{ ...pause, ...more }], ...spec });

describe('probes', () => {
  test('a container is ready once its readiness probe has passed, after its delay', async () => {
    await m.create('a', probed({ readinessProbe: { ...passes, initialDelaySeconds: 5, periodSeconds: 1 } }));
    assert.equal(m.condition('a', 'Ready'), 'False ContainersNotReady: containers with unready status: [main]');
    assert.equal(m.container('a').started, true);
    await m.pass(5);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test('a readiness probe that fails makes it unready and restarts nothing', async () => {
    await m.create('a', probed({ readinessProbe: { ...fails, periodSeconds: 1 } }));
    await m.pass(10);
    assert.equal(m.container('a').ready, false);
    assert.equal(m.container('a').restartCount, 0);
    assert.ok(m.events('Unhealthy').includes('Readiness probe failed: broken\n'));
  });

  test('a liveness probe that fails often enough restarts the container', async () => {
    await m.create('a', probed({ livenessProbe: { ...fails, periodSeconds: 2, failureThreshold: 3 } }));
    await m.pass(1);
    assert.equal(m.container('a').restartCount, 0);
    await m.pass(3);
    assert.equal(m.container('a').restartCount, 1);
    assert.deepEqual(m.events('Killing'), ['Container main failed liveness probe, will be restarted']);
  });

  test('a liveness probe under Never ends the pod', async () => {
    const livenessProbe = { ...fails, periodSeconds: 1, failureThreshold: 1 };
    await m.create('a', probed({ livenessProbe }, { restartPolicy: 'Never' }));
    await m.pass(3);
    assert.deepEqual(m.events('Killing'), ['Container main failed liveness probe']);
    assert.equal(m.container('a').state.terminated !== undefined, true);
  });

  test("the probe's own grace period goes before the pod's", async () => {
    const livenessProbe = { ...fails, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 4 };
    await m.create('a', probed({ command: ['sleep', '1000'], livenessProbe }));
    await m.pass(5);
    assert.equal(m.container('a').restartCount, 1);
    assert.equal(m.container('a').lastState.terminated?.exitCode, 137);
  });

  test('liveness and readiness wait for the startup probe', async () => {
    const startupProbe: Probe = { exec: { command: ['sleep', '3'] }, timeoutSeconds: 5, periodSeconds: 1 };
    const readinessProbe = { ...passes, periodSeconds: 1 };
    await m.create('a', probed({ startupProbe, readinessProbe, livenessProbe: { ...passes, periodSeconds: 1 } }));
    assert.deepEqual([m.container('a').started, m.container('a').ready], [false, false]);
    await m.pass(4);
    assert.deepEqual([m.container('a').started, m.container('a').ready], [true, true]);
  });

  test('a startup probe that fails restarts the container', async () => {
    await m.create('a', probed({ startupProbe: { ...fails, periodSeconds: 1, failureThreshold: 2 } }));
    // The first kill isn't held against it, the second begins the back-off, which the third run waits for.
    await m.pass(8);
    assert.equal(m.container('a').restartCount, 2);
    assert.equal(m.container('a').state.waiting?.reason, 'CrashLoopBackOff');
    assert.deepEqual(m.events('Killing').slice(0, 1), ['Container main failed startup probe, will be restarted']);
  });

  test('a probe that takes too long has failed', async () => {
    const readinessProbe = { exec: { command: ['sleep', '9'] }, timeoutSeconds: 1, periodSeconds: 1 };
    await m.create('a', probed({ readinessProbe }));
    await m.pass(3);
    assert.ok(m.events('Unhealthy').some((t) => t.startsWith('Readiness probe failed: command timed out')));
  });

  const codes = [
    [200, 'True'],
    [302, 'True'],
    [503, 'False'],
  ] as const;
  for (const [code, ready] of codes) {
    test(`HTTP ${code} is ready: ${ready}`, async () => {
      const server = createServer((_, res) => res.writeHead(code, { location: 'http://elsewhere.test/' }).end('body'));
      await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
      const { port } = server.address() as AddressInfo;
      const httpGet = { host: '127.0.0.1', port: 'web', path: 'healthz' };
      const ports = [{ name: 'web', containerPort: port }];
      await m.create('a', probed({ ports, readinessProbe: { httpGet, periodSeconds: 1 } }));
      for (let i = 0; i < 5; i++) {
        await m.pass(1);
        await delay(20); // the server is a real one
      }
      server.close();
      assert.equal(m.condition('a', 'Ready').split(' ')[0], ready);
      if (code === 302)
        assert.ok(
          m.events('ProbeWarning').includes('Readiness probe warning: Probe terminated redirects, Response body: body'),
        );
      if (ready === 'False')
        assert.ok(m.events('Unhealthy').includes(`Readiness probe failed: HTTP probe failed with statuscode: ${code}`));
    });
  }
});

describe('termination messages', () => {
  const ends = (more: Partial<Container>, text = 'echo said') =>
    probed({ command: ['sh', '-c', `${text}; sleep 4; exit 1`], ...more }, { restartPolicy: 'Never' });
  const file = () => join(m.root, 'pods/uid-a/containers/main/0');

  test('the file that the container wrote is its message, whoever it runs as', async () => {
    const before = process.umask(0o077);
    await m.create('a', ends({ terminationMessagePath: '/tmp/why' }));
    process.umask(before);
    assert.equal((await stat(file())).mode & 0o777, 0o666);
    await writeFile(file(), 'because');
    await m.pass(5);
    const told = m.api.patches
      .flatMap(({ status }) => status.containerStatuses ?? [])
      .filter((c) => c.state.terminated);
    assert.ok(told.length > 0 && told.every((c) => c.state.terminated?.message === 'because'), JSON.stringify(told));
    const mounts = (await m.runtime.containerStatus(m.id('a'))).mounts.map((x) => [x.containerPath, x.hostPath]);
    assert.ok(mounts.some(([to, from]) => to === '/tmp/why' && from === file()));
  });

  test('a message is cut at 4096 bytes', async () => {
    await m.create('a', ends({}));
    await writeFile(file(), 'x'.repeat(10_000));
    await m.pass(5);
    assert.equal(m.container('a').state.terminated?.message?.length, 4096);
  });

  test('without one, FallbackToLogsOnError takes the end of the log of a failure', async () => {
    await m.create('a', ends({ terminationMessagePolicy: 'FallbackToLogsOnError' }));
    await m.pass(5);
    assert.equal(m.container('a').state.terminated?.message, 'said\n');
  });

  test('a message stays in lastState after the restart', async () => {
    await m.create('a', probed({ command: ['sh', '-c', 'sleep 4; exit 1'] }));
    await writeFile(file(), 'because');
    await m.pass(4);
    assert.equal(m.container('a').restartCount, 1);
    assert.equal(m.container('a').lastState.terminated?.message, 'because');
  });
});

describe('environment', () => {
  const envOf = async (pod = 'a') => {
    const text = await readFile(join(m.root, `logs/default_${pod}_uid-${pod}/main/0.log`), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((l) => l.split(' ').slice(3).join(' '));
  };

  test('fields, resources, references and variables arrive, in order', async () => {
    m.api.objects.set('/api/v1/namespaces/default/configmaps/c', { data: { key: 'from map', other: 'x' } });
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const env = [
      { name: 'ONE', value: '1' },
      { name: 'TWO', value: '$(ONE)+$(ONE) $$(ONE) $(NONE)' },
      field('NAME', 'metadata.name'),
      field('IP', 'status.podIP'),
      field('NODE', 'spec.nodeName'),
      field('LABEL', "metadata.labels['app']"),
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } } },
      { name: 'MAP', valueFrom: { configMapKeyRef: { name: 'c', key: 'key' } } },
      { name: 'OPT', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } },
    ];
    const names = ['TWO', 'NAME', 'IP', 'NODE', 'LABEL', 'CPU', 'MEM', 'MAP', 'PRE_other', 'OPT'];
    const command = ['sh', '-c', `${names.map((n) => `echo $${n}`).join('; ')}; sleep 1000`];
    const resources = { requests: { memory: '64Mi' } };
    const envFrom = [{ prefix: 'PRE_', configMapRef: { name: 'c' } }];
    await m.create('a', probed({ command, env, envFrom, resources }), { labels: { app: 'shop' } });
    const want = ['1+1 $(ONE) $(NONE)', 'a', '10.88.0.2', 'node-a', 'shop', '2', '64', 'from map', 'x', ''];
    assert.deepEqual(await envOf(), want);
  });

  const missing: [string, NonNullable<Container['env']>[number]['valueFrom'], string][] = [
    ['ConfigMap', { configMapKeyRef: { name: 'none', key: 'k' } }, 'configmap "none" not found'],
    ['Secret', { secretKeyRef: { name: 'none', key: 'k' } }, 'secret "none" not found'],
    ['key', { configMapKeyRef: { name: 'c', key: 'k' } }, "couldn't find key k in ConfigMap default/c"],
  ];
  for (const [what, valueFrom, message] of missing) {
    test(`a ${what} that is missing is CreateContainerConfigError, and the container starts once it is there`, async () => {
      m.api.objects.set('/api/v1/namespaces/default/configmaps/c', { data: { other: 'x' } });
      await m.create('a', probed({ env: [{ name: 'X', ...(valueFrom ? { valueFrom } : {}) }] }));
      assert.deepEqual(m.container('a').state.waiting, { reason: 'CreateContainerConfigError', message });
      assert.deepEqual(m.events('Failed'), [`Error: ${message}`]);
      const name = what === 'key' ? 'c' : 'none';
      m.api.objects.set(`/api/v1/namespaces/default/${what === 'Secret' ? 'secrets' : 'configmaps'}/${name}`, {
        data: { k: 'eHg=' },
      });
      await m.pass(12);
      assert.equal(m.status('a').phase, 'Running');
    });
  }

  test('a command that is not there is RunContainerError', async () => {
    await m.create('a', probed({ command: ['/no/such'] }));
    const waiting = m.container('a').state.waiting;
    assert.equal(waiting?.reason, 'RunContainerError');
    assert.match(
      waiting?.message ?? '',
      /^failed to create containerd task: .*exec: "\/no\/such": executable file not found in \$PATH: unknown$/,
    );
    assert.equal(m.container('a').lastState.terminated?.reason, 'StartError');
  });
});

describe('volumes', () => {
  const mounted = (v: Volume, more: object = {}) =>
    probed({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }, { volumes: [v], ...more });
  const path = (plugin: string) => join(m.root, `pods/uid-a/volumes/kubernetes.io~${plugin}/v`);
  const put = (what: string, name: string, data: Record<string, string>) =>
    m.api.objects.set(`/api/v1/namespaces/default/${what}/${name}`, { data });

  test('a ConfigMap is files that follow it, swapped at once', async () => {
    put('configmaps', 'c', { one: '1', two: '2' });
    await m.create('a', mounted({ name: 'v', configMap: { name: 'c', defaultMode: 0o400 } }));
    const dir = path('configmap');
    assert.equal(await readFile(join(dir, 'one'), 'utf8'), '1');
    assert.equal((await stat(join(dir, 'one'))).mode & 0o777, 0o400);
    const before = await readlink(join(dir, '..data'));
    put('configmaps', 'c', { one: 'new' });
    await m.pass(1);
    assert.equal(await readFile(join(dir, 'one'), 'utf8'), 'new');
    assert.notEqual(await readlink(join(dir, '..data')), before);
    assert.deepEqual(
      (await readdir(dir)).filter((n) => !n.startsWith('..')),
      ['one'],
    );
  });

  test('a Secret gives the keys that are asked for, at their paths and modes', async () => {
    put('secrets', 's', { a: Buffer.from('A').toString('base64'), b: 'Qg==' });
    const items = [{ key: 'a', path: 'deep/file', mode: 0o640 }];
    await m.create('a', mounted({ name: 'v', secret: { secretName: 's', items } }));
    const file = join(path('secret'), 'deep/file');
    assert.equal(await readFile(file, 'utf8'), 'A');
    assert.equal((await stat(file)).mode & 0o777, 0o640);
  });

  test('what is missing leaves the pod in creation until it is there; optional, it is empty', async () => {
    await m.create('a', mounted({ name: 'v', secret: { secretName: 'later' } }));
    assert.deepEqual(m.container('a').state, { waiting: { reason: 'ContainerCreating' } });
    assert.ok(m.events('FailedMount').some((t) => t.includes('secret "later" not found')));
    put('secrets', 'later', { k: 'eA==' });
    await m.pass(10);
    assert.equal(m.status('a').phase, 'Running');
    await m.create('b', mounted({ name: 'v', configMap: { name: 'none', optional: true } }));
    assert.equal(m.status('b').phase, 'Running');
  });

  test('a projected volume joins its sources, and its token is renewed before it ends', async () => {
    put('configmaps', 'c', { one: '1' });
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 600, audience: 'vault' } },
      { configMap: { name: 'c' } },
      { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    ];
    await m.create('a', mounted({ name: 'v', projected: { sources } }), { labels: { b: '2', a: '1' } });
    const dir = path('projected');
    const read = (name: string) => readFile(join(dir, name), 'utf8');
    assert.deepEqual([await read('token'), await read('one'), await read('labels')], ['token-1', '1', 'a="1"\nb="2"']);
    assert.deepEqual(m.api.tokensAsked[0]?.spec, {
      audiences: ['vault'],
      expirationSeconds: 600,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'uid-a' },
    });
    assert.equal((await stat(join(dir, 'token'))).mode & 0o777, 0o644);
    await m.pass(400);
    assert.equal(await read('token'), 'token-1');
    await m.pass(90);
    assert.equal(await read('token'), 'token-2');
  });

  test('the downward API follows labels', async () => {
    const items = [{ path: 'app', fieldRef: { fieldPath: "metadata.labels['app']" } }];
    await m.create('a', mounted({ name: 'v', downwardAPI: { items } }), { labels: { app: 'old' } });
    const pod = m.api.pods.get('default/a');
    if (pod) m.api.put({ ...pod, metadata: { ...pod.metadata, labels: { app: 'new' } } });
    await m.pass(1);
    assert.equal(await readFile(join(path('downward-api'), 'app'), 'utf8'), 'new');
  });

  test('an emptyDir lives as long as the pod: restarts keep it, deletion takes it', async () => {
    await m.create('a', mounted({ name: 'v', emptyDir: {} }));
    const dir = path('empty-dir');
    await writeFile(join(dir, 'kept'), 'x');
    m.runtime.exit(m.id('a'), 1);
    await m.pass(3);
    assert.equal(await readFile(join(dir, 'kept'), 'utf8'), 'x');
    await m.delete('a');
    await m.pass(3);
    await assert.rejects(stat(dir), { code: 'ENOENT' });
  });

  test('a hostPath is made or refused as its type says, and outlives the pod', async () => {
    const dir = join(m.root, 'host');
    await m.create('a', mounted({ name: 'v', hostPath: { path: dir, type: 'DirectoryOrCreate' } }));
    await writeFile(join(dir, 'kept'), 'x');
    await m.create('b', mounted({ name: 'v', hostPath: { path: join(m.root, 'none'), type: 'Directory' } }));
    assert.equal(m.status('b').phase, 'Pending');
    assert.match(m.events('FailedMount').join(), /hostPath type check failed, .* is not a directory/);
    await m.delete('a');
    await m.pass(3);
    assert.equal(await readFile(join(dir, 'kept'), 'utf8'), 'x');
  });

  test('a subPath is a part of its volume and never leaves it', async () => {
    const with_ = (subPath: string) => ({
      ...mounted({ name: 'v', emptyDir: {} }),
      containers: [{ ...pause, volumeMounts: [{ name: 'v', mountPath: '/v', subPath }] }],
    });
    await m.create('a', with_('in/side'));
    const mounts = (await m.runtime.containerStatus(m.id('a'))).mounts;
    // Bound to a place of its own: what containers change in the volume later can't move the mount.
    const bound = join(m.root, 'pods/uid-a/volume-subpaths/v/main/0');
    assert.equal(mounts.find((x) => x.containerPath === '/v')?.hostPath, bound);
    assert.deepEqual(
      m.mounter.mounts.map((x) => x.path),
      [bound],
    );
    assert.ok((await stat(join(path('empty-dir'), 'in/side'))).isDirectory());
    await m.delete('a', 1);
    await m.pass(5);
    assert.deepEqual(m.mounter.mounts, []);
    await m.create('b', with_('../../etc'));
    assert.deepEqual(m.container('b').state.waiting, {
      reason: 'CreateContainerConfigError',
      message: "unable to provision SubPath `../../etc`: must not contain '..'",
    });
  });

  test('an image is a volume: pulled as its policy says, shown once, let go of with the pod', async () => {
    m.runtime.images.offer('data:1', {});
    await m.create('a', mounted({ name: 'v', image: { reference: 'data:1', pullPolicy: 'Always' } }));
    const at = path('image');
    const [shown] = m.mounter.mounts;
    const image = await m.runtime.images.imageStatus({ image: 'data:1' });
    assert.deepEqual([shown?.path, shown?.source], [at, image?.id]);
    const mount = (await m.runtime.containerStatus(m.id('a'))).mounts.find((x) => x.containerPath === '/v');
    assert.deepEqual([mount?.hostPath, mount?.readonly], [at, true]);
    m.runtime.exit(m.id('a'), 1);
    await m.pass(15);
    assert.equal(m.mounter.mounts.length, 1);
    await m.delete('a', 1);
    await m.pass(5);
    assert.deepEqual([m.mounter.mounts, m.forgotten], [[], [at]]);
  });

  test('an image volume that cannot be pulled leaves the container waiting for it', async () => {
    await m.create('a', mounted({ name: 'v', image: { reference: 'nothere:1' } }));
    assert.equal(m.container('a').state.waiting?.reason, 'ErrImagePull');
    await m.pass(6);
    assert.equal(m.container('a').state.waiting?.reason, 'ImagePullBackOff');
  });

  test('nothing is asked while nothing changes, and nothing is followed that no pod uses', async () => {
    put('configmaps', 'c', { one: '1' });
    await m.create('a', mounted({ name: 'v', configMap: { name: 'c' } }));
    await m.create('b', mounted({ name: 'v', configMap: { name: 'c' } }));
    assert.deepEqual(m.api.watched, ['/api/v1/namespaces/default/configmaps/c']);
    const asked = m.api.asked.length;
    await m.pass(90);
    assert.equal(m.api.asked.length, asked);
    for (const name of ['a', 'b']) await m.delete(name, 1);
    await m.pass(5);
    assert.deepEqual(m.api.watched, []);
  });

  test('an immutable Secret is read once and not followed', async () => {
    const object = { data: { k: 'eA==' }, immutable: true };
    m.api.objects.set('/api/v1/namespaces/default/secrets/s', object);
    await m.create('a', mounted({ name: 'v', secret: { secretName: 's' } }));
    assert.equal(m.status('a').phase, 'Running');
    assert.deepEqual(m.api.watched, []);
  });

  test('what cannot be mounted is told in upstream words, and no sandbox is made for it', async () => {
    const cases: [Volume, RegExp][] = [
      [
        { name: 'v', configMap: { name: 'no' } },
        /^MountVolume.SetUp failed for volume "v" : configmap "no" not found$/,
      ],
      [
        { name: 'v', persistentVolumeClaim: { claimName: 'no' } },
        /^Unable to attach or mount volumes: unmounted volumes=\[v\], unattached volumes=\[\], failed to process volumes=\[v\]: error processing PVC default\/no: failed to fetch PVC from API server: /,
      ],
      [
        { name: 'v', nfs: { server: 's', path: '/' } } as Volume,
        /volumes of type nfs are not carried out by this node$/,
      ],
    ];
    for (const [i, [volume, text]] of cases.entries()) {
      await m.create(`p${i}`, mounted(volume));
      assert.match(m.api.events.filter((e) => e.pod === `p${i}`)[0]?.message ?? '', text);
    }
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
  });
});

describe('sandboxes', () => {
  test('a sandbox that is lost is made anew, the containers count on', async () => {
    await m.create('a', probed({}, { initContainers: [container('init', ['true'])] }));
    const [sandbox] = await m.runtime.listPodSandbox();
    m.runtime.loseSandbox(sandbox?.id ?? '');
    await m.pass(15);
    assert.equal(m.status('a').phase, 'Running');
    assert.equal(m.container('a').restartCount, 1);
    assert.equal(m.status('a').podIP, '10.88.0.3');
    assert.equal(m.container('a').lastState.terminated?.exitCode, 137);
    await m.delete('a');
    await m.pass(3);
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
  });

  test('a pod that never restarts fails with its sandbox', async () => {
    await m.create(
      'a',
      probed({ command: ['sleep', '1000'] }, { restartPolicy: 'Never', terminationGracePeriodSeconds: 1 }),
    );
    const [sandbox] = await m.runtime.listPodSandbox();
    m.runtime.loseSandbox(sandbox?.id ?? '');
    await m.pass(5);
    assert.equal(m.status('a').phase, 'Failed');
    assert.equal((await m.runtime.listPodSandbox()).length, 1);
  });

  test('a sandbox that cannot be made is tried again', async () => {
    const { RuntimeError } = await import('../runtime/error.ts');
    m.runtime.fail('runPodSandbox', new RuntimeError('Unknown', 'failed to setup network'), 2);
    await mkdir(join(m.root, 'logs'), { recursive: true });
    await m.create('a', probed({}));
    assert.equal(m.condition('a', 'PodReadyToStartContainers'), 'False PodSandboxNotReady: no pod sandbox exists');
    assert.match(
      m.events('FailedCreatePodSandBox')[0] ?? '',
      /^Failed to create pod sandbox: .*failed to setup network/,
    );
    await m.pass(5);
    assert.equal(m.status('a').phase, 'Running');
  });
});
