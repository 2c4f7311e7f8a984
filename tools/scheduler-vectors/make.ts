/**
 * What kube-scheduler's plug-ins say of random pods and clusters: `node tools/scheduler-vectors/make.ts ORACLE [CASES]` asks ORACLE (`go build -o ORACLE .` in this folder) about the
 * first CASES cases (default 250) of workers/scheduler/testing/cases.ts and writes the answers to workers/scheduler/generated/vectors.ts.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { caseOf } from '../../workers/scheduler/testing/cases.ts';

const [oracle, cases = '250'] = process.argv.slice(2);
if (oracle === undefined) throw new Error('usage: node tools/scheduler-vectors/make.ts ORACLE [CASES]');
const asked = Array.from({ length: Number(cases) }, (_, i) => JSON.stringify(caseOf(i + 1))).join('\n');
const answers = execFileSync(oracle, { input: `${asked}\n`, maxBuffer: 1 << 28, encoding: 'utf8' })
  .trim()
  .split('\n');
const lines = answers.map((a) => `  '${a.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',`);
writeFileSync(
  new URL('../../workers/scheduler/generated/vectors.ts', import.meta.url),
  `// Made by tools/scheduler-vectors: what kube-scheduler 1.37.1 says of case 1, 2, ... of testing/cases.ts.\nexport const vectors: readonly string[] = [\n${lines.join('\n')}\n];\n`,
);
