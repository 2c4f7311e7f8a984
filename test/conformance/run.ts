/** Kubernetes' own conformance tests on our control plane and our agents. `npm run conformance -- --help` tells more. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { choose, judge, names, parseResults, type Result } from './results.ts';
import { AT_NODE, down, isUp, KUBECONFIG, keepLogs, program, SCRIPTS, up } from './setup.ts';

const USAGE = `usage: npm run conformance -- [up|test|down] [options]

Kubernetes' own e2e tests (../shared/conformance, built there: build.sh, images.sh) on a control plane and nodes of ours on this machine.
Without a word: up, test, down, also when a test fails or the run is interrupted. The words alone leave the set-up as it is.

  --groups A,B     only tests of these groups (sig-node, sig-apps, ...); default all
  --focus REGEX    only names that match; --skip REGEX: without these
  --list FILE      names of tests, one a line (default: ../shared/conformance/open.txt)
  --procs N        tests at a time (default 4)
  --timeout S      per test (default 600)
  --out DIR        results: results.tsv, junit.xml, log/, the logs of server and agents (default: a new folder)
  --nodes 0|1|2    (default 2); needs root unless 0
  --coredns        apply coredns.yaml for cluster DNS instead of our own
  --kube-proxy     stand-in: upstream's kube-proxy carries Services; not for the list of passing tests
  --record         add tests that pass to test/conformance/passing.txt

Exit code 1 when a test of passing.txt fails; the list never shrinks. The last line is 'N passed, M failed'.`;

/** They take the server's URL for one without a path: they are run at the node. */
const WANTS_ROOT = new Set([
  '[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]',
  '[sig-network] Proxy version v1 should proxy through a service and a pod [Conformance]',
]);
const PASSING = join(import.meta.dirname, 'passing.txt');
/** Ginkgo cleans up after SIGTERM for that long. */
const END_MS_MAX = 40_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    groups: { type: 'string' },
    focus: { type: 'string' },
    skip: { type: 'string' },
    list: { type: 'string' },
    procs: { type: 'string', default: '4' },
    timeout: { type: 'string', default: '600' },
    out: { type: 'string' },
    nodes: { type: 'string', default: '2' },
    coredns: { type: 'boolean', default: false },
    'kube-proxy': { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const say = (line: string) => console.error(`conformance: ${line}`);

let tests: ChildProcess | undefined;
let interrupted = false;

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [word = 'all', ...more] = positionals;
  if (!['all', 'up', 'test', 'down'].includes(word) || more.length > 0)
    throw new Error(`unknown word; --help tells more`);
  const nodes = Number(values.nodes);
  if (![0, 1, 2].includes(nodes)) throw new Error(`--nodes takes 0, 1 or 2, not ${values.nodes}`);
  if (nodes > 0 && process.getuid?.() !== 0) throw new Error('nodes need root');
  if (word === 'down') {
    await down(say);
    return 0;
  }
  if (word !== 'up' && !existsSync(program('e2e.test')))
    throw new Error(`no ${program('e2e.test')}: run ${SCRIPTS}/build.sh`);
  if (word === 'test') {
    if (!isUp()) throw new Error('nothing is up; `up` starts it');
    return test(nodes);
  }
  let done = false;
  try {
    await up({ nodes, coredns: values.coredns, kubeProxy: values['kube-proxy'] }, say);
    done = true;
    return word === 'up' ? 0 : await test(nodes);
  } finally {
    if (word !== 'up' || !done || interrupted) await down(say);
  }
}

/** Runs the chosen tests on what is up and judges them by the list. */
async function test(nodes: number): Promise<number> {
  const all = names(readFileSync(values.list ?? join(SCRIPTS, 'open.txt'), 'utf8'));
  const chosen = choose(all, { groups: values.groups?.split(','), focus: values.focus, skip: values.skip });
  if (chosen.length === 0) throw new Error('no test is chosen');
  const out = values.out === undefined ? mkdtempSync(join(tmpdir(), 'conformance-')) : resolve(values.out);
  mkdirSync(out, { recursive: true });
  const root = nodes > 0 ? chosen.filter((name) => WANTS_ROOT.has(name)) : [];
  const results = [
    ...(await runTests(
      chosen.filter((name) => !root.includes(name)),
      out,
      KUBECONFIG,
    )),
    ...(await runTests(root, join(out, 'at-node'), AT_NODE)),
  ];
  keepLogs(out);
  const passing = new Set(existsSync(PASSING) ? names(readFileSync(PASSING, 'utf8')) : []);
  const v = judge(chosen, results, passing);
  for (const r of v.gained) console.log(`NEW  ${r.name}`);
  for (const r of v.failed) console.log(`${passing.has(r.name) ? 'LOST' : 'FAIL'} ${r.name}\n     ${r.why}`);
  for (const r of v.lost.filter((r) => r.state === 'skipped')) console.log(`LOST ${r.name}\n     skipped: ${r.why}`);
  if (values.record && v.gained.length > 0) appendFileSync(PASSING, v.gained.map((r) => `${r.name}\n`).join(''));
  console.log(`results: ${out}`);
  console.log(`${v.passed.length} passed, ${v.failed.length} failed`);
  if (v.lost.length > 0)
    console.error(`conformance: ${v.lost.length} tests of passing.txt did not pass, the first: ${v.lost[0]?.name}`);
  return v.lost.length > 0 || interrupted ? 1 : 0;
}

/** Runs tests on the cluster of a kubeconfig; what of them has a result. */
async function runTests(names: readonly string[], out: string, kubeconfig: string): Promise<Result[]> {
  if (names.length === 0 || interrupted) return [];
  mkdirSync(out, { recursive: true });
  const list = join(out, 'chosen.txt');
  writeFileSync(list, `${names.join('\n')}\n`);
  const args = ['--list', list, '--out', out, '--procs', values.procs, '--timeout', values.timeout];
  const child = spawn(join(SCRIPTS, 'run.sh'), args, {
    env: { ...process.env, KUBECONFIG: kubeconfig, NUM_NODES: values.nodes },
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  });
  tests = child;
  await new Promise<void>((done, fail) => child.once('error', fail).once('close', () => done()));
  const results = join(out, 'results.tsv');
  return existsSync(results) ? parseResults(readFileSync(results, 'utf8')) : [];
}

/** Processes of the session that run.sh leads: each test is in a process group of its own. */
function sessionOf(leader: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] === String(leader);
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}

function endTests(signal: 'SIGTERM' | 'SIGKILL'): void {
  const leader = tests?.pid;
  if (leader === undefined) return;
  for (const pid of sessionOf(leader))
    try {
      process.kill(pid, signal);
    } catch {
      // it ended meanwhile
    }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interrupted = true;
    endTests('SIGTERM');
    setTimeout(() => endTests('SIGKILL'), END_MS_MAX).unref();
  });
process.exit(
  await main().catch((e: unknown) => {
    console.error(`conformance: ${e instanceof Error ? (e.message.split('\n')[0] ?? '') : String(e)}`);
    return 2;
  }),
);
