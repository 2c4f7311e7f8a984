import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { coracleHome, root, TEXTS } from './home.ts';

export const explainText: Command = {
  name: 'explain-text',
  summary: 'gives kubectl explain its texts',
  usage: `  coracle explain-text [--out FOLDER]

  The texts are Kubernetes' own and not part of Coracle: they are taken from its Go modules, so this wants Go, and fetches the modules
  where they aren't there yet. They are kept in CORACLE_HOME/${TEXTS}; a server that runs shows them some seconds later. --out writes
  them elsewhere: for another machine's CORACLE_HOME, or as assets of a hosted Worker.`,
  async run(args) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { out: { type: 'string' } } });
    if (positionals.length > 0) throw new CommandError('usage: coracle explain-text [--out FOLDER]', 2);
    const out = values.out ?? join(coracleHome(), TEXTS);
    const tool = join(root, 'tools/generate/descriptions.ts');
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', tool, out], { stdio: 'inherit' });
      child.on('error', reject);
      child.on('close', (c) => resolve(c ?? 1));
    });
    if (code === 0) console.log(`kept in ${out}`);
    return code;
  },
};
