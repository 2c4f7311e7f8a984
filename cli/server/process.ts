import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { CommandError } from '../command.ts';
import { root, secret, writeAtomic } from '../home.ts';
import { adoptCa, localTls, type Tls } from './certificates.ts';
import { capnp, readWrangler } from './config.ts';
import { sha256Hex } from './hash.ts';
import type { Instance } from './instance.ts';

/** The npm package's own executable: workerd's launcher script costs a process and a Node start. */
const WORKERD = createRequire(import.meta.url).resolve('@cloudflare/workerd-linux-64/bin/workerd');

export interface ServerOptions {
  /** State of this server: data, certificates, config. */
  home: string;
  host: string;
  port: number;
  /** Further names and addresses of the certificate. */
  names: readonly string[];
  /** Set by `serve`: a folder of its own, so that a running server's files stay as they are, with a control socket. */
  service?: { graceMs: number; instance?: Instance };
}

export interface Prepared {
  config: string;
  url: string;
  caPem: string;
  operatorToken: string;
  /** Path of the control socket, of a service. */
  control?: string;
}

/** Where this machine reaches a server that listens there. */
export const serverUrl = (host: string, port: number): string =>
  `https://${WILDCARDS.includes(host) ? '127.0.0.1' : host}:${port}`;
const WILDCARDS = ['0.0.0.0', '*', '[::]'];

/** Bundles the Worker and writes the config; everything `start` needs. Can be called again at any time. */
export async function prepare(o: ServerOptions): Promise<Prepared> {
  const instance = o.service?.instance;
  const run = join(o.home, o.service ? 'serve' : 'server');
  const data = join(o.home, instance ? INSTANCE_DATA : LOCAL_DATA);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const wrangler = readWrangler(readFileSync(join(root, 'wrangler.toml'), 'utf8'));
  await bundle(join(root, wrangler.main), join(run, 'main.js'));
  const tls = await tlsOf(o);
  if (instance) writeAtomic(join(o.home, 'operator-token'), instance.operatorToken);
  const operatorToken = secret(o.home, 'operator-token');
  const config = join(run, 'workerd.capnp');
  const control = o.service && join(run, 'control');
  writeAtomic(
    config,
    capnp({
      wrangler,
      bundle: 'main.js',
      address: `${o.host}:${o.port}`,
      tls,
      data,
      vars: { OPERATOR_TOKEN_SHA256: sha256Hex(operatorToken), ...(instance && { PUBLIC_URL: instance.publicUrl }) },
      ...(control !== undefined && { control }),
      ...(instance && { cluster: { ...instance.cluster, stopMs: o.service?.graceMs ?? 0 } }),
    }),
  );
  return {
    config,
    url: serverUrl(o.host, o.port),
    caPem: tls.caPem,
    operatorToken,
    ...(control !== undefined && { control }),
  };
}

/** Objects of a control plane alone, and an instance's copies of the bucket's: workerd refuses the one as the other. */
export const LOCAL_DATA = 'data';
export const INSTANCE_DATA = 'instance';

async function tlsOf(o: ServerOptions): Promise<Tls> {
  const dir = join(o.home, 'tls');
  const given = o.service?.instance?.tls;
  if (given && 'certificatePem' in given) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeAtomic(join(dir, 'ca.crt'), given.caPem);
    return given;
  }
  if (given) adoptCa(dir, given);
  const own = WILDCARDS.includes(o.host) ? [] : [o.host];
  const names = [...o.names, ...(o.service?.instance?.names ?? [])];
  return localTls(dir, [...new Set(['localhost', '127.0.0.1', ...own, ...names])]);
}

/** One ES module of web-standard code: what wrangler would upload. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'esnext',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    sourcemap: 'linked',
    logLevel: 'error',
  });
}

/** Starts workerd on a prepared config, its lines on this process's stderr. */
export function startHere(config: string): ChildProcess {
  // With it, an instance says which objects it takes, opens and hands over.
  const verbose = process.env.CORACLE_DEBUG ? ['--verbose'] : [];
  return spawn(WORKERD, ['serve', config, '--experimental', ...verbose], { stdio: ['ignore', 2, 2] });
}

/** Starts workerd on a prepared config. `log`: a file for its output when it is to outlive this process. */
export function start(config: string, log?: string): ChildProcess {
  const out = log === undefined ? 'inherit' : openSync(log, 'a', 0o600);
  return spawn(WORKERD, ['serve', config, '--experimental'], {
    stdio: ['ignore', out, out],
    detached: log !== undefined,
  });
}

/** A pid file that tells a live process of ours from a reused pid by its start time. */
export function writePid(path: string, pid: number): void {
  writeAtomic(path, `${pid} ${startTime(pid) ?? ''}\n`);
}

/** Writes a pid file unless a live process has it: false then. Of two at once, one wins. */
export function claimPid(path: string, pid: number): boolean {
  if (readPid(path) !== undefined) return false;
  const own = `${path}.${pid}`;
  writePid(own, pid);
  try {
    linkSync(own, path);
    return true;
  } catch {
    return false; // the other one was quicker
  } finally {
    rmSync(own);
  }
}

/** The pid in the file when that very process still runs; undefined otherwise (a stale file is removed). */
export function readPid(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const [pid, started] = readFileSync(path, 'utf8').trim().split(' ');
  const n = Number(pid);
  if (n > 0 && startTime(n) === started) return n;
  rmSync(path, { force: true });
  return undefined;
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined; // no such process
  }
}

/** Ends the process of a pid file: SIGTERM, after `graceMs` SIGKILL. False when none ran. */
export async function stop(path: string, graceMs = 10_000): Promise<boolean> {
  const pid = readPid(path);
  if (pid === undefined) return false;
  process.kill(pid, 'SIGTERM');
  const end = Date.now() + graceMs;
  while (readPid(path) !== undefined) {
    if (Date.now() > end) process.kill(pid, 'SIGKILL');
    await new Promise((r) => setTimeout(r, 50));
  }
  rmSync(path, { force: true });
  return true;
}

/** Waits until `probe` gives true; fails with `what` after `limitMs` or as soon as `alive` gives false. */
export async function waitFor(
  what: string,
  limitMs: number,
  probe: () => Promise<boolean>,
  alive: () => boolean = () => true,
): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    if (await probe().catch(() => false)) return;
    if (!alive()) throw new CommandError(`${what}: the process ended`);
    if (Date.now() > end) throw new CommandError(`${what}: not after ${limitMs / 1000} s`);
    await new Promise((r) => setTimeout(r, 50));
  }
}
