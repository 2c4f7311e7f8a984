import { backup } from './cluster/backup.ts';
import { create } from './cluster/create.ts';
import { remove } from './cluster/delete.ts';
import { fork } from './cluster/fork.ts';
import { limits } from './cluster/limits.ts';
import { list } from './cluster/list.ts';
import { restore } from './cluster/restore.ts';
import { ttl } from './cluster/ttl.ts';
import type { Verb } from './cluster/verb.ts';
import { verify } from './cluster/verify.ts';
import { type Command, CommandError } from './command.ts';

/** In the order of the help. A verb is one file in cluster/ and one line here. */
const verbs: readonly Verb[] = [create, list, ttl, limits, fork, backup, restore, verify, remove];

export const cluster: Command = {
  name: 'cluster',
  summary: 'create, list, fork, back up, restore and delete clusters of this endpoint',
  usage: verbs.map((v) => `  ${v.usage.replaceAll('\n', '\n  ')}`).join('\n'),
  async run(args) {
    const [name, ...rest] = args;
    const verb = verbs.find((v) => v.name === name);
    if (!verb)
      throw new CommandError(`usage: coracle cluster ${verbs.map((v) => v.name).join('|')} ...; --help tells more`, 2);
    return verb.run(rest);
  },
};
