import type { Verb } from './cluster/verb.ts';
import { type Command, CommandError } from './command.ts';

/** In the order of the help. A verb is one file in cluster/ and one line here; only the one that is called is loaded. */
const verbs: Readonly<Record<string, () => Promise<Verb>>> = {
  create: async () => (await import('./cluster/create.ts')).create,
  list: async () => (await import('./cluster/list.ts')).list,
  ttl: async () => (await import('./cluster/ttl.ts')).ttl,
  limits: async () => (await import('./cluster/limits.ts')).limits,
  fork: async () => (await import('./cluster/fork.ts')).fork,
  backup: async () => (await import('./cluster/backup.ts')).backup,
  restore: async () => (await import('./cluster/restore.ts')).restore,
  verify: async () => (await import('./cluster/verify.ts')).verify,
  adopt: async () => (await import('./cluster/adopt.ts')).adopt,
  delete: async () => (await import('./cluster/delete.ts')).remove,
};

export const cluster: Command = {
  name: 'cluster',
  summary: 'create, list, fork, back up, restore and delete clusters of this endpoint',
  usage: async () => {
    const all = await Promise.all(Object.values(verbs).map((load) => load()));
    return all.map((v) => `  ${v.usage.replaceAll('\n', '\n  ')}`).join('\n');
  },
  async run(args) {
    const [name = '', ...rest] = args;
    const load = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (!load)
      throw new CommandError(`usage: coracle cluster ${Object.keys(verbs).join('|')} ...; --help tells more`, 2);
    return (await load()).run(rest);
  },
};
