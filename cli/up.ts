import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { homedir, hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { agentProcess } from './agent.ts';
import { type Command, CommandError } from './command.ts';
import { ask, call, type Endpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { kubeconfig } from './kubeconfig.ts';
import { portOf, serverOptions } from './serve.ts';
import { readPid, waitFor, writePid } from './server/pid.ts';
import { prepare, serverUrl, start } from './server/process.ts';
import { type ClusterObject, createCluster } from './tenancy.ts';

/** A cold start on a slow disk compiles the bundle and opens databases. */
const SERVER_MS_MAX = 30_000;
/** The first start installs containerd. */
const NODE_MS_MAX = 300_000;

/** What `up` remembers of its cluster. */
interface Remembered {
  name: string;
  url: string;
  adminToken: string;
}

export const up: Command = {
  name: 'up',
  summary: 'start a one-node cluster on this machine and write its kubeconfig',
  usage: `  --host ADDRESS     where the API listens (default 127.0.0.1)
  --port N           (default 6443)
  --name NAME        a further name or address for the certificate; may be repeated
  --cluster NAME     the cluster's name (default "default")
  --no-node          the control plane only
  --pod-cidr CIDR    range of this node's pods (default 10.244.0.0/24)
  --mirror HOST=URL  pull images of registry HOST from URL; may be repeated
  --node NAME        the node's name (default: this machine's)
  --bridge NAME      the pod network's bridge (default coracle0)
  --run-dir DIR      sockets and running state of the node (default /run/coracle)
  --no-services      hold no addresses of Services here (no DNS, API, packet filter): for a second node with this machine's network

Installs what the node needs (Debian's containerd, runc, nftables, CNI plugins), needs root for it. Run again, it starts what is missing.
coracle down ends it; the data stays.`,
  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        ...serverOptions,
        cluster: { type: 'string', default: 'default' },
        'no-node': { type: 'boolean', default: false },
        'pod-cidr': { type: 'string', default: '10.244.0.0/24' },
        mirror: { type: 'string', multiple: true, default: [] as string[] },
        node: { type: 'string', default: hostname().toLowerCase() },
        bridge: { type: 'string', default: 'coracle0' },
        'run-dir': { type: 'string', default: '/run/coracle' },
        'no-services': { type: 'boolean', default: false },
      },
    });
    if (!values['no-node'] && process.getuid?.() !== 0)
      throw new CommandError('a node needs root; run as root, or with --no-node');
    const home = coracleHome();
    const endpoint = await startServer(home, values.host, portOf(values.port), values.name);
    const cluster = await ensureCluster(home, endpoint, values.cluster);
    const config = join(home, 'kubeconfig');
    const text = kubeconfig({ name: cluster.name, url: cluster.url, caPem: endpoint.caPem, token: cluster.adminToken });
    writeAtomic(config, text);
    const own = join(homedir(), '.kube', 'config');
    if (!existsSync(own)) {
      mkdirSync(join(homedir(), '.kube'), { recursive: true, mode: 0o700 });
      writeAtomic(own, text);
    }
    if (!values['no-node']) {
      await startNode(home, endpoint, cluster, {
        node: values.node,
        runDir: values['run-dir'],
        bridge: values.bridge,
        podCIDRs: [values['pod-cidr']],
        mirrors: mirrorsOf(values.mirror),
        ...(values['no-services'] ? { services: false, proxy: false } : {}),
      });
    }
    console.log(`The cluster is up: ${cluster.url}\n\n  export KUBECONFIG=${config}\n  kubectl get nodes`);
    return 0;
  },
};

function say(line: string): void {
  console.error(`coracle: ${line}`);
}

