import { resolve } from 'node:path';
import { cluster } from './cluster.ts';
import { type Command, CommandError } from './command.ts';
import { down } from './down.ts';
import { history } from './history.ts';
import { coracleHome } from './home.ts';
import { join } from './join.ts';
import { joinCommand } from './joincommand.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { serve } from './serve.ts';
import { test } from './test.ts';
import { up } from './up.ts';

const commands: readonly Command[] = [up, down, serve, cluster, kubeconfigCommand, joinCommand, history, join, test];

function help(): string {
  const width = Math.max(...commands.map((c) => c.name.length));
  return [
    'coracle: Kubernetes with a serverless control plane',
    '',
    ...commands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    '',
    'coracle COMMAND --help tells more. Each takes --home DIR: where state is kept (default $CORACLE_HOME, else ~/.coracle).',
  ].join('\n');
}

async function main(argv: string[]): Promise<number> {
  const [name, ...args] = withHome(argv);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(help());
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((c) => c.name === name);
  if (!command) throw new CommandError(`unknown command ${JSON.stringify(name)}; coracle --help lists them`, 2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(`coracle ${command.name}: ${command.summary}\n\n${command.usage}`);
    return 0;
  }
  return command.run(args);
}

/** Takes out `--home DIR`, which every command knows; what commands start finds it in the environment. */
function withHome(argv: readonly string[]): string[] {
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word !== '--home' && !word.startsWith('--home=')) {
      rest.push(word);
      continue;
    }
    const dir = word === '--home' ? argv[++i] : word.slice('--home='.length);
    if (!dir) throw new CommandError('--home: a folder is needed', 2);
    process.env.CORACLE_HOME = resolve(dir);
  }
  return rest;
}

const hasNoRoom = (e: unknown): boolean =>
  e instanceof Error && 'code' in e && (e.code === 'ENOSPC' || e.code === 'EDQUOT');

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (hasNoRoom(error)) {
      console.error(
        `coracle: the disk has no room left (CORACLE_HOME is ${coracleHome()}); make some and run it again`,
      );
      process.exit(1);
    }
    const known =
      error instanceof CommandError ||
      (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    console.error(
      `coracle: ${error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)}`,
    );
    process.exit(error instanceof CommandError ? error.exitCode : known ? 2 : 1);
  },
);
