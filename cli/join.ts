import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { ask, localEndpoint } from './endpoint.ts';
import { coracleHome } from './home.ts';

export const join: Command = {
  name: 'join',
  summary: "print a node's credential for a cluster of this endpoint",
  usage: `  coracle join CLUSTER NODE   prints JSON: the cluster's URL and a token with which NODE's agent may register it`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const [cluster, node] = positionals;
    if (cluster === undefined || node === undefined) throw new CommandError('usage: coracle join CLUSTER NODE', 2);
    const e = localEndpoint(coracleHome());
    const answer = await ask(e, 'POST', `/apis/tenancy.coracle.dev/v1/clusters/${encodeURIComponent(cluster)}/node`, {
      metadata: { name: node },
    });
    console.log(JSON.stringify(answer.status, null, 2));
    return 0;
  },
};