async function startServer(home: string, host: string, port: number, names: readonly string[]): Promise<Endpoint> {
  const pidFile = join(home, 'server.pid');
  const urlFile = join(home, 'url');
  const runs = readPid(pidFile) !== undefined;
  const url = runs && existsSync(urlFile) ? readFileSync(urlFile, 'utf8').trim() : serverUrl(host, port);
  if (url !== serverUrl(host, port))
    throw new CommandError(`the control plane runs on ${url} already; coracle down ends it`);
  const server = await prepare({ home, host, port, names });
  const endpoint = { url: server.url, caPem: server.caPem, token: server.operatorToken };
  if (!runs) {
    say(`starting the control plane on ${server.url}`);
    const child = start(server.config, join(home, 'server.log'));
    child.unref();
    writePid(pidFile, child.pid ?? 0);
  }
  writeAtomic(urlFile, server.url, 0o644);
  await waitFor(
    `the control plane (log: ${join(home, 'server.log')})`,
    SERVER_MS_MAX,
    async () => (await call(endpoint, 'GET', '/readyz')).code === 200,
    () => readPid(pidFile) !== undefined,
  );
  return endpoint;
}

async function ensureCluster(home: string, endpoint: Endpoint, name: string): Promise<Remembered> {
  mkdirSync(join(home, 'clusters'), { recursive: true, mode: 0o700 });
  const path = join(home, 'clusters', `${name}.json`);
  if (existsSync(path)) {
    const known = JSON.parse(readFileSync(path, 'utf8')) as Remembered;
    // The endpoint may have another address than when the cluster was made.
    return { ...known, url: endpoint.url + new URL(known.url).pathname };
  }
  const made: ClusterObject = await createCluster(endpoint, name);
  const remembered = { name, url: made.status.url, adminToken: made.status.adminToken ?? '' };
  writeAtomic(path, JSON.stringify(remembered));
  say(`cluster ${name} is made`);
  return remembered;
}

/** What the command line says of the node. */
interface NodeOptions {
  node: string;
  runDir: string;
  bridge: string;
  podCIDRs: string[];
  mirrors: Record<string, string[]>;
  services?: boolean;
  proxy?: boolean;
}

async function startNode(home: string, endpoint: Endpoint, cluster: Remembered, options: NodeOptions): Promise<void> {
  const { node } = options;
  const pidFile = join(home, 'agent.pid');
  const log = join(home, 'agent.log');
  if (readPid(pidFile) === undefined) {
    say(`starting the node ${node} (log: ${log})`);
    const answer = await ask(endpoint, 'POST', `/apis/tenancy.coracle.dev/v1/clusters/${cluster.name}/node`, {
      metadata: { name: node },
    });
    const token = join(home, 'node-token');
    writeAtomic(token, String((answer.status as { token: string }).token));
    const settings = join(home, 'agent.json');
    writeAtomic(
      settings,
      JSON.stringify(
        {
          url: cluster.url,
          caFile: join(home, 'tls', 'ca.crt'),
          tokenFile: token,
          ...options,
          stateDir: join(home, 'node'),
          addresses: [machineAddress()],
        },
        null,
        2,
      ),
    );
    const out = openSync(log, 'a', 0o600);
    const { args, env } = agentProcess(settings, join(home, 'node'));
    const child = spawn(process.execPath, args, { stdio: ['ignore', out, out], detached: true, env });
    child.unref();
    writePid(pidFile, child.pid ?? 0);
  }
  const as = { ...endpoint, url: cluster.url, token: cluster.adminToken };
  const ready = async () => {
    const { body } = await call(as, 'GET', `/api/v1/nodes/${node}`);
    const conditions =
      (body as { status?: { conditions?: { type: string; status: string }[] } }).status?.conditions ?? [];
    return conditions.some((c) => c.type === 'Ready' && c.status === 'True');
  };
  await waitFor(`node ${node} to be ready (log: ${log})`, NODE_MS_MAX, ready, () => readPid(pidFile) !== undefined);
  say(`node ${node} is ready`);
}

/** The first address that others can reach; loopback when the machine is alone. */
function machineAddress(): string {
  for (const list of Object.values(networkInterfaces())) {
    for (const a of list ?? []) if (!a.internal && a.family === 'IPv4') return a.address;
  }
  return '127.0.0.1';
}

function mirrorsOf(pairs: readonly string[]): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new CommandError(`--mirror ${pair}: HOST=URL is needed`, 2);
    const host = pair.slice(0, at);
    out[host] = [...(out[host] ?? []), pair.slice(at + 1)];
  }
  return out;
}
