import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root, secret, TEXTS, writeAtomic } from '../home.ts';
import { SYSTEM_CAS } from '../install/npm.ts';
import { certificateNames, hostPort, type Listen, machineAddresses, urlOf } from '../listen.ts';
import { type Assets, makeAssets } from '../node/assets.ts';
import { mendAlarms } from './alarms.ts';
import { adoptCa, localTls, type Tls } from './certificates.ts';
import { capnp, readWrangler } from './config.ts';
import { sha256Hex } from './hash.ts';
import type { Instance } from './instance.ts';

/** The npm package's own executable: workerd's launcher script costs a process and a Node start. */
const WORKERD = createRequire(import.meta.url).resolve(
  `@cloudflare/workerd-linux-${process.arch === 'arm64' ? 'arm64' : '64'}/bin/workerd`,
);

export interface ServerOptions {
  /** State of this server: data, certificates, config. */
  home: string;
  /** The first one is the server's own URL. */
  listen: readonly Listen[];
  /** Further names and addresses of the certificate. */
  names: readonly string[];
  /** Range of the addresses of Services; the Worker's default without it. */
  serviceCIDR?: string | undefined;
  /** A control socket, by which it is told that it ends; a service always has one. */
  control?: boolean;
  /** False: machines can't download here what they need to join. */
  assets?: boolean;
  /** Set by `serve`: a folder of its own, so that a running server's files stay as they are, with a control socket. */
  service?: { graceMs: number; instance?: Instance };
}

export interface Prepared {
  config: string;
  url: string;
  caPem: string;
  operatorToken: string;
  /** What machines that join download. */
  assets?: Assets;
  /** Path of the control socket. */
  control?: string;
}

/** Bundles the Worker and writes the config; everything `start` needs. Can be called again at any time. */
export async function prepare(o: ServerOptions): Promise<Prepared> {
  const instance = o.service?.instance;
  const run = join(o.home, o.service ? 'serve' : 'server');
  const data = join(o.home, instance ? INSTANCE_DATA : LOCAL_DATA);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (!instance) for (const line of mendAlarms(o.home, data)) console.error(`coracle: ${line}`);
  const texts = join(o.home, TEXTS);
  mkdirSync(texts, { recursive: true, mode: 0o700 });
  const wrangler = readWrangler(readFileSync(join(root, 'wrangler.toml'), 'utf8'));
  await bundle(join(root, wrangler.main), join(run, 'main.js'));
  const tls = await tlsOf(o);
  const assets = o.assets === false ? undefined : await makeAssets(join(run, 'assets'), { caPem: tls.caPem });
  if (instance) writeAtomic(join(o.home, 'operator-token'), instance.operatorToken);
  const operatorToken = secret(o.home, 'operator-token');
  const config = join(run, 'workerd.capnp');
  const control = o.service || o.control ? join(run, 'control') : undefined;
  writeAtomic(
    config,
    capnp({
      wrangler,
      bundle: 'main.js',
      addresses: o.listen.map(hostPort),
      systemCas: SYSTEM_CAS.some((f) => existsSync(f)),
      tls,
      data,
      ...(assets && { assets: assets.dir }),
      texts,
      vars: {
        OPERATOR_TOKEN_SHA256: sha256Hex(operatorToken),
        ...(instance && { PUBLIC_URL: instance.publicUrl }),
        ...(o.serviceCIDR !== undefined && { SERVICE_CIDR: o.serviceCIDR }),
      },
      ...(control !== undefined && { control }),
      ...(instance && { cluster: { ...instance.cluster, stopMs: o.service?.graceMs ?? 0 } }),
    }),
  );
  return {
    config,
    url: urlOf(o.listen[0] as Listen),
    caPem: tls.caPem,
    operatorToken,
    ...(assets && { assets }),
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
  const machine = { addresses: machineAddresses(), hostname: hostname() };
  return localTls(dir, certificateNames(o.listen, machine, [...o.names, ...(o.service?.instance?.names ?? [])]));
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
  const [program = '', ...args] = workerdCommand(config);
  return spawn(program, [...args, ...verbose], { stdio: ['ignore', 2, 2] });
}

/** The command that runs workerd on a prepared config. */
export const workerdCommand = (config: string): string[] => [WORKERD, 'serve', config, '--experimental'];

/** Starts workerd on a prepared config. `log`: a file for its output when it is to outlive this process. */
export function start(config: string, log?: string, more: readonly string[] = []): ChildProcess {
  const out = log === undefined ? 'inherit' : openSync(log, 'a', 0o600);
  const [program = '', ...args] = workerdCommand(config);
  return spawn(program, [...args, ...more], { stdio: ['ignore', out, out], detached: log !== undefined });
}
