import { parseArgs } from 'node:util';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { forget } from '../remembered.ts';
import { clusterPath } from '../tenancy.ts';
import { clusterName } from './name.ts';
import type { Verb } from './verb.ts';

export const remove: Verb = {
  name: 'delete',
  usage: 'coracle cluster delete NAME',
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const name = clusterName(positionals, remove);
    const home = coracleHome();
    await ask(localEndpoint(home), 'DELETE', clusterPath(name));
    forget(home, name);
    console.error(`coracle: cluster ${name} is deleted`);
    return 0;
  },
};
