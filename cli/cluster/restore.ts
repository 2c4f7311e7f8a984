import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { ARCHIVE_TYPE, ArchiveError, readArchive } from '../../kube/wire/archive.ts';
import { CommandError } from '../command.ts';
import { secondsOf } from '../duration.ts';
import { localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { type ClusterObject, clusterPath } from '../tenancy.ts';
import { upload } from '../transfer.ts';
import { giveKubeconfig } from './kubeconfig.ts';
import { clusterName, wrongCall } from './name.ts';
import { restoreTo } from './travel.ts';
import type { Verb } from './verb.ts';

export const restore: Verb = {
  name: 'restore',
  usage: `coracle cluster restore NAME --from FILE [--as-fork] [--ttl 2h] [--output FILE]
    makes the cluster of a backup ('-': from stdin), with its keys, tokens and nodes; with --as-fork another one of the same objects
coracle cluster restore NAME --to REVISION|TIME|10m
    brings all objects of a cluster back as they were then, 10m: ten minutes ago; tells what undoes it`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        'as-fork': { type: 'boolean', default: false },
        ttl: { type: 'string' },
        output: { type: 'string', short: 'o' },
      },
    });
    const name = clusterName(positionals, restore);
    if (values.to !== undefined && values.from === undefined) {
      await restoreTo(localEndpoint(coracleHome()), name, values.to);
      return 0;
    }
    if (values.from === undefined || values.to !== undefined) throw wrongCall(restore);
    const query = new URLSearchParams();
    if (values['as-fork']) query.set('fork', 'true');
    if (values.ttl !== undefined) query.set('ttlSeconds', String(secondsOf(values.ttl)));
    const e = localEndpoint(coracleHome());
    const source = values.from === '-' ? process.stdin : createReadStream(values.from);
    const answer = await upload(e, `${clusterPath(name)}/backup?${query}`, ARCHIVE_TYPE, checkedAsSent(source)).catch(
      (error: Error) => {
        if (error instanceof ArchiveError || 'syscall' in error) throw new CommandError(error.message);
        throw error;
      },
    );
    giveKubeconfig(e, answer as unknown as ClusterObject, values.output);
    return 0;
  },
};

/** The archive's chunks, the last one only when all of it has been checked; throws ArchiveError as soon as it isn't what was written. */
async function* checkedAsSent(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const taken: Uint8Array[] = [];
  const tapped = async function* () {
    for await (const chunk of source) {
      taken.push(chunk);
      yield chunk;
    }
  };
  for await (const _part of readArchive(tapped())) yield* taken.splice(0);
  yield* taken.splice(0);
}
