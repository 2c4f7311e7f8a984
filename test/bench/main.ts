import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, homedir, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { root } from '../../cli/home.ts';
import { startPeer } from '../api/peer.ts';
import { type Server, startOurs } from './ours.ts';

const HELP = `npm run bench -- [--peer] [options]

Measures the API with apibench; with --peer beside kube-apiserver and etcd, taking turns. Prints medians, and writes everything to a dated file.

  --peer           start kube-apiserver and etcd too (programs in $WORK/bin, by default ~/.cache/conformance/bin)
  --rounds N       runs of each server (default 3)
  --kind KIND      configmaps (1 KiB) or pods (6 KiB, never scheduled)
  --protobuf       get, list and watch in protobuf
  --n N            objects (default 3000)
  --clients N      (default 32)
  --watchers N     (default 100)
  --events N       objects created while they watch (default 200)
  --out FOLDER     of the dated file (default bench-results)

apibench is $APIBENCH, else built with go from ../shared/bench.`;

interface Phase {
  per_s: number;
  p50_ms: number;
  p99_ms: number;
  errors: number;
  server_cpu_us_per_op?: number;
}
type Run = Record<string, Phase>;
const PHASES = ['create', 'create_serial', 'get', 'patch', 'delete', 'list_all', 'list_paged_500', 'watch_fanout'];
const LISTS = new Set(['list_all', 'list_paged_500']);

const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    peer: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    kind: { type: 'string', default: 'configmaps' },
    protobuf: { type: 'boolean' },
    n: { type: 'string', default: '3000' },
    clients: { type: 'string', default: '32' },
    watchers: { type: 'string', default: '100' },
    events: { type: 'string', default: '200' },
    out: { type: 'string', default: 'bench-results' },
  },
});

/** The load generator; built once. */
function apibench(): string {
  if (process.env.APIBENCH) return process.env.APIBENCH;
  const program = join(homedir(), '.cache/coracle/apibench');
  const source = join(root, '../shared/bench');
  if (existsSync(program)) return program;
  if (!existsSync(source)) throw new Error('apibench is missing: set APIBENCH to it');
  mkdirSync(join(homedir(), '.cache/coracle'), { recursive: true });
  execFileSync('go', ['build', '-o', program, '.'], { cwd: source, stdio: 'inherit' });
  return program;
}

async function measure(program: string, s: Server, http1: boolean): Promise<Run> {
  const args = ['-server', s.url, '-token', s.token, '-ns', 'bench', '-pids', s.pids.join(',')];
  for (const name of ['n', 'kind', 'watchers', 'events'] as const) args.push(`-${name}`, values[name]);
  args.push('-c', values.clients);
  if (http1) args.push('-http1');
  if (values.protobuf) args.push('-accept', 'application/vnd.kubernetes.protobuf');
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 16 << 20 });
  return JSON.parse(stdout) as Run;
}

const median = (numbers: number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};
const mid = (runs: Run[], phase: string, f: (p: Phase) => number | undefined) =>
  median(runs.flatMap((r) => (r[phase] ? [f(r[phase]) ?? 0] : [])));

function report(ours: Run[], peer: Run[]): string[] {
  const head = ['phase', 'ours', 'peer', 'ratio', 'p99 ms', 'peer', 'cpu us', 'peer'];
  const rows = PHASES.filter((p) => ours[0]?.[p]).map((p) => {
    // Lists by their time, everything else by its rate; a ratio above 1 is ours faster.
    const unit = LISTS.has(p) ? ' ms' : '/s';
    const speed = (runs: Run[]) => mid(runs, p, (x) => (LISTS.has(p) ? x.p50_ms : x.per_s));
    const [a, b] = [speed(ours), speed(peer)];
    const ratio = peer.length === 0 ? '' : (LISTS.has(p) ? b / a : a / b).toFixed(2);
    const cell = (runs: Run[], f: (x: Phase) => number | undefined) =>
      runs.length === 0 ? '' : mid(runs, p, f).toFixed(0);
    return [
      p,
      a.toFixed(0) + unit,
      peer.length === 0 ? '' : b.toFixed(0) + unit,
      ratio,
      cell(ours, (x) => x.p99_ms),
      cell(peer, (x) => x.p99_ms),
      cell(ours, (x) => x.server_cpu_us_per_op),
      cell(peer, (x) => x.server_cpu_us_per_op),
    ];
  });
  return [head, ...rows].map((r) => r.map((c, i) => (i === 0 ? c.padEnd(16) : c.padStart(11))).join(''));
}

if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const program = apibench();
const ours: Run[] = [];
const peer: Run[] = [];
for (let round = 1; round <= Number(values.rounds); round++) {
  console.error(`bench: round ${round} of ${values.rounds}, load ${loadavg()[0]?.toFixed(2)}`);
  const server = await startOurs();
  try {
    ours.push(await measure(program, server, true));
  } finally {
    await server.stop();
  }
  if (!values.peer) continue;
  const other = await startPeer();
  try {
    peer.push(
      await measure(
        program,
        { url: other.target.url, token: other.target.tokens.admin ?? '', pids: other.pids, stop: other.stop },
        false,
      ),
    );
  } finally {
    await other.stop();
  }
}
for (const line of report(ours, peer)) console.log(line);
const errors = [...ours, ...peer].flatMap((r) => Object.entries(r)).filter(([, p]) => p.errors > 0);
for (const [phase, p] of errors) console.error(`bench: ${p.errors} errors in ${phase}`);
mkdirSync(values.out, { recursive: true });
const file = join(values.out, `${new Date().toISOString().slice(0, 19).replaceAll(':', '')}-${values.kind}.json`);
writeFileSync(
  file,
  `${JSON.stringify({ options: values, cpu: cpus()[0]?.model, cores: cpus().length, ours, peer }, null, 1)}\n`,
);
console.error(`bench: ${file}`);
process.exit(errors.length > 0 ? 1 : 0);
