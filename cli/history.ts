import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { ask, localEndpoint } from './endpoint.ts';
import { coracleHome } from './home.ts';
import { type ClusterObject, clusterPath } from './tenancy.ts';

/** A cluster's answer: api/history.ts. */
interface ObjectHistory {
  metadata: { continue?: string };
  items: Version[];
}
interface Version {
  revision: string;
  time: string;
  user?: string;
  type: string;
  changes?: { path: string; from?: unknown; to?: unknown }[];
}

/** Versions shown unless --limit says otherwise. */
const LIMIT = '20';

export const history: Command = {
  name: 'history',
  summary: 'who changed which field of an object, and when',
  usage: `  coracle history CLUSTER KIND/NAME [-n NAMESPACE] [--limit N] [-o json]

  KIND as for kubectl: pods, pod, po, deploy.apps. The newest version is first; values of Secrets are shown as ***.
  coracle cluster restore CLUSTER --to REVISION brings the whole cluster back to a revision.`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n', default: 'default' },
        limit: { type: 'string', default: LIMIT },
        output: { type: 'string', short: 'o' },
      },
    });
    const [cluster, object = '', more] = positionals;
    const [kind = '', name = '', tooMany] = object.split('/');
    if (cluster === undefined || more !== undefined || kind === '' || name === '' || tooMany !== undefined)
      throw new CommandError('usage: coracle history CLUSTER KIND/NAME [-n NAMESPACE] [--limit N] [-o json]', 2);
    if (values.output !== undefined && values.output !== 'json')
      throw new CommandError(`--output ${values.output} is not offered; json is`, 2);
    if (!/^[1-9]\d*$/.test(values.limit)) throw new CommandError('--limit must be a whole number above 0', 2);
    const e = localEndpoint(coracleHome());
    const { status } = (await ask(e, 'GET', clusterPath(cluster))) as unknown as ClusterObject;
    const limit = Number(values.limit);
    const page = async (left: number, from?: string): Promise<ObjectHistory> => {
      const query = new URLSearchParams({ kind, name, namespace: values.namespace, limit: String(left) });
      if (from !== undefined) query.set('continue', from);
      const path = `/clusters/${encodeURIComponent(status.id)}/.coracle/v1/history?${query}`;
      return (await ask(e, 'GET', path)) as unknown as ObjectHistory;
    };
    const answer = await page(limit);
    // Of a large object each version is a page of its own.
    while (answer.metadata.continue !== undefined && answer.items.length < limit) {
      const { metadata, items } = await page(limit - answer.items.length, answer.metadata.continue);
      answer.metadata = metadata;
      answer.items.push(...items);
    }
    console.log(values.output === 'json' ? JSON.stringify(answer, null, 2) : printed(answer));
    return 0;
  },
};

/** A line for each version, under it what it changed. */
function printed({ items, metadata }: ObjectHistory): string {
  const rows = items.map((v) => [v.revision, `${v.time.slice(0, -4)}Z`, v.user ?? '-', v.type]);
  const table = [['REVISION', 'TIME', 'USER', 'TYPE'], ...rows];
  const widths = [0, 1, 2].map((i) => Math.max(...table.map((r) => r[i]?.length ?? 0)));
  const line = (r: readonly string[]) => r.map((c, i) => c.padEnd(widths[i] ?? 0)).join('  ');
  const lines = table.flatMap((r, i) => [line(r), ...(items[i - 1]?.changes ?? []).map((c) => `    ${change(c)}`)]);
  if (metadata.continue !== undefined) lines.push('older versions are left out; --limit shows more');
  return lines.join('\n');
}

function change({ path, from, to }: NonNullable<Version['changes']>[number]): string {
  if (from === undefined && to === undefined) return path;
  if (from === undefined) return `${path}: + ${JSON.stringify(to)}`;
  if (to === undefined) return `${path}: - ${JSON.stringify(from)}`;
  return `${path}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`;
}
