/** Runs suites and adds up what they count. `node test/run.ts [--quick] [--list] [SUITE...]`; the last line is "N passed, N failed". */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Suite, suites } from './suites.ts';

const root = join(import.meta.dirname, '..');

interface Count {
  passed: number;
  failed: number;
}

/** What a command's output says it counted: node's runner, or a closing "N passed, N failed". A command that counts nothing is one check. */
function countsOf(output: string, code: number): Count {
  const last = (pattern: RegExp) => Number([...output.matchAll(pattern)].at(-1)?.[1] ?? Number.NaN);
  const [pass, fail] = [last(/^ℹ pass (\d+)/gm), last(/^ℹ fail (\d+)/gm)];
  // Ours, and Deno's `445 passed (372 steps) | 0 failed`.
  const [passed, failed] = [
    last(/(\d+) passed(?:, | .*\| )\d+ failed/gm),
    last(/\d+ passed(?:, | .*\| )(\d+) failed/gm),
  ];
  const found = !Number.isNaN(pass)
    ? { passed: pass, failed: fail }
    : !Number.isNaN(passed)
      ? { passed, failed }
      : { passed: code === 0 ? 1 : 0, failed: 0 };
  // A command that failed without counting a failure has failed all the same.
  return code !== 0 && found.failed === 0 ? { ...found, failed: 1 } : found;
}

function run(command: readonly string[]): Promise<Count> {
  return new Promise((resolve) => {
    const [program = '', ...args] = command;
    const path = `${dirname(process.execPath)}:${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: path, FORCE_COLOR: '0' },
    });
    let output = '';
    const take = (b: Buffer) => {
      output += b.toString();
      process.stdout.write(b);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => take(Buffer.from(`${error}\n`)));
    child.on('close', (code) => resolve(countsOf(output, code ?? 1)));
  });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean' }, list: { type: 'boolean' } },
  });
  const all = suites();
  if (values.list) {
    for (const s of all) console.log(`${s.name.padEnd(10)} ${s.about}`);
    return 0;
  }
  const unknown = positionals.filter((p) => !all.some((s) => s.name === p));
  if (unknown.length > 0) {
    console.error(`coracle test: no suite ${unknown.join(', ')}; --list names them`);
    return 2;
  }
  const chosen = all.filter((s) => (positionals.length > 0 ? positionals.includes(s.name) : !values.quick || s.quick));
  const total: Count = { passed: 0, failed: 0 };
  const lines: string[] = [];
  for (const s of chosen) {
    const count = await suite(s);
    total.passed += count.passed;
    total.failed += count.failed;
    lines.push(count.line);
  }
  console.log(`\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function suite(s: Suite): Promise<Count & { line: string }> {
  const begin = Date.now();
  console.log(`\n=== ${s.name}: ${s.about}`);
  const sum: Count = { passed: 0, failed: 0 };
  for (const command of s.commands) {
    const count = await run(command);
    sum.passed += count.passed;
    sum.failed += count.failed;
  }
  return {
    ...sum,
    line: `${s.name.padEnd(10)} ${String(sum.passed).padStart(6)} passed ${String(sum.failed).padStart(4)} failed  ${((Date.now() - begin) / 1000).toFixed(1)} s`,
  };
}

process.exit(await main());
