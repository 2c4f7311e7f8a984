import { parseArgs } from 'node:util';
import { Sim, SimFailure } from './sim.ts';

// node test/sim/run.ts --seed N --steps M --nodes K [--seeds COUNT] [--calm] [--pause MS] [--say]: whole clusters on a virtual clock, with faults by seed.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '100' },
    nodes: { type: 'string', default: '3' },
    calm: { type: 'boolean', default: false },
    pause: { type: 'string', default: '12000' },
    say: { type: 'boolean', default: false },
  },
});
const [first, count] = [Number(values.seed), Number(values.seeds)];
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const began = process.cpuUsage();
  const options = {
    seed,
    steps: Number(values.steps),
    nodes: Number(values.nodes),
    calm: values.calm,
    pauseMs: Number(values.pause),
  };
  try {
    const sim = new Sim(values.say ? { ...options, say: (line) => console.log(line) } : options);
    const r = await sim.run();
    const { user, system } = process.cpuUsage(began);
    console.log(
      `seed ${seed}: ${r.revisions} revisions, ${r.calls} calls, ${r.minutes} virtual minutes, settled in ${r.settled}, ` +
        `${JSON.stringify(r.counts)}, history ${r.hash}, ${((user + system) / 1e6).toFixed(1)} s`,
    );
  } catch (e) {
    failed++;
    console.log(e instanceof SimFailure ? e.message : e);
  }
}
process.exit(failed > 0 ? 1 : 0);
