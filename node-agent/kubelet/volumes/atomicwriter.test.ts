import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { pathProblem, writeAtomically } from './atomicwriter.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atomic-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const NOW = new Date(Date.UTC(2026, 10, 21, 23, 5, 9));
const write = (files: Record<string, string>, mode = 0o644, publish = async () => undefined as unknown) =>
  writeAtomically(
    dir,
    new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }])),
    NOW,
    async () => void (await publish()),
  );
/** What a container sees: paths to contents. */
async function seen(): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const name of await readdir(dir)) {
    if (name.startsWith('..')) continue;
    const top = join(dir, name);
    if (!(await stat(top)).isDirectory()) out[name] = await readFile(top, 'utf8');
    else
      for (const e of await readdir(top, { recursive: true, withFileTypes: true }))
        if (e.isFile()) {
          const path = join(e.parentPath, e.name);
          out[path.slice(dir.length + 1)] = await readFile(path, 'utf8');
        }
  }
  return out;
}
const hidden = async () => (await readdir(dir)).filter((n) => n.startsWith('..')).sort();

describe('an update of files', () => {
  const updates: [string, Record<string, string>, Record<string, string>, boolean][] = [
    ['the same content writes nothing', { a: '1', 'b/c': '2' }, { a: '1', 'b/c': '2' }, false],
    ['a changed file writes all', { a: '1', b: '2' }, { a: '9', b: '2' }, true],
    ['a new file is seen', { a: '1' }, { a: '1', b: '2' }, true],
    ['a file that is no more goes', { a: '1', b: '2' }, { a: '1' }, true],
    ['a file deep in a folder goes with it', { a: '1', 'f/g/h': '2' }, { a: '1' }, true],
    ['a folder stays while one file of it does', { 'f/a': '1', 'f/b': '2' }, { 'f/b': '2' }, true],
    ['a file becomes a folder', { x: '1' }, { 'x/y': '1' }, true],
    ['all files go', { a: '1' }, {}, true],
  ];
  for (const [name, before, after, writes] of updates)
    test(name, async () => {
      assert.equal(await write(before), true);
      assert.deepEqual(await seen(), before);
      assert.equal(await write(after), writes);
      assert.deepEqual(await seen(), after);
      assert.equal((await hidden()).length, 2, 'one folder and one link are left');
    });

  test('names point into ..data, which points to a folder named by time', async () => {
    await write({ a: '1', 'b/c': '2' });
    assert.match(await readlink(join(dir, '..data')), /^\.\.2026_11_21_23_05_09\.\w{6}$/);
    assert.equal(await readlink(join(dir, 'a')), '..data/a');
    assert.equal(await readlink(join(dir, 'b')), '..data/b');
  });

  test('modes are exact whatever the umask is, and folders can be walked through', async () => {
    const before = process.umask(0o077);
    try {
      await write({ 'f/a': '1' }, 0o666);
    } finally {
      process.umask(before);
    }
    assert.equal((await stat(join(dir, 'f/a'))).mode & 0o777, 0o666);
    assert.equal((await stat(join(dir, '..data'))).mode & 0o777, 0o755);
  });

  test('new files are seen only once they are published; a failure leaves the old ones and nothing else', async () => {
    await write({ a: '1' });
    const refused = write({ a: '2' }, 0o644, async () => {
      assert.deepEqual(await seen(), { a: '1' });
      throw new Error('no');
    });
    await assert.rejects(refused, /^Error: no$/);
    assert.deepEqual(await seen(), { a: '1' });
    assert.equal((await hidden()).length, 2);
  });

  test('an agent that was killed half way left a link: the next update goes over it, and makes names that are missing', async () => {
    await write({ a: '1' });
    await symlink('nowhere', join(dir, '..data_tmp'));
    await rm(join(dir, 'a'));
    assert.equal(await write({ a: '1' }), false);
    assert.deepEqual(await seen(), { a: '1' });
    assert.equal(await write({ a: '2' }), true);
    assert.deepEqual(await seen(), { a: '2' });
  });

  test('what others put beside the files is left alone', async () => {
    await write({ a: '1' });
    await writeFile(join(dir, 'other'), 'x');
    await chmod(join(dir, 'other'), 0o600);
    await write({ b: '1' });
    assert.deepEqual(await seen(), { b: '1', other: 'x' });
  });
});

test('paths that lead out of a volume, or are hidden in it, are refused', () => {
  const cases: [string, string | null][] = [
    ['a', null],
    ['a/b..c', null],
    ['.a/..b', null],
    ['', 'invalid path: must not be empty: ""'],
    ['/a', 'invalid path: must be relative path: /a'],
    ['a/../b', "invalid path: must not contain '..': a/../b"],
    ['..', "invalid path: must not contain '..': .."],
    ['..a', "invalid path: must not start with '..': ..a"],
    ['n'.repeat(256), 'invalid path: filenames must be less than or equal to 255 characters'],
    ['a/'.repeat(2049), 'invalid path: must be less than or equal to 4096 characters'],
  ];
  for (const [path, problem] of cases) assert.equal(pathProblem(path), problem);
});
