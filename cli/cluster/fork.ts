import { parseArgs } from 'node:util';
import { secondsOf } from '../duration.ts';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { type ClusterObject, clusterPath } from '../tenancy.ts';
import { giveKubeconfig } from './kubeconfig.ts';
import { wrongCall } from './name.ts';
import { pastOf } from './travel.ts';
import type { Verb } from './verb.ts';

export const fork: Verb = {
  name: 'fork',
  usage: `coracle cluster fork NAME NEW [--at REVISION|TIME|10m] [--ttl 2h] [--output FILE]
    another cluster with the same objects, no nodes, new keys, CA and tokens; prints its kubeconfig, or writes it to FILE`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { at: { type: 'string' }, ttl: { type: 'string' }, output: { type: 'string', short: 'o' } },
    });
    const [from, name, more] = positionals;
    if (from === undefined || name === undefined || more !== undefined) throw wrongCall(fork);
    const e = localEndpoint(coracleHome());
    const spec = {
      ...(values.at === undefined ? {} : { at: pastOf(values.at) }),
      ...(values.ttl === undefined ? {} : { ttlSeconds: secondsOf(values.ttl) }),
    };
    const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'ClusterFork', metadata: { name }, spec };
    const made = (await ask(e, 'POST', `${clusterPath(from)}/fork`, body)) as unknown as ClusterObject;
    giveKubeconfig(e, made, values.output);
    return 0;
  },
};
