// Two machines in different networks, one of which can only dial out: everything that a pod is reached by works on it, and nothing is left of it afterwards.
// `CORACLE_FOLLOWERS=2000 node --test test/e2e/nat.test.ts` is the long run.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { answers, freePort } from '../ports.ts';
import { heldBy, liveObjects, restartInspected, serverPid } from './inspected.ts';
import { type Cable, layCable, type Machine, startMachine } from './machine.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const MIB = 1 << 20;
const FOLLOWERS = Number(process.env.CORACLE_FOLLOWERS ?? 200);
/** Followers at the same time. */
const AT_ONCE = 10;
const STREAM_MS_MAX = 60_000;
/** Until idle connections are closed by both sides. */
const SETTLED_MS_MAX = 60_000;
/** That many equal looks, a second apart: nothing changes any more. Objects leave 10 s after their last request. */
const SAME_LOOKS = 8;
/** In that time a `logs -f` has mostly begun. */
const EARLY_MS_MAX = 300;
/** What a busy process's memory goes up and down by itself. */
const SLACK_MIB = 48;

const kubectl = (await findKubectl()) ?? '';
const skip = process.getuid?.() === 0 ? (kubectl === '' ? 'no kubectl' : false) : 'needs root';
let cable: Cable;
let s: System;
let near: Machine;
let far: Machine;
let inspector = 0;
/** answering.ts on the far machine: what the pod `answering`, which has its network, seems to be. */
let program: ChildProcess | undefined;
const ANSWERING = join(import.meta.dirname, 'answering.ts');
const PORT = 9090;
before(
  async () => {
    if (skip) return;
    cable = await layCable(24);
    s = await startSystem(24, { node: false, host: cable.host });
    s.registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
    inspector = await restartInspected(s);
    [near, far] = await Promise.all([startMachine(s, cable, 2), startMachine(s, cable, 3, { nat: true })]);
    const command =
      'mkdir /w; echo hello > /w/index.html; httpd -p 8080 -h /w; i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done';
    const pod = (name: string, node: string, more = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: {
        nodeName: node,
        terminationGracePeriodSeconds: 1,
        ...more,
        containers: [{ name: 'main', image: BUSYBOX, command: ['sh', '-c', command] }],
      },
    });
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'answering' },
      spec: { selector: { app: 'answering' }, ports: [{ name: 'http', port: 80, targetPort: PORT }] },
    };
    const answering = pod('answering', far.name, { hostNetwork: true });
    const items = [pod('near', near.name), pod('far', far.name), answering, service];
    const made = await s.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'apply', '-f', '-');
    assert.equal(made.code, 0, made.stderr);
    await s.kubectl('wait', '--for=condition=Ready', 'pod/near', 'pod/far', 'pod/answering', '--timeout=90s');
    program = far.spawn(process.execPath, '--disable-warning=ExperimentalWarning', ANSWERING, String(PORT));
    await new Promise((r) => program?.stdout?.once('data', r));
  },
  { timeout: 300_000 },
);
after(async () => {
  program?.kill();
  await far?.close();
  await near?.close();
  await s?.close();
  await cable?.close();
});

