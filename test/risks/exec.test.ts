// The riskiest path of `kubectl exec` and `kubectl cp`: large input and output with end of input, through a real
// containerd's streaming server. Prints times and memory; run with `node --test test/risks/exec.test.ts`.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex, duplexPair, Readable, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BUSYBOX,
  startTestContainerd,
  type TestContainerd,
  whyNoContainerd,
} from '../../node-agent/runtime/testing/containerd.ts';
import { portForwardStream, relayPortForward } from '../../node-agent/streaming/portforward.ts';
import { attachStream, execStream, exitCodeOf } from '../../node-agent/streaming/remotecommand.ts';
import { SpdySession } from '../../node-agent/streaming/spdy/session.ts';

const MIB = 1 << 20;
const SIZE = 64 * MIB;
const CHUNK = 64 << 10;
/**
 * Most that the memory of this process may grow while 64 MiB pass: half the size, so nothing holds it all. Buffers are
 * freed some time after their collection, so the figure is above what is really held.
 */
const GROWTH_MAX = 32 * MIB;
const SAMPLE_MS = 100;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** `size` bytes that depend on their place, and their checksum. */
function pattern(size: number) {
  const block = Buffer.alloc(CHUNK + 251);
  for (let i = 0; i < block.length; i++) block[i] = (i * 31) % 251;
  const hash = createHash('sha256');
  const stream = Readable.from(
    (function* () {
      for (let at = 0; at < size; at += CHUNK) {
        const part = block.subarray(at % 251, (at % 251) + Math.min(CHUNK, size - at));
        hash.update(part);
        yield part;
      }
    })(),
    { objectMode: false },
  );
  return { stream, digest: () => hash.digest('hex') };
}

/** Counts and hashes what is written to it, at most one write per `pauseMs`. */
function sink(pauseMs = 0) {
  const hash = createHash('sha256');
  const seen = { bytes: 0, text: '' };
  const stream = new Writable({
    highWaterMark: CHUNK,
    write(chunk: Buffer, _, done) {
      hash.update(chunk);
      seen.bytes += chunk.length;
      if (seen.text.length < 4096) seen.text += chunk.toString('latin1');
      if (pauseMs > 0) setTimeout(done, pauseMs);
      else done();
    },
  });
  return { stream, seen, digest: () => hash.digest('hex') };
}

/** Runs `f`, prints how long it took and how much memory grew at most, and checks the growth. */
async function measured<T>(name: string, bytes: number, f: () => Promise<T>): Promise<T> {
  const used = () => {
    // Twice: V8 frees the buffers of the first collection beside the program, and has done so when the second begins.
    collect();
    collect();
    const m = process.memoryUsage();
    return m.heapUsed + m.external;
  };
  const start = used();
  let peak = start;
  const watch = setInterval(() => {
    peak = Math.max(peak, used());
  }, SAMPLE_MS);
  const t = performance.now();
  try {
    return await f();
  } finally {
    clearInterval(watch);
    const ms = performance.now() - t;
    const grown = (peak - start) / MIB;
    const rate = bytes / MIB / (ms / 1000);
    console.log(
      `# ${name}: ${ms.toFixed(0)} ms, ${rate.toFixed(0)} MiB/s, at most ${grown.toFixed(1)} MiB more memory`,
    );
    assert.ok(peak - start < GROWTH_MAX, `${name}: memory grew by ${grown.toFixed(1)} MiB`);
  }
}

const why = await whyNoContainerd();

