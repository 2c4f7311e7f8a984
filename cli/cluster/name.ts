import { CommandError } from '../command.ts';
import type { Verb } from './verb.ts';

/** The one positional argument of a verb that takes a cluster's name. */
export function clusterName(positionals: readonly string[], verb: Verb): string {
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw wrongCall(verb);
  return name;
}

/** A call that the verb doesn't have: its first line of usage, exit code 2. */
export function wrongCall(verb: Verb): CommandError {
  return new CommandError(`usage: ${verb.usage.split(/\n| {3}/)[0]}`, 2);
}
