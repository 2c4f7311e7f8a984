import { parseArgs } from 'node:util';
import { CommandError } from '../command.ts';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { clusterPath } from '../tenancy.ts';
import { wrongCall } from './name.ts';
import type { Verb } from './verb.ts';

interface LimitsObject {
  spec: Record<string, number>;
  status: { hard: Record<string, number>; used: Record<string, number> };
}

export const limits: Verb = {
  name: 'limits',
  usage: `coracle cluster limits NAME [LIMIT=N|LIMIT=default ...]
    what a cluster may use (objects, bytes, crds, watches, requests a second) and uses; sets what is given`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const [name, ...settings] = positionals;
    if (name === undefined) throw wrongCall(limits);
    const e = localEndpoint(coracleHome());
    const path = `${clusterPath(name)}/limits`;
    let found = (await ask(e, 'GET', path)) as unknown as LimitsObject;
    if (settings.length > 0) {
      const spec = { ...found.spec };
      for (const s of settings) set(spec, s, Object.keys(found.status.hard));
      found = (await ask(e, 'PUT', path, { spec })) as unknown as LimitsObject;
    }
    const { hard, used } = found.status;
    for (const [limit, max] of Object.entries(hard))
      console.log(
        `${limit.padEnd(10)}${String(used[limit] ?? '-').padStart(12)} of ${max}${limit in found.spec ? '' : ' (default)'}`,
      );
    return 0;
  },
};

function set(spec: Record<string, number>, setting: string, known: readonly string[]): void {
  const [, limit, value] = /^([a-z]+)=([1-9][0-9]*|default)$/.exec(setting) ?? [];
  if (limit === undefined || value === undefined)
    throw new CommandError(`${setting} is not LIMIT=N or LIMIT=default`, 2);
  if (!known.includes(limit)) throw new CommandError(`there is no limit ${limit}; there are ${known.join(', ')}`, 2);
  if (value === 'default') delete spec[limit];
  else spec[limit] = Number(value);
}
