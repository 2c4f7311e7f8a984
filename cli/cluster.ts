import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { ask, type Endpoint, localEndpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { kubeconfig } from './kubeconfig.ts';

const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';

/** A cluster as the tenancy API shows it. */
export interface ClusterObject {
  metadata: { name: string; creationTimestamp: string };
  status: { id: string; url: string; phase: string; adminToken?: string };
}

/** Makes a cluster; `adminToken` is in this answer and in no other. */
export async function createCluster(e: Endpoint, name: string): Promise<ClusterObject> {
  const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'Cluster', metadata: { name } };
  return (await ask(e, 'POST', CLUSTERS, body)) as unknown as ClusterObject;
}

async function listClusters(e: Endpoint): Promise<ClusterObject[]> {
  return ((await ask(e, 'GET', CLUSTERS)) as { items?: ClusterObject[] }).items ?? [];
}

const verbs: Record<string, (e: Endpoint, name: string, output: string | undefined) => Promise<void>> = {
  async create(e, name, output) {
    const made = await createCluster(e, name);
    const text = kubeconfig({ name, url: made.status.url, caPem: e.caPem, token: made.status.adminToken ?? '' });
    if (output === undefined) process.stdout.write(text);
    else writeAtomic(output, text);
    console.error(`coracle: cluster ${name} is ${made.status.url}`);
  },
  async delete(e, name) {
    await ask(e, 'DELETE', `${CLUSTERS}/${encodeURIComponent(name)}`);
    console.error(`coracle: cluster ${name} is deleted`);
  },
};

export const cluster: Command = {
  name: 'cluster',
  summary: 'create, list and delete clusters on this endpoint',
  usage: `  coracle cluster create NAME [--output FILE]   prints its kubeconfig, or writes it to FILE
  coracle cluster list
  coracle cluster delete NAME`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { output: { type: 'string', short: 'o' } },
    });
    const [verb, name] = positionals;
    const e = localEndpoint(coracleHome());
    if (verb === 'list') {
      for (const c of await listClusters(e))
        console.log(`${c.metadata.name}\t${c.status.id}\t${c.status.phase}\t${c.status.url}`);
      return 0;
    }
    const run = verb === undefined ? undefined : verbs[verb];
    if (!run || name === undefined)
      throw new CommandError('usage: coracle cluster create|delete NAME, or coracle cluster list', 2);
    await run(e, name, values.output);
    return 0;
  },
};
