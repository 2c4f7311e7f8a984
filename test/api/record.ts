import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { suites } from './cases/index.ts';
import { runCase, type Target } from './run.ts';

// Runs all cases on a real kube-apiserver and keeps what it answered: node test/api/record.ts [SUITE...]
// SHARED is the folder with bench/kube.sh (default ../shared beside the repository); programs come from $WORK/bin.

const root = resolve(import.meta.dirname, '../..');
const shared = process.env.SHARED ?? resolve(root, '../shared');
const run = process.env.RUN ?? '/tmp/kube-rec';
const bin = join(process.env.WORK ?? join(homedir(), '.cache/conformance'), 'bin');
const recorded = join(import.meta.dirname, 'recorded');
export const PEER: Target = { url: 'https://127.0.0.1:6443', tokens: { admin: 'peertoken', user: 'usertoken' } };

function kube(...args: string[]): void {
  execFileSync(join(shared, 'bench/kube.sh'), args, { env: { ...process.env, RUN: run }, stdio: 'inherit' });
}
async function answers(): Promise<boolean> {
  try {
    const { send } = await import('./run.ts');
    return (await send(PEER, { method: 'GET', path: '/readyz', as: 'user' })).status === 200;
  } catch {
    // Nothing listens yet.
    return false;
  }
}
/** Starts the peer unless it runs; its token file gets a second, unprivileged user. */
export async function peer(): Promise<void> {
  // A used server has addresses and ports taken: recordings begin with an empty one unless REUSE is set.
  if (process.env.REUSE !== undefined && (await answers())) return;
  for (const program of ['kube-apiserver', 'etcd-peer']) {
    if (!existsSync(join(bin, program)))
      throw new Error(`${program} is missing: run ${shared}/conformance/build.sh ${program}`);
  }
  if (existsSync(join(run, 'api.pid'))) kube('stop');
  kube('start', 'etcd');
  const tokens = join(run, 'tokens.csv');
  if (readFileSync(tokens, 'utf8').includes('usertoken')) return;
  appendFileSync(tokens, 'usertoken,alice,alice-uid,"devs"\n');
  kube('stop');
  kube('start', 'etcd');
}

if (import.meta.main) {
  await peer();
  mkdirSync(recorded, { recursive: true });
  const only = process.argv.slice(2);
  let total = 0;
  for (const [suite, cases] of Object.entries(suites)) {
    if (only.length > 0 && !only.includes(suite)) continue;
    const out: Record<string, unknown> = {};
    for (const [i, c] of cases.entries()) {
      total++;
      out[c.name] = await runCase(PEER, c, `${suite}-${i}-${process.pid}`);
    }
    const lines = Object.entries(out).map(([name, v]) => `${JSON.stringify(name)}:${JSON.stringify(v)}`);
    writeFileSync(join(recorded, `${suite}.json`), `{\n${lines.join(',\n')}\n}\n`);
  }
  console.log(`${total} cases recorded`);
  if (process.env.KEEP === undefined) kube('stop');
}
