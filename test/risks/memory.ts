// What a node agent costs in memory: resident size of the real agent while it runs 30 pods, each with an exec, an HTTP and a TCP probe.
// `node test/risks/memory.ts [seconds]` starts a whole system of its own, prints MiB every few seconds, and ends all of it, also on failure.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentsOf } from '../../cli/node/service.ts';
import { BUSYBOX, type System, startSystem } from '../e2e/system.ts';

const PODS = 30;
/** Pods made at once: each start is a burst of processes on a small machine. */
const BATCH = 10;
const SAMPLES = 12;
const READY_TIMEOUT = '300s';
const seconds = Number(process.argv[2] ?? 60);

const pod = (i: number) => `apiVersion: v1
kind: Pod
metadata: {name: pod-${i}, labels: {app: probed}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: ${BUSYBOX}
    command: [sh, -c, 'mkdir /w; echo ok > /w/index.html; exec httpd -f -p 8080 -h /w']
    livenessProbe: {exec: {command: ['true']}, periodSeconds: 10, timeoutSeconds: 5}
    readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 5, timeoutSeconds: 5}
    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 60}
  initContainers:
  - name: side
    image: ${BUSYBOX}
    restartPolicy: Always
    command: [sh, -c, 'exec httpd -f -p 8081']
    livenessProbe: {tcpSocket: {port: 8081}, periodSeconds: 10}
---
`;

/** VmRSS and what of it is anonymous: the process's own, not pages of node's file that others share. */
function resident(pid: number): { rss: number; own: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rss: kb('VmRSS') / 1024, own: kb('RssAnon') / 1024 };
}

/** Processor time of a process so far, in seconds. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function print(stage: string, pid: number): number {
  const { rss, own } = resident(pid);
  console.log(`${rss.toFixed(1).padStart(7)} ${own.toFixed(1).padStart(7)}  ${stage}`);
  return rss;
}

async function measure(s: System): Promise<void> {
  const [pid = 0] = agentsOf(join(s.home, 'state/node/agent.json'));
  console.log('    RSS     own  (MiB)');
  print('agent without pods', pid);
  const began = performance.now();
  for (let i = 0; i < PODS; i += BATCH) {
    const text = Array.from({ length: BATCH }, (_, j) => pod(i + j)).join('');
    const made = await s.kubectlWith(text, 'apply', '-f', '-');
    if (made.code !== 0) throw new Error(made.stderr);
  }
  await s.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=probed', `--timeout=${READY_TIMEOUT}`);
  print(`${PODS} pods ready after ${((performance.now() - began) / 1000).toFixed(1)} s`, pid);
  const [before, from] = [cpu(pid), performance.now()];
  const seen: number[] = [];
  for (let i = 1; i <= SAMPLES; i++) {
    await delay((seconds * 1000) / SAMPLES);
    seen.push(print(`after ${Math.round((seconds * i) / SAMPLES)} s of probing`, pid));
  }
  const share = ((cpu(pid) - before) / ((performance.now() - from) / 1000)) * 100;
  const restarts = await s.kubectl(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[0].restartCount}',
  );
  const total = restarts.split(' ').reduce((sum, n) => sum + Number(n), 0);
  const middle = [...seen].sort((a, b) => a - b)[Math.floor(seen.length / 2)] ?? 0;
  console.log(
    `median ${middle.toFixed(1)} MiB, at most ${Math.max(...seen).toFixed(1)} MiB, ${share.toFixed(1)} % of a core, ${total} restarts`,
  );
}

// Signals end the system too: nothing may be left on the machine.
const s = await startSystem(4);
let closing: Promise<void> | undefined;
const close = () => (closing ??= s.close());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void close().then(() => process.exit(1)));
try {
  await measure(s);
} catch (e) {
  console.error(readFileSync(join(s.home, 'state/node/agent.log'), 'utf8').slice(-4_000));
  throw e;
} finally {
  await close();
}
