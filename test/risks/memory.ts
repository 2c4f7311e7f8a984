// What a node agent costs in memory: resident size of a process like it (Node, grpc-js, ws) while it probes 30 real pods.
// `node test/risks/memory.ts [seconds]` starts a containerd of its own and the measured process, and prints MiB per stage.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { connectCri } from '../../node-agent/runtime/cri.ts';
import { BUSYBOX, startTestContainerd, whyNoContainerd } from '../../node-agent/runtime/testing/containerd.ts';

const PODS = 30;
/** The usual probe: every 10 s; here all 30 within each second to make a short run tell as much as a long one. */
const PROBE_EVERY_MS = 1_000;
const RELIST_EVERY_MS = 1_000;
const HEAP_FLAG = '--max-semi-space-size=2';

interface Measured {
  stage: string;
  rssMiB: number;
  heapMiB: number;
  externalMiB: number;
}
interface Pod {
  id: string;
  ip: string;
}

/** VmRSS and what of it is anonymous: the process's own, not pages of node's file that others share. */
function resident(pid: number): { rss: number; own: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rss: kb('VmRSS') / 1024, own: kb('RssAnon') / 1024 };
}

function httpProbe(ip: string): Promise<boolean> {
  return new Promise((resolve) => {
    const req = request({ host: ip, port: 8080, path: '/', agent: false, timeout: 1_000 }, (res) => {
      res.resume();
      res.once('end', () => resolve(res.statusCode === 200));
    });
    req.once('timeout', () => req.destroy());
    req.once('error', () => resolve(false));
    req.end();
  });
}

/** The measured process: told by its parent what to do, it tells its memory after each stage. */
async function agent(socket: string): Promise<void> {
  const tell = (stage: string, more: object = {}) => {
    const m = process.memoryUsage();
    const mib = (n: number) => n / (1 << 20);
    const measured: Measured = {
      stage,
      rssMiB: mib(m.rss),
      heapMiB: mib(m.heapUsed),
      externalMiB: mib(m.external),
      ...more,
    };
    process.send?.(measured);
  };
  tell('process with grpc-js loaded');
  const { WebSocket } = await import('ws');
  tell(`with ws (${typeof WebSocket})`);
  const { runtime } = connectCri(socket);
  await runtime.version();
  tell('connected to containerd');
  const pods: Pod[] = [];
  for (const s of await runtime.listPodSandbox({ state: 'SANDBOX_READY' })) {
    const ip = (await runtime.podSandboxStatus(s.id)).status.network?.ip ?? '';
    const [container] = await runtime.listContainers({ podSandboxId: s.id, state: 'CONTAINER_RUNNING' });
    if (container) pods.push({ id: container.id, ip });
  }
  tell(`knows ${pods.length} pods`);
  const counts = { exec: 0, http: 0, failed: 0 };
  const probe = async (p: Pod) => {
    const [exec, http] = await Promise.all([runtime.execSync(p.id, ['true'], 5), httpProbe(p.ip)]);
    counts.exec++;
    counts.http++;
    if (exec.exitCode !== 0 || !http) counts.failed++;
  };
  setInterval(() => {
    void Promise.all([runtime.listPodSandbox(), runtime.listContainers()]);
  }, RELIST_EVERY_MS);
  for (let i = 0; i < pods.length; i++) {
    const pod = pods[i] as Pod;
    setTimeout(
      async () => {
        for (;;) {
          const started = performance.now();
          await probe(pod).catch(() => counts.failed++);
          // 30 execs a second are more than two busy cores can do: then it is as many as they can.
          await delay(Math.max(0, PROBE_EVERY_MS - (performance.now() - started)));
        }
      },
      (i * PROBE_EVERY_MS) / pods.length,
    );
  }
  const cpu = process.cpuUsage();
  const began = performance.now();
  process.on('message', (stage: string) => {
    const used = process.cpuUsage(cpu);
    const share = (used.user + used.system) / 1000 / (performance.now() - began);
    tell(stage, { ...counts, cpu: `${(share * 100).toFixed(1)}%` });
  });
  process.send?.('ready');
}

async function podsOf(t: Awaited<ReturnType<typeof startTestContainerd>>): Promise<void> {
  for (let i = 0; i < PODS; i++) {
    const name = `pod-${i}`;
    const pod = { metadata: { name, uid: name, namespace: 'default', attempt: 0 }, hostname: name };
    const sandbox = await t.runtime.runPodSandbox(pod);
    const command = ['sh', '-c', 'mkdir /w; echo ok > /w/index.html; httpd -f -p 8080 -h /w'];
    const config = { metadata: { name: 'main', attempt: 0 }, image: { image: BUSYBOX }, command };
    await t.runtime.startContainer(await t.runtime.createContainer(sandbox, config, pod));
  }
}

async function measure(socket: string, flags: string[], seconds: number): Promise<void> {
  console.log(`\nnode ${flags.join(' ') || '(no flags)'}`);
  const child: ChildProcess = fork(import.meta.filename, ['agent', socket], { execArgv: flags });
  const pid = child.pid as number;
  const print = (m: Measured & { exec?: number; failed?: number; cpu?: string }) => {
    const { rss, own } = resident(pid);
    const probes = m.exec === undefined ? '' : `  ${m.exec} exec + http probes, ${m.failed} failed, cpu ${m.cpu}`;
    const mib = [rss, own, m.heapMiB, m.externalMiB].map((n) => n.toFixed(1).padStart(6));
    console.log(`${mib.join(' ')}  ${m.stage}${probes}`);
  };
  console.log('   RSS   own   heap  extern  (MiB)');
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (m: Measured | 'ready') => (m === 'ready' ? resolve() : print(m)));
    child.once('exit', (code) => reject(new Error(`the measured process ended with ${code}`)));
  });
  try {
    await ready;
    for (let passed = 0; passed < seconds; passed += seconds / 4) {
      await delay((seconds / 4) * 1000);
      child.send(`after ${Math.round(passed + seconds / 4)} s of probing`);
    }
    await delay(200);
  } finally {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  }
}

async function main(): Promise<void> {
  if (process.argv[2] === 'agent') return agent(process.argv[3] ?? '');
  const why = await whyNoContainerd();
  if (why !== null) return console.log(`not measured: ${why}`);
  const seconds = Number(process.argv[2] ?? 40);
  const t = await startTestContainerd(4);
  try {
    await t.images.pullImage({ image: BUSYBOX });
    const began = performance.now();
    await podsOf(t);
    console.log(`${PODS} pods started in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const containerd = resident(t.prepared.containerd.pid);
    console.log(`containerd itself: ${containerd.rss.toFixed(1)} MiB resident`);
    for (const flags of [[], [HEAP_FLAG, '--optimize-for-size']])
      await measure(t.prepared.containerd.socket, flags, seconds);
  } finally {
    await t.close();
  }
}

await main();
