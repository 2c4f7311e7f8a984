import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from './command.ts';
import { root } from './home.ts';

export const test: Command = {
  name: 'test',
  summary: 'run the tests; the last line is "N passed, N failed"',
  usage: `  coracle test [SUITE...]   all suites, or the named ones; coracle test --list names them`,
  run: (args) =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [join(root, 'test', 'run.ts'), ...args], { stdio: 'inherit' });
      child.on('exit', (code) => resolve(code ?? 1));
    }),
};
