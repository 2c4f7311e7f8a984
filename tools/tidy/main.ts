/** Checks of the tree that no linter knows: the dependency rule, banned words of each folder, file lengths. `node tools/tidy/main.ts` */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { check, type SourceFile } from './rules.ts';

const root = join(import.meta.dirname, '..', '..');
const files: SourceFile[] = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '')
  .flatMap((path) => {
    try {
      return [{ path, text: readFileSync(join(root, path), 'utf8') }];
    } catch {
      return []; // deleted but not yet committed
    }
  });
const findings = check(files, (from, to) => normalize(join(dirname(from), to)));
for (const f of findings) console.log(f);
console.log(`tidy: ${files.length} files, ${findings.length} findings`);
process.exit(findings.length === 0 ? 0 : 1);
