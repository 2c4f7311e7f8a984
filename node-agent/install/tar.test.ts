import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { tar } from './tar.ts';

test('the tar of the system reads files, directories and links', () => {
  const archive = tar([
    { path: 'bin/' },
    { path: 'tmp/', mode: 0o1777 },
    { path: 'bin/run', data: Buffer.alloc(700, 'x'), mode: 0o755 },
    { path: 'bin/link', link: 'run' },
    { path: 'empty', data: Buffer.alloc(0) },
  ]);
  const listed = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: archive, encoding: 'utf8' });
  const rows = listed
    .trimEnd()
    .split('\n')
    .map((l) => l.replace(/\s+\d{4}-\d\d-\d\d \d\d:\d\d/, '').replace(/\s+/g, ' '));
  assert.deepEqual(rows, [
    'drwxr-xr-x 0/0 0 bin/',
    'drwxrwxrwt 0/0 0 tmp/',
    '-rwxr-xr-x 0/0 700 bin/run',
    'lrw-r--r-- 0/0 0 bin/link -> run',
    '-rw-r--r-- 0/0 0 empty',
  ]);
});

test('equal content gives equal bytes', () => {
  const make = () => tar([{ path: 'a', data: Buffer.from('b') }]);
  assert.ok(make().equals(make()));
});

test('a path that does not fit is refused', () => {
  assert.throws(() => tar([{ path: 'x'.repeat(101), data: Buffer.alloc(0) }]), /too long/);
});
