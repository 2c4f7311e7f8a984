import assert from 'node:assert/strict';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectCri } from './cri.ts';
import { RuntimeError } from './error.ts';
import { runtimeSuite } from './runtime.suite.ts';
import {
  BUSYBOX,
  BUSYBOX_NOBODY,
  startTestContainerd,
  type TestContainerd,
  whyNoContainerd,
} from './testing/containerd.ts';

const why = await whyNoContainerd();

if (why !== null) {
  test('CriRuntime on a real containerd', { skip: why }, () => undefined);
} else {
  let containerd: TestContainerd;
  runtimeSuite('CriRuntime on containerd', async () => {
    containerd = await startTestContainerd(1);
    return {
      runtime: containerd.runtime,
      images: containerd.images,
      image: BUSYBOX,
      imageNobody: BUSYBOX_NOBODY,
      imageAbsent: 'registry.test/absent:1',
      logDir: join(containerd.dir, 'logs'),
      readLog: (path) => readFile(path, 'utf8').catch(() => ''),
      renameLog: rename,
      settle: (p) => p,
      pass: delay,
      close: () => containerd.close(),
    };
  });

  describe('what only a real runtime can show', () => {
    let t: TestContainerd;
    before(async () => {
      t = await startTestContainerd(2);
      await t.images.pullImage({ image: BUSYBOX });
    });
    after(async () => t?.close());

    const pod = (name: string) => ({
      metadata: { name, uid: name, namespace: 'default', attempt: 0 },
      hostname: name,
      logDirectory: join(t.dir, 'logs', name),
      dnsConfig: { servers: ['10.96.0.10'], searches: ['svc.cluster.local'], options: ['ndots:5'] },
    });
    const run = async (sandbox: string, config: ReturnType<typeof pod>, command: string[], more = {}) => {
      const id = await t.runtime.createContainer(
        sandbox,
        { metadata: { name: 'main', attempt: 0 }, image: { image: BUSYBOX }, command, logPath: 'main.log', ...more },
        config,
      );
      await t.runtime.startContainer(id);
      return id;
    };
    const output = async (id: string, cmd: string[]) =>
      Buffer.from((await t.runtime.execSync(id, cmd)).stdout).toString();

    test('a pod has its hostname, resolv.conf, mounts and user; another pod and this machine reach its address', async () => {
      const shared = join(t.dir, 'shared');
      await mkdir(shared);
      await writeFile(join(shared, 'hello'), 'from the host\n');
      const a = pod('a');
      const sandbox = await t.runtime.runPodSandbox(a);
      const server = ['sh', '-c', 'httpd -f -p 8080 -h /data'];
      const id = await run(sandbox, a, server, {
        mounts: [{ containerPath: '/data', hostPath: shared, readonly: true }],
        linux: { securityContext: { runAsUser: 1000, runAsGroup: 1000, supplementalGroups: [2000] } },
      });
      assert.equal(await output(id, ['hostname']), 'a\n');
      assert.match(await output(id, ['id']), /^uid=1000 gid=1000 groups=(1000,)?2000\n$/);
      const resolv = await output(id, ['cat', '/etc/resolv.conf']);
      assert.match(resolv, /search svc\.cluster\.local\nnameserver 10\.96\.0\.10\noptions ndots:5\n/);
      assert.equal((await t.runtime.execSync(id, ['touch', '/data/x'])).exitCode, 1, 'the mount is read-only');

      const ip = (await t.runtime.podSandboxStatus(sandbox)).status.network?.ip ?? '';
      assert.ok(ip.startsWith('10.213.2.'), ip);
      const fetched = await (await fetch(`http://${ip}:8080/hello`)).text();
      assert.equal(fetched, 'from the host\n');
      const b = pod('b');
      const other = await run(await t.runtime.runPodSandbox(b), b, ['sleep', '1000']);
      assert.equal(await output(other, ['wget', '-q', '-O-', `http://${ip}:8080/hello`]), 'from the host\n');
      const self = await output(id, ['wget', '-q', '-O-', `http://${ip}:8080/hello`]);
      assert.equal(self, 'from the host\n');
    });

    test('a container over its memory limit is OOMKilled', async () => {
      const c = pod('oom');
      const grow = ['sh', '-c', 'a=x; while true; do a=$a$a; done'];
      const resources = { memoryLimitInBytes: 16 << 20, memorySwapLimitInBytes: 16 << 20 };
      const id = await run(await t.runtime.runPodSandbox(c), c, grow, { linux: { resources } });
      for (let i = 0; i < 500; i++) {
        const s = await t.runtime.containerStatus(id);
        if (s.state === 'CONTAINER_EXITED') {
          assert.deepEqual([s.reason, s.exitCode], ['OOMKilled', 137]);
          return;
        }
        await delay(20);
      }
      assert.fail('it never ended');
    });

    test('a runtime that is not there is Unavailable', async () => {
      const { runtime } = connectCri(join(t.dir, 'nobody.sock'));
      await assert.rejects(runtime.version(), (e) => e instanceof RuntimeError && e.code === 'Unavailable');
      runtime.close();
    });
  });
}
