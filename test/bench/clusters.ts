import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { localEndpoint } from '../../cli/endpoint.ts';
import { createCluster } from '../../cli/tenancy.ts';
import { freePort } from '../ports.ts';

// How long making a cluster takes: the API's call over a connection of its own, and the whole command, `CLUSTERS` times each, one after the other.

const CLUSTERS = 50;
const run = promisify(execFile);
const launcher = join(import.meta.dirname, '../../coracle');

const dir = mkdtempSync(join(tmpdir(), 'coracle-clusters-'));
const env = { ...process.env, HOME: dir, CORACLE_HOME: join(dir, 'home') };
const coracle = (...args: string[]) => run(launcher, args, { env });

async function times(f: (n: number) => Promise<unknown>): Promise<string> {
  const took: number[] = [];
  for (let n = 0; n < CLUSTERS; n++) {
    const began = performance.now();
    await f(n);
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => (took[Math.ceil(took.length * share) - 1] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)} ms, maximum ${at(1)} ms`;
}

try {
  await coracle('up', '--no-node', '--no-kubectl', '--port', String(await freePort()));
  const endpoint = localEndpoint(join(dir, 'home'));
  console.log(`POST clusters: ${await times((n) => createCluster(endpoint, `call-${n}`))}`);
  console.log(`coracle cluster create: ${await times((n) => coracle('cluster', 'create', `whole-${n}`))}`);
  console.log(
    `coracle join-command: ${await times((n) => coracle('join-command', `whole-${n}`, '--url', 'https://192.0.2.1:6443'))}`,
  );
} finally {
  await coracle('down').catch((e: unknown) => console.error(String(e)));
  rmSync(dir, { recursive: true, force: true });
}
