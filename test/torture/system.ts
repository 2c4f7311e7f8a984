import type { Agent } from 'node:https';
import { join } from 'node:path';
import { seeded } from '../fuzz/random.ts';
import { type Caller, makeAgent, makeCaller } from './client.ts';
import { type Clock, makeClock } from './clock.ts';
import { type Disk, makeDisk } from './disk.ts';
import { type Lossy, startProxy } from './proxy.ts';
import { makeServer, type Server } from './server.ts';
import { NAMESPACES, SWEPT } from './shape.ts';

/** A cluster as its clients reach it. */
export interface TestCluster {
  path: string;
  token: string;
  /** Calls through the proxy, paths below the cluster. */
  call: Caller;
  /** Calls past the proxy: for setting up and for the last look. */
  direct: Caller;
}

/** Everything that is under test, and what is done to it. */
export interface System {
  disk: Disk;
  clock: Clock;
  server: Server;
  proxy: Lossy;
  agent: Agent;
  clusters: TestCluster[];
  /** Waits while the server is down. */
  ready(): Promise<void>;
  /** Kills (`SIGKILL`) or stops it (`SIGTERM`) and starts it again. `hasty`: kills it once more right after its start. */
  restart(signal: 'SIGKILL' | 'SIGTERM', hastyMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Room for the data of some 200,000 operations beside what history keeps. */
const DISK_MIB = 700;

export async function startSystem(dir: string, seed: number, clusterCount: number): Promise<System> {
  const clock = await makeClock(dir);
  const disk = await makeDisk(dir, DISK_MIB);
  let gate: Promise<void> = Promise.resolve();
  try {
    const server = await makeServer(join(disk.path, 'home'), dir, clock);
    const proxy = await startProxy(server.port, seeded(seed ^ 0x70726f78));
    const agent = makeAgent(server.caPem);
    const up = async () => {
      // One that ends by itself (it may, on a full disk) is started again; server.crashes has it.
      do server.spawn();
      while (!(await server.listening()));
    };
    await up();
    const restart = async (signal: 'SIGKILL' | 'SIGTERM', hastyMs?: number) => {
      await (signal === 'SIGKILL' ? server.kill() : server.stop());
      if (hastyMs !== undefined) {
        server.spawn();
        await new Promise((next) => setTimeout(next, hastyMs));
        await server.kill();
      }
      await up();
    };
    const serial = (f: () => Promise<void>): Promise<void> => {
      gate = gate.then(f);
      return gate;
    };
    const watchdog = setInterval(() => {
      if (!server.running()) void serial(async () => (server.running() ? undefined : up()));
    }, 100);
    watchdog.unref();
    const clusters: TestCluster[] = [];
    for (let i = 0; i < clusterCount; i++) clusters.push(await makeCluster(server, proxy, agent, `torture-${i}`));
    return {
      disk,
      clock,
      server,
      proxy,
      agent,
      clusters,
      ready: () => gate,
      restart: (signal, hastyMs) => serial(() => restart(signal, hastyMs)),
      async close() {
        clearInterval(watchdog);
        await gate.catch(() => {});
        proxy.close();
        await server.kill();
        agent.destroy();
        await disk.close();
      },
    };
  } catch (e) {
    await disk.close();
    throw e;
  }
}

async function makeCluster(server: Server, proxy: Lossy, agent: Agent, name: string): Promise<TestCluster> {
  const operator = makeCaller(agent, server.port, server.operatorToken);
  const made = await operator({
    method: 'POST',
    path: '/apis/tenancy.coracle.dev/v1/clusters',
    body: { metadata: { name } },
  });
  if ('lost' in made || made.status !== 201) throw new Error(`no cluster: ${JSON.stringify(made)}`);
  const { url, adminToken } = (made.body as { status: { url: string; adminToken: string } }).status;
  const path = new URL(url).pathname;
  const below =
    (call: Caller): Caller =>
    (o) =>
      call({ ...o, path: path + o.path });
  const direct = below(makeCaller(agent, server.port, adminToken));
  for (const ns of [...NAMESPACES, SWEPT]) {
    const r = await direct({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: ns } } });
    if ('lost' in r || r.status !== 201) throw new Error(`no namespace: ${JSON.stringify(r)}`);
  }
  return { path, token: adminToken, call: below(makeCaller(agent, proxy.port, adminToken)), direct };
}
