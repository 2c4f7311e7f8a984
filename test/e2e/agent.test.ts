import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { agentsOf } from '../../cli/node/service.ts';
import { killControlPlane } from './inspected.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

/** An agent that ends leaves its pods running and takes no longer. */
const STOP_MS_MAX = 2_000;

const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
let s: System;
before(
  async () => {
    if (!skip) s = await startSystem(3);
  },
  { timeout: 600_000 },
);
after(async () => {
  await s?.close();
});

/** The agent's, once one runs: whoever keeps it running starts it again a second after its end. */
async function agentPid(): Promise<number> {
  for (;;) {
    const [pid] = agentsOf(join(s.home, 'state/node/agent.json'));
    if (pid !== undefined && runs(pid)) return pid;
    await delay(20);
  }
}
const runs = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
async function end(pid: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
  const began = performance.now();
  process.kill(pid, signal);
  while (runs(pid)) await delay(10);
  return performance.now() - began;
}
async function pod(name: string, command: string, more = ''): Promise<void> {
  const text = `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 30
  ${more}
  containers:
  - {name: main, image: ${BUSYBOX}, command: [sh, -c, ${JSON.stringify(command)}]}
`;
  const made = await s.kubectlWith(text, 'apply', '-f', '-');
  assert.equal(made.code, 0, made.stderr);
  await s.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
}
const status = async (name: string) =>
  JSON.parse(await s.kubectl('get', 'pod', name, '-o', 'json')).status.containerStatuses[0];

test('probes of every kind pass on a real container, and one that fails restarts it', { skip }, async () => {
  const often = 'periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 5';
  const probes = `{name: main, image: ${BUSYBOX}, command: [httpd, -f, -p, '8080', -h, /],
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 30},
    readinessProbe: {httpGet: {port: 8080, path: /etc/passwd}, ${often}},
    livenessProbe: {exec: {command: ['true']}, ${often}}}`;
  const spec = (name: string, container: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - ${container}\n`;
  const both = `${spec('well', probes)}---\n${spec('ill', probes.replace("'true'", "'false'"))}`;
  const made = await s.kubectlWith(both, 'apply', '-f', '-');
  assert.equal(made.code, 0, made.stderr);
  await s.kubectl('wait', '--for=condition=Ready', 'pod/well', '--timeout=60s');
  for (let i = 0; (await status('ill')).restartCount === 0 && i < 200; i++) await delay(100);
  assert.ok((await status('ill')).restartCount > 0);
  const well = await status('well');
  assert.deepEqual([well.restartCount, well.ready], [0, true]);
  await s.kubectl('delete', 'pod', 'well', 'ill');
});

test('an agent with pods ends within two seconds, also while one of them is being deleted', { skip }, async () => {
  await pod('stays', 'while true; do date; sleep 1; done');
  await pod('slow', 'trap "" TERM; while true; do sleep 1; done');
  await s.kubectl('delete', 'pod', 'slow', '--wait=false');
  await delay(500);
  const ms = await end(await agentPid(), 'SIGTERM');
  assert.ok(ms < STOP_MS_MAX, `${ms.toFixed(0)} ms`);
});

test('logs and exec of a running pod work from the moment that an agent is there again', { skip }, async () => {
  await agentPid();
  // Before the tunnel stands the API has nobody to ask, and says so; anything else is the agent's answer.
  for (let i = 0; ; i++) {
    const r = await s.kubectlWith('', 'logs', 'stays', '--tail=1');
    if (/No agent available|dial timeout|InternalError/.test(r.stderr) && i < 50) continue;
    assert.equal(r.code, 0, r.stderr);
    break;
  }
  assert.equal((await s.kubectlWith('', 'exec', 'stays', '--', 'echo', 'here')).stdout.toString(), 'here\n');
  await s.kubectl('delete', 'pod', 'slow', '--force', '--grace-period=0');
});

test('an agent that begins while the control plane is gone goes on supervising its pods', { skip }, async () => {
  await pod('dies', 'sleep 12; exit 1');
  const before_ = await status('stays');
  killControlPlane(s);
  await end(await agentPid(), 'SIGKILL');
  await delay(25_000);
  const up = Date.now();
  await s.restart();
  for (let i = 0; (await status('dies')).restartCount === 0 && i < 100; i++) await delay(100);
  const now = await status('dies');
  assert.ok(now.restartCount >= 1, 'it was started again');
  const first = now.lastState.terminated ?? now.state.running;
  assert.ok(Date.parse(first.startedAt) < up, `while the control plane was gone: ${first.startedAt}`);
  const stays = await status('stays');
  assert.deepEqual([stays.containerID, stays.restartCount], [before_.containerID, before_.restartCount]);
});
