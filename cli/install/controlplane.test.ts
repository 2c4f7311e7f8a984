import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultHome } from '../home.ts';
import { assetsFolder, homeUnit, knownUp, writeUp } from './controlplane.ts';

const folder = (t: { after(f: () => void): void }): string => {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-up-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
};

test('each home has a unit of systemd of its own', () => {
  assert.equal(homeUnit(defaultHome()), 'coracle.service');
  assert.match(homeUnit('/srv/a'), /^coracle-[0-9a-f]{8}\.service$/);
  assert.notEqual(homeUnit('/srv/a'), homeUnit('/srv/b'));
  assert.equal(homeUnit('/srv/a/'), homeUnit('/srv/a'));
});

test('a home remembers what up was told', (t) => {
  const home = folder(t);
  assert.equal(knownUp(home), undefined);
  const told = {
    listen: [{ host: '10.0.0.1', port: 6443 }],
    names: [],
    cluster: 'c',
    node: { state: '/n', mirror: ['a=b'] },
  };
  writeUp(home, told);
  assert.deepEqual(knownUp(home), told);
});

test('nodes install what the control plane that was started last serves', (t) => {
  const home = folder(t);
  const write = (dir: string, second: number) => {
    mkdirSync(join(home, dir, 'assets'), { recursive: true });
    writeFileSync(join(home, dir, 'assets', 'install.sh'), '');
    utimesSync(join(home, dir, 'assets', 'install.sh'), second, second);
  };
  assert.equal(assetsFolder(home), join(home, 'server', 'assets'));
  write('serve', 100);
  assert.equal(assetsFolder(home), join(home, 'serve', 'assets'));
  write('server', 200);
  assert.equal(assetsFolder(home), join(home, 'server', 'assets'));
});
