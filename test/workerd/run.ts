/** Runs test files inside workerd: `node test/workerd/run.ts FILE...`. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWorkerd } from './start.ts';

const here = dirname(fileURLToPath(import.meta.url));
const files = process.argv.slice(2).map((f) => resolve(f));
for (const f of files) if (!existsSync(f)) throw new Error(`no such file: ${f}`);
if (files.length === 0) throw new Error('usage: node test/workerd/run.ts FILE...');

const text = JSON.stringify;
const loaders = files.map((f) => `  ${text(relative('.', f))}: () => import(${text(f)}),`).join('\n');
const workerd = await startWorkerd({
  entry: `import { makeRunner, worker } from ${text(join(here, 'inside/runner.ts'))};
export * from ${text(join(here, 'inside/objects.ts'))};
export const TestRunner = makeRunner({\n${loaders}\n});
export default worker;
`,
  objects: { RUNNER: 'TestRunner', TENANT: 'TestTenant' },
  alias: { 'node:test': join(here, 'inside/shim.ts') },
});

const counts = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const f of files) await runFile(relative('.', f));
} finally {
  await workerd.stop();
}
console.log(`workerd: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);

async function runFile(file: string): Promise<void> {
  const before = { ...counts };
  const response = await fetch(`${workerd.url}/?file=${encodeURIComponent(file)}`);
  let rest = '';
  const decoder = new TextDecoder();
  try {
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
    for await (const chunk of response.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) report(JSON.parse(line));
    }
  } catch (e) {
    counts.failed++;
    console.log(`FAILED ${file}: ${e}`);
  }
  console.log(`${file}: ${counts.passed - before.passed} passed, ${counts.failed - before.failed} failed`);
}

function report(r: { name: string; outcome: 'passed' | 'failed' | 'skipped'; error?: string }): void {
  counts[r.outcome]++;
  if (r.outcome === 'failed') console.log(`FAILED ${r.name}\n  ${(r.error ?? '').replaceAll('\n', '\n  ')}`);
}