describe('streams through a real containerd', { skip: why ?? false, timeout: 180_000 }, () => {
  let t: TestContainerd;
  let id: string;
  let sandbox: string;
  const pod = { metadata: { name: 'exec', uid: 'exec', namespace: 'default', attempt: 0 }, hostname: 'exec' };
  const container = async (name: string, command: string[], more = {}) => {
    const config = { metadata: { name, attempt: 0 }, image: { image: BUSYBOX }, command, ...more };
    const made = await t.runtime.createContainer(sandbox, config, pod);
    await t.runtime.startContainer(made);
    return made;
  };
  const exec = async (cmd: string[], io: Parameters<typeof execStream>[1]) => {
    const url = await t.runtime.exec({
      containerId: id,
      cmd,
      stdin: io.stdin !== undefined,
      stdout: io.stdout !== undefined,
      stderr: io.stderr !== undefined && !io.tty,
      tty: io.tty ?? false,
    });
    return execStream(url, io);
  };

  before(async () => {
    t = await startTestContainerd(3);
    await t.images.pullImage({ image: BUSYBOX });
    sandbox = await t.runtime.runPodSandbox(pod);
    id = await container('main', ['sleep', '100000']);
  });
  after(async () => t?.close());

  test('cat gives back 64 MiB of input, then ends', async () => {
    const input = pattern(SIZE);
    const out = sink();
    const status = await measured('exec -i cat, 64 MiB both ways', SIZE, () =>
      exec(['cat'], { stdin: input.stream, stdout: out.stream }),
    );
    assert.equal(exitCodeOf(status), 0, JSON.stringify(status));
    assert.equal(out.seen.bytes, SIZE);
    assert.equal(out.digest(), input.digest());
  });

  test('sha256sum and wc -c see every byte of 64 MiB and the end of input', async () => {
    const input = pattern(SIZE);
    const out = sink();
    const status = await measured('exec -i sha256sum, 64 MiB in', SIZE, () =>
      exec(['sha256sum'], { stdin: input.stream, stdout: out.stream }),
    );
    assert.equal(exitCodeOf(status), 0);
    assert.equal(out.seen.text, `${input.digest()}  -\n`);
    const count = sink();
    await exec(['wc', '-c'], { stdin: pattern(SIZE).stream, stdout: count.stream });
    assert.equal(count.seen.text.trim(), String(SIZE));
  });

  test('64 MiB of output reach a reader', async () => {
    const out = sink();
    const status = await measured('exec dd, 64 MiB out', SIZE, () =>
      exec(['dd', 'if=/dev/zero', 'bs=65536', 'count=1024'], { stdout: out.stream, stderr: sink().stream }),
    );
    assert.equal(exitCodeOf(status), 0);
    assert.equal(out.seen.bytes, SIZE);
    assert.equal(out.digest(), createHash('sha256').update(Buffer.alloc(SIZE)).digest('hex'));
  });

  test('a slow reader slows the command down instead of filling memory', async () => {
    const out = sink(2);
    await measured('exec dd to a slow reader, 16 MiB out', SIZE / 4, () =>
      exec(['dd', 'if=/dev/zero', 'bs=65536', 'count=256'], { stdout: out.stream, stderr: sink().stream }),
    );
    assert.equal(out.seen.bytes, SIZE / 4);
  });

  test('a command that reads nothing does not hold its client for ever', async () => {
    let [codes, stuck] = [0, 0];
    for (let i = 0; i < 10; i++) {
      const url = await t.runtime.exec({ containerId: id, cmd: ['false'], stdin: true, stdout: true });
      const status = await execStream(url, { stdin: pattern(SIZE).stream, stdout: sink().stream }, 500);
      // containerd 1.6 tells the exit code only when it is not caught writing input that nobody reads.
      const told = exitCodeOf(status) ?? /takes no more input/.test(status.message ?? '');
      told === 1 ? codes++ : stuck++;
      assert.ok(told === 1 || told === true, JSON.stringify(status));
    }
    console.log(`# a command that ends with its input unread: ${codes} exit codes, ${stuck} stuck in containerd`);
  });

  test('stdout and stderr stay apart and the exit code arrives', async () => {
    const [out, err] = [sink(), sink()];
    const status = await exec(['sh', '-c', 'echo o; echo e >&2; exit 7'], { stdout: out.stream, stderr: err.stream });
    assert.deepEqual([out.seen.text, err.seen.text, exitCodeOf(status)], ['o\n', 'e\n', 7]);
    assert.equal(status.reason, 'NonZeroExitCode');
  });

  test('a terminal has the size it was given', async () => {
    const out = sink();
    const status = await exec(['sh', '-c', 'sleep 0.3; stty size'], {
      stdout: out.stream,
      tty: true,
      resize: Readable.from([{ Width: 101, Height: 41 }]),
    });
    assert.equal(exitCodeOf(status), 0, JSON.stringify(status));
    assert.equal(out.seen.text.trim(), '41 101');
  });

  test('a client that leaves ends the exchange', async () => {
    const leave = new AbortController();
    const p = exec(['sleep', '1000'], { stdout: sink().stream, signal: leave.signal });
    await delay(100);
    leave.abort();
    const status = await p;
    assert.equal(status.status, 'Failure');
    assert.equal(exitCodeOf(status), null);
  });

  test('a URL works once; a used one is refused with a Failure', async () => {
    const url = await t.runtime.exec({ containerId: id, cmd: ['true'], stdout: true });
    assert.equal(exitCodeOf(await execStream(url, { stdout: sink().stream })), 0);
    const again = await execStream(url, { stdout: sink().stream });
    assert.match(again.message ?? '', /unable to upgrade connection/);
  });

  test('attach sends input to the container and gets its output', async () => {
    const attached = await container('cat', ['sh', '-c', 'head -n 1; exit 4'], { stdin: true, stdinOnce: true });
    const out = sink();
    const url = await t.runtime.attach({ containerId: attached, stdin: true, stdout: true, stderr: true });
    const stdin = Readable.from(['hello\n'], { objectMode: false });
    const status = await attachStream(url, { stdin, stdout: out.stream, stderr: sink().stream });
    assert.equal(out.seen.text, 'hello\n');
    assert.equal(status.status, 'Success');
  });

  test('port-forward carries 64 MiB each way and half closes', async () => {
    await container('echo', ['nc', '-ll', '-p', '7000', '-e', 'cat']);
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect({
      port: (server.address() as { port: number }).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    const local = await accepted;
    await delay(200); // nc must listen
    const forwarded = portForwardStream(await t.runtime.portForward(sandbox, [7000]), 7000, local);
    const input = pattern(SIZE);
    const out = sink();
    await measured('port-forward, 64 MiB both ways', SIZE, async () => {
      input.stream.pipe(client);
      for await (const chunk of client)
        if (!out.stream.write(chunk)) await new Promise((r) => out.stream.once('drain', r));
      await forwarded;
    });
    server.close();
    assert.equal(out.seen.bytes, SIZE);
    assert.equal(out.digest(), input.digest());
  });

  test('a tunnelled client (kubectl) forwards two connections at once over one relay', async () => {
    await container('twice', ['nc', '-ll', '-p', '7002', '-e', 'cat']);
    await delay(200);
    const [near, far] = duplexPair();
    const relayed = relayPortForward(await t.runtime.portForward(sandbox, []), far);
    const client = new SpdySession(near);
    const connection = async (requestid: string) => {
      const headers = { port: '7002', requestid };
      const error = await client.open({ streamtype: 'error', ...headers });
      error.end();
      const data = await client.open({ streamtype: 'data', ...headers });
      const input = pattern(SIZE / 8);
      const out = sink();
      // Its end comes last: containerd gives what is still on the way back one second from then on, and a busy machine needs more.
      input.stream.pipe(data, { end: false });
      for await (const chunk of data) {
        out.stream.write(chunk);
        if (out.seen.bytes >= SIZE / 8) data.end();
      }
      assert.equal(out.seen.bytes, SIZE / 8);
      assert.equal(out.digest(), input.digest());
      let told = '';
      for await (const chunk of error) told += chunk;
      assert.equal(told, '');
    };
    await measured('relayed port-forward, 2 x 8 MiB both ways', SIZE / 4, () =>
      Promise.all([connection('0'), connection('1')]),
    );
    client.close();
    await relayed.catch(() => undefined); // how a relay ends doesn't matter once its client is gone
  });

  test('a port nobody listens on is told', async () => {
    const nobody = new Duplex({ read: () => undefined, write: (_c, _e, done) => done() });
    await assert.rejects(
      portForwardStream(await t.runtime.portForward(sandbox, [7001]), 7001, nobody),
      /7001.*connection refused/,
    );
  });
});
