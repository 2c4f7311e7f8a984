import { parseArgs } from 'node:util';
import { CommandError, tell } from '../command.ts';
import { installNode } from './install.ts';
import { nodeOptions } from './options.ts';
import { uninstallNode } from './uninstall.ts';

// What install.sh hands over to, with its own arguments, on a machine that has nothing of this checkout but this (bundle.ts).

const options = {
  ...nodeOptions,
  server: { type: 'string' },
  token: { type: 'string' },
  'ca-file': { type: 'string' },
  node: { type: 'string' },
  bundle: { type: 'string' },
  offline: { type: 'boolean', default: false },
  uninstall: { type: 'boolean', default: false },
} as const;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options });
  if (process.getuid?.() !== 0) throw new CommandError('a node needs root');
  if (values.uninstall) {
    await uninstallNode(values.state);
    console.error('coracle: nothing of the node is left');
    return;
  }
  const { server } = values;
  if (server === undefined) throw new CommandError('--server URL is needed', 2);
  await installNode({ ...values, server });
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => process.exit(tell(error)),
);
