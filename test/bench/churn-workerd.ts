/** Hours of Events in a real store object on a clock that is moved: `node test/bench/churn-workerd.ts [--hours 3]`. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from '../options.ts';
import { startWorkerd } from '../workerd/start.ts';

const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), '../workerd/inside/churn.ts'));
const HELP = `node test/bench/churn-workerd.ts [--hours 3]

Hours of Events in a real store object on a clock that is moved.`;
const { hours } = optionsOf(HELP, { hours: { type: 'string', default: '3' } }).values;
const STEP_S = 60;
const workerd = await startWorkerd({
  entry: `export * from ${module};\nexport { default } from ${module};\n`,
  objects: { TENANT: 'Churned' },
});
try {
  const [commits, alarms]: [number[], number[]] = [[], []];
  for (let s = 0; s < Number(hours) * 3_600; s += STEP_S) {
    const response = await fetch(`${workerd.url}/?from=${s}&seconds=${STEP_S}${s === 0 ? '&create' : ''}`);
    const { bytes, commitMs, alarmMs } = (await response.json()) as {
      bytes: number;
      commitMs: number;
      alarmMs: number;
    };
    commits.push(commitMs);
    alarms.push(alarmMs);
    if ((s + STEP_S) % 1_800 === 0) console.log(`${(s + STEP_S) / 3600} h  events ${(bytes / 1e6).toFixed(0)} MB`);
  }
  const middle = (x: number[]) => (x.toSorted((a, b) => a - b)[x.length >> 1] ?? 0).toFixed(1);
  const most = (x: number[]) => Math.max(...x).toFixed(1);
  console.log(
    `the longest of each minute, by the clock, flushes included: 20 commits ${middle(commits)} ms at the median, ${most(commits)} at most; an alarm ${middle(alarms)}, ${most(alarms)}`,
  );
} finally {
  await workerd.stop();
}
