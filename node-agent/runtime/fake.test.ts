import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RuntimeError } from './error.ts';
import { FakeRuntime, goSeconds } from './fake.ts';
import type { LogSink } from './fake-process.ts';
import { type Machine, runtimeSuite } from './runtime.suite.ts';
import { virtualClock } from './testing/clock.ts';

const POLL_MS = 10;

/** Log files as texts by path; a renamed file goes on being written until it's reopened, as on a real disk. */
function memoryLogs() {
  const files = new Map<string, { text: string }>();
  const open = new Map<string, { text: string }>();
  const sink: LogSink = {
    write(path, line) {
      let file = open.get(path);
      if (!file) {
        file = { text: '' };
        open.set(path, file);
        files.set(path, file);
      }
      file.text += line;
    },
    reopen: (path) => void open.delete(path),
  };
  return { files, sink };
}

async function fakeMachine(): Promise<Machine> {
  const clock = virtualClock();
  const { files, sink } = memoryLogs();
  const runtime = new FakeRuntime({ env: clock, logs: sink });
  runtime.images.offer('registry.test/busybox:1', { command: ['sh'], pullMs: 100 });
  runtime.images.offer('registry.test/nobody/busybox:1', { command: ['sh'], user: '65534' });
  return {
    runtime,
    images: runtime.images,
    image: 'registry.test/busybox:1',
    imageNobody: 'registry.test/nobody/busybox:1',
    imageAbsent: 'registry.test/absent:1',
    logDir: '/logs',
    readLog: async (path) => files.get(path)?.text ?? '',
    async renameLog(from, to) {
      const file = files.get(from);
      if (file) files.set(to, file);
      files.delete(from);
    },
    async settle(p) {
      let over = false;
      const done = () => {
        over = true;
      };
      p.then(done, done);
      while (!over) await clock.advance(POLL_MS);
      return p;
    },
    pass: (ms) => clock.advance(ms),
    close: async () => undefined,
  };
}

runtimeSuite('FakeRuntime', fakeMachine);

describe('what only the fake can', () => {
  const pod = { metadata: { name: 'p', uid: 'u', namespace: 'n', attempt: 0 } };
  const make = async () => {
    const clock = virtualClock();
    const runtime = new FakeRuntime({ env: clock });
    runtime.images.offer('i', { command: ['pause'] });
    await runtime.images.pullImage({ image: 'i' });
    const sandbox = await runtime.runPodSandbox(pod);
    const id = await runtime.createContainer(
      sandbox,
      { metadata: { name: 'c', attempt: 0 }, image: { image: 'i' } },
      pod,
    );
    await runtime.startContainer(id);
    return { clock, runtime, sandbox, id };
  };

  test('a container can be made to exit, or to run out of memory', async () => {
    const a = await make();
    a.runtime.exit(a.id, 4);
    assert.equal((await a.runtime.containerStatus(a.id)).exitCode, 4);
    const b = await make();
    b.runtime.oomKill(b.id);
    const s = await b.runtime.containerStatus(b.id);
    assert.deepEqual([s.exitCode, s.reason], [137, 'OOMKilled']);
  });
  test('a lost sandbox is not ready, its containers go on', async () => {
    const { runtime, sandbox, id } = await make();
    runtime.loseSandbox(sandbox);
    assert.equal((await runtime.podSandboxStatus(sandbox)).status.state, 'SANDBOX_NOTREADY');
    assert.equal((await runtime.containerStatus(id)).state, 'CONTAINER_RUNNING');
  });
  test('calls fail as often as told, and take as long as told', async () => {
    const { runtime, clock } = await make();
    const error = new RuntimeError('Unavailable', 'down');
    runtime.fail('version', error, 2);
    await assert.rejects(runtime.version(), error);
    await assert.rejects(runtime.version(), error);
    await runtime.version();
    runtime.delay('status', 500);
    let answered = false;
    const p = runtime.status().then(() => {
      answered = true;
    });
    await clock.advance(499);
    assert.equal(answered, false);
    await clock.advance(1);
    await p;
  });
  test('seconds print as Go prints a duration', () => {
    assert.deepEqual([1, 60, 90, 3600].map(goSeconds), ['1s', '1m0s', '1m30s', '1h0m0s']);
  });
});
