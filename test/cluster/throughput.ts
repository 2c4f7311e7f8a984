/**
 * Creates and gets of many clusters on one and on two instances over a bucket, in turns, and on a control plane alone over its local disk:
 * npm run cluster-bench -- [--clusters 30] [--clients 60] [--seconds 10] [--rounds 3]
 * The load, the S3 server and the instances share this machine's cores; the processor time of each is printed, for it is what limits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { optionsOf } from '../options.ts';
import { freePort } from '../ports.ts';
import { ask } from './http.ts';
import { startSystem } from './system.ts';
import { uploads } from './uploads.ts';

const HELP = `npm run cluster-bench -- [options]

Creates and gets of many clusters on one and on two instances over a bucket, and on a control plane alone over its local disk.

  --clusters N   (default 30)
  --clients N    (default 60)
  --seconds N    of each phase (default 10)
  --rounds N     (default 3)
  --only TEXT    those whose name holds it`;
const { values } = optionsOf(HELP, {
  clusters: { type: 'string', default: '30' },
  clients: { type: 'string', default: '60' },
  seconds: { type: 'string', default: '10' },
  rounds: { type: 'string', default: '3' },
  only: { type: 'string', default: '' },
});
const [clusters, clients, rounds] = [Number(values.clusters), Number(values.clients), Number(values.rounds)];
const forMs = Number(values.seconds) * 1000;
/** What is thrown away at the start of a phase: objects open, code is compiled. */
const WARM_SHARE = 0.2;
/** USER_HZ. */
const TICKS = 100;
const FILLER = 'x'.repeat(900);

interface Subject {
  urls: string[];
  token: string;
  ca: string;
  /** Processes of the control plane, and of the bucket. */
  pids: number[];
  bucket: number | undefined;
  /** Commits in the bucket so far. */
  uploads(): number;
  /** Each cluster's requests go to the instance that owns it, as through a load balancer that hashes paths; else each to the next. */
  toOwner: boolean;
  close(): Promise<void>;
}
interface Figures {
  perSecond: number;
  p50: number;
  p99: number;
  /** Processor microseconds for each request. */
  cpu: { instances: number; bucket: number; load: number };
  /** Commits that went to the bucket, for each request. */
  uploads: number;
  errors: number;
}

const subjects: Record<string, () => Promise<Subject>> = {
  'alone, local disk': alone,
  '1 instance': () => instances(1, false),
  '2 instances, any': () => instances(2, false),
  '2 instances, the owner': () => instances(2, true),
};
const found: Record<string, Record<'create' | 'get', Figures[]>> = {};

console.log(
  `${clusters} clusters, ${clients} clients, ${values.seconds} s for each phase, ${rounds} rounds, ${cpus().length} cores`,
);
for (let round = 0; round < rounds; round++)
  for (const [name, start] of Object.entries(subjects).filter(([k]) => k.includes(values.only))) {
    const s = await start();
    try {
      found[name] ??= { create: [], get: [] };
      const kept = found[name];
      const targets = await make(s);
      kept.create.push(await phase(s, targets, 'create'));
      kept.get.push(await phase(s, targets, 'get'));
    } finally {
      await s.close();
    }
  }
for (const what of ['create', 'get'] as const) {
  console.log(
    `\n| ${what} | per s | p50 ms | p99 ms | CPU us: control plane | bucket | load | uploads each | errors |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |`,
  );
  for (const [name, kept] of Object.entries(found)) {
    const f = (pick: (x: Figures) => number) => Math.round(median(kept[what].map(pick)));
    const up = median(kept[what].map((x) => x.uploads)).toFixed(2);
    const row = [(x: Figures) => x.perSecond, (x: Figures) => x.p50, (x: Figures) => x.p99].map(f);
    const cpu = [(x: Figures) => x.cpu.instances, (x: Figures) => x.cpu.bucket, (x: Figures) => x.cpu.load].map(f);
    console.log(`| ${[name, ...row, ...cpu, up, f((x) => x.errors)].join(' | ')} |`);
  }
}

async function instances(count: number, toOwner: boolean): Promise<Subject> {
  const s = await startSystem({ instances: count });
  await Promise.all(s.instances.map((x) => x.start()));
  return {
    urls: s.instances.map((x) => x.url),
    token: s.token,
    ca: s.ca,
    pids: s.instances.map((x) => x.pid()),
    bucket: s.bucket.pid,
    uploads: () => uploads(s.bucket.dir, 'test'),
    toOwner,
    close: () => s.close(),
  };
}

