// What breaks, and comes back: the control plane killed amid a rollout, an agent killed, a machine's cable pulled out, disks full on a node and under the control
// plane. Two machines on one cable; the control plane and one machine each have a small disk of their own.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '../../kube/meta/json.ts';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { type Disk, makeDisk } from '../torture/disk.ts';
import { killControlPlane, serverPid } from './inspected.ts';
import { type Cable, layCable, type Machine, startMachine } from './machine.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const DISK_MIB = 256;
/** workerd's SQLite writes to mapped pages that a full disk has no blocks for. */
const ENGINE_ENDS_MAX = 3;
/** Writers beside the rollout, each with one write under way. */
const WRITERS = 4;
/** A pod leaves a node that doesn't answer after this. */
const TOLERATION_SECONDS = 2;
/** Of an agent's log, when something doesn't come to be. */
const LOG_UNITS = 6_000;
/** A container of each kind has arguments of its own, by which its process is found on this machine. */
const SLEEPS = { web: 7_100_001, stays: 7_100_002, moves: 7_100_003, fills: 7_100_004 } as const;

const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
const disks: Disk[] = [];
let cable: Cable;
let s: System;
let small: Machine;
let other: Machine;
before(
  async () => {
    if (skip) return;
    const home = mkdtempSync(join(tmpdir(), 'coracle-faults-'));
    for (const name of ['server', 'node']) {
      mkdirSync(join(home, name));
      disks.push(await makeDisk(join(home, name), DISK_MIB));
    }
    symlinkSync(disks[0]?.path ?? '', join(home, 'state'));
    cable = await layCable(25);
    s = await startSystem(25, { node: false, host: cable.host, home });
    s.registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
    const settings = { pressureSeconds: 1 };
    [small, other] = await Promise.all([
      startMachine(s, cable, 2, { state: join(disks[1]?.path ?? '', 's'), settings }),
      startMachine(s, cable, 3),
    ]);
  },
  { timeout: 300_000 },
);
after(async () => {
  for (const d of disks) d.free();
  await other?.plug(true);
  await small?.close();
  await other?.close();
  await s?.coracle('down');
  for (const d of disks) await d.close();
  await s?.close();
  await cable?.close();
});

const eventually = async (what: string, probe: () => Promise<boolean>, ms = 60_000) => {
  for (const end = Date.now() + ms; !(await probe()); await delay(200))
    if (Date.now() > end) {
      for (const m of [small, other]) console.error(`${m.name}:\n${readFileSync(m.log, 'utf8').slice(-LOG_UNITS)}`);
      assert.fail(`not after ${ms} ms: ${what}`);
    }
};
const apply = async (...objects: JsonObject[]) => {
  const r = await s.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }), 'apply', '-f', '-');
  assert.equal(r.code, 0, r.stderr);
};
const get = async (what: string, path: string) => s.kubectl('get', ...what.split(' '), '-o', `jsonpath=${path}`);
const condition = (node: string, type: string) =>
  get(`node ${node}`, `{.status.conditions[?(@.type=="${type}")].status}`);
/** The control plane takes requests. */
const answers = async () => (await s.kubectlWith('', 'get', '--raw', '/readyz')).code === 0;
const taints = async (node: string) =>
  (await get(`node ${node}`, '{range .spec.taints[*]}{.key}:{.effect} {end}')).trim().split(' ').filter(Boolean).sort();

