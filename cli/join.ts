import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join as path, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { agentProcess } from './agent.ts';
import { type Command, CommandError } from './command.ts';
import { ask, type Endpoint, localEndpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { nodeOptions, nodeUsage } from './node/options.ts';
import { agentSettings, readRegistries } from './node/settings.ts';
import { clusterPath } from './tenancy.ts';

export const join: Command = {
  name: 'join',
  summary: "print a node's credential for a cluster of this endpoint, or be the node",
  usage: `  coracle join CLUSTER NODE   prints JSON: the cluster's URL and a token with which NODE's agent may register it
  coracle join CLUSTER --state DIR --node-ip ADDRESS [options]   is the node, in the foreground, until SIGTERM; pods run on

  --state DIR          where the agent keeps its settings, token, volumes and logs
${nodeUsage}

Other machines join with what coracle join-command prints.`,
  async run(args) {
    const { positionals, values } = parseArgs({ args, allowPositionals: true, options: nodeOptions });
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
    const [tokenFile, caFile, file] = [path(state, 'node-token'), path(state, 'ca.crt'), path(state, 'agent.json')];
    const registries = readRegistries(values.registries);
    const facts = { url, caFile, tokenFile, state, hostname: node, addresses: values['node-ip'], registries };
    const settings = agentSettings(values, facts);
    writeAtomic(tokenFile, token);
    writeAtomic(caFile, e.caPem);
    writeAtomic(file, JSON.stringify(settings, null, 2));
    const agent = agentProcess(file, state);
    // The agent takes this process's place: its pid and its signals are the caller's.
    process.execve?.(process.execPath, ['node', ...agent.args], agent.env);
    throw new CommandError('this system has no execve');
  },
};

async function credential(e: Endpoint, cluster: string, node: string): Promise<{ url: string; token: string }> {
  const answer = await ask(e, 'POST', `${clusterPath(cluster)}/node`, {
    metadata: { name: node },
  });
  return answer.status as { url: string; token: string };
}