test('each says that the other’s pods are out of reach, stays open for pods, and Services take who answers', {
  skip,
}, async () => {
  const label = ['label', 'pod', 'near', 'far', 'both=yes'];
  await s.kubectl(...label);
  const both = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'both' },
    spec: { selector: { both: 'yes' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
  assert.equal((await s.kubectlWith(JSON.stringify(both), 'apply', '-f', '-')).code, 0);
  for (const [own, other] of [
    [near, far],
    [far, near],
  ] as const) {
    const path = '{.status.conditions[?(@.type=="NetworkUnavailable")]}';
    let c: { status?: string; reason?: string; message?: string } = {};
    for (let i = 0; c.reason !== 'PodsUnreachable'; i++) {
      assert.ok(i < 300, JSON.stringify(c));
      c = JSON.parse((await s.kubectl('get', 'node', own.name, '-o', `jsonpath=${path}`)) || '{}');
      await delay(100);
    }
    assert.equal(c.status, 'False');
    assert.match(c.message ?? '', new RegExp(`^pods of these nodes don't answer from here: ${other.name}\\. `));
    assert.equal(await s.kubectl('get', 'node', own.name, '-o', 'jsonpath={.spec.taints}'), '');
  }
  const ip = await s.kubectl('get', 'service', 'both', '-o', 'jsonpath={.spec.clusterIP}');
  // Every time: one in two would hang otherwise.
  const ask = `for (let i = 0; i < 12; i++) { const r = await fetch('http://${ip}/', { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } }); if (await r.text() !== 'hello\\n') throw r }`;
  for (const m of [near, far]) await m.exec(process.execPath, '--input-type=module', '-e', ask);
});

const sha = (b: Buffer) => createHash('sha256').update(b).digest('hex');
const run = async (input: Buffer | string, ...args: string[]) => {
  const done = await Promise.race([s.kubectlWith(input, ...args), delay(STREAM_MS_MAX, null, { ref: false })]);
  if (done === null) assert.fail(`kubectl ${args.join(' ')} has not ended after ${STREAM_MS_MAX} ms`);
  return done;
};

test('both machines are ready, though nobody reaches the one behind the router', { skip }, async () => {
  const reach = `require('net').connect(${PORT}, '${cable.address(3)}').on('connect', () => process.exit(0)).on('error', () => process.exit(7)).setTimeout(1000, () => process.exit(7))`;
  await assert.rejects(near.exec(process.execPath, '-e', reach), { code: 7 });
  assert.match(await s.kubectl('get', 'nodes', '-o', 'wide'), /machine-2 +Ready.*\n.*machine-3 +Ready.*192\.168\.3\.2/);
});

test('logs, exec with input and exit code, attach', { skip }, async () => {
  assert.match(await s.kubectl('logs', 'far', '--tail=1'), /^line \d+\n$/);
  const r = await run('in\n', 'exec', '-i', 'far', '--', 'sh', '-c', 'cat; echo err >&2; exit 7');
  assert.deepEqual([r.stdout.toString(), r.code], ['in\n', 7]);
  assert.match(r.stderr, /^err\n/);
});

test('cp carries 64 MiB there and back', { skip }, async () => {
  const from = join(s.home, 'big');
  const data = randomBytes(64 * MIB);
  await writeFile(from, data);
  const there = await run('', 'cp', from, 'far:/big');
  assert.equal(there.code, 0, there.stderr);
  assert.equal((await run('', 'exec', 'far', '--', 'sha256sum', '/big')).stdout.toString(), `${sha(data)}  /big\n`);
  const to = join(s.home, 'back');
  const back = await run('', 'cp', 'far:/big', to);
  assert.equal(back.code, 0, back.stderr);
  assert.equal(sha(await readFile(to)), sha(data));
});

test('port-forward serves several connections at once', { skip }, async () => {
  const port = await freePort();
  const child = spawn(kubectl, ['port-forward', 'pod/far', `${port}:8080`], {
    env: { ...process.env, KUBECONFIG: s.kubeconfig },
    stdio: 'ignore',
  });
  try {
    for (let i = 0; !(await answers(port)); i++) {
      assert.ok(i < 300, 'the forwarded port does not answer');
      await delay(100);
    }
    const ask = async () =>
      (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(STREAM_MS_MAX) })).text();
    assert.deepEqual(await Promise.all(Array.from({ length: 5 }, ask)), Array(5).fill('hello\n'));
  } finally {
    child.kill();
  }
});

const NS = '/api/v1/namespaces/default';
const TARGETS = [`${NS}/pods/answering:${PORT}/proxy`, `${NS}/services/answering:http/proxy`];
const headers = () => ({ authorization: `Bearer ${s.token}` });

test('the proxies of pods and services pass paths on as they are', { skip }, async () => {
  await s.kubectl('wait', '--for=jsonpath={.subsets}', 'endpoints/answering', '--timeout=20s');
  for (const target of TARGETS) {
    const got = JSON.parse(await s.kubectl('get', '--raw', `${target}/a%20b/%C3%A4/?q=1%202`)) as { url: string };
    assert.equal(got.url, '/a%20b/%C3%A4/?q=1+2');
  }
});

test('WebSockets go through the proxies of pods and services', { skip }, async () => {
  for (const target of TARGETS)
    for (const protocols of [[], ['chat', 'other']]) {
      const socket = new WebSocket(`${s.url.replace(/^http/, 'ws')}${target}/echo`, protocols, {
        headers: headers(),
        ca: s.ca,
      });
      await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
      assert.equal(socket.protocol, protocols[0] ?? '');
      const back = new Promise((resolve) => socket.once('message', (data, binary) => resolve([String(data), binary])));
      socket.send('text');
      assert.deepEqual(await back, ['text', false]);
      const big = randomBytes(200_000);
      const same = new Promise<Buffer>((resolve) => socket.once('message', resolve));
      socket.send(big);
      assert.equal(sha(await same), sha(big));
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.close(1000);
      assert.equal(await closed, 1000);
    }
  const refused = new WebSocket(`${s.url.replace(/^http/, 'ws')}${TARGETS[0]}/none`, { headers: headers(), ca: s.ca });
  const answer = await new Promise((resolve) =>
    refused.on('error', () => undefined).on('unexpected-response', (_, r) => resolve(r.statusCode)),
  );
  assert.equal(answer, 403);
});

