import { resolve } from 'node:path';
import { type Command, CommandError, tell } from './command.ts';
import { coracleHome } from './home.ts';

/** In the order of the help. Only what is called is loaded: all of them take a third of a second. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up.ts')).up,
  down: async () => (await import('./down.ts')).down,
  serve: async () => (await import('./serve.ts')).serve,
  cluster: async () => (await import('./cluster.ts')).cluster,
  kubeconfig: async () => (await import('./kubeconfig.ts')).kubeconfigCommand,
  'join-command': async () => (await import('./joincommand.ts')).joinCommand,
  history: async () => (await import('./history.ts')).history,
  join: async () => (await import('./join.ts')).join,
  'explain-text': async () => (await import('./explaintext.ts')).explainText,
  test: async () => (await import('./test.ts')).test,
};

async function help(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((load) => load()));
  const width = Math.max(...all.map((c) => c.name.length));
  return [
    'coracle: Kubernetes with a serverless control plane',
    '',
    ...all.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    '',
    'coracle COMMAND --help tells more. Each takes --home DIR: where state is kept (default $CORACLE_HOME, else ~/.coracle).',
  ].join('\n');
}

async function main(argv: string[]): Promise<number> {
  const [name, ...args] = withHome(argv);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(await help());
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) throw new CommandError(`unknown command ${JSON.stringify(name)}; coracle --help lists them`, 2);
  const command = await load();
  if (args.includes('--help') || args.includes('-h')) {
    const usage = typeof command.usage === 'string' ? command.usage : await command.usage();
    console.log(`coracle ${command.name}: ${command.summary}\n\n${usage}`);
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
    process.exit(tell(error));
  },
);
