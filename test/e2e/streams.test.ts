// Nothing that passes through exec, attach, cp, port-forward and logs may get lost. Each kind of stream is tried several
// times, because losses were races: `CORACLE_ROUNDS=30 node --test test/e2e/streams.test.ts` is the long run.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { answers, freePort } from '../ports.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const ROUNDS = Number(process.env.CORACLE_ROUNDS ?? 3);
const MIB = 1 << 20;
/** Longer than any stream here takes on a busy machine: what takes this long hangs. */
const STREAM_MS_MAX = 60_000;

const kubectl = await findKubectl();
const skip = process.getuid?.() === 0 ? (kubectl === null ? 'no kubectl' : false) : 'needs root';
let s: System;
before(
  async () => {
    if (skip) return;
    s = await startSystem(2);
    await make(
      'files',
      'mkdir /w; dd if=/dev/urandom of=/w/data bs=65536 count=64 2>/dev/null; httpd -p 8080 -h /w; sleep 100000',
    );
    await s.kubectl('wait', '--for=condition=Ready', 'pod/files', '--timeout=60s');
  },
  { timeout: 600_000 },
);
after(async () => {
  await s?.close();
});

const sha = (b: Buffer) => createHash('sha256').update(b).digest('hex');

async function make(name: string, command: string, more = '', container = ''): Promise<void> {
  const text = `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 1
  ${more}
  containers:
  - name: main
    image: ${BUSYBOX}
    ${container}
    command: [sh, -c, ${JSON.stringify(command)}]
`;
  const made = await s.kubectlWith(text, 'apply', '-f', '-');
  assert.equal(made.code, 0, made.stderr);
}

/** kubectl with an input; what hangs is a failure that says so. */
async function run(input: Buffer | string, ...args: string[]) {
  const late = delay(STREAM_MS_MAX, null, { ref: false });
  const done = await Promise.race([s.kubectlWith(input, ...args), late]);
  if (done === null) assert.fail(`kubectl ${args.join(' ')} has not ended after ${STREAM_MS_MAX} ms`);
  return done;
}

/** Tries `f` ROUNDS times and tells every failure, not only the first. */
async function rounds(f: (round: number) => Promise<void>): Promise<void> {
  const failures: string[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await f(i).catch((e: unknown) => failures.push(`round ${i}: ${e instanceof Error ? e.message : String(e)}`));
  }
  assert.deepEqual(failures, [], `${failures.length} of ${ROUNDS} rounds failed`);
}

test('exec -i cat gives back 64 MiB, every time', { skip }, async () => {
  const data = randomBytes(64 * MIB);
  const want = sha(data);
  await rounds(async () => {
    const back = await run(data, 'exec', '-i', 'files', '--', 'cat');
    assert.equal(back.code, 0, back.stderr);
    assert.equal(back.stdout.length, data.length);
    assert.equal(sha(back.stdout), want);
  });
});

test('exec gives all of an output that ends in the middle of a line', { skip }, async () => {
  await rounds(async () => {
    const r = await run('', 'exec', 'files', '--', 'sh', '-c', 'yes | head -c 20000000');
    assert.equal(r.stdout.length, 20_000_000, r.stderr);
  });
});

test('short commands give their output and exit code, many at once', { skip }, async () => {
  await rounds(async (round) => {
    const codes = Array.from({ length: 6 }, (_, i) => i);
    const all = await Promise.all(
      codes.map((i) => run('', 'exec', 'files', '--', 'sh', '-c', `echo out ${round}.${i}; echo err >&2; exit ${i}`)),
    );
    // kubectl's own words stand where a code isn't the command's.
    assert.deepEqual(
      all.map((r, i) => [r.stdout.toString(), r.code, r.code === i ? '' : r.stderr]),
      codes.map((i) => [`out ${round}.${i}\n`, i, '']),
    );
  });
});

/** An exec over WebSockets, as clients without kubectl do it (v5.channel.k8s.io). */
async function channels(command: string, query: string) {
  const path = `/api/v1/namespaces/default/pods/files/exec?command=sh&command=-c&command=${encodeURIComponent(command)}&${query}`;
  const headers = { authorization: `Bearer ${s.token}` };
  const socket = new WebSocket(s.url.replace(/^http/, 'ws') + path, ['v5.channel.k8s.io'], { headers, ca: s.ca });
  const out = ['', '', '', '', ''];
  socket.on('message', (b: Buffer) => {
    out[b[0] ?? 0] += b.subarray(1).toString();
  });
  const closed = new Promise((r) => socket.on('close', r));
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  const send = (channel: number, text: string) =>
    socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
  const until = async (channel: number, text: string) => {
    for (let i = 0; !out[channel]?.includes(text) && i < 600; i++) await delay(50);
    assert.ok(out[channel]?.includes(text), JSON.stringify(out));
  };
  return { out, send, until, endInput: () => socket.send(Buffer.from([255, 0])), closed, socket };
}

