import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../ports.ts';
import { startBalancer } from './balancer.ts';
import { type Bucket, startBucket } from './bucket.ts';
import { ask } from './http.ts';

const root = join(import.meta.dirname, '..', '..');
const START_MS_MAX = 90_000;
const LOOK_MS = 100;

/** One `coracle serve --cluster` of the test. */
export interface TestInstance {
  index: number;
  url: string;
  /** As far as a load balancer sees. */
  ready: boolean;
  running: boolean;
  start(release?: string): Promise<void>;
  /** SIGKILL to workerd and its supervisor: the machine is gone. */
  kill(): Promise<void>;
  /** SIGTERM; gives the milliseconds until the process had ended, and its exit code. */
  stop(): Promise<{ ms: number; code: number | null }>;
  log(): string;
  /** Of the running workerd. */
  pid(): number;
}

export interface TestSystem {
  /** Address of the load balancer. */
  url: string;
  ca: string;
  token: string;
  agent: Agent;
  bucket: Bucket;
  instances: TestInstance[];
  /** Folders of two versions of Coracle; /healthz says which one answers. */
  releases: [string, string];
  dir: string;
  /** Aborts at close: whatever runs against the system ends. */
  over: AbortSignal;
  close(): Promise<void>;
}

/** A bucket, a load balancer and instances that aren't started yet. */
export async function startSystem(o: { instances: number; graceSeconds?: number }): Promise<TestSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-cluster-'));
  const bucket = await startBucket();
  const releases: [string, string] = [join(dir, 'release-1'), join(dir, 'release-2')];
  for (const [i, release] of releases.entries()) await copyRelease(release, `ok, release ${i + 1}`);
  const secrets = join(dir, 'secrets');
  await promisify(execFile)(process.execPath, [join(root, 'cli/main.ts'), 'serve', '--make-secrets', secrets]);
  const ca = await readFile(join(secrets, 'ca.crt'), 'utf8');
  const token = (await readFile(join(secrets, 'operator-token'), 'utf8')).trim();
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 512 });
  const ports = await freePorts(o.instances * 2);
  const http = ports.slice(0, o.instances);
  const instances: TestInstance[] = [];
  const balancer = await startBalancer(http, (i) => instances[i]?.ready === true);
  const url = `https://127.0.0.1:${balancer.port}`;
  for (let i = 0; i < o.instances; i++) {
    const config = join(dir, `instance-${i}.toml`);
    await writeFile(
      config,
      `url = "${url}"
secrets = "secrets"
[bucket]
name = "${bucket.name}"
prefix = "test"
endpoint = "${bucket.endpoint}"
region = "${bucket.region}"
[instance]
address = "127.0.0.1:${ports[o.instances + i]}"
`,
    );
    const grace = o.graceSeconds === undefined ? [] : ['--grace', String(o.graceSeconds)];
    const args = ['serve', '--listen', `127.0.0.1:${http[i]}`, '--cluster', config, ...grace];
    const env = { ...process.env, ...bucket.env, CORACLE_HOME: join(dir, `home-${i}`) };
    instances.push(instance(i, `https://127.0.0.1:${http[i]}`, args, env, dir, releases[0]));
  }
  const over = new AbortController();
  const looking = Promise.all(
    instances.map(async (x) => {
      while (!over.signal.aborted) {
        const answer = x.running ? await ask(agent, 'GET', `${x.url}/readyz`).catch(() => null) : null;
        x.ready = answer?.code === 200;
        await new Promise((r) => setTimeout(r, LOOK_MS));
      }
    }),
  );
  return {
    url,
    ca,
    token,
    agent,
    bucket,
    instances,
    releases,
    dir,
    over: over.signal,
    async close() {
      over.abort();
      await looking;
      await Promise.all(instances.map((x) => x.kill()));
      await balancer.close();
      agent.destroy();
      await bucket.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What an installation has, and a word of its own. */
async function copyRelease(to: string, word: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const part of ['cli', 'workers', 'api', 'kube', 'node-agent', 'wrangler.toml', 'package.json'])
    await cp(join(root, part), join(to, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(to, 'node_modules'));
  const main = join(to, 'workers/main.ts');
  const text = await readFile(main, 'utf8');
  const changed = text.replace("c.text('ok')", `c.text('${word}')`);
  if (changed === text) throw new Error('workers/main.ts has no place for the word of a release');
  await writeFile(main, changed);
}

function instance(
  index: number,
  url: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  dir: string,
  first: string,
): TestInstance {
  const log = join(dir, `instance-${index}.log`);
  let child: ChildProcess | undefined;
  let release = first;
  const pidFile = join(env.CORACLE_HOME ?? '', 'workerd.pid');
  const pid = () => Number(readFileSync(pidFile, 'utf8').split(' ')[0]);
  const ended = (c: ChildProcess) =>
    c.exitCode !== null || c.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((done) => c.once('exit', () => done()));
  const self: TestInstance = {
    index,
    url,
    ready: false,
    running: false,
    async start(from = release) {
      release = from;
      const out = openSync(log, 'a');
      child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(from, 'cli/main.ts'), ...args], {
        env,
        stdio: ['ignore', out, out],
      });
      self.running = true;
      const limit = Date.now() + START_MS_MAX;
      while (!self.ready) {
        if (child.exitCode !== null || Date.now() > limit)
          throw new Error(`instance ${index} does not start:\n${self.log()}`);
        await new Promise((r) => setTimeout(r, LOOK_MS / 2));
      }
    },
    async kill() {
      if (!child || !self.running) return;
      child.kill('SIGKILL');
      // One that ended by itself, or before it had begun, has none.
      if (child.exitCode === null && existsSync(pidFile)) process.kill(pid(), 'SIGKILL');
      await ended(child);
      self.running = false;
      self.ready = false;
    },
    async stop() {
      if (!child) return { ms: 0, code: null };
      const begin = Date.now();
      child.kill('SIGTERM');
      await ended(child);
      self.running = false;
      self.ready = false;
      return { ms: Date.now() - begin, code: child.exitCode };
    },
    log: () => readFileSync(log, 'utf8').slice(-4_000),
    pid,
  };
  return self;
}
