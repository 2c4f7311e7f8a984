/** Runs test files in Deno: `node test/deno/run.ts FILE...`. Deno brings node:test and node:assert of its own. */
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
/** More than a failing run of all tests prints. */
const OUTPUT_BYTES = 64 * 1024 * 1024;
const files = process.argv.slice(2);
if (files.length === 0) throw new Error('usage: node test/deno/run.ts FILE...');
const flags = ['--no-check', '--no-remote', '--no-lock', '--node-modules-dir=manual', '--allow-all', '--quiet'];
const { status, stdout, stderr } = spawnSync(resolve(root, 'node_modules/.bin/deno'), ['test', ...flags, ...files], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
  maxBuffer: OUTPUT_BYTES,
});
if (status !== 0) console.log(stdout, stderr);
console.log(`deno: ${/(\d+ passed.*)$/m.exec(stdout)?.[1] ?? 'no result'}`);
process.exit(status ?? 1);
