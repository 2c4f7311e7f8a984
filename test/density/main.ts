/**
 * How dense and how fair one control plane process is: `npm run density -- [--clusters 1000] [--nodes 100] [--minutes 5] [--seconds 20] [--only creation,idle,...]`.
 * Parts: creation, idle (with waking), lists, fairness, steps (again, on another server, what took more than 10 ms). Prints all figures and keeps them under bench-results/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { optionsOf } from '../options.ts';
import { measureCreation } from './creation.ts';
import { measureFairness } from './fairness.ts';
import { connectNodes, measureIdle, measureWaking } from './idle.ts';
import { fill, measureLists } from './lists.ts';
import { makeLooks } from './looks.ts';
import { type Server, startServer } from './server.ts';
import { measureSteps, type StepFigure } from './steps.ts';

/** No step is to be longer, the kernel's time for writing to files aside. */
const STEP_MS_MAX = 10;
const isLong = (f: StepFigure) => f.cpuMs.some((ms, i) => ms - (f.diskMs[i] ?? 0) > STEP_MS_MAX);
/** Sleeping clusters that are woken to see how long that takes. */
const WOKEN = 200;

const HELP = `npm run density -- [options]

How dense and how fair one control plane process is. Prints all figures and keeps them under bench-results/.

  --clusters N   (default 1000)
  --nodes N      connected nodes among them (default 100)
  --minutes N    how long they are idle (default 5)
  --seconds N    of each flood (default 20)
  --floods WHAT  of get,create,list,connect
  --steps TEXT   only operations with this in their name
  --only PARTS   of creation,idle,lists,fairness,steps`;
const { values } = optionsOf(HELP, {
  clusters: { type: 'string', default: '1000' },
  nodes: { type: 'string', default: '100' },
  minutes: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '20' },
  floods: { type: 'string', default: 'get,create,list,connect' },
  steps: { type: 'string', default: '' },
  only: { type: 'string', default: 'creation,idle,lists,fairness,steps' },
});
const clusters = Number(values.clusters);
const nodes = Math.min(Number(values.nodes), clusters);
const minutes = Number(values.minutes);
const wanted = new Set(values.only.split(','));
const results: Record<string, unknown> = {
  date: new Date().toISOString(),
  cores: cpus().length,
  node: process.version,
};

const round = (_key: string, v: unknown) => (typeof v === 'number' ? Math.round(v * 10) / 10 : v);
function show(part: string, figures: unknown): void {
  results[part] = figures;
  console.log(`\n${part}`);
  if (Array.isArray(figures)) console.table(JSON.parse(JSON.stringify(figures, round)));
  else console.log(JSON.stringify(figures, round, 2));
}

/** Each part has a process of its own: what one leaves behind is not the next one's. */
async function withServer<T>(run: (s: Server) => Promise<T>, o: Parameters<typeof startServer>[0] = {}): Promise<T> {
  const s = await startServer(o);
  try {
    return await run(s);
  } finally {
    await s.stop();
  }
}

if (wanted.has('creation') || wanted.has('idle')) {
  await withServer(async (s) => {
    const { figures, made } = await measureCreation(s, clusters);
    show('creation', figures);
    if (!wanted.has('idle')) return;
    const disconnect = await connectNodes(s, made.slice(0, nodes));
    show('idle', await measureIdle(s, { clusters, nodes, minutes }));
    show('waking', await measureWaking(s, made.slice(nodes, nodes + WOKEN)));
    await disconnect();
  });
}
if (wanted.has('lists')) await withServer(async (s) => show('lists', await measureLists(s)));
if (wanted.has('fairness'))
  await withServer(async (s) =>
    show('fairness', await measureFairness(s, Number(values.seconds), values.floods.split(','))),
  );
if (wanted.has('steps')) {
  const looks = await makeLooks();
  const measure = () =>
    withServer(async (s) => {
      const c = await s.create('steps');
      await fill(s, c, values.steps === '' || values.steps.includes('list') ? undefined : 10);
      return measureSteps(s, c, looks, values.steps);
    }, looks.server);
  const steps = await measure();
  show('steps', steps);
  // Most kernels charge interrupts to the thread that they meet: what is a step of ours is as long on another server too.
  const long = new Set(steps.filter(isLong).map((f) => f.operation));
  if (long.size > 0)
    show(
      'stepsAgain',
      (await measure()).filter((f) => long.has(f.operation)),
    );
  looks.remove();
}
const folder = join(import.meta.dirname, '..', '..', 'bench-results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `density-${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(file, `${JSON.stringify(results, round, 2)}\n`);
console.log(`\nkept in ${file}`);
process.exit(0);
