import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_SERVICE_CIDR } from '../kube/kinds/serviceips.ts';
import { dnsService } from '../kube/wire/clusteraddresses.ts';
import { type Command, CommandError } from './command.ts';
import type { Endpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { kubectlHere, makeReady } from './install/carry.ts';
import {
  assetsFolder,
  type ControlPlane,
  controlPlaneRuns,
  knownUp,
  startControlPlane,
  type Up,
  writeUp,
} from './install/controlplane.ts';
import { untilDnsAnswers } from './install/dns.ts';
import { kubeconfig } from './kubeconfig.ts';
import { isLoopback, isWildcard, listenOptions, listensOf, listenUsage, machineAddresses } from './listen.ts';
import { knownAssets } from './node/assets.ts';
import { joinThisMachine } from './node/local.ts';
import { type NodeOptions, nodeOptions, nodeUsage } from './node/options.ts';
import { type Remembered, remember, remembered } from './remembered.ts';
import { checkServiceRange } from './servicerange.ts';
import { createCluster } from './tenancy.ts';

const options = {
  ...listenOptions,
  ...nodeOptions,
  cluster: { type: 'string' },
  'service-cidr': { type: 'string' },
  'no-node': { type: 'boolean', default: false },
  node: { type: 'string' },
  kubectl: { type: 'string' },
  'no-kubectl': { type: 'boolean', default: false },
  offline: { type: 'boolean', default: false },
} as const;

export const up: Command = {
  name: 'up',
  summary: 'start a control plane, a cluster and a node on this machine, and write a kubeconfig',
  usage: `  --home DIR           where everything is kept (default $CORACLE_HOME, else ~/.coracle); the kubeconfig is DIR/kubeconfig
${listenUsage}
  --service-cidr CIDR  range of the addresses of Services (default ${DEFAULT_SERVICE_CIDR}); fixed with the first start
  --cluster NAME       the cluster's name (default "default")
  --no-node            control plane and cluster only: no root is needed
  --node PATH          the Node.js 24 or newer to run on, also $CORACLE_NODE (default: the one that is here, else one is brought)
  --kubectl PATH       a kubectl; --no-kubectl: none is to be brought
  --offline            fetch nothing: what is here has to do

The node:
  --state DIR          where it keeps images, pods, logs, settings (default HOME/node)
${nodeUsage}

What is missing is installed: from what is here, from Debian's or Ubuntu's packages, from npm; no docker, containerd or Node.js that is here is touched.
Run again, it starts what doesn't run, with all as it was where nothing else is said, and ends within seconds.
coracle down ends it; the data stays.`,
  async run(args) {
    const { values } = parseArgs({ args, options });
    const home = coracleHome();
    const isNode = !values['no-node'];
    if (isNode && process.getuid?.() !== 0) throw new CommandError('a node needs root; run as root, or with --no-node');
    const known = knownUp(home);
    const wanted = controlPlaneOf(known, values);
    const node = { ...known?.node, ...nodePart(values) };
    if (!isNode || !controlPlaneRuns(home) || values.kubectl !== undefined) {
      const runtime = node['cri-socket'] === undefined;
      const kubectl = values['no-kubectl'] ? false : (values.kubectl ?? true);
      await makeReady({ node: isNode && { runtime }, kubectl, offline: values.offline, home, say });
    }
    const endpoint = await startControlPlane(home, wanted, known, say);
    const state = resolve(node.state ?? join(home, 'node'));
    const name = values.cluster ?? known?.cluster ?? 'default';
    writeUp(home, { ...wanted, cluster: name, node: isNode ? { ...node, state } : known?.node });
    const cluster = await ensureCluster(home, endpoint, name);
    const { url, adminToken: token } = cluster;
    writeAtomic(join(home, 'kubeconfig'), kubeconfig({ name, url, caPem: endpoint.caPem, token }));
    if (isNode) await beNode({ home, endpoint, cluster, wanted, offline: values.offline }, { ...node, state });
    console.log(lastWords(home, cluster, isNode));
    return 0;
  },
};

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

function say(line: string): void {
  console.error(`coracle: ${line}`);
}

/** What is said of the control plane; what isn't is as it was. Ranges of Services never change: addresses of what is there would be outside. */
function controlPlaneOf(known: Up | undefined, v: Values): ControlPlane {
  const listen = v.listen || v.port || !known ? listensOf(v.listen, v.port) : known.listen;
  const serviceCIDR = v['service-cidr'] ?? known?.serviceCIDR;
  if (v['service-cidr'] !== undefined)
    checkServiceRange(v['service-cidr'], v['pod-cidr'] ?? known?.node?.['pod-cidr'] ?? []);
  if (known && serviceCIDR !== known.serviceCIDR)
    throw new CommandError(
      `the clusters here have their Services in ${known.serviceCIDR ?? DEFAULT_SERVICE_CIDR}: another --service-cidr needs another --home`,
      2,
    );
  return { listen, names: v.name ?? known?.names ?? [], serviceCIDR };
}

/** The node's own options. */
function nodePart(v: Values): NodeOptions {
  const names = Object.keys(nodeOptions) as (keyof NodeOptions)[];
  const given = Object.fromEntries(names.flatMap((n) => (v[n] === undefined ? [] : [[n, v[n]]]))) as NodeOptions;
  // Run again elsewhere, they mean the same files.
  for (const n of ['registries', 'resolv-conf'] as const) if (given[n] !== undefined) given[n] = resolve(given[n]);
  return given;
}

async function ensureCluster(home: string, endpoint: Endpoint, name: string): Promise<Remembered> {
  const known = remembered(home, name);
  // The endpoint may have another address than when the cluster was made.
  if (known) return { ...known, url: endpoint.url + new URL(known.url).pathname };
  const { status } = await createCluster(endpoint, name);
  const made = { name, url: status.url, adminToken: status.adminToken ?? '' };
  remember(home, made);
  say(`cluster ${name} is made`);
  return made;
}

interface Joining {
  home: string;
  endpoint: Endpoint;
  cluster: Remembered;
  wanted: ControlPlane;
  offline: boolean;
}

/** Makes this machine a node by the script that other machines fetch, and waits until it is Ready and answers DNS. */
async function beNode(j: Joining, node: NodeOptions & { state: string }): Promise<void> {
  const [first] = j.wanted.listen;
  // Other nodes don't reach this one at the address with which it reaches itself.
  const address = machineAddresses().find((a) => !a.includes(':'));
  const alone = first === undefined || isLoopback(first) || isWildcard(first);
  const ip = node['node-ip'] ?? (alone && address !== undefined ? [address] : undefined);
  const [caFile, assets] = [join(j.home, 'tls', 'ca.crt'), knownAssets(assetsFolder(j.home))];
  const options = { ...node, ...(ip ? { 'node-ip': ip } : {}), ...(j.offline ? { offline: true } : {}) };
  await joinThisMachine({ endpoint: j.endpoint, cluster: j.cluster, caFile, assets, options });
  // Another's name server, or another node's, is not for this one to wait for.
  if (node['no-services'] || node['cluster-dns']) return;
  const dns = dnsService(j.wanted.serviceCIDR ?? DEFAULT_SERVICE_CIDR).address;
  await untilDnsAnswers(dns, join(node.state, 'agent.log'));
  say(`cluster DNS answers at ${dns}`);
}

/** The last lines: where things are, and what to try. */
function lastWords(home: string, cluster: Remembered, isNode: boolean): string {
  const kubectl = kubectlHere(home);
  const path = kubectl && !kubectl.onPath ? ` PATH=${dirname(kubectl.path)}:$PATH` : '';
  const tries = isNode
    ? ['get nodes', 'run hello --image=busybox --restart=Never -- echo hello', 'logs hello']
    : ['get namespaces', 'create configmap hello --from-literal=a=b', 'get configmap hello -o yaml'];
  const lines = [`export KUBECONFIG=${join(home, 'kubeconfig')}${path}`, ...tries.map((t) => `kubectl ${t}`)];
  return `The cluster is up: ${cluster.url}\nkubeconfig: ${join(home, 'kubeconfig')}\n\n${lines.map((l) => `  ${l}`).join('\n')}`;
}
