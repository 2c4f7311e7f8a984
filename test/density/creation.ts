import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findKubectl } from '../e2e/system.ts';
import { type Cluster, cpuSeconds, quantile, residentMiB, type Server } from './server.ts';

const run = promisify(execFile);
/** Clusters on which a real kubectl is timed. */
const KUBECTL_RUNS = 15;
const WARM = 5;
const DISCOVERY =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
const TABLE =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

export interface CreationFigures {
  clusters: number;
  createMs: { p50: number; p99: number };
  /** The requests of `kubectl get namespaces` with nothing cached, each over a connection of its own. */
  firstGetMs: { p50: number; p99: number };
  bothMs: { p50: number; p99: number };
  /** Processor time of the server for each creation with its first get. */
  cpuMs: number;
  /** A whole kubectl process with an empty cache: on a cluster just made, on one that has answered before. */
  kubectlMs?: { fresh: number; old: number };
  residentMiB: number;
}

/** Makes so many clusters one after another, with the first `kubectl get namespaces` of each. */
export async function measureCreation(
  s: Server,
  count: number,
): Promise<{ figures: CreationFigures; made: Cluster[] }> {
  for (let i = 0; i < WARM; i++) await firstGet(s, await s.create(`warm-${i}`));
  const made: Cluster[] = [];
  const create: number[] = [];
  const get: number[] = [];
  const cpu = cpuSeconds(s.pid);
  for (let i = 0; i < count; i++) {
    const c = await s.create(`c-${i}`);
    made.push(c);
    create.push(c.ms);
    get.push(await firstGet(s, c));
  }
  const cpuMs = ((cpuSeconds(s.pid) - cpu) / count) * 1000;
  const both = create.map((ms, i) => ms + (get[i] ?? 0));
  const of = (values: number[]) => ({ p50: quantile(values, 0.5), p99: quantile(values, 0.99) });
  const figures: CreationFigures = {
    clusters: count,
    createMs: of(create),
    firstGetMs: of(get),
    bothMs: of(both),
    cpuMs,
    residentMiB: residentMiB(s.pid),
  };
  const kubectl = await findKubectl();
  if (kubectl !== null) figures.kubectlMs = await timeKubectl(s, kubectl);
  return { figures, made };
}

async function firstGet(s: Server, c: Cluster): Promise<number> {
  const base = `/clusters/${c.id}`;
  const begin = performance.now();
  for (const [path, accept] of [
    ['/api', DISCOVERY],
    ['/apis', DISCOVERY],
    ['/api/v1/namespaces?limit=500', TABLE],
  ] as const) {
    const r = await s.ask(base + path, c.token, { accept });
    if (r.code !== 200) throw new Error(`${path}: ${r.code} ${r.text}`);
  }
  return performance.now() - begin;
}

async function timeKubectl(s: Server, kubectl: string): Promise<{ fresh: number; old: number }> {
  const old: number[] = [];
  const fresh: number[] = [];
  const first = await s.create('kubectl-old');
  await kubectlGet(s, kubectl, first);
  for (let i = 0; i < KUBECTL_RUNS; i++) {
    old.push(await kubectlGet(s, kubectl, first));
    fresh.push(await kubectlGet(s, kubectl, await s.create(`kubectl-${i}`)));
  }
  return { fresh: quantile(fresh, 0.5), old: quantile(old, 0.5) };
}

async function kubectlGet(s: Server, kubectl: string, c: Cluster): Promise<number> {
  const cache = join(s.home, 'kubectl-cache');
  const ca = join(s.home, 'ca.pem');
  await rm(cache, { recursive: true, force: true });
  await writeFile(ca, s.ca);
  const args = ['--server', c.url, '--token', c.token, '--certificate-authority', ca, '--cache-dir', cache];
  const begin = performance.now();
  await run(kubectl, [...args, 'get', 'namespaces'], { env: { ...process.env, KUBECONFIG: '/dev/null' } });
  return performance.now() - begin;
}
