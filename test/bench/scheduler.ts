/**
 * What deciding costs: `npm run bench:scheduler -- [NODES] [PODS] [WAITING]` fills a cluster in memory with NODES nodes and PODS pods (defaults 1,000 and 10,000), lets
 * WAITING more come (default 1,000), and prints decisions per second of processor time and the longest turn, without their writes, for pods that ask for room alone, and with terms.
 */
import type { JsonObject } from '../../kube/meta/json.ts';
import { nodeObject, podObject } from '../../workers/scheduler/testing/objects.ts';
import { World } from '../../workers/scheduler/testing/world.ts';
import { optionsOf } from '../options.ts';

const HELP = `npm run bench:scheduler -- [NODES] [PODS] [WAITING]

What the scheduler's decisions cost: decisions per second with so many nodes (1,000) and pods that run (10,000), while so many wait (1,000).`;
const { positionals: WORDS } = optionsOf(HELP, {});
const [NODES = 1_000, PODS = 10_000, WAITING = 1_000] = WORDS.map(Number);
/** Workloads among which pods are divided. */
const APPS = 100;
const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';

type More = NonNullable<Parameters<typeof podObject>[1]>;
const labels = (app: string) => ({ app });
const selector = (app: string) => ({ matchLabels: labels(app) });
const term = (topologyKey: string, app: string) => ({ topologyKey, labelSelector: selector(app) });
const required = (t: ReturnType<typeof term>) => ({ requiredDuringSchedulingIgnoredDuringExecution: [t] });
const preferred = (t: ReturnType<typeof term>) => ({
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: t }],
});
const spread = (topologyKey: string, app: string, whenUnsatisfiable: string) => ({
  maxSkew: 5,
  topologyKey,
  whenUnsatisfiable,
  labelSelector: selector(app),
});

const KINDS: Record<string, (app: string) => More> = {
  'room alone': () => ({}),
  'anti-affinity by node': (app) => ({ affinity: { podAntiAffinity: required(term(HOST, app)) } }),
  'affinity by zone': (app) => ({ affinity: { podAffinity: required(term(ZONE, app)) } }),
  'preferred anti-affinity by node': (app) => ({ affinity: { podAntiAffinity: preferred(term(HOST, app)) } }),
  'spread over zones, strictly': (app) => ({ topologySpreadConstraints: [spread(ZONE, app, 'DoNotSchedule')] }),
  'spread over nodes and zones': (app) => ({
    topologySpreadConstraints: [spread(HOST, app, 'ScheduleAnyway'), spread(ZONE, app, 'ScheduleAnyway')],
  }),
};

/** Amounts that fill the nodes, and pods that put others out. */
const FULL: More = { requests: { cpu: '3200m' } };
const URGENT: More = { requests: { cpu: '3200m' }, priority: 1000 };

function filled(more: (app: string) => More): World {
  const w = new World();
  for (let i = 0; i < NODES; i++) {
    const name = `node-${i}`;
    w.put(
      nodeObject(name, {
        labels: { [HOST]: name, [ZONE]: `zone-${i % 3}` },
        allocatable: { cpu: '32', memory: '64Gi' },
      }),
    );
  }
  for (let i = 0; i < PODS; i++) {
    const app = `app-${i % APPS}`;
    const nodeName = `node-${i % NODES}`;
    w.put(podObject(`runs-${i}`, { nodeName, labels: labels(app), requests: { cpu: '100m' }, ...more(app) }));
  }
  return w;
}

interface Figures {
  bound: number;
  perSecond: number;
  longestMs: number;
}
/** Processor time of this process: figures hold while others work too. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
function measure(w: World, more: (app: string) => More): Figures {
  for (let i = 0; i < WAITING; i++) {
    const app = `app-${i % APPS}`;
    w.put(podObject(`waits-${i}`, { labels: labels(app), requests: { cpu: '100m' }, ...more(app) }));
  }
  let [spent, longest] = [0, 0];
  for (;;) {
    const took = w.decide(processorMs);
    if (took === undefined) break;
    spent += took;
    longest = Math.max(longest, took);
  }
  const bound = [...w.objects.values()].filter((o) => {
    const spec = o.spec as JsonObject | undefined;
    return o.metadata.name?.startsWith('waits-') && spec?.nodeName;
  }).length;
  return { bound, perSecond: Math.round((WAITING / spent) * 1000), longestMs: longest };
}

console.log(`${NODES} nodes, ${PODS} pods that run, ${WAITING} that wait; without writes`);
console.log(
  '| pods with | bound | decisions per second of processor time | longest turn, ms of it |\n| --- | --- | --- | --- |',
);
for (const [kind, more] of Object.entries(KINDS)) {
  const { bound, perSecond, longestMs } = measure(filled(more), more);
  console.log(`| ${kind} | ${bound} | ${perSecond} | ${longestMs.toFixed(1)} |`);
}
const { perSecond, longestMs } = measure(
  filled(() => FULL),
  () => URGENT,
);
console.log(`| room that others must make | 0 | ${perSecond} | ${longestMs.toFixed(1)} |`);
