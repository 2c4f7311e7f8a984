import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isNotFound, RuntimeError } from './error.ts';
import type { ContainerConfig, ContainerStatus, PodSandboxConfig } from './messages.ts';
import type { ImageStore, Runtime } from './runtime.ts';

/** A runtime under test, with its logs and its time. */
export interface Machine {
  runtime: Runtime;
  images: ImageStore;
  /** Pullable, with busybox's sh, sleep, echo, pwd, true, false on its PATH; runs `sh` by default. */
  image: string;
  /** The same with USER 65534. */
  imageNobody: string;
  /** A name whose registry says that it doesn't exist. */
  imageAbsent: string;
  logDir: string;
  /** A log file's content; '' when it isn't there. */
  readLog(path: string): Promise<string>;
  renameLog(from: string, to: string): Promise<void>;
  /** Waits for `p` while the machine's time goes on. */
  settle<T>(p: Promise<T>): Promise<T>;
  /** Lets `ms` of the machine's time go by. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const POLL_MS = 20;
const WAIT_MS_MAX = 20_000;

/** The kubelet's usual choice: one pid namespace per container. */
const OWN_PIDS = { securityContext: { namespaceOptions: { pid: 'CONTAINER' as const } } };
const HANDLES_TERM = ['sh', '-c', 'trap "exit 7" TERM; sleep 1000 & wait'];

async function until<T>(m: Machine, look: () => Promise<T | false>, what: string): Promise<T> {
  for (let waited = 0; waited < WAIT_MS_MAX; waited += POLL_MS) {
    const seen = await look();
    if (seen !== false) return seen;
    await m.pass(POLL_MS);
  }
  throw new Error(`never seen: ${what}`);
}

const failsWith = (code: string, text: RegExp) => (e: unknown) => {
  assert.ok(e instanceof RuntimeError, `not a RuntimeError: ${String(e)}`);
  assert.equal(e.code, code, e.message);
  assert.match(e.desc, text);
  return true;
};

/** What every Runtime and its ImageStore keep to. `make` is called once for all cases. */
export function runtimeSuite(name: string, make: () => Promise<Machine>): void {
  let m: Machine;
  let pods = 0;

  const podConfig = (more: Partial<PodSandboxConfig> = {}): PodSandboxConfig => {
    const uid = `uid-${++pods}`;
    return {
      metadata: { name: `pod-${pods}`, uid, namespace: 'default', attempt: 0 },
      hostname: `pod-${pods}`,
      logDirectory: `${m.logDir}/${uid}`,
      labels: { app: 'suite', pod: uid },
      annotations: { note: 'kept' },
      linux: OWN_PIDS,
      ...more,
    };
  };
  const containerConfig = (command: string[], more: Partial<ContainerConfig> = {}): ContainerConfig => ({
    metadata: { name: 'main', attempt: 0 },
    image: { image: m.image },
    command,
    logPath: 'main/0.log',
    labels: { app: 'suite', container: 'main' },
    linux: OWN_PIDS,
    ...more,
  });
  /** A sandbox and a started container in it. */
  const started = async (command: string[], more: Partial<ContainerConfig> = {}, pod = podConfig()) => {
    const sandbox = await m.runtime.runPodSandbox(pod);
    const id = await m.runtime.createContainer(sandbox, containerConfig(command, more), pod);
    await m.runtime.startContainer(id);
    return { pod, sandbox, id };
  };
  const exited = (id: string): Promise<ContainerStatus> =>
    until(
      m,
      async () => {
        const s = await m.runtime.containerStatus(id);
        return s.state === 'CONTAINER_EXITED' && s;
      },
      `exit of ${id}`,
    );
  const logged = (path: string, text: string) =>
    until(m, async () => (await m.readLog(path)).includes(text) && m.readLog(path), `${text} in ${path}`);

  describe(`runtime: ${name}`, () => {
    before(async () => {
      m = await make();
      for (const image of [m.image, m.imageNobody]) await m.settle(m.images.pullImage({ image }));
    });
    after(async () => m?.close());

    describe('the runtime itself', () => {
      test('tells name, version and API version v1', async () => {
        const v = await m.runtime.version();
        assert.equal(v.runtimeApiVersion, 'v1');
        assert.notEqual(v.runtimeName, '');
        assert.match(v.runtimeVersion, /^v?\d+\.\d+/);
      });
      test('is ready, and so is its network', async () => {
        await until(
          m,
          async () => {
            const conditions = (await m.runtime.status()).status?.conditions ?? [];
            const ready = (type: string) => conditions.some((c) => c.type === type && c.status);
            return ready('RuntimeReady') && ready('NetworkReady');
          },
          'both conditions true',
        );
      });
      test('tells a cgroup driver or that it does not know', async () => {
        assert.ok([null, 'SYSTEMD', 'CGROUPFS'].includes(await m.runtime.cgroupDriver()));
      });
      test('takes a pod range', async () => {
        await m.runtime.updateRuntimeConfig('10.9.0.0/24');
      });
    });

    describe('sandboxes', () => {
      test('a running sandbox has what its config says, an address, and is listed', async () => {
        const config = podConfig();
        const id = await m.runtime.runPodSandbox(config);
        const { status } = await m.runtime.podSandboxStatus(id);
        assert.equal(status.id, id);
        assert.equal(status.state, 'SANDBOX_READY');
        assert.deepEqual(status.metadata, config.metadata);
        assert.deepEqual(status.labels, config.labels);
        assert.deepEqual(status.annotations, config.annotations);
        assert.match(status.network?.ip ?? '', /^\d+\.\d+\.\d+\.\d+$/);
        assert.equal(status.linux?.namespaces?.options?.pid, 'CONTAINER');
        assert.ok(status.createdAt > 1e18, 'nanoseconds');
        const listed = await m.runtime.listPodSandbox({ labelSelector: { pod: config.metadata.uid } });
        assert.deepEqual(
          listed.map((s) => [s.id, s.state, s.metadata.name]),
          [[id, 'SANDBOX_READY', config.metadata.name]],
        );
      });
      test('two sandboxes have different addresses', async () => {
        const ips = new Set<string>();
        for (let i = 0; i < 3; i++) {
          const id = await m.runtime.runPodSandbox(podConfig());
          ips.add((await m.runtime.podSandboxStatus(id)).status.network?.ip ?? '');
        }
        assert.equal(ips.size, 3);
      });
      test('a sandbox on the host network has no address of its own', async () => {
        const namespaceOptions = { network: 'NODE', pid: 'CONTAINER' } as const;
        const id = await m.runtime.runPodSandbox(
          podConfig({ hostname: '', linux: { securityContext: { namespaceOptions } } }),
        );
        const { status } = await m.runtime.podSandboxStatus(id);
        assert.equal(status.network?.ip ?? '', '');
        assert.equal(status.linux?.namespaces?.options?.network, 'NODE');
      });
      test('a name, uid and attempt can be used once; the next attempt is another sandbox', async () => {
        const config = podConfig();
        const id = await m.runtime.runPodSandbox(config);
        await assert.rejects(
          m.runtime.runPodSandbox(config),
          failsWith('Unknown', new RegExp(`failed to reserve sandbox name .* is reserved for "${id}"`)),
        );
        const next = await m.runtime.runPodSandbox({ ...config, metadata: { ...config.metadata, attempt: 1 } });
        assert.notEqual(next, id);
        assert.equal((await m.runtime.podSandboxStatus(next)).status.metadata.attempt, 1);
      });
      test('a removed sandbox frees its name', async () => {
        const config = podConfig();
        const id = await m.runtime.runPodSandbox(config);
        await m.runtime.stopPodSandbox(id);
        await m.runtime.removePodSandbox(id);
        assert.notEqual(await m.runtime.runPodSandbox(config), id);
      });
      test('an unknown runtime handler is refused', async () => {
        await assert.rejects(
          m.runtime.runPodSandbox(podConfig(), 'nowhere'),
          failsWith('Unknown', /no runtime for "nowhere" is configured/),
        );
      });
      test('stop kills what runs, takes the address and may be repeated', async () => {
        const { sandbox, id } = await started(['sleep', '1000']);
        await m.runtime.stopPodSandbox(sandbox);
        await m.runtime.stopPodSandbox(sandbox);
        const { status } = await m.runtime.podSandboxStatus(sandbox);
        assert.equal(status.state, 'SANDBOX_NOTREADY');
        assert.equal(status.network?.ip ?? '', '');
        assert.equal((await exited(id)).exitCode, 137);
        const listed = await m.runtime.listPodSandbox({ id: sandbox, state: 'SANDBOX_READY' });
        assert.deepEqual(listed, []);
      });
      test('remove takes its containers along and may be repeated', async () => {
        const { sandbox, id } = await started(['true']);
        await exited(id);
        await m.runtime.stopPodSandbox(sandbox);
        await m.runtime.removePodSandbox(sandbox);
        await m.runtime.removePodSandbox(sandbox);
        await assert.rejects(m.runtime.podSandboxStatus(sandbox), isNotFound);
        await assert.rejects(m.runtime.containerStatus(id), isNotFound);
      });
      test('stop and remove of an unknown id are silent, status is NotFound', async () => {
        await m.runtime.stopPodSandbox('beef');
        await m.runtime.removePodSandbox('beef');
        await assert.rejects(m.runtime.podSandboxStatus('beef'), failsWith('NotFound', /not found/));
      });
      test('an id may be shortened while it stays unambiguous', async () => {
        const id = await m.runtime.runPodSandbox(podConfig());
        const ids = (await m.runtime.listPodSandbox()).map((s) => s.id);
        let length = 1;
        while (ids.filter((i) => i.startsWith(id.slice(0, length))).length > 1) length++;
        assert.equal((await m.runtime.podSandboxStatus(id.slice(0, length))).status.id, id);
      });
    });

    describe('containers', () => {
      test('one goes from created to running to exited, with its times in order', async () => {
        const pod = podConfig();
        const sandbox = await m.runtime.runPodSandbox(pod);
        const id = await m.runtime.createContainer(sandbox, containerConfig(['sleep', '0.2']), pod);
        const created = await m.runtime.containerStatus(id);
        assert.equal(created.state, 'CONTAINER_CREATED');
        assert.equal(created.startedAt, 0);
        await m.runtime.startContainer(id);
        const running = await m.runtime.containerStatus(id);
        assert.equal(running.state, 'CONTAINER_RUNNING');
        assert.equal(running.finishedAt, 0);
        assert.deepEqual(running.metadata, { name: 'main', attempt: 0 });
        assert.equal(running.image?.image, m.image);
        assert.equal(running.logPath, `${pod.logDirectory}/main/0.log`);
        const done = await exited(id);
        assert.equal(done.exitCode, 0);
        assert.equal(done.reason, 'Completed');
        assert.ok(done.createdAt <= done.startedAt && done.startedAt < done.finishedAt);
      });
      test('its exit code is kept, with reason Error', async () => {
        const { id } = await started(['sh', '-c', 'exit 3']);
        const s = await exited(id);
        assert.deepEqual([s.exitCode, s.reason], [3, 'Error']);
      });
      test('an executable that is not there: start fails, the container has exited with StartError and 128', async () => {
        const pod = podConfig();
        const sandbox = await m.runtime.runPodSandbox(pod);
        const id = await m.runtime.createContainer(sandbox, containerConfig(['nowhere']), pod);
        const text = /exec: "nowhere": executable file not found in \$PATH/;
        await assert.rejects(m.runtime.startContainer(id), failsWith('Unknown', text));
        const s = await m.runtime.containerStatus(id);
        assert.deepEqual([s.state, s.exitCode, s.reason], ['CONTAINER_EXITED', 128, 'StartError']);
        assert.match(s.message, text);
      });
      test('it starts only once', async () => {
        const { id } = await started(['sleep', '1000']);
        const refused = (state: string) =>
          assert.rejects(
            m.runtime.startContainer(id),
            failsWith('Unknown', new RegExp(`failed to set starting state .* container is in ${state} state`)),
          );
        await refused('CONTAINER_RUNNING');
        await m.settle(m.runtime.stopContainer(id, 0));
        await refused('CONTAINER_EXITED');
      });
      test('the same name and attempt is refused, the next attempt is not', async () => {
        const { pod, sandbox, id } = await started(['true']);
        const text = new RegExp(`failed to reserve container name .* is reserved for "${id}"`);
        await assert.rejects(
          m.runtime.createContainer(sandbox, containerConfig(['true']), pod),
          failsWith('Unknown', text),
        );
        const again = containerConfig(['true'], { metadata: { name: 'main', attempt: 1 }, logPath: 'main/1.log' });
        const next = await m.runtime.createContainer(sandbox, again, pod);
        assert.equal((await m.runtime.containerStatus(next)).metadata.attempt, 1);
      });
      test('creation needs a sandbox that runs and an image that is here', async () => {
        const pod = podConfig();
        const create = (sandbox: string, image = m.image) =>
          m.runtime.createContainer(sandbox, containerConfig(['true'], { image: { image } }), pod);
        await assert.rejects(create('beef'), failsWith('NotFound', /failed to find sandbox id "beef": not found/));
        const sandbox = await m.runtime.runPodSandbox(pod);
        await assert.rejects(
          create(sandbox, m.imageAbsent),
          failsWith('NotFound', /failed to resolve image ".*": not found/),
        );
        await m.runtime.stopPodSandbox(sandbox);
        await assert.rejects(create(sandbox), failsWith('NotFound', /no running task found/));
      });
      test('unknown ids: start and status are NotFound, stop and remove are silent', async () => {
        const text = /an error occurred when try to find container "beef": not found/;
        await assert.rejects(m.runtime.startContainer('beef'), failsWith('NotFound', text));
        await assert.rejects(m.runtime.containerStatus('beef'), failsWith('NotFound', text));
        await m.runtime.stopContainer('beef', 1);
        await m.runtime.removeContainer('beef');
      });
      test('lists select by id, sandbox, state and labels', async () => {
        const { sandbox, id, pod } = await started(['sleep', '1000']);
        const done = await started(['true'], { labels: { app: 'suite', container: 'other' } });
        await exited(done.id);
        const ids = async (filter: Parameters<Runtime['listContainers']>[0]) =>
          (await m.runtime.listContainers(filter)).map((c) => c.id);
        assert.deepEqual(await ids({ id }), [id]);
        assert.deepEqual(await ids({ podSandboxId: sandbox }), [id]);
        assert.deepEqual(await ids({ podSandboxId: done.sandbox, state: 'CONTAINER_RUNNING' }), []);
        assert.deepEqual(await ids({ podSandboxId: done.sandbox, state: 'CONTAINER_EXITED' }), [done.id]);
        assert.deepEqual(await ids({ podSandboxId: done.sandbox, labelSelector: { container: 'main' } }), []);
        const [row] = await m.runtime.listContainers({ id });
        assert.equal(row?.podSandboxId, sandbox);
        assert.equal(row?.metadata.name, 'main');
        assert.notEqual(pod.metadata.uid, '');
      });
      test('env, working directory and arguments reach the process', async () => {
        const more = {
          envs: [{ key: 'GREETING', value: 'a b\tc' }],
          workingDir: '/tmp',
          args: ['echo "$GREETING"; pwd'],
        };
        const { id, pod } = await started(['sh', '-c'], more);
        await exited(id);
        const log = await logged(`${pod.logDirectory}/main/0.log`, '/tmp');
        assert.match(log, /stdout F a b\tc\n.*stdout F \/tmp\n$/);
      });
      test('without command and args the image runs its own', async () => {
        const { id } = await started([], { args: [] });
        assert.equal((await exited(id)).exitCode, 0);
      });
    });

    describe('stopping', () => {
      test('a process that handles TERM ends with its own code', async () => {
        const { id } = await started(HANDLES_TERM);
        await m.pass(200); // the shell must have set its trap
        await m.settle(m.runtime.stopContainer(id, 10));
        const s = await m.runtime.containerStatus(id);
        assert.deepEqual([s.state, s.exitCode, s.reason], ['CONTAINER_EXITED', 7, 'Error']);
      });
      test('the first process of a pid namespace that does not is killed after the grace, with 137', async () => {
        const { id } = await started(['sleep', '1000']);
        const before = (await m.runtime.containerStatus(id)).startedAt;
        await m.settle(m.runtime.stopContainer(id, 1));
        const s = await m.runtime.containerStatus(id);
        assert.equal(s.exitCode, 137);
        assert.ok(s.finishedAt - before >= 0.9e9, 'it had its second');
      });
      test('in a pid namespace shared with the pod it dies of the signal itself, with 143', async () => {
        const linux = { securityContext: { namespaceOptions: { pid: 'POD' as const } } };
        const { id } = await started(['sleep', '1000'], { linux }, podConfig({ linux }));
        await m.settle(m.runtime.stopContainer(id, 10));
        assert.equal((await m.runtime.containerStatus(id)).exitCode, 143);
      });
      test('grace 0 kills at once', async () => {
        const { id } = await started(HANDLES_TERM);
        await m.settle(m.runtime.stopContainer(id, 0));
        assert.equal((await m.runtime.containerStatus(id)).exitCode, 137);
      });
      test('a stopped or never started container may be stopped again', async () => {
        const { id, sandbox, pod } = await started(['true']);
        const s = await exited(id);
        await m.runtime.stopContainer(id, 1);
        assert.equal((await m.runtime.containerStatus(id)).finishedAt, s.finishedAt);
        const idle = containerConfig(['true'], { metadata: { name: 'idle', attempt: 0 }, logPath: 'idle.log' });
        const created = await m.runtime.createContainer(sandbox, idle, pod);
        await m.runtime.stopContainer(created, 1);
        assert.equal((await m.runtime.containerStatus(created)).state, 'CONTAINER_CREATED');
      });
      test('remove kills a running container, frees its name and may be repeated', async () => {
        const { id, sandbox, pod } = await started(['sleep', '1000']);
        await m.settle(m.runtime.removeContainer(id));
        await m.runtime.removeContainer(id);
        await assert.rejects(m.runtime.containerStatus(id), isNotFound);
        assert.notEqual(await m.runtime.createContainer(sandbox, containerConfig(['true']), pod), id);
      });
    });

    describe('logs', () => {
      test('each line has time, stream and F', async () => {
        const { id, pod } = await started(['sh', '-c', 'echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three']);
        await exited(id);
        const log = await logged(`${pod.logDirectory}/main/0.log`, 'three');
        const lines = log.split('\n').slice(0, -1);
        assert.deepEqual(
          lines.map((l) => l.replace(/^\S+ /, '')),
          ['stdout F one', 'stderr F two', 'stdout F three'],
        );
        for (const l of lines) assert.match(l, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d) /);
      });
      test('after a rename and a reopen, new lines are in a new file', async () => {
        const { id, pod } = await started(['sh', '-c', 'echo one; sleep 1; echo two; sleep 1000']);
        const path = `${pod.logDirectory}/main/0.log`;
        await logged(path, 'one');
        await m.renameLog(path, `${path}.1`);
        await m.runtime.reopenContainerLog(id);
        const after = await logged(path, 'two');
        assert.doesNotMatch(after, /one/);
        assert.match(await m.readLog(`${path}.1`), /one/);
      });
      test('only a running container can reopen its log', async () => {
        const { id } = await started(['true']);
        await exited(id);
        await assert.rejects(m.runtime.reopenContainerLog(id), failsWith('Unknown', /container is not running/));
      });
    });

    describe('exec', () => {
      test('gives both outputs and the exit code', async () => {
        const { id } = await started(['sleep', '1000']);
        const r = await m.runtime.execSync(id, ['sh', '-c', 'echo out; echo err >&2; exit 5']);
        const text = (b: Uint8Array) => new TextDecoder().decode(b);
        assert.deepEqual([text(r.stdout), text(r.stderr), r.exitCode], ['out\n', 'err\n', 5]);
      });
      test('a command that says nothing gives bytes of length 0', async () => {
        const { id } = await started(['sleep', '1000']);
        const r = await m.runtime.execSync(id, ['true']);
        for (const b of [r.stdout, r.stderr]) assert.ok(b instanceof Uint8Array && b.length === 0);
      });
      test('ends at its timeout with DeadlineExceeded; the container goes on', async () => {
        const { id } = await started(['sleep', '1000']);
        await assert.rejects(
          m.settle(m.runtime.execSync(id, ['sleep', '30'], 1)),
          failsWith('DeadlineExceeded', /timeout 1s exceeded: context deadline exceeded/),
        );
        assert.equal((await m.runtime.containerStatus(id)).state, 'CONTAINER_RUNNING');
      });
      test('an executable that is not there is an error, not an exit code', async () => {
        const { id } = await started(['sleep', '1000']);
        await assert.rejects(
          m.runtime.execSync(id, ['nowhere']),
          failsWith('Unknown', /OCI runtime exec failed: .*exec: "nowhere": executable file not found in \$PATH/),
        );
      });
      test('needs a container that runs', async () => {
        const { id } = await started(['true']);
        await exited(id);
        const text = /failed to exec in container: container is in CONTAINER_EXITED state/;
        await assert.rejects(m.runtime.execSync(id, ['true']), failsWith('Unknown', text));
      });
      test('exec, attach and port-forward give URLs, each of them another', async () => {
        const { id, sandbox } = await started(['sleep', '1000']);
        const urls = [
          await m.runtime.exec({ containerId: id, cmd: ['true'], stdout: true }),
          await m.runtime.exec({ containerId: id, cmd: ['true'], stdout: true }),
          await m.runtime.attach({ containerId: id, stdout: true }),
          await m.runtime.portForward(sandbox, [80]),
        ];
        assert.equal(new Set(urls).size, urls.length);
        for (const u of urls) assert.match(u, /^http:\/\/127\.0\.0\.1:\d+\/(exec|attach|portforward)\//);
        await m.runtime.stopPodSandbox(sandbox);
        await exited(id);
        await assert.rejects(m.runtime.attach({ containerId: id, stdout: true }), failsWith('Unknown', /EXITED/));
        await assert.rejects(m.runtime.portForward(sandbox, [80]), failsWith('Unknown', /not running/));
      });
    });

    describe('resources and statistics', () => {
      test('an update changes what status shows', async () => {
        const { id } = await started(['sleep', '1000']);
        await m.runtime.updateContainerResources(id, { memoryLimitInBytes: 64 << 20, cpuShares: 512 });
        const { resources } = await m.runtime.containerStatus(id);
        assert.equal(resources?.linux?.memoryLimitInBytes, 64 << 20);
        assert.equal(resources?.linux?.cpuShares, 512);
      });
      test('a running container has stats, alone and in the list of its sandbox; an exited one is not listed', async () => {
        const { id, sandbox } = await started(['sleep', '1000']);
        const one = await m.runtime.containerStats(id);
        assert.equal(one.attributes.id, id);
        assert.equal(typeof one.cpu?.usageCoreNanoSeconds, 'number');
        assert.equal(typeof one.memory?.workingSetBytes, 'number');
        const listed = await m.runtime.listContainerStats({ podSandboxId: sandbox });
        assert.deepEqual(
          listed.map((s) => s.attributes.id),
          [id],
        );
        await m.settle(m.runtime.stopContainer(id, 0));
        await assert.rejects(m.runtime.containerStats(id), RuntimeError);
      });
    });

    describe('images', () => {
      test('a pulled image has id, names and size, and is found by each of its names', async () => {
        const ref = await m.settle(m.images.pullImage({ image: m.image }));
        const image = await m.images.imageStatus({ image: m.image });
        assert.ok(image);
        assert.equal(image.id, ref);
        assert.match(image.id, /^sha256:[0-9a-f]{64}$/);
        assert.deepEqual(image.repoTags, [m.image]);
        assert.match(image.repoDigests[0] ?? '', /@sha256:[0-9a-f]{64}$/);
        assert.ok(image.size > 0);
        for (const name of [image.id, image.id.slice('sha256:'.length), ...image.repoDigests]) {
          assert.equal((await m.images.imageStatus({ image: name }))?.id, image.id, name);
        }
        assert.ok((await m.images.listImages()).some((i) => i.id === image.id));
      });
      test('the user of an image is told as a number', async () => {
        const image = await m.images.imageStatus({ image: m.imageNobody });
        assert.equal(image?.uid, 65534);
        assert.equal((await m.images.imageStatus({ image: m.image }))?.uid, undefined);
      });
      test('an image that is nowhere: pull is NotFound, status is null, remove is silent', async () => {
        await assert.rejects(
          m.images.pullImage({ image: m.imageAbsent }),
          failsWith('NotFound', /failed to pull and unpack image .*: not found$/),
        );
        assert.equal(await m.images.imageStatus({ image: m.imageAbsent }), null);
        await m.images.removeImage({ image: m.imageAbsent });
      });
      test('an abandoned pull ends with Canceled', async () => {
        const signal = AbortSignal.abort();
        await assert.rejects(m.images.pullImage({ image: m.image }, { signal }), failsWith('Canceled', /canceled/));
      });
      test('a removed image is gone and can be pulled again', async () => {
        await m.images.removeImage({ image: m.imageNobody });
        assert.equal(await m.images.imageStatus({ image: m.imageNobody }), null);
        await m.settle(m.images.pullImage({ image: m.imageNobody }));
        assert.ok(await m.images.imageStatus({ image: m.imageNobody }));
      });
      test('the file system of images is told', async () => {
        const { imageFilesystems } = await m.images.imageFsInfo();
        assert.equal(imageFilesystems.length, 1);
        assert.notEqual(imageFilesystems[0]?.fsId?.mountpoint ?? '', '');
        assert.equal(typeof imageFilesystems[0]?.usedBytes, 'number');
      });
    });
  });
}
