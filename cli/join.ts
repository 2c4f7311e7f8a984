import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join as path, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { agentProcess } from './agent.ts';
import { type Command, CommandError } from './command.ts';
import { ask, type Endpoint, localEndpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';

const options = {
  state: { type: 'string' },
  'node-name': { type: 'string' },
  'node-ip': { type: 'string', multiple: true },
  'pod-cidr': { type: 'string', multiple: true },
  'cri-socket': { type: 'string' },
  'cgroup-root': { type: 'string' },
  'resolv-conf': { type: 'string' },
  'cluster-dns': { type: 'string', multiple: true },
} as const;

export const join: Command = {
  name: 'join',
  summary: "print a node's credential for a cluster of this endpoint, or be the node",
  usage: `  coracle join CLUSTER NODE   prints JSON: the cluster's URL and a token with which NODE's agent may register it
  coracle join CLUSTER --state DIR --node-ip ADDRESS [options]   is the node, in the foreground, until SIGTERM; pods run on

  --state DIR          where the agent keeps its settings, token, volumes and logs
  --node-name NAME     (default: this machine's)
  --node-ip ADDRESS    where other nodes reach this one; may be repeated, the first one preferred
  --pod-cidr CIDR      range of this node's pods; may be repeated (default: the cluster gives it one)
  --cri-socket PATH    a container runtime that is there already, with its pod network (default: a containerd of our own)
  --cgroup-root PATH   the cgroup under which those of pods are made (default /)
  --resolv-conf FILE   name servers of pods that want the node's (default /etc/resolv.conf)
  --cluster-dns IP     name server of the other pods; may be repeated`,
  async run(args) {
    const { positionals, values } = parseArgs({ args, allowPositionals: true, options });
    const [cluster, named] = positionals;
    if (cluster === undefined || (named === undefined) === (values.state === undefined))
      throw new CommandError('usage: coracle join CLUSTER NODE, or coracle join CLUSTER --state DIR ...', 2);
    const e = localEndpoint(coracleHome());
    if (values.state === undefined) {
      console.log(JSON.stringify(await credential(e, cluster, named ?? ''), null, 2));
      return 0;
    }
    if (!values['node-ip']) throw new CommandError('--node-ip is needed with --state', 2);
    if (process.getuid?.() !== 0) throw new CommandError('a node needs root');
    const state = resolve(values.state);
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const node = values['node-name'] ?? hostname().toLowerCase();
    const { url, token } = await credential(e, cluster, node);
    const [tokenFile, caFile, settings] = [path(state, 'node-token'), path(state, 'ca.crt'), path(state, 'agent.json')];
    writeAtomic(tokenFile, token);
    writeAtomic(caFile, e.caPem);
    writeAtomic(
      settings,
      JSON.stringify({
        url,
        caFile,
        tokenFile,
        node,
        stateDir: state,
        runDir: path(state, 'run'),
        // Beside the rest: agents that share a machine would take each other's logs for those of pods that are gone.
        logDir: path(state, 'logs'),
        addresses: values['node-ip'],
        podCIDRs: values['pod-cidr'],
        criSocket: values['cri-socket'],
        cgroupRoot: values['cgroup-root'],
        resolvConf: values['resolv-conf'],
        dns: { servers: values['cluster-dns'] ?? [], domain: 'cluster.local' },
      }),
    );
    const agent = agentProcess(settings, state);
    // The agent takes this process's place: its pid and its signals are the caller's.
    process.execve?.(process.execPath, ['node', ...agent.args], agent.env);
    throw new CommandError('this system has no execve');
  },
};

async function credential(e: Endpoint, cluster: string, node: string): Promise<{ url: string; token: string }> {
  const answer = await ask(e, 'POST', `/apis/tenancy.coracle.dev/v1/clusters/${encodeURIComponent(cluster)}/node`, {
    metadata: { name: node },
  });
  return answer.status as { url: string; token: string };
}
