import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeAtomic } from '../../cli/home.ts';
import { kubeconfig } from '../../cli/kubeconfig.ts';
import { readPid, stop, waitFor, writePid } from '../../cli/server/pid.ts';
import { DEFAULT_SERVICE_CIDR } from '../../kube/kinds/serviceips.ts';
import { apiService } from '../../kube/wire/clusteraddresses.ts';
import { mountsUnder } from '../../node-agent/install/remove.ts';
import { freePort } from '../ports.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
/** What the scripts build and keep; ours is in a folder of its own. */
const WORK = process.env.WORK ?? join(homedir(), '.cache/conformance');
const DIR = join(WORK, 'coracle');
const HOME = join(DIR, 'home');
/** The scripts that bring tests, images and machines: ../shared/conformance. */
export const SCRIPTS = join(process.env.CORACLE_SHARED ?? join(root, '..', 'shared'), 'conformance');
export const KUBECONFIG = join(HOME, 'kubeconfig');
/** The API as pods see it: at the node, where a cluster has no path of its own. */
export const AT_NODE = join(HOME, 'kubeconfig-at-node');
/** Node 1's address, which both nodes reach. */
const NODE_1 = '198.51.100.1';
/** What coredns.yaml takes, and our own DNS. */
const CLUSTER_DNS = '10.96.0.10';
const CLUSTER = 'default';

/** Pulling the images for the first time unpacks a gigabyte. */
const RUNTIME_MS_MAX = 900_000;
const READY_MS_MAX = 60_000;
/** An agent leaves its pods as they are; kube-proxy its rules. */
const END_MS_MAX = 15_000;

const cli = ['--disable-warning=ExperimentalWarning', join(root, 'cli', 'main.ts')];
const env = { ...process.env, CORACLE_HOME: HOME, HOME: DIR, WORK };

export interface SetUp {
  nodes: number;
  coredns: boolean;
  kubeProxy: boolean;
}

/** A program that Kubernetes' build made. */
export const program = (name: string): string => join(WORK, 'bin', name);
export const kubectl = async (...args: string[]): Promise<string> =>
  (await run(program('kubectl'), args, { env: { ...env, KUBECONFIG }, maxBuffer: 1 << 28 })).stdout;
/** True while a control plane of `up` runs. */
export const isUp = (): boolean => readPid(join(HOME, 'server.pid')) !== undefined;

/** Starts control plane and nodes, after taking away what an earlier run left; gives the number of nodes that are ready. */
export async function up(o: SetUp, say: (line: string) => void): Promise<void> {
  await down(say);
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  if (o.nodes > 0) {
    say(`nodes: runtime.sh up ${o.nodes}`);
    await run(join(SCRIPTS, 'runtime.sh'), ['up', String(o.nodes)], {
      env: { ...process.env, WORK },
      timeout: RUNTIME_MS_MAX,
      maxBuffer: 1 << 26,
    });
  }
  const host = o.nodes > 0 ? NODE_1 : '127.0.0.1';
  const port = await freePort();
  await run(process.execPath, [...cli, 'up', '--no-node', '--no-kubectl', '--listen', host, '--port', String(port)], {
    env,
  });
  say(`control plane: ${host}:${port}`);
  for (let n = 1; n <= o.nodes; n++) await startNode(n, o.kubeProxy);
  await waitFor(`${o.nodes} nodes to be ready (logs: ${DIR}/node*.log)`, READY_MS_MAX, async () => {
    const ready = await kubectl(
      'get',
      'nodes',
      '-o',
      `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`,
    );
    return ready.split(' ').filter((s) => s === 'True').length === o.nodes;
  });
  if (o.nodes > 0) await writeAtNode();
  if (o.coredns && o.nodes > 0) {
    await kubectl('apply', '-f', join(SCRIPTS, 'coredns.yaml'));
    await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s').catch(() =>
      say('coredns is not ready: tests that need names will fail'),
    );
  }
}

async function writeAtNode(): Promise<void> {
  const { adminToken } = JSON.parse(readFileSync(join(HOME, 'clusters', `${CLUSTER}.json`), 'utf8')) as {
    adminToken: string;
  };
  const caPem = await kubectl('get', 'configmap', 'kube-root-ca.crt', '-o', 'jsonpath={.data.ca\\.crt}');
  const url = `https://${apiService(DEFAULT_SERVICE_CIDR).address}`;
  writeAtomic(AT_NODE, kubeconfig({ name: CLUSTER, url, caPem, token: adminToken }));
}

