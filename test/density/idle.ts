import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentsInput } from './agents.ts';
import { CLUSTERS, type Cluster, cpuSeconds, quantile, residentMiB, type Server } from './server.ts';

export const CLASSES = ['TenantStore', 'Loop', 'NodeTunnel', 'Directory', 'Relay'] as const;
/** What a node's coming makes the loops do is over by then: a minute of grace, and the sleep after. */
const SETTLE_MS = 120_000;
/** Looks at the live objects, spread over a status period's part. */
const LOOKS = 10;
const LOOK_MS = 6_000;

export interface IdleFigures {
  clusters: number;
  nodes: number;
  seconds: number;
  residentMiB: number;
  /** Of one core. */
  cpuPercent: number;
  /** Live objects of each class: the median of ten looks, and the most. */
  live: Record<string, { median: number; most: number }>;
}

/** Connects a node to each of the first clusters and ends with the function that ends them. */
export async function connectNodes(s: Server, clusters: readonly Cluster[]): Promise<() => Promise<void>> {
  const nodes: AgentsInput['nodes'] = [];
  for (const c of clusters) {
    const body = JSON.stringify({ metadata: { name: 'node-1' } });
    const r = await s.ask(`${CLUSTERS}/${c.name}/node`, s.operator, { method: 'POST', body });
    if (r.code !== 201) throw new Error(`node of ${c.name}: ${r.code} ${r.text}`);
    const { status } = JSON.parse(r.text) as { status: { token: string } };
    nodes.push({ url: c.url, node: 'node-1', token: status.token });
  }
  const file = join(s.home, 'agents.json');
  writeFileSync(file, JSON.stringify({ ca: s.ca, nodes } satisfies AgentsInput));
  const script = join(import.meta.dirname, 'agents.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  await connected(child);
  return async () => {
    process.off('exit', kill);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
}

function connected(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the agents ended with ${code}`)));
  });
}

/** What so many quiet clusters cost, once all has settled. */
export async function measureIdle(
  s: Server,
  o: { clusters: number; nodes: number; minutes: number },
): Promise<IdleFigures> {
  await pause(SETTLE_MS);
  const cpu = cpuSeconds(s.pid);
  const resident: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < o.minutes * 60_000) {
    await pause(Math.min(10_000, o.minutes * 60_000));
    resident.push(residentMiB(s.pid));
  }
  const seconds = (performance.now() - begin) / 1000;
  const cpuPercent = ((cpuSeconds(s.pid) - cpu) / seconds) * 100;
  // Looking costs a garbage collection: not while processor time is measured.
  const looks: Record<string, number>[] = [];
  for (let i = 0; i < LOOKS; i++) {
    looks.push(await liveObjects(s));
    await pause(LOOK_MS);
  }
  const live: IdleFigures['live'] = {};
  for (const name of CLASSES) {
    const counts = looks.map((l) => l[name] ?? 0);
    live[name] = { median: quantile(counts, 0.5), most: Math.max(...counts) };
  }
  return { clusters: o.clusters, nodes: o.nodes, seconds, residentMiB: Math.max(...resident), cpuPercent, live };
}

/** How many objects of each class the process holds now. */
export async function liveObjects(s: Server): Promise<Record<string, number>> {
  const inspector = await s.inspect();
  try {
    return await inspector.live(CLASSES);
  } finally {
    inspector.close();
  }
}

/** First requests of clusters that sleep, over new connections. */
export async function measureWaking(s: Server, clusters: readonly Cluster[]): Promise<{ p50: number; p99: number }> {
  const durations: number[] = [];
  for (const c of clusters) {
    const r = await s.ask(`/clusters/${c.id}/api/v1/namespaces`, c.token);
    if (r.code !== 200) throw new Error(`${c.name}: ${r.code} ${r.text}`);
    durations.push(r.ms);
  }
  return { p50: quantile(durations, 0.5), p99: quantile(durations, 0.99) };
}

export const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));
