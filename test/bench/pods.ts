/** How long pods take on real nodes: `npm run bench:pods -- --help` tells more. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';

const USAGE = `usage: KUBECONFIG=... npm run bench:pods -- [--one 20] [--burst 30] [--roll 100] [--image IMAGE] [--namespace bench-pods]

Against any cluster with nodes, ours (npm run conformance -- up) or another's: pods one by one and many at once, from the request that creates them to
the watch event that shows them Running; then a Deployment whose template changes, until all its pods are new and available. 0 leaves a part out.`;

const { values } = parseArgs({
  options: {
    one: { type: 'string', default: '20' },
    burst: { type: 'string', default: '30' },
    roll: { type: 'string', default: '100' },
    image: { type: 'string', default: 'registry.k8s.io/pause:3.10.2' },
    namespace: { type: 'string', default: 'bench-pods' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

interface ConfigFile {
  clusters: { cluster: { server: string } & Fields }[];
  users: { user: { token?: string } & Fields }[];
}
/** PEM in place, in base64, under NAME-data, or the file NAME. */
type Fields = { [field: string]: string | undefined };
interface Described {
  metadata: { name: string; generation?: number };
  status?: {
    phase?: string;
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
  };
}
const file = process.env.KUBECONFIG;
if (file === undefined) throw new Error('KUBECONFIG must name the cluster');
const config = parse(readFileSync(file, 'utf8')) as ConfigFile;
const server = config.clusters[0]?.cluster.server ?? '';
const user = config.users[0]?.user ?? {};
function pem(fields: Fields | undefined, name: string): Buffer | undefined {
  const [data, path] = [fields?.[`${name}-data`], fields?.[name]];
  if (data !== undefined) return Buffer.from(data, 'base64');
  return path === undefined ? undefined : readFileSync(path);
}
const agent = new Agent({
  ca: pem(config.clusters[0]?.cluster, 'certificate-authority'),
  cert: pem(user, 'client-certificate'),
  key: pem(user, 'client-key'),
  keepAlive: true,
});
const headers = {
  accept: 'application/json',
  'content-type': 'application/json',
  ...(user.token === undefined ? {} : { authorization: `Bearer ${user.token}` }),
};

function ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Described> {
  return new Promise((resolve, reject) => {
    const r = request(server + path, { method, agent, headers: { ...headers, 'content-type': type } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (s: string) => {
        text += s;
      });
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) < 400) resolve(JSON.parse(text) as Described);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`));
      });
    });
    r.on('error', reject);
    r.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Follows a collection; `see` gets each object as it comes. Gives a function that ends it. */
function watch(path: string, see: (o: Described) => void): () => void {
  const r = request(`${server + path}?watch=1`, { agent, headers }, (answer) => {
    createInterface({ input: answer })
      .on('line', (line) => see((JSON.parse(line) as { object: Described }).object))
      .on('error', () => undefined);
  });
  r.on('error', () => undefined);
  r.end();
  return () => r.destroy();
}

const NS = values.namespace;
const PODS = `/api/v1/namespaces/${NS}/pods`;
const DEPLOYMENTS = `/apis/apps/v1/namespaces/${NS}/deployments`;
const template = { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: values.image }] };
/** What nothing here may take: the cluster doesn't do it then. */
const MS_MAX = 600_000;

/** Creates pods at the same time; milliseconds from each request to its pod's Running. */
async function run(names: readonly string[], running: Map<string, () => void>): Promise<number[]> {
  return Promise.all(
    names.map(async (name) => {
      const up = new Promise<void>((done, fail) => {
        running.set(name, done);
        setTimeout(() => fail(new Error(`${name} isn't Running after ${MS_MAX / 1000} s`)), MS_MAX).unref();
      });
      const begun = performance.now();
      await ask('POST', PODS, { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: template });
      await up;
      return performance.now() - begun;
    }),
  );
}

const seconds = (ms: number | undefined) => `${((ms ?? Number.NaN) / 1000).toFixed(2)} s`;
function say(what: string, ms: number[]): void {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (part: number) => seconds(sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]);
  console.log(`${what}: p50 ${at(0.5)}, max ${at(1)}`);
}

async function pods(): Promise<void> {
  const running = new Map<string, () => void>();
  const end = watch(PODS, (o) => {
    if (o.status?.phase === 'Running') running.get(o.metadata.name)?.();
  });
  const [one, burst] = [Number(values.one), Number(values.burst)];
  const each: number[] = [];
  for (let i = 0; i < one; i++) each.push(...(await run([`one-${i}`], running)));
  if (one > 0) say(`${one} pods one by one, create to Running`, each);
  const names = Array.from({ length: burst }, (_, i) => `burst-${i}`);
  if (burst > 0) say(`${burst} pods at once, create to Running`, await run(names, running));
  end();
  await ask('DELETE', PODS);
}

async function roll(replicas: number): Promise<void> {
  let told: (o: Described) => void = () => undefined;
  const end = watch(DEPLOYMENTS, (o) => told(o));
  const done = () =>
    new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error(`the Deployment isn't complete after ${MS_MAX / 1000} s`)), MS_MAX).unref();
      told = ({ metadata, status = {} }) => {
        const all = [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === replicas);
        if (all && (status.observedGeneration ?? 0) >= (metadata.generation ?? 0)) resolve();
      };
    });
  const labels = { app: 'roll' };
  const spec = { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: template } };
  let begun = performance.now();
  let complete = done();
  await ask('POST', DEPLOYMENTS, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'roll' }, spec });
  await complete;
  console.log(`Deployment of ${replicas} pods, create to all available: ${seconds(performance.now() - begun)}`);
  const patch = { spec: { template: { metadata: { annotations: { turn: '2' } } } } };
  begun = performance.now();
  const { metadata } = await ask('PATCH', `${DEPLOYMENTS}/roll`, patch, 'application/merge-patch+json');
  complete = done();
  const inner = told;
  told = (o) => {
    if ((o.metadata.generation ?? 0) >= (metadata.generation ?? 0)) inner(o);
  };
  await complete;
  console.log(`rolling update of ${replicas} pods (25 % surge and unavailable): ${seconds(performance.now() - begun)}`);
  end();
}

await ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
try {
  // Pods are refused until their namespace has its ServiceAccount.
  for (let left = 50; left > 0; left--) {
    if (
      await ask('GET', `/api/v1/namespaces/${NS}/serviceaccounts/default`).then(
        () => true,
        () => left === 1,
      )
    )
      break;
    await new Promise((r) => setTimeout(r, 100));
  }
  await pods();
  if (Number(values.roll) > 0) await roll(Number(values.roll));
} finally {
  await ask('DELETE', `/api/v1/namespaces/${NS}`);
}
process.exit(0);
