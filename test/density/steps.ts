import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CpuProfile } from './inspector.ts';
import type { Cluster, Server } from './server.ts';

/** Of the CPU profile. */
const SAMPLE_US = 250;
/** Each operation is done so often; the first time includes what is compiled once. */
const ROUNDS = 3;
/** The profiler's own beginning holds the thread. */
const SETTLE_MS = 100;
/** No sample for so long: the thread wasn't in the isolate. */
const GAP_US = 8 * SAMPLE_US;
const IDLE = new Set(['(idle)', '(program)', '(root)']);

export interface StepFigure {
  operation: string;
  /** Longest stretch in which the isolate's thread ran JavaScript (SQLite and crypto called by it included) without a break, of each round. */
  stepMs: number[];
  /** How long a neighbour's smallest request waited at most, in each round. What ends a step is a look at the network, which samples don't see. */
  heldMs: number[];
  /** Where most of the longest one was spent. */
  where: string;
}

/** Every kind of heavy request, one at a time, with the longest synchronous step that it takes. `c`: a cluster with 5,000 ConfigMaps of 10 KB in default. */
export async function measureSteps(s: Server, c: Cluster, only = ''): Promise<StepFigure[]> {
  const figures: StepFigure[] = [];
  const probe = new Worker(new URL('./probe.ts', import.meta.url), { workerData: { port: s.port, ca: s.ca } });
  const held = async (): Promise<number> => {
    const told = once(probe, 'message') as Promise<[number]>;
    probe.postMessage('');
    return (await told)[0];
  };
  await once(probe, 'online');
  const tenths = (ms: number[]) => ms.map((x) => Math.round(x * 10) / 10);
  for (const [operation, run] of Object.entries(operations(s, c))) {
    if (!operation.includes(only)) continue;
    const found: Step[] = [];
    const waited: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const inspector = await s.inspect();
      await inspector.beginProfile(SAMPLE_US);
      await new Promise((next) => setTimeout(next, SETTLE_MS));
      await held();
      await run(round);
      waited.push(await held());
      found.push(longestStep(await inspector.endProfile()));
      inspector.close();
    }
    const worst = found.reduce((a, b) => (b.ms > a.ms ? b : a));
    figures.push({ operation, stepMs: tenths(found.map((f) => f.ms)), heldMs: tenths(waited), where: worst.where });
  }
  await probe.terminate();
  return figures;
}

function operations(s: Server, c: Cluster): Record<string, (round: number) => Promise<unknown>> {
  const base = `/clusters/${c.id}`;
  const maps = `${base}/api/v1/namespaces/default/configmaps`;
  const ask = async (path: string, o: Parameters<Server['ask']>[2] = {}) => {
    const r = await s.ask(path, c.token, o);
    if (r.code >= 400) throw new Error(`${o.method ?? 'GET'} ${path}: ${r.code} ${r.text.slice(0, 300)}`);
    return r;
  };
  const random = (units: number) => randomBytes(units / 2).toString('hex');
  const bigMap = (name: string, keys: number) => {
    const part = Math.floor((1024 * 1024) / keys);
    const data = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, random(part)]));
    return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
  };
  const list = (accept: string) => () => ask(maps, { accept });
  const container = (i: number) => ({
    name: `c${i}`,
    image: 'a:1',
    env: Array.from({ length: 20 }, (_, n) => ({ name: `V${n}`, value: 'x'.repeat(50) })),
    resources: { requests: { cpu: '10m' } },
  });
  const pod = (name: string) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: Array.from({ length: 50 }, (_, i) => container(i)) },
    });
  return {
    'create a cluster': (n) => s.create(`step-${n}`),
    'list 5,000 x 10 KB': list('application/json'),
    'list 5,000 x 10 KB, protobuf': list('application/vnd.kubernetes.protobuf'),
    'list 5,000 x 10 KB, Table': list('application/json;as=Table;v=v1;g=meta.k8s.io'),
    'list 5,000 x 10 KB, YAML': list('application/yaml'),
    'list with a label selector that matches nothing': () => ask(`${maps}?labelSelector=a%3Db`),
    'create 1 MB in one value': (n) => ask(maps, { method: 'POST', body: bigMap(`one-${n}`, 1) }),
    'create 1 MB in 10,000 values': (n) => ask(maps, { method: 'POST', body: bigMap(`many-${n}`, 10_000) }),
    'get it': (n) => ask(`${maps}/many-${n}`),
    'get it as YAML': (n) => ask(`${maps}/many-${n}`, { accept: 'application/yaml' }),
    'merge patch of it': (n) =>
      ask(`${maps}/many-${n}`, {
        method: 'PATCH',
        type: 'application/merge-patch+json',
        body: '{"metadata":{"labels":{"a":"b"}}}',
      }),
    'apply of it': (n) =>
      ask(`${maps}/many-${n}?fieldManager=m&force=true`, {
        method: 'PATCH',
        type: 'application/apply-patch+yaml',
        body: bigMap(`many-${n}`, 10_000),
      }),
    'apply of 1 MB of YAML': (n) =>
      ask(`${maps}/yaml-${n}?fieldManager=m`, {
        method: 'PATCH',
        type: 'application/apply-patch+yaml',
        body: yamlMap(`yaml-${n}`),
      }),
    'create a pod of 50 containers': (n) =>
      ask(`${base}/api/v1/namespaces/default/pods`, { method: 'POST', body: pod(`p${n}`) }),
    'aggregated discovery': () =>
      ask(`${base}/apis`, { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' }),
    'OpenAPI v2': () => ask(`${base}/openapi/v2`),
    'OpenAPI v3 of the core group': () => ask(`${base}/openapi/v3/api/v1`),
    'delete all ConfigMaps of a namespace': () => ask(maps, { method: 'DELETE' }),
  };
}

function yamlMap(name: string): string {
  let text = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n`;
  for (let i = 0; i < 10_000; i++) text += `  key-${i}: ${'y'.repeat(100)}\n`;
  return text;
}

interface Step {
  ms: number;
  where: string;
}

/** The longest run of samples in JavaScript, and the functions that most of it was spent in. */
export function longestStep(profile: CpuProfile): Step {
  const names = new Map(profile.nodes.map((n) => [n.id, n.callFrame.functionName]));
  let best: { us: number; by: Map<string, number> } = { us: 0, by: new Map() };
  let run = { us: 0, by: new Map<string, number>() };
  for (const [i, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '';
    // A sample stands for the time until the next one.
    const us = profile.timeDeltas[i + 1] ?? 0;
    if (IDLE.has(name) || us > GAP_US) {
      run = { us: 0, by: new Map() };
      continue;
    }
    run.us += us;
    run.by.set(name, (run.by.get(name) ?? 0) + us);
    if (run.us > best.us) best = run;
  }
  const top = [...best.by].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return {
    ms: best.us / 1000,
    where: top.map(([name, us]) => `${name || '(anonymous)'} ${Math.round(us / 1000)}`).join(', '),
  };
}
