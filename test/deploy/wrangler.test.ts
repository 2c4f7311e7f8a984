import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '..', '..');
/** Cloudflare's limit of a Worker on the paid plan is 10 MiB compressed; ours is far below, and stays there. */
const GZIP_BYTES_MAX = 1024 * 1024;

test('wrangler deploy --dry-run builds the Worker, well under the size limit', { timeout: 120_000 }, async () => {
  const out = await mkdtemp(join(tmpdir(), 'coracle-deploy-'));
  try {
    const env = { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' };
    const said = execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', out], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    assert.match(said, /--dry-run: exiting now/);
    assert.match(said, /env\.ASSETS/, 'machines download the agent from it');
    assert.match(readFileSync(join(root, 'dist/assets/install.sh'), 'utf8'), /^BUNDLE_SHA256=[0-9a-f]{64}$/m);
    const bundle = await readFile(join(out, 'main.js'));
    const gzip = gzipSync(bundle).length;
    console.log(`Worker: ${Math.round(bundle.length / 1024)} KiB, ${Math.round(gzip / 1024)} KiB gzip`);
    assert.ok(gzip < GZIP_BYTES_MAX, `${gzip} bytes`);
    for (const word of ['node:', 'new Function('])
      assert.ok(
        !new RegExp(`from ?"${word.replace(/[()]/g, '\\$&')}`).test(bundle.toString()),
        `the bundle names ${word}`,
      );
  } finally {
    await rm(out, { recursive: true, force: true });
  }
});

test('one workerd is in the lock file', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const found = Object.entries(lock.packages).filter(([path]) => path.endsWith('node_modules/workerd'));
  assert.equal(found.length, 1);
  assert.equal(found[0]?.[1].version, lock.packages['node_modules/@cloudflare/workerd-linux-64']?.version);
});
