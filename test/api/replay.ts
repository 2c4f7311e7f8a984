import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allowed } from './allowed.ts';
import type { Answer } from './case.ts';
import { suites } from './cases/index.ts';
import { differences } from './diff.ts';
import { runCase, type Target } from './run.ts';

// Runs the recorded cases against a server and compares whole answers:
//   node test/api/replay.ts --url http://127.0.0.1:8001 [--token T --user T2] [--suite S] [--case TEXT] [--quiet]
// Without --user, cases that need several users are left out.

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8001' },
    token: { type: 'string' },
    user: { type: 'string' },
    suite: { type: 'string' },
    case: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
const target: Target = {
  url: values.url,
  tokens: { ...(values.token ? { admin: values.token } : {}), ...(values.user ? { user: values.user } : {}) },
};
let passed = 0;
let failed = 0;
let skipped = 0;
for (const [suite, cases] of Object.entries(suites)) {
  if (values.suite && values.suite !== suite) continue;
  const file = join(import.meta.dirname, 'recorded', `${suite}.json`);
  const recorded = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Answer[]>;
  for (const [i, c] of cases.entries()) {
    if (values.case && !c.name.includes(values.case)) continue;
    const theirs = recorded[c.name];
    if (!theirs || (c.tokens && !values.user)) {
      skipped++;
      continue;
    }
    const problems: string[] = [];
    try {
      const ours = await runCase(target, c, `${suite}-${i}-${process.pid}`);
      for (const [s, a] of theirs.entries()) {
        const o = ours[s];
        const found = o ? differences(allowed(a), allowed(o)) : ['no answer'];
        problems.push(...found.map((d) => `    step ${s} ${c.steps[s]?.method} ${c.steps[s]?.path}${d}`));
      }
    } catch (e) {
      problems.push(`    ${String(e)}`);
    }
    if (problems.length === 0) passed++;
    else failed++;
    if (problems.length > 0 || !values.quiet)
      console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${suite}: ${c.name}`);
    for (const p of problems) console.log(p);
  }
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} left out` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