const NS = '/api/v1/namespaces/default';
const tolerations = ['not-ready', 'unreachable'].map((t) => ({
  key: `node.kubernetes.io/${t}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: TOLERATION_SECONDS,
}));
const podSpec = (kind: keyof typeof SLEEPS, more: JsonObject = {}): JsonObject => ({
  terminationGracePeriodSeconds: 1,
  tolerations,
  containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', String(SLEEPS[kind])] }],
  ...more,
});
const pod = (name: keyof typeof SLEEPS, more: JsonObject): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: podSpec(name, more),
});
const deployment = (name: keyof typeof SLEEPS, replicas: number, more: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec(name, more) },
  },
});
/** Processes of containers of a kind on this machine, and so on all of its namespaces. */
const processes = (kind: keyof typeof SLEEPS): number[] =>
  readdirSync('/proc')
    .filter((p) => /^\d+$/.test(p))
    .filter((p) => {
      try {
        return readFileSync(`/proc/${p}/cmdline`, 'utf8') === `sleep\0${SLEEPS[kind]}\0`;
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);

/** One request by a client that tries nothing twice; code 0: it wasn't answered. */
function ask(agent: Agent, method: string, path: string, body?: JsonObject): Promise<{ code: number; text: string }> {
  const headers = { authorization: `Bearer ${s.token}`, 'content-type': 'application/json' };
  return new Promise((resolve) => {
    const r = request(s.url + path, { method, agent, ca: s.ca, headers }, (answer) => {
      let text = '';
      answer.on('data', (b) => (text += b));
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text }));
      answer.on('error', () => resolve({ code: 0, text }));
    });
    r.on('error', (e) => resolve({ code: 0, text: e.message }));
    r.end(body && JSON.stringify(body));
  });
}

test('a control plane that is killed amid a rollout loses nothing that it acknowledged, and the rollout ends', {
  skip,
}, async (t) => {
  await apply(deployment('web', 6));
  await s.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
  const acknowledged = new Map<string, string>();
  let going = true;
  const writers = Array.from({ length: WRITERS }, async (_, w) => {
    const agent = new Agent({ keepAlive: true });
    for (let i = 0; going; i++) {
      const name = `kept-${w}-${i}`;
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { v: `${w} ${i}` } };
      const { code } = await ask(agent, 'POST', `${NS}/configmaps`, object);
      if (code === 201) acknowledged.set(name, `${w} ${i}`);
      if (code === 0) await delay(50);
    }
    agent.destroy();
  });
  await s.kubectl('set', 'env', 'deployment/web', 'ROUND=2');
  await eventually('the rollout is under way', async () => {
    const n = Number(await get('deployment web', '{.status.updatedReplicas}'));
    return n > 0 && n < 6;
  });
  process.kill(serverPid(s), 'SIGKILL');
  const before_ = acknowledged.size;
  // Nobody has to start it again.
  await eventually('the control plane answers', answers);
  await s.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
  going = false;
  await Promise.all(writers);
  t.diagnostic(`${before_} writes acknowledged before the kill, ${acknowledged.size - before_} after`);
  assert.ok(before_ > 0 && acknowledged.size > before_);
  const { items } = JSON.parse(await s.kubectl('get', 'configmaps', '-o', 'json')) as {
    items: { metadata: { name: string }; data: { v: string } }[];
  };
  const found = new Map(items.map((i) => [i.metadata.name, i.data?.v]));
  assert.deepEqual(
    [...acknowledged].filter(([name, v]) => found.get(name) !== v),
    [],
  );
  await eventually('six pods of the new template, and no other process', async () => {
    const envs = await get('pods -l app=web', '{.items[*].spec.containers[0].env[0].value}');
    return envs === '2 2 2 2 2 2' && processes('web').length === 6;
  });
  await s.kubectl('delete', 'deployment', 'web');
});

test('an agent that is killed leaves its pods running, and the next one takes them as they are', { skip }, async () => {
  await apply(pod('stays', { nodeName: other.name }));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=60s');
  const state = () =>
    get(
      'pod stays',
      '{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}',
    );
  const [was, running] = [await state(), processes('stays')];
  assert.equal(running.length, 1);
  await other.endAgent('SIGKILL');
  await delay(1_000);
  assert.deepEqual(processes('stays'), running);
  other.startAgent();
  await eventually('exec works again', async () => {
    const r = await s.kubectlWith('', 'exec', 'stays', '--', 'echo', 'here');
    return r.code === 0 && r.stdout.toString() === 'here\n';
  });
  assert.deepEqual([await state(), processes('stays')], [was, running]);
  assert.equal(await get('pod stays', '{.status.phase}'), 'Running');
  await s.kubectl('delete', 'pod', 'stays');
  assert.deepEqual(processes('stays'), []);
});

test('pods leave a machine whose cable is out, end there once it is back, and it takes pods again', {
  skip,
}, async (t) => {
  await apply(deployment('moves', 2, { nodeSelector: { 'kubernetes.io/hostname': other.name } }));
  await s.kubectl('rollout', 'status', 'deployment/moves', '--timeout=90s');
  const olds = (await get('pods -l app=moves', '{.items[*].metadata.name}')).split(' ');
  const running = processes('moves');
  // The next ones may go anywhere.
  await s.kubectl(
    'patch',
    'deployment',
    'moves',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/spec/template/spec/nodeSelector"},{"op":"add","path":"/spec/paused","value":true}]',
  );
  await other.plug(false);
  await eventually('the node is Unknown', async () => (await condition(other.name, 'Ready')) === 'Unknown', 90_000);
  await eventually(
    'its taints say so',
    async () =>
      (await taints(other.name)).join() ===
      'node.kubernetes.io/unreachable:NoExecute,node.kubernetes.io/unreachable:NoSchedule',
  );
  await eventually('its pods are being deleted', async () => {
    const gone = await get(`pods ${olds.join(' ')}`, '{range .items[*]}{.metadata.deletionTimestamp}{" "}{end}');
    return gone.trim().split(' ').length === olds.length;
  });
  assert.deepEqual(
    processes('moves').filter((p) => running.includes(p)),
    running,
    'nobody could tell the node',
  );
  await s.kubectl('rollout', 'resume', 'deployment/moves');
  await s.kubectl('rollout', 'status', 'deployment/moves', '--timeout=60s');
  assert.equal(
    await get(
      'pods -l app=moves --field-selector=status.phase=Running',
      `{.items[?(@.spec.nodeName=="${small.name}")].status.phase}`,
    ),
    'Running Running',
  );
  await other.plug(true);
  const back = performance.now();
  const since = () => `${((performance.now() - back) / 1000).toFixed(1)} s`;
  await eventually('the node is Ready', async () => (await condition(other.name, 'Ready')) === 'True');
  const ready = since();
  await eventually('without taints', async () => (await taints(other.name)).length === 0);
  await eventually('the pods that were replaced have ended', async () => {
    const r = await s.kubectlWith('', 'get', 'pods', ...olds, '--ignore-not-found', '-o', 'name');
    return r.stdout.length === 0 && !processes('moves').some((p) => running.includes(p));
  });
  t.diagnostic(`ready after ${ready}, rid of what was replaced after ${since()}`);
  assert.equal(processes('moves').length, 2);
  await apply(pod('stays', { nodeName: other.name }));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=60s');
  await s.kubectl('delete', 'pod', 'stays');
});

test('a node whose disk is full says so, evicts and takes nothing, and goes on once there is room', {
  skip,
}, async () => {
  const node = small.name;
  await apply(pod('fills', { nodeName: node }));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/fills', '--timeout=60s');
  await disks[1]?.fill();
  await eventually('DiskPressure', async () => (await condition(node, 'DiskPressure')) === 'True');
  const [why] = await Promise.all([get(`node ${node}`, '{.status.conditions[?(@.type=="DiskPressure")].reason}')]);
  assert.equal(why, 'KubeletHasDiskPressure');
  await eventually('the taint', async () =>
    (await taints(node)).includes('node.kubernetes.io/disk-pressure:NoSchedule'),
  );
  await eventually('a pod is evicted', async () =>
    (await get('pods', '{.items[*].status.reason}')).includes('Evicted'),
  );
  assert.match(
    await get('pods', '{.items[*].status.message}'),
    /The node was low on resource: ephemeral-storage\. Threshold quantity: /,
  );
  assert.equal(await condition(node, 'Ready'), 'True');
  disks[1]?.free();
  await eventually('no DiskPressure', async () => (await condition(node, 'DiskPressure')) === 'False');
  await eventually('no taint', async () => (await taints(node)).length === 0);
  await s.kubectl('delete', 'pod', 'fills', '--ignore-not-found');
  await apply(pod('fills', { nodeName: node }));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/fills', '--timeout=60s');
  const here = await s.kubectlWith('', 'exec', 'fills', '--', 'echo', 'here');
  assert.deepEqual([here.stdout.toString(), here.stderr], ['here\n', '']);
  await s.kubectl('delete', 'pod', 'fills');
});

test('a control plane whose disk is full answers 507 to writes, serves reads, and goes on once there is room', {
  skip,
}, async (t) => {
  const agent = new Agent({ keepAlive: true });
  const make = (name: string) =>
    ask(agent, 'POST', `${NS}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { v: 'x'.repeat(100_000) },
    });
  let n = 0;
  const whileFull = async (pid: number) => {
    await disks[0]?.fill();
    let refused = { code: 0, text: '' };
    // SQLite has some room in its files.
    for (let i = 0; i < 200 && refused.code !== 507 && serverPid(s) === pid; i++) refused = await make(`full-${n++}`);
    assert.equal(refused.code, 507, refused.text);
    const status = JSON.parse(refused.text) as { kind: string; message: string };
    assert.equal(status.kind, 'Status');
    assert.match(status.message, /disk|space|room/);
    let said = { code: 0, stderr: '' };
    for (let i = 0; i < 20 && said.code === 0; i++) {
      await disks[0]?.fill();
      said = await s.kubectlWith('', 'create', 'configmap', `big-${n++}`, `--from-literal=v=${'x'.repeat(100_000)}`);
    }
    assert.equal(said.code, 1);
    assert.match(said.stderr, /^error: failed to create configmap: .*(space|room)/);
    assert.equal((await ask(agent, 'GET', `${NS}/configmaps/kube-root-ca.crt`)).code, 200);
    assert.equal(await condition(small.name, 'Ready'), 'True');
  };
  for (let left = ENGINE_ENDS_MAX; ; left--) {
    const pid = serverPid(s);
    const failed = await whileFull(pid).catch((e: unknown) => e ?? 'failed');
    if (failed === undefined) break;
    // The engine itself may end (docs/flow.md): then it has to be there again once there is room, by itself.
    if (serverPid(s) === pid || left === 0) throw failed;
    t.diagnostic('the engine ended on the full disk');
    disks[0]?.free();
    await eventually('it is started again', answers);
  }
  disks[0]?.free();
  await eventually('writes are taken again', async () => (await make('after')).code === 201);
  assert.equal((await ask(agent, 'GET', `${NS}/configmaps/after`)).code, 200);
  // Also by who starts while there is none.
  await disks[0]?.fill();
  killControlPlane(s);
  await assert.rejects(s.up(), (e: { code?: number; stderr?: string }) => {
    assert.equal(e.code, 1);
    assert.match(e.stderr ?? '', /(^|\n)coracle: the disk has no room left [^\n]*\n$/);
    return true;
  });
  disks[0]?.free();
  await s.up();
  assert.equal((await ask(agent, 'GET', `${NS}/configmaps/after`)).code, 200);
  assert.equal((await make('last')).code, 201);
  agent.destroy();
});
