import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { unit } from './unit.ts';

const base = {
  node: process.execPath,
  main: '/opt/coracle/cli/main.ts',
  home: '/var/lib/coracle',
  args: [],
  graceMs: 8_000,
};
const line = (text: string, key: string) => text.split('\n').find((l) => l.startsWith(`${key}=`));

describe('the systemd unit', () => {
  it('gives systemd longer than the grace before it kills', () => {
    assert.equal(line(unit({ ...base, graceMs: 30_000 }), 'TimeoutStopSec'), 'TimeoutStopSec=40');
  });
  it("doesn't start a wrong configuration or a second one again and again", () => {
    assert.equal(line(unit(base), 'RestartPreventExitStatus'), 'RestartPreventExitStatus=2 3');
  });
  it('quotes what systemd would split or expand', () => {
    const text = unit({ ...base, home: '/srv/my clusters', args: ['--cluster', '/etc/a b.toml', '--name', '50%$x'] });
    assert.match(text, /^Environment="CORACLE_HOME=\/srv\/my clusters"$/m);
    assert.match(text, / serve --cluster "\/etc\/a b\.toml" --name 50%%\$\$x$/m);
  });
  it('is one that systemd-analyze accepts', {
    skip: !existsSync('/usr/bin/systemd-analyze') && 'no systemd-analyze here',
  }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'coracle-unit-'));
    try {
      const path = join(dir, 'coracle.service');
      writeFileSync(path, unit({ ...base, args: ['--listen', '0.0.0.0:6443', '--cluster', '/etc/coracle/a b.toml'] }));
      // Its own findings are about this unit; a machine's other units may have others.
      const said = execFileSync('systemd-analyze', ['verify', '--man=no', path], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      assert.equal(said.includes('coracle.service'), false, said);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
