import { parseArgs } from 'node:util';
import { secondsOf } from '../duration.ts';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { type ClusterObject, clusterPath } from '../tenancy.ts';
import { wrongCall } from './name.ts';
import type { Verb } from './verb.ts';

export const ttl: Verb = {
  name: 'ttl',
  usage: `coracle cluster ttl NAME DURATION|none
    how long it lives, from its creation on, until it deletes itself`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const [name, duration, more] = positionals;
    if (name === undefined || duration === undefined || more !== undefined) throw wrongCall(ttl);
    const spec = { ttlSeconds: duration === 'none' ? null : secondsOf(duration) };
    const e = localEndpoint(coracleHome());
    const cluster = await ask(e, 'PATCH', clusterPath(name), { spec }, 'application/merge-patch+json');
    const { expirationTimestamp } = (cluster as unknown as ClusterObject).status;
    console.error(
      `coracle: cluster ${name} ${expirationTimestamp ? `deletes itself at ${expirationTimestamp}` : 'stays'}`,
    );
    return 0;
  },
};
