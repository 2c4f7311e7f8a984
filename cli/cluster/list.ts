import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { CLUSTERS, type ClusterObject } from '../tenancy.ts';
import { wrongCall } from './name.ts';
import type { Verb } from './verb.ts';

export const list: Verb = {
  name: 'list',
  usage: 'coracle cluster list   name, id, phase, URL, and when it deletes itself',
  async run(args) {
    if (args.length > 0) throw wrongCall(list);
    const answer = (await ask(localEndpoint(coracleHome()), 'GET', CLUSTERS)) as { items?: ClusterObject[] };
    for (const c of answer.items ?? [])
      console.log(
        [c.metadata.name, c.status.id, c.status.phase, c.status.url, c.status.expirationTimestamp ?? '-'].join('\t'),
      );
    return 0;
  },
};