async function alone(): Promise<Subject> {
  const home = mkdtempSync(join(tmpdir(), 'coracle-alone-'));
  const port = await freePort();
  const main = join(import.meta.dirname, '../../cli/main.ts');
  const child: ChildProcess = spawn(process.execPath, [main, 'serve', '--listen', `127.0.0.1:${port}`], {
    env: { ...process.env, CORACLE_HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((done, fail) => {
    child.stderr?.on('data', (b: Buffer) => String(b).includes('serving on') && done());
    child.on('exit', (code) => fail(new Error(`serve ended with ${code}`)));
  });
  return {
    urls: [`https://127.0.0.1:${port}`],
    token: readFileSync(join(home, 'operator-token'), 'utf8').trim(),
    ca: readFileSync(join(home, 'tls/ca.crt'), 'utf8'),
    pids: [Number(readFileSync(join(home, 'workerd.pid'), 'utf8').split(' ')[0])],
    bucket: undefined,
    uploads: () => 0,
    toOwner: false,
    async close() {
      child.removeAllListeners('exit');
      const over = new Promise((r) => child.once('exit', r));
      child.kill('SIGTERM');
      await over;
      rmSync(home, { recursive: true });
    },
  };
}

interface Target {
  path: string;
  token: string;
}
/** The clusters; each is made through another instance, which becomes its owner. */
async function make(s: Subject): Promise<Target[]> {
  const agent = new Agent({ ca: s.ca });
  const out: Target[] = [];
  for (let i = 0; i < clusters; i++) {
    const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'Cluster', metadata: { name: `c${i}` } };
    const url = `${s.urls[i % s.urls.length]}/apis/tenancy.coracle.dev/v1/clusters`;
    const made = await ask(agent, 'POST', url, { token: s.token, body });
    const { id, adminToken } = made.body.status as { id: string; adminToken: string };
    out.push({ path: `/clusters/${id}/api/v1/namespaces/default/configmaps`, token: adminToken });
  }
  return out;
}

/** `clients` sequential clients; each belongs to a cluster and takes the instances in turn, as behind a load balancer. */
async function phase(s: Subject, targets: Target[], what: 'create' | 'get'): Promise<Figures> {
  const agent = new Agent({ ca: s.ca, keepAlive: true });
  const begin = Date.now();
  const countFrom = begin + forMs * WARM_SHARE;
  const took: number[] = [];
  let errors = 0;
  let cpu: number[] | undefined;
  let uploaded = 0;
  const used = () => [
    s.pids.reduce((n, p) => n + processorMs(p), 0),
    s.bucket ? processorMs(s.bucket) : 0,
    processorMs(process.pid),
  ];
  await Promise.all(
    Array.from({ length: clients }, async (_, c) => {
      const t = targets[c % targets.length] as Target;
      for (let n = 0; Date.now() < begin + forMs; n++) {
        const name = `o-${c}-${n}`;
        // Made through the instance of its number, which owns it.
        const to = s.toOwner ? c % targets.length : c + n;
        const url = s.urls[to % s.urls.length] + t.path;
        const at = performance.now();
        const code =
          what === 'create'
            ? await send(agent, 'POST', url, t.token, JSON.stringify({ metadata: { name }, data: { filler: FILLER } }))
            : await send(agent, 'GET', `${url}/o-${c}-${n % 50}`, t.token);
        if (Date.now() < countFrom) continue;
        if (cpu === undefined) {
          cpu = used();
          uploaded = s.uploads();
        }
        // A create that was slow leaves fewer than 50 objects: a get of one that isn't there is an answer too.
        if (code === 0 || code >= 429) errors++;
        else took.push(performance.now() - at);
      }
    }),
  );
  const after = used();
  agent.destroy();
  const each = (i: number) => (((after[i] ?? 0) - (cpu?.[i] ?? 0)) * 1000) / Math.max(1, took.length);
  took.sort((a, b) => a - b);
  return {
    perSecond: took.length / ((Date.now() - countFrom) / 1000),
    p50: took[took.length >> 1] ?? 0,
    p99: took[Math.floor(took.length * 0.99)] ?? 0,
    cpu: { instances: each(0), bucket: each(1), load: each(2) },
    uploads: Math.max(0, s.uploads() - uploaded) / Math.max(1, took.length),
    errors,
  };
}

function send(agent: Agent, method: string, url: string, token: string, body?: string): Promise<number> {
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const r = request(url, { method, agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
      answer.on('error', () => resolve(0));
    });
    r.on('error', () => resolve(0));
    r.end(body);
  });
}

/** User and system time of a process. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000;
}

function median(all: number[]): number {
  const sorted = [...all].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
