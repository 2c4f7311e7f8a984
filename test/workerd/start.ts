import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
/** The newest date that the installed workerd knows. */
const COMPATIBILITY_DATE = '2026-11-17';
/** From spawn to listening. */
const START_MS = 20_000;

/** What runs in one workerd. */
export interface WorkerdOptions {
  /** The main module's TypeScript: default export the worker, other exports its object classes. */
  entry: string;
  /** Object classes by binding name. */
  objects: Record<string, string>;
  /** Replaces modules by name, in the bundle. */
  alias?: Record<string, string>;
  flags?: string[];
}

/** A running workerd. */
export interface Workerd {
  url: string;
  pid(): number;
  /** The folder of its objects' files. */
  disk: string;
  /** Kills it with -9 and starts it again on the same disk, with what `between` makes of that. */
  restart(between?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** Bundles `entry`, writes a config with SQLite objects on a disk of its own, and starts the npm workerd on a free port. */
export async function startWorkerd(o: WorkerdOptions): Promise<Workerd> {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-workerd-'));
  const entry = join(dir, 'entry.ts');
  await writeFile(entry, o.entry);
  await mkdir(join(dir, 'disk'));
  await build({
    entryPoints: [entry],
    outfile: join(dir, 'main.js'),
    bundle: true,
    format: 'esm',
    target: 'esnext',
    conditions: ['workerd', 'worker', 'browser'],
    nodePaths: [join(root, 'node_modules')],
    external: ['node:*', 'cloudflare:*'],
    logLevel: 'error',
    sourcemap: 'inline',
    ...(o.alias ? { alias: o.alias } : {}),
  });
  await writeFile(join(dir, 'config.capnp'), configOf(o, join(dir, 'disk')));
  const binary = resolve(root, 'node_modules/workerd/bin/workerd');
  let running = await spawnOn(binary, join(dir, 'config.capnp'), '0');
  const { port } = running;
  return {
    url: `http://127.0.0.1:${port}`,
    pid: () => running.pid,
    disk: join(dir, 'disk'),
    async restart(between) {
      await running.kill();
      await between?.();
      running = await spawnOn(binary, join(dir, 'config.capnp'), String(port));
    },
    async stop() {
      await running.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A workerd with the whole control plane, as inside/loops.ts has it: the operator's token is "operator", and /test/... tells and moves what tests need. */
export function startControlPlane(): Promise<Workerd> {
  const module = JSON.stringify(join(here, 'inside/loops.ts'));
  return startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { DIRECTORY: 'Directory', TENANTS: 'TenantStore', LOOPS: 'Loop', TUNNELS: 'NodeTunnel', RELAYS: 'Relay' },
  });
}

async function spawnOn(
  binary: string,
  config: string,
  port: string,
): Promise<{ port: number; pid: number; kill(): Promise<void> }> {
  const child = spawn(
    binary,
    ['serve', config, '--experimental', '--control-fd=3', `--socket-addr=http=127.0.0.1:${port}`],
    { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] },
  );
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const listening = new Promise<number>((done, fail) => {
    let text = '';
    child.stdio[3]?.on('data', (d: Buffer) => {
      text += String(d);
      const found = /"event":"listen","socket":"http","port":([0-9]+)/.exec(text);
      if (found) done(Number(found[1]));
    });
    child.once('error', fail);
    child.once('exit', (code) => fail(new Error(`workerd ended with ${code} before it listened`)));
    setTimeout(() => fail(new Error('workerd does not listen')), START_MS).unref();
  });
  return {
    port: await listening,
    pid: child.pid ?? 0,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function configOf(o: WorkerdOptions, disk: string): string {
  const names = Object.entries(o.objects);
  const flags = (o.flags ?? []).map((f) => `"${f}"`).join(', ');
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "${disk}", writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "main.js", esModule = embed "main.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = [${flags}],
  durableObjectNamespaces = [${names.map(([, c]) => `(className = "${c}", uniqueKey = "${c}", enableSql = true)`).join(', ')}],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${names.map(([b, c]) => `(name = "${b}", durableObjectNamespace = "${c}")`).join(', ')}],
);
`;
}
