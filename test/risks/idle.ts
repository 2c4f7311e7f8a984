// What control plane and agent cost while nothing happens: resident memory and processor time over a minute, without pods and with ten quiet ones.
// `node test/risks/idle.ts [seconds]` starts a whole system of its own and ends it.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentsOf } from '../../cli/node/service.ts';
import { cpuSeconds, residentMiB } from '../density/server.ts';
import { serverPid } from '../e2e/inspected.ts';
import { BUSYBOX, startSystem } from '../e2e/system.ts';

const PODS = 10;
/** What a start makes everybody do is over by then. */
const SETTLE_MS = 15_000;
const seconds = Number(process.argv[2] ?? 60);

const s = await startSystem(27);
let closing: Promise<void> | undefined;
const close = () => (closing ??= s.close());
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void close().then(() => process.exit(1)));

async function measure(what: string): Promise<void> {
  await delay(SETTLE_MS);
  const pids = { 'control plane': serverPid(s), agent: agentsOf(join(s.home, 'state/node/agent.json'))[0] ?? 0 };
  const before = Object.values(pids).map(cpuSeconds);
  const began = performance.now();
  await delay(seconds * 1000);
  const took = (performance.now() - began) / 1000;
  for (const [i, [name, pid]] of Object.entries(pids).entries()) {
    const share = ((cpuSeconds(pid) - (before[i] ?? 0)) / took) * 100;
    console.log(
      `${name}, ${what}: ${residentMiB(pid).toFixed(0)} MiB, ${share.toFixed(2)} % of a core over ${took.toFixed(0)} s`,
    );
  }
}

try {
  await measure('no pods');
  const pod = (i: number) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `quiet-${i}`, labels: { app: 'quiet' } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', '100000'] }],
    },
  });
  const items = Array.from({ length: PODS }, (_, i) => pod(i));
  const made = await s.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'apply', '-f', '-');
  if (made.code !== 0) throw new Error(made.stderr);
  await s.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=quiet', '--timeout=60s');
  await measure(`${PODS} quiet pods`);
} finally {
  await close();
}
