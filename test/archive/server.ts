import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { call, type Endpoint } from '../../cli/endpoint.ts';
import { waitFor } from '../../cli/server/pid.ts';
import { prepare, start } from '../../cli/server/process.ts';
import { CLUSTERS, type ClusterObject, createCluster } from '../../cli/tenancy.ts';
import { freePort } from '../ports.ts';

const run = promisify(execFile);
const main = join(import.meta.dirname, '../../cli/main.ts');
const START_MS_MAX = 30_000;

/** A control plane of its own, as `coracle serve` runs it. */
export interface Served {
  home: string;
  endpoint: Endpoint;
  /** The command line of this endpoint. */
  coracle(...args: string[]): Promise<{ stdout: string; stderr: string }>;
  pid(): number;
  /** Ends it with -9 and starts it again on the same data, or on what `meanwhile` makes of them. */
  kill(meanwhile?: () => void): Promise<void>;
  close(): Promise<void>;
}

/** Starts one in a folder of its own. */
export async function startServed(): Promise<Served> {
  const home = mkdtempSync(join(tmpdir(), 'coracle-archive-'));
  const port = await freePort();
  const prepared = await prepare({ home, listen: [{ host: '127.0.0.1', port }], names: [] });
  writeFileSync(join(home, 'url'), prepared.url);
  const endpoint = { url: prepared.url, caPem: prepared.caPem, token: prepared.operatorToken };
  const begin = async () => {
    const child = start(prepared.config, join(home, 'server.log'));
    const healthy = async () => (await call(endpoint, 'GET', '/healthz')).code === 200;
    await waitFor('the control plane', START_MS_MAX, healthy, () => child.exitCode === null);
    return child;
  };
  let child = await begin();
  const end = async (signal: NodeJS.Signals) => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await ended;
    }
  };
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    home,
    endpoint,
    coracle: (...args) =>
      run(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
        env: { ...process.env, CORACLE_HOME: home },
        maxBuffer: 1 << 28,
      }),
    pid: () => child.pid ?? 0,
    async kill(meanwhile) {
      await end('SIGKILL');
      meanwhile?.();
      child = await begin();
    },
    async close() {
      await end('SIGKILL');
      if (process.env.CORACLE_DEBUG) console.error(readFileSync(join(home, 'server.log'), 'utf8'));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A cluster's API as its administrator uses it; connections are kept. */
export interface Kube {
  (
    method: string,
    path: string,
    body?: unknown,
    type?: string,
  ): Promise<{ code: number; body: Record<string, unknown> }>;
  close(): void;
}

/** A client of a cluster. */
export function kubeOf(e: Endpoint, url: string, token: string): Kube {
  const agent = new Agent({ ca: e.caPem, keepAlive: true, maxSockets: 32 });
  const ask = (method: string, path: string, body?: unknown, type = 'application/json') =>
    new Promise<{ code: number; body: Record<string, unknown> }>((resolve, reject) => {
      const r = request(
        new URL(url + path),
        { method, agent, headers: { authorization: `Bearer ${token}`, 'content-type': type } },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => {
            text += part;
          });
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({ code: answer.statusCode ?? 0, body: JSON.parse(text || '{}') as Record<string, unknown> }),
          );
        },
      );
      r.on('error', reject);
      r.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return Object.assign(ask, { close: () => agent.destroy() });
}

/** Creates many objects, 32 at once. */
export async function fill(kube: Kube, path: string, count: number, object: (i: number) => object): Promise<void> {
  let next = 0;
  const one = async () => {
    for (let i = next++; i < count; i = next++) {
      const { code, body } = await kube('POST', path, object(i));
      if (code !== 201) throw new Error(`${path}: ${code} ${body.message}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, one));
}

/** Resident memory of a process, in MiB: now, and the most it ever was. */
export function memoryOf(pid: number): { now: number; most: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}

/** Lets the kernel forget the most that a process had. */
export const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

/** An object of a list. */
export interface Listed {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string };
  [member: string]: unknown;
}
/** What a list holds. */
export const items = async (kube: Kube, path: string): Promise<Listed[]> => {
  const { code, body } = await kube('GET', path);
  assert.equal(code, 200, `${path}: ${body.message}`);
  return body.items as Listed[];
};
/** The same by namespace and name. */
export const named = async (kube: Kube, path: string): Promise<string[]> =>
  (await items(kube, path)).map((o) => `${o.metadata.namespace ?? ''}/${o.metadata.name}`);

/** Clusters of a control plane, and commands about them. */
export interface Tenants {
  /** A client of a cluster, which close() closes. */
  client(url: string, token: string): Kube;
  /** A new cluster. */
  made(name: string): Promise<Kube>;
  /** The cluster of a kubeconfig that a command printed. */
  ofKubeconfig(text: string): Kube;
  clusters(): Promise<ClusterObject[]>;
  /** The one line that `coracle cluster ...` fails with. */
  failing(...args: string[]): Promise<string>;
  close(): void;
}
export function tenantsOf({ endpoint, coracle }: Served): Tenants {
  const kubes: Kube[] = [];
  const client = (url: string, token: string): Kube => {
    const kube = kubeOf(endpoint, url, token);
    kubes.push(kube);
    return kube;
  };
  return {
    client,
    async made(name) {
      const { status } = await createCluster(endpoint, name);
      return client(status.url, status.adminToken ?? '');
    },
    ofKubeconfig(text) {
      const config = parse(text) as {
        clusters: [{ cluster: { server: string } }];
        users: [{ user: { token: string } }];
      };
      return client(config.clusters[0].cluster.server, config.users[0].user.token);
    },
    clusters: async () => (await call(endpoint, 'GET', CLUSTERS)).body.items as ClusterObject[],
    async failing(...args) {
      const error = await coracle('cluster', ...args).then(
        () => assert.fail('the command succeeded'),
        (e: { stderr: string; code: number }) => e,
      );
      assert.notEqual(error.code, 0);
      const lines = error.stderr.trim().split('\n');
      assert.equal(lines.length, 1, error.stderr);
      return lines[0] ?? '';
    },
    close() {
      for (const kube of kubes) kube.close();
    },
  };
}
