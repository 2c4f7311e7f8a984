import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seeded } from '../fuzz/random.ts';
import { startWorkerd } from './start.ts';

const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), 'inside/damage.ts'));
const QUESTIONS = ['get pod-0', 'get pod-77', 'get none', 'list', 'joined', 'node', 'watch'];
/** Damaged files of one run; each takes a start of workerd. */
const FILES = Number(process.env.FILES ?? 8);

it('a damaged file of a real object gives right answers or a clear error, and verify finds it', async (t) => {
  const workerd = await startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { TENANT: 'Damaged' },
  });
  t.after(() => workerd.stop());
  const ask = async (q: string): Promise<{ ok?: unknown; error?: string; code?: string }> =>
    (await (
      await fetch(`${workerd.url}/?q=${encodeURIComponent(q)}`, { signal: AbortSignal.timeout(10_000) })
    ).json()) as never;
  assert.deepEqual(await ask('fill'), { ok: null });
  const right = new Map<string, string>();
  for (const q of QUESTIONS) right.set(q, JSON.stringify((await ask(q)).ok));
  assert.deepEqual(await ask('verify'), { ok: 0 });

  let file = '';
  let bytes = Buffer.alloc(0);
  await workerd.restart(async () => {
    file = await database(workerd.disk);
    const db = new DatabaseSync(file);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    bytes = await readFile(file);
    await writeFile(`${file}-whole`, bytes);
  });
  const random = seeded(Number(process.env.SEED ?? 1));
  let noticed = 0;
  for (let i = 0; i < FILES; i++) {
    let what = '';
    await workerd.restart(async () => {
      for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
      await copyFile(`${file}-whole`, file);
      if (i % 4 === 3) {
        const length = random.below(bytes.length);
        what = `cut at ${length} of ${bytes.length}`;
        await truncate(file, length);
      } else {
        const damaged = Buffer.from(bytes);
        const at = i % 2 ? random.below(bytes.length) : random.below(bytes.length >> 12) * 4096 + random.below(100);
        for (let n = 0; n < 4; n++) damaged[at + n] = random.below(256);
        what = `four bytes at ${at} (page ${(at >> 12) + 1}, byte ${at & 4095})`;
        await writeFile(file, damaged);
      }
    });
    let refused = 0;
    for (const q of QUESTIONS) {
      const answer = await ask(q);
      if (answer.error === undefined) {
        assert.ok(JSON.stringify(answer.ok) === right.get(q), `${what}: ${q} is answered wrongly`);
        continue;
      }
      assert.equal(answer.code, 'corrupt', `${what}: ${q}: ${answer.error}`);
      refused++;
    }
    const found = await ask('verify');
    if (refused > 0) {
      assert.ok(found.ok !== 0, `${what}: ${refused} answers are refused, verify finds nothing`);
      noticed++;
    }
    // Not a question of right or wrong: it must come to an end.
    await ask('put pod-5');
  }
  assert.ok(noticed > FILES / 4, `${noticed} of ${FILES} were noticed`);
});

/** The object's database: the largest file. */
async function database(disk: string): Promise<string> {
  const files: [number, string][] = [];
  for (const name of await readdir(disk, { recursive: true })) {
    const path = join(disk, name);
    const { size } = await stat(path);
    if (path.endsWith('.sqlite') && !name.includes('metadata')) files.push([size, path]);
  }
  const [largest] = files.sort((a, b) => b[0] - a[0]);
  assert.ok(largest);
  return largest[1];
}
