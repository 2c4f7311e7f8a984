/**
 * Several instances over one bucket, disturbed: npm run cluster-test -- [--seed N] [--clusters 30] [--minutes M] [--instances 3]
 * Each round kills every instance with -9, one after another, and then rolls another release through with SIGTERM. Ends with 1 if anything was lost or
 * a cluster didn't answer within 30 s.
 */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../fuzz/random.ts';
import { optionsOf } from '../options.ts';
import { ANSWER_MS_MAX, type Disturbance, killOne, rollOne, startRun } from './run.ts';
import { startSystem } from './system.ts';

const HELP = `npm run cluster-test -- [options]

Several instances over one bucket: each is killed with -9 and started again, then another release is rolled through with SIGTERM. Ends with 1 if anything
was lost or a cluster didn't answer within 30 s.

  --clusters N   (default 30)
  --instances N  (default 3)
  --minutes M    rounds until then (default 0: one round)
  --only stops   no instance is killed
  --log DIR      keep the instances' logs there (CORACLE_DEBUG=1: what each takes and hands over)
  --seed N`;
const { values } = optionsOf(HELP, {
  seed: { type: 'string', default: String(Date.now() % 100_000) },
  clusters: { type: 'string', default: '30' },
  minutes: { type: 'string', default: '0' },
  instances: { type: 'string', default: '3' },
  only: { type: 'string', default: '' },
  log: { type: 'string', default: '' },
});
const seed = Number(values.seed);
const random = seeded(seed).next;
const end = Date.now() + Number(values.minutes) * 60_000;
console.log(`seed ${seed}, ${values.clusters} clusters, ${values.instances} instances`);

const s = await startSystem({ instances: Number(values.instances) });
let failed = 0;
try {
  if (s.bucket.buildSeconds > 0) console.log(`the S3 server was built in ${s.bucket.buildSeconds.toFixed(0)} s`);
  await Promise.all(s.instances.map((x) => x.start()));
  const run = await startRun(s, Number(values.clusters), seed);
  console.log(`clusters are made; controllers, schedulers and tunnels took ${await run.settle()} ms`);
  for (let round = 1; round === 1 || Date.now() < end; round++) {
    for (const x of values.only === 'stops' ? [] : shuffled(s.instances)) {
      tell(await killOne(s, run, x));
      console.log(`  controllers, schedulers and tunnels have caught up after ${await run.settle()} ms`);
    }
    const release = s.releases[round % 2] ?? '';
    for (const x of shuffled(s.instances)) {
      const { d, ms, code } = await rollOne(run, x, release);
      tell(d);
      if (code !== 0) failed++;
      console.log(`  it ended after ${ms} ms with code ${code}; the new release serves`);
    }
    console.log(`  controllers, schedulers and tunnels have caught up after ${await run.settle()} ms`);
  }
  const { acknowledged, unknown, events, lost } = await run.finish();
  console.log(`${acknowledged} writes acknowledged, ${unknown} of open outcome, ${events} watch events`);
  for (const line of lost) console.log(`LOST ${line}`);
  failed += lost.length;
} catch (error) {
  failed++;
  console.log(error);
  for (const x of s.instances) console.log(`--- instance ${x.index}\n${x.log()}`);
} finally {
  if (values.log !== '')
    for (const x of s.instances)
      cpSync(join(s.dir, `instance-${x.index}.log`), join(values.log, `instance-${x.index}.log`));
  await s.close();
}
console.log(failed === 0 ? 'nothing was lost; every cluster answered in time' : `${failed} failures (seed ${seed})`);
process.exit(failed === 0 ? 0 : 1);

function tell({ what, gaps, clean, broken }: Disturbance): void {
  const max = gaps.at(-1) ?? 0;
  const median = gaps[gaps.length >> 1] ?? 0;
  console.log(
    `${what}: a cluster was without an answer for ${median} ms (median), ${max} ms (most); watches ended ${clean} in order, ${broken} broken`,
  );
  if (max > ANSWER_MS_MAX) failed++;
}

function shuffled<T>(all: readonly T[]): T[] {
  const out = [...all];
  for (let i = out.length - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [out[i], out[k]] = [out[k] as T, out[i] as T];
  }
  return out;
}