test('the end of the input alone ends what reads it, and its output still comes back', { skip }, async () => {
  const c = await channels('cat; echo after >&2; exit 7', 'stdin=true&stdout=true&stderr=true');
  c.send(0, 'half');
  await c.until(1, 'half');
  c.endInput();
  await c.closed;
  assert.deepEqual([c.out[1], c.out[2]], ['half', 'after\n']);
  const status = JSON.parse(c.out[3] ?? '') as {
    reason: string;
    details: { causes: { reason: string; message: string }[] };
  };
  assert.deepEqual(
    [status.reason, status.details.causes[0]],
    ['NonZeroExitCode', { reason: 'ExitCode', message: '7' }],
  );
});

test("a terminal's size arrives, and so does each change of it", { skip }, async () => {
  const c = await channels('read x; stty size; read x; stty size', 'stdin=true&stdout=true&tty=true');
  c.send(4, '{"Width":100,"Height":40}');
  await delay(300);
  c.send(0, '\n');
  await c.until(1, '40 100');
  c.send(4, '{"Width":80,"Height":24}');
  await delay(300);
  c.send(0, '\n');
  await c.until(1, '24 80');
  await c.closed;
  assert.equal((JSON.parse(c.out[3] ?? '') as { status: string }).status, 'Success');
});

test('cp carries a directory there and back', { skip }, async () => {
  const from = join(s.home, 'from');
  await mkdir(join(from, 'deep'), { recursive: true });
  await writeFile(join(from, 'big'), randomBytes(8 * MIB));
  await writeFile(join(from, 'deep', 'small'), 'small\n');
  await rounds(async (round) => {
    const there = await run('', 'cp', from, `files:/tmp/r${round}`);
    assert.equal(there.code, 0, there.stderr);
    const to = join(s.home, `to${round}`);
    const back = await run('', 'cp', `files:/tmp/r${round}`, to);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(sha(await readFile(join(to, 'big'))), sha(await readFile(join(from, 'big'))));
    assert.equal(await readFile(join(to, 'deep', 'small'), 'utf8'), 'small\n');
  });
});

test('attach -i carries input to a container and its output back until it ends', { skip }, async () => {
  const data = randomBytes(4 * MIB);
  await rounds(async (round) => {
    const name = `attached-${round}`;
    await make(name, 'sha256sum; echo done', 'restartPolicy: Never', 'stdin: true\n    stdinOnce: true');
    await s.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
    const r = await run(data, 'attach', '-i', name);
    assert.equal(r.stdout.toString(), `${sha(data)}  -\ndone\n`, r.stderr);
    await s.kubectl('delete', 'pod', name, '--wait=false');
  });
});

test('port-forward serves several connections at once', { skip }, async () => {
  const want = (await run('', 'exec', 'files', '--', 'sha256sum', '/w/data')).stdout.toString().split(' ')[0];
  const port = await freePort();
  const child = spawn(kubectl ?? '', ['port-forward', 'pod/files', `${port}:8080`], {
    env: { ...process.env, KUBECONFIG: s.kubeconfig },
  });
  try {
    for (let i = 0; !(await answers(port)); i++) {
      assert.ok(i < 300, 'the forwarded port does not answer');
      await delay(100);
    }
    await rounds(async () => {
      const all = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const answer = await fetch(`http://127.0.0.1:${port}/data`, { signal: AbortSignal.timeout(STREAM_MS_MAX) });
          return sha(Buffer.from(await answer.arrayBuffer()));
        }),
      );
      assert.deepEqual(all, Array(5).fill(want));
    });
  } finally {
    child.kill();
  }
});

test('logs -f ends when the container ends, with its last line', { skip }, async () => {
  const want = `${Array.from({ length: 2000 }, (_, i) => `line ${i}`).join('\n')}\n`;
  await rounds(async (round) => {
    const name = `talks-${round}`;
    await make(
      name,
      'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); [ $((i%500)) = 0 ] && sleep 0.3; done; true',
      'restartPolicy: Never',
    );
    await s.kubectl(
      'wait',
      '--for=jsonpath={.status.containerStatuses[0].containerID}',
      `pod/${name}`,
      '--timeout=60s',
    );
    const r = await run('', 'logs', '-f', name);
    assert.equal(r.stdout.toString(), want, r.stderr);
    await s.kubectl('delete', 'pod', name, '--wait=false');
  });
});

test('a pod is reached through the proxy of pods and of services, with every byte', { skip }, async () => {
  const service = `apiVersion: v1
kind: Service
metadata: {name: files}
spec: {selector: {app: files}, ports: [{name: http, port: 80, targetPort: 8080}]}
`;
  assert.equal((await run(service, 'apply', '-f', '-')).code, 0);
  await s.kubectl('label', 'pod', 'files', 'app=files');
  const ns = '/api/v1/namespaces/default';
  const want = sha((await run('', 'exec', 'files', '--', 'cat', '/w/data')).stdout);
  for (let i = 0; i < ROUNDS; i++)
    assert.equal(sha((await run('', 'get', '--raw', `${ns}/pods/files:8080/proxy/data`)).stdout), want);
  await s.kubectl('wait', '--for=jsonpath={.subsets}', 'endpoints/files', '--timeout=20s');
  assert.equal(sha((await run('', 'get', '--raw', `${ns}/services/files:http/proxy/data`)).stdout), want);
  const none = await run('', 'get', '--raw', `${ns}/pods/files:8081/proxy/`);
  assert.match(none.stderr, /error trying to reach service: connect ECONNREFUSED/);
});
