import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from '../../cli/server/process.ts';
import { freePorts } from '../ports.ts';
import { Inspector } from './inspector.ts';

const WORKERD = createRequire(import.meta.url).resolve('@cloudflare/workerd-linux-64/bin/workerd');
/** Of /proc/PID/stat. */
const TICKS_PER_SECOND = 100;
const START_MS = 30_000;
export const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';

export interface Answer {
  code: number;
  text: string;
  headers: NodeJS.Dict<string | string[]>;
  ms: number;
}
export interface Cluster {
  name: string;
  id: string;
  url: string;
  token: string;
}
export interface AskOptions {
  method?: string;
  body?: string;
  type?: string;
  accept?: string;
  /** One TLS connection for each request, as a process that has just begun; the default. */
  agent?: import('node:https').Agent | false;
}

/** One control plane process to be measured, with its inspector open. */
export interface Server {
  url: string;
  port: number;
  ca: string;
  operator: string;
  home: string;
  pid: number;
  ask(path: string, token: string, o?: AskOptions): Promise<Answer>;
  /** A new cluster; `ms` of its creation. */
  create(name: string, spec?: Record<string, unknown>): Promise<Cluster & { ms: number }>;
  inspect(): Promise<Inspector>;
  stop(): Promise<void>;
}

/** Starts workerd on a folder of its own. `vars` replace those of wrangler.toml; `env`: more environment, `v8Flags`: more of those. */
export async function startServer(
  o: { vars?: Record<string, string>; env?: Record<string, string>; v8Flags?: string[] } = {},
): Promise<Server> {
  const home = mkdtempSync(join(tmpdir(), 'coracle-density-'));
  const [port = 0, inspectorPort = 0] = await freePorts(2);
  const prepared = await prepare({
    home,
    listen: [{ host: '127.0.0.1', port }],
    names: [],
    ...(o.vars ? { vars: o.vars } : {}),
  });
  if (o.v8Flags) {
    const flags = o.v8Flags.map((f) => `${JSON.stringify(f)}, `).join('');
    writeFileSync(prepared.config, readFileSync(prepared.config, 'utf8').replace('v8Flags = [', `v8Flags = [${flags}`));
  }
  const log = openSync(join(home, 'server.log'), 'a', 0o600);
  const args = ['serve', prepared.config, '--experimental', `--inspector-addr=127.0.0.1:${inspectorPort}`];
  const child = spawn(WORKERD, args, { stdio: ['ignore', log, log], env: { ...process.env, ...o.env } });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ask = (path: string, token: string, a: AskOptions = {}) => askOf(port, prepared.caPem, path, token, a);
  const server: Server = {
    url: prepared.url,
    port,
    ca: prepared.caPem,
    operator: prepared.operatorToken,
    home,
    pid: child.pid ?? 0,
    ask,
    async create(name, spec) {
      const body = JSON.stringify({ metadata: { name }, ...(spec ? { spec } : {}) });
      const r = await ask(CLUSTERS, prepared.operatorToken, { method: 'POST', body });
      if (r.code !== 201) throw new Error(`create ${name}: ${r.code} ${r.text}`);
      const { status } = JSON.parse(r.text) as { status: { id: string; url: string; adminToken: string } };
      return { name, id: status.id, url: status.url, token: status.adminToken, ms: r.ms };
    },
    inspect: () => Inspector.connect(inspectorPort),
    async stop() {
      process.off('exit', kill);
      await ended(child);
      rmSync(home, { recursive: true, force: true });
    },
  };
  for (const end = Date.now() + START_MS; ; ) {
    if ((await ask('/healthz', '').catch(() => null))?.code === 200) return server;
    if (child.exitCode !== null || Date.now() > end) {
      const text = readFileSync(join(home, 'server.log'), 'utf8');
      await server.stop();
      throw new Error(`the control plane does not answer: ${text}`);
    }
    await new Promise((next) => setTimeout(next, 10));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

function askOf(port: number, ca: string, path: string, token: string, o: AskOptions): Promise<Answer> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(o.body === undefined ? {} : { 'content-type': o.type ?? 'application/json' }),
      ...(o.accept === undefined ? {} : { accept: o.accept }),
    };
    const r = request(
      { host: '127.0.0.1', port, path, method: o.method ?? 'GET', ca, headers, agent: o.agent ?? false },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (b: Buffer) => parts.push(b));
        answer.on('end', () =>
          resolve({
            code: answer.statusCode ?? 0,
            ms: performance.now() - begin,
            text: Buffer.concat(parts).toString(),
            headers: answer.headers,
          }),
        );
        answer.on('error', reject);
      },
    );
    r.on('error', reject);
    r.end(o.body);
  });
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) / 1024;
}

/** Processor time of a process since it began, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The p-th part (0 to 1) of some durations. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;
}
