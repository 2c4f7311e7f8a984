import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allowed } from './allowed.ts';
import type { Answer, Case } from './case.ts';
import { suites } from './cases/index.ts';
import { differences } from './diff.ts';
import { runCase, type Target } from './play.ts';
import { serveTokens } from './serve.ts';

const HELP = `Runs the cases recorded on kube-apiserver against our server and compares whole answers.

  node test/api/run.ts [--suite S] [--case TEXT] [--quiet] [--url URL --token T --user T2]

Without --url the server is started here, with its store in memory. --user is the token of a user
without rights: cases that need one are left out without it. --quiet prints failures only.`;

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string' },
    user: { type: 'string' },
    suite: { type: 'string' },
    case: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** What differs between the recorded answers of a case and ours. */
async function problems(target: Target, c: Case, theirs: readonly Answer[], namespace: string): Promise<string[]> {
  const ours = await runCase(target, c, namespace);
  return theirs.flatMap((a, s) => {
    const o = ours[s];
    const found = o ? differences(allowed(a), allowed(o)) : ['no answer'];
    return found.map((d) => `    step ${s} ${c.steps[s]?.method} ${c.steps[s]?.path}${d}`);
  });
}

async function main(): Promise<number> {
  const own = values.url === undefined ? await serveTokens() : undefined;
  const target: Target = own?.target ?? {
    url: values.url ?? '',
    tokens: { ...(values.token ? { admin: values.token } : {}), ...(values.user ? { user: values.user } : {}) },
  };
  const count = { passed: 0, failed: 0, out: 0 };
  for (const [suite, cases] of Object.entries(suites)) {
    if (values.suite && values.suite !== suite) continue;
    const file = join(import.meta.dirname, 'recorded', `${suite}.json`);
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Answer[]>;
    for (const [i, c] of cases.entries()) {
      if (values.case && !c.name.includes(values.case)) continue;
      if (c.tokens && !target.tokens.user) {
        count.out++;
        continue;
      }
      const theirs = recorded[c.name];
      const found = theirs
        ? await problems(target, c, theirs, `${suite}-${i}-${process.pid}`).catch((e: unknown) => [`    ${String(e)}`])
        : ['    not recorded: node test/api/record.ts'];
      if (found.length === 0) count.passed++;
      else count.failed++;
      if (found.length > 0 || !values.quiet) console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${suite}: ${c.name}`);
      for (const line of found) console.log(line);
    }
  }
  own?.close();
  console.log(`${count.passed} passed, ${count.failed} failed${count.out > 0 ? `, ${count.out} left out` : ''}`);
  return count.failed > 0 || count.passed === 0 ? 1 : 0;
}

if (values.help) console.log(HELP);
else process.exit(await main());
