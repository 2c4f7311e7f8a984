import { parseArgs } from 'node:util';
import { CommandError } from '../command.ts';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { idOf, remembered } from '../remembered.ts';
import { CLUSTERS } from '../tenancy.ts';
import { wrongCall } from './name.ts';
import type { Verb } from './verb.ts';

export const adopt: Verb = {
  name: 'adopt',
  usage: `coracle cluster adopt NAME [ID|URL]
    gives a cluster that is there its name again, where the list of clusters was lost; without ID that of the cluster which was made here under this name`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const [name, given, more] = positionals;
    if (name === undefined || more !== undefined) throw wrongCall(adopt);
    const home = coracleHome();
    const from = given ?? remembered(home, name)?.url;
    if (from === undefined) throw new CommandError(`no cluster ${name} was made here: its id or URL is needed`);
    const id = idOf(from);
    await ask(localEndpoint(home), 'POST', CLUSTERS, { metadata: { name }, spec: { id } });
    console.error(`coracle: cluster ${id} is ${name}`);
    return 0;
  },
};
