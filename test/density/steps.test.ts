import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fill } from './lists.ts';
import { makeLooks } from './looks.ts';
import { operations } from './operations.ts';
import { startServer } from './server.ts';
import { watch } from './steps.ts';

/** Of 10 KB. A step that grew with their number would be some 20 ms by then. */
const OBJECTS = 1_000;
/**
 * Processor time of the thread, but for what the kernel takes to write to files, which the disk decides. 10 ms is asked of a quiet machine (`npm run density -- --only steps`
 * measures there); a busy or slow one takes a multiple.
 */
const STEP_MS_MAX = 40;

const hasCompiler = spawnSync('cc', ['--version']).status === 0;

test('no operation holds the thread up for long: the monitor sees every look at the network', {
  skip: hasCompiler ? false : 'the monitor needs a C compiler',
}, async (t) => {
  const looks = await makeLooks();
  t.after(() => looks.remove());
  const s = await startServer(looks.server);
  t.after(() => s.stop());
  const c = await s.create('steps');
  await fill(s, c, OBJECTS);
  const watched = watch(s, looks);
  const long: string[] = [];
  let seen = 0;
  for (const [name, run] of Object.entries(operations(s, c))) {
    const { stretches, collectedMs } = await watched(() => run(0));
    for (const { cpuMs, diskMs } of stretches) {
      seen = Math.max(seen, cpuMs);
      if (cpuMs - diskMs > STEP_MS_MAX)
        long.push(
          `${name}: ${cpuMs} ms, ${diskMs} of them the disk's; collections ${collectedMs.join(', ') || 'none'}`,
        );
    }
  }
  assert.ok(seen > 1, 'the monitor saw nothing');
  assert.deepEqual(long, []);
});
