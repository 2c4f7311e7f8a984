import { parseArgs } from 'node:util';
import { secondsOf } from '../duration.ts';
import { localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { createCluster } from '../tenancy.ts';
import { giveKubeconfig } from './kubeconfig.ts';
import { clusterName } from './name.ts';
import type { Verb } from './verb.ts';

export const create: Verb = {
  name: 'create',
  usage: `coracle cluster create NAME [--ttl 2h] [--output FILE]
    prints its kubeconfig, or writes it to FILE; with --ttl it deletes itself`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ttl: { type: 'string' }, output: { type: 'string', short: 'o' } },
    });
    const name = clusterName(positionals, create);
    const e = localEndpoint(coracleHome());
    giveKubeconfig(
      e,
      await createCluster(e, name, values.ttl === undefined ? undefined : secondsOf(values.ttl)),
      values.output,
    );
    return 0;
  },
};