test('a client that goes away ends its request in the pod, answered or not', { skip }, async () => {
  const open = async () => Number(await s.kubectl('get', '--raw', `${TARGETS[0]}/open`));
  const { hostname, port, pathname } = new URL(s.url);
  // A reset: that a client only says goodbye is noticed with the next byte for it.
  const line = connect(Number(port), hostname);
  const client = tls.connect({ socket: line, ca: s.ca });
  client.on('error', () => undefined);
  client.write(`GET ${pathname}${TARGETS[0]}/never HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${s.token}\r\n\r\n`);
  for (let i = 0; (await open()) === 0; i++) assert.ok(i < 50, 'the request does not arrive');
  line.resetAndDestroy();
  for (let i = 0; (await open()) > 0; i++) {
    assert.ok(i < 50, 'the request goes on');
    await delay(100);
  }
});

/** Follows a log and presses Ctrl-C: after its first line, or at some moment before it. */
function follow(pod: string, early: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(kubectl, ['logs', '-f', '--tail=1', pod], {
      env: { ...process.env, KUBECONFIG: s.kubeconfig },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [lines, stderr] = ['', ''];
    child.stdout.on('data', (b: Buffer) => {
      lines += b;
      child.kill('SIGINT');
    });
    child.stderr.on('data', (b: Buffer) => {
      stderr += b;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), STREAM_MS_MAX);
    if (early) setTimeout(() => child.kill('SIGINT'), Math.random() * EARLY_MS_MAX);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      // kubectl catches the signal and says nothing.
      if (early && signal !== 'SIGKILL') resolve();
      else if (code === 1 && stderr === '' && /^line \d+\n/.test(lines)) resolve();
      else reject(new Error(`logs -f ended by ${signal ?? code}: ${lines}${stderr}`));
    });
  });
}
const followMany = async (count: number) => {
  for (let left = count; left > 0; left -= AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, (_, i) => follow('far', i % 2 === 0)));
};
const rssMib = async (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const CLASSES = ['Relay', 'NodeTunnel', 'WebSocket', 'WebSocketPair', 'ReadableStream', 'Request', 'Response'];

test(`${FOLLOWERS} times logs -f ended by Ctrl-C leave nothing: no socket, no object, no watch, no memory`, {
  skip,
}, async (t) => {
  await followMany(2 * AT_ONCE);
  const look = async () => ({
    agent: heldBy(far.pid()),
    server: heldBy(serverPid(s)),
    live: await liveObjects(inspector, CLASSES),
  });
  const memory = async () => [await rssMib(far.pid()), await rssMib(serverPid(s))];
  // What the tests before left goes by itself, after a while.
  let before_ = await look();
  for (let same = 0; same < SAME_LOOKS; ) {
    await delay(1_000);
    const now = await look();
    same = JSON.stringify(now) === JSON.stringify(before_) ? same + 1 : 0;
    before_ = now;
  }
  const [agentMib = 0, serverMib = 0] = await memory();
  await followMany(FOLLOWERS);
  const more = (now: object, was: object): string[] =>
    Object.entries(now).flatMap(([k, v]) => {
      const w = (was as Record<string, number | object>)[k] ?? 0;
      return typeof v === 'number'
        ? v > Number(w)
          ? [`${k}: ${v}, not ${w}`]
          : []
        : more(v, w as object).map((t) => `${k}.${t}`);
    });
  let left: string[] = [];
  for (const end = Date.now() + SETTLED_MS_MAX; Date.now() < end; await delay(1_000)) {
    left = more(await look(), before_);
    if (left.length === 0) break;
  }
  const [agentAfter = 0, serverAfter = 0] = await memory();
  const mib = (a: number, b: number) => `${a.toFixed(0)} to ${b.toFixed(0)} MiB`;
  t.diagnostic(
    `agent ${mib(agentMib, agentAfter)}, control plane ${mib(serverMib, serverAfter)}, ${JSON.stringify(before_)}`,
  );
  assert.deepEqual(left, []);
  assert.ok(agentAfter - agentMib < SLACK_MIB && serverAfter - serverMib < SLACK_MIB);
});
