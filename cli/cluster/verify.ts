import { parseArgs } from 'node:util';
import { ask, localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { clusterPath } from '../tenancy.ts';
import { clusterName } from './name.ts';
import type { Verb } from './verb.ts';

/** Findings that are printed; the rest are counted. */
const PRINTED_MAX = 20;

interface Status {
  part?: string;
  table: string;
  rows: number;
  unsummed: number;
  found: number;
  findings: string[];
  continue?: string;
}

export const verify: Verb = {
  name: 'verify',
  usage: `coracle cluster verify NAME
    look at every row, index and checksum of its stores; exit code 1 if anything is damaged`,
  async run(args) {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    const name = clusterName(positionals, verify);
    const endpoint = localEndpoint(coracleHome());
    let [rows, unsummed, found, printed] = [0, 0, 0, 0];
    let told = '';
    let next: string | undefined;
    do {
      const answer = await ask(endpoint, 'POST', `${clusterPath(name)}/verify`, { spec: { continue: next } });
      const status = answer.status as Status;
      rows += status.rows;
      unsummed += status.unsummed;
      found += status.found;
      for (const finding of status.findings) {
        if (printed++ < PRINTED_MAX) console.log(`${status.part}: ${finding}`);
      }
      const place = `${status.part}: ${status.table}`;
      if (place !== told) console.error(`coracle: ${rows} rows looked at (${place})`);
      told = place;
      next = status.continue;
    } while (next !== undefined);
    if (unsummed > 0) console.error(`coracle: ${unsummed} versions of an earlier release have no checksum`);
    if (found === 0) {
      console.log(`cluster ${name} is whole: ${rows} rows looked at`);
      return 0;
    }
    const more =
      found > printed || printed > PRINTED_MAX ? `, the first ${Math.min(printed, PRINTED_MAX)} are above` : '';
    console.log(`cluster ${name} is damaged: ${found} ${found === 1 ? 'finding' : 'findings'} in ${rows} rows${more}`);
    console.error(
      `coracle: what is damaged is not served; a copy comes back with coracle cluster delete ${name}, then coracle cluster restore ${name} --from FILE`,
    );
    return 1;
  },
};
