import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { unopenedIn } from '../../kube/wire/unopened.ts';
import { accepted, localEndpoint, reach } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { forget } from '../remembered.ts';
import { setAside } from '../server/aside.ts';
import { LOCAL_DATA } from '../server/process.ts';
import { clusterPath } from '../tenancy.ts';
import { clusterName } from './name.ts';
import type { Verb } from './verb.ts';

export const remove: Verb = {
  name: 'delete',
  usage: `coracle cluster delete NAME
    deletes it and all that it holds; files of it that are too damaged to be opened are set aside`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const name = clusterName(positionals, remove);
    const home = coracleHome();
    const ask = () => reach(localEndpoint(home), 'DELETE', clusterPath(name));
    let answer = await ask();
    const aside = moveAway(home, name, unopenedIn(answer.body));
    if (aside !== undefined) {
      console.error(`coracle: files of cluster ${name} that cannot be opened are now in ${aside}`);
      answer = await ask();
    }
    accepted(answer);
    forget(home, name);
    console.error(`coracle: cluster ${name} is deleted`);
    return 0;
  },
};

/** Moves the files of these objects away; undefined where there are none. The platform makes new ones. */
function moveAway(home: string, name: string, ids: readonly string[]): string | undefined {
  const data = join(home, LOCAL_DATA);
  if (ids.length === 0 || !existsSync(data)) return undefined;
  const files = readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter((path) => ids.some((id) => basename(path).startsWith(`${id}.sqlite`)))
    .map((path) => join(data, path));
  return files.length === 0 ? undefined : setAside(home, name, files);
}
