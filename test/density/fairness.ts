import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import type { FloodInput } from './flood.ts';
import { fill } from './lists.ts';
import { type Cluster, quantile, type Server, startServer } from './server.ts';

/** The polite tenant asks once in so many milliseconds. */
const EVERY_MS = 20;
const SETTLE_MS = 2_000;
/** The flooding tenant's ConfigMaps of 10 KB: a list is 5 MB. */
const LISTED = 500;
const FLOODS = { get: 64, create: 64, list: 16, connect: 32 } as const;

export interface FairnessFigure {
  flood: string;
  p50: number;
  p99: number;
  /** Answers of 200 and 201 that the flooding tenant got per second, and of 429. */
  served: number;
  refused: number;
}

/** What a polite tenant waits for, alone and beside a tenant that floods the control plane in several ways. */
export async function measureFairness(
  s: Server,
  seconds: number,
  floods: readonly string[],
): Promise<FairnessFigure[]> {
  const polite = await s.create('polite');
  const flooding = await s.create('flooding');
  await fill(s, flooding, LISTED);
  await politeFor(s, polite, 2, 'warm');
  const elsewhere = await startServer();
  const there = await elsewhere.create('flooding');
  const figures: FairnessFigure[] = [];
  const alone = await politeFor(s, polite, seconds, 'alone');
  figures.push({ flood: 'none', p50: quantile(alone, 0.5), p99: quantile(alone, 0.99), served: 0, refused: 0 });
  // What the flood costs merely by taking the machine's processors.
  const control = startFlood(elsewhere, there, 'get');
  await new Promise((next) => setTimeout(next, SETTLE_MS));
  const busy = await politeFor(s, polite, seconds, 'control');
  await control.stop();
  await elsewhere.stop();
  figures.push({
    flood: 'get, of another process',
    p50: quantile(busy, 0.5),
    p99: quantile(busy, 0.99),
    served: 0,
    refused: 0,
  });
  for (const what of Object.keys(FLOODS) as (keyof typeof FLOODS)[]) {
    if (!floods.includes(what)) continue;
    const flood = startFlood(s, flooding, what);
    await new Promise((next) => setTimeout(next, SETTLE_MS));
    const begin = performance.now();
    const beside = await politeFor(s, polite, seconds, what);
    const codes = await flood.stop();
    const ran = (performance.now() - begin + SETTLE_MS) / 1000;
    figures.push({
      flood: what,
      p50: quantile(beside, 0.5),
      p99: quantile(beside, 0.99),
      served: Math.round(((codes['200'] ?? 0) + (codes['201'] ?? 0)) / ran),
      refused: Math.round((codes['429'] ?? 0) / ran),
    });
  }
  return figures;
}

/** Durations of the polite tenant's requests: get, list, create in turns, over one connection as a client has it. */
async function politeFor(s: Server, c: Cluster, seconds: number, label: string): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const durations: number[] = [];
  const under: Promise<void>[] = [];
  const end = performance.now() + seconds * 1000;
  for (let i = 0; performance.now() < end; i++) {
    under.push(
      one(s, c, agent, i, label).then((ms) => {
        durations.push(ms);
      }),
    );
    await new Promise((next) => setTimeout(next, EVERY_MS));
  }
  await Promise.all(under);
  agent.destroy();
  return durations;
}

async function one(s: Server, c: Cluster, agent: Agent, i: number, label: string): Promise<number> {
  const base = `/clusters/${c.id}/api/v1/namespaces`;
  const maps = `${base}/default/configmaps`;
  const body = JSON.stringify({ metadata: { name: `p-${label}-${i}` }, data: { a: 'b' } });
  const kinds = [
    () => s.ask(`${base}/default`, c.token, { agent }),
    () => s.ask(base, c.token, { agent }),
    () => s.ask(maps, c.token, { agent, method: 'POST', body }),
  ];
  const r = await (kinds[i % kinds.length] ?? kinds[0])?.();
  if (!r || r.code >= 300) throw new Error(`polite: ${r?.code} ${r?.text}`);
  return r.ms;
}

function startFlood(s: Server, c: Cluster, what: keyof typeof FLOODS) {
  const input: FloodInput = {
    port: s.port,
    ca: s.ca,
    base: `/clusters/${c.id}`,
    token: c.token,
    connections: FLOODS[what],
    what,
  };
  const file = join(s.home, `flood-${what}.json`);
  writeFileSync(file, JSON.stringify(input));
  // Niced: on a machine of two cores it must not take the polite client's processor.
  const script = join(import.meta.dirname, 'flood.ts');
  const child = spawn('nice', ['-n', '10', process.execPath, '--disable-warning=ExperimentalWarning', script, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (d: Buffer) => {
    text += String(d);
  });
  return {
    async stop(): Promise<Record<string, number>> {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(text || '{}') as Record<string, number>;
    },
  };
}