/** One of runtime.sh's nodes as it describes it: NAME=value words. */
async function settingsOf(n: number): Promise<Record<string, string>> {
  const { stdout } = await run(join(SCRIPTS, 'runtime.sh'), ['env', String(n)], { env: { ...process.env, WORK } });
  return Object.fromEntries(
    stdout
      .trim()
      .split(' ')
      .map((word) => word.split('=', 2) as [string, string]),
  );
}

async function startNode(n: number, kubeProxy: boolean): Promise<void> {
  const s = await settingsOf(n);
  const flags = {
    state: join(DIR, `node${n}`),
    'node-name': s.NODE_NAME,
    'node-ip': s.NODE_IP,
    'pod-cidr': s.POD_CIDR,
    'cri-socket': s.CRI_SOCKET,
    'cgroup-root': s.CGROUP_ROOT,
    'resolv-conf': s.RESOLV_CONF,
    'cluster-dns': CLUSTER_DNS,
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value ?? '']);
  start(`node${n}`, n, [process.execPath, ...cli, 'join', CLUSTER, ...args]);
  if (kubeProxy)
    start(`kube-proxy${n}`, n, [
      program('kube-proxy'),
      `--kubeconfig=${KUBECONFIG}`,
      `--hostname-override=${s.NODE_NAME}`,
      '--proxy-mode=iptables',
      '--cluster-cidr=10.244.0.0/16',
      '--conntrack-max-per-core=0',
    ]);
}

/** Starts a program where node N's agent belongs; it goes on when this process ends. */
function start(name: string, n: number, command: readonly string[]): void {
  const log = openSync(join(DIR, `${name}.log`), 'a', 0o600);
  const child = spawn(join(SCRIPTS, 'runtime.sh'), ['exec', String(n), ...command], {
    env,
    stdio: ['ignore', log, log],
    detached: true,
  });
  child.unref();
  writePid(join(DIR, `${name}.pid`), child.pid ?? 0);
}

/** Ends nodes and control plane and takes away what they left, also after a run that was killed. Silent when nothing is there. */
export async function down(say: (line: string) => void): Promise<void> {
  const step = (f: () => Promise<unknown>) =>
    f().catch((e: unknown) => say(`down: ${e instanceof Error ? e.message : String(e)}`));
  for (const n of [1, 2]) {
    await step(() => stop(join(DIR, `node${n}.pid`), END_MS_MAX));
    const settings = join(DIR, `node${n}`, 'agent.json');
    // Its packet filter table outlives an agent; the next cluster's Services have the same addresses.
    if (existsSync(settings)) {
      const remove = [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        join(root, 'node-agent/remove.ts'),
        settings,
      ];
      await step(() => run(join(SCRIPTS, 'runtime.sh'), ['exec', String(n), ...remove], { env }));
    }
    if (existsSync(join(DIR, `kube-proxy${n}.pid`))) {
      await step(() => stop(join(DIR, `kube-proxy${n}.pid`), END_MS_MAX));
      await step(() => run(join(SCRIPTS, 'runtime.sh'), ['exec', String(n), program('kube-proxy'), '--cleanup']));
    }
  }
  if (existsSync(HOME)) await step(() => run(process.execPath, [...cli, 'down'], { env }));
  if (existsSync(join(WORK, 'node1')))
    await step(() => run(join(SCRIPTS, 'runtime.sh'), ['down'], { env: { ...process.env, WORK } }));
  for (const path of mountsUnder(readFileSync('/proc/self/mountinfo', 'utf8'), [DIR]))
    await step(() => run('umount', ['-l', path]));
  rmSync(DIR, { recursive: true, force: true });
}

/** Keeps the logs of control plane and agents where a run's results are. */
export function keepLogs(out: string): void {
  for (const name of ['home/server.log', 'node1.log', 'node2.log', 'kube-proxy1.log', 'kube-proxy2.log']) {
    const path = join(DIR, name);
    if (existsSync(path)) writeAtomic(join(out, name.replace('home/', '')), readFileSync(path, 'utf8'));
  }
}
