import { CommandError } from '../command.ts';
import type { Verb } from './verb.ts';

/** The one positional argument of a verb that takes a cluster's name. */
export function clusterName(positionals: readonly string[], verb: Verb): string {
  const [name, more] = positionals;
  if (name === undefined || more !== undefined) throw wrongCall(verb);
  return name;
}

/** A call that the verb doesn't have: how it is called, without what is said of that; exit code 2. */
export function wrongCall(verb: Verb): CommandError {
  const calls = verb.usage.split('\n').filter((line) => !line.startsWith(' '));
  return new CommandError(`usage: ${calls.map((line) => line.split('   ')[0]).join(', or ')}`, 2);
}
