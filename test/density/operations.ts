import { randomBytes } from 'node:crypto';
import { CLUSTERS, type Cluster, type Server } from './server.ts';

/** Values of the large ConfigMap, of 1 MB together. */
const VALUES = 10_000;
const CONTAINERS = 50;
const REPLICAS = 300;
/** Until loops have done what was asked. */
const DONE_MS_MAX = 60_000;
const DONE_MS = 100;
const PATCH = 'application/merge-patch+json';
const APPLY = 'application/apply-patch+yaml';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
/** A watch that begins with what is there, and one that goes on from a revision; a second is enough to send it all. */
const WATCH_ALL =
  'watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
const watchFrom = (revision: number) => `watch=1&timeoutSeconds=1&resourceVersion=${revision}`;

/** Every kind of heavy request, by name; `round` makes names of its own. `c`: a cluster with many ConfigMaps in default. */
export function operations(s: Server, c: Cluster): Record<string, (round: number) => Promise<unknown>> {
  const base = `/clusters/${c.id}`;
  const own = `${CLUSTERS}/${c.name}`;
  const core = `${base}/api/v1/namespaces/default`;
  const maps = `${core}/configmaps`;
  const deployments = `${base}/apis/apps/v1/namespaces/default/deployments`;
  const asked = async (path: string, token: string, o: Parameters<Server['ask']>[2] = {}) => {
    const r = await s.ask(path, token, o);
    if (r.code >= 400) throw new Error(`${o.method ?? 'GET'} ${path}: ${r.code} ${r.text.slice(0, 300)}`);
    return r;
  };
  const ask = (path: string, o: Parameters<Server['ask']>[2] = {}) => asked(path, c.token, o);
  const operator = (path: string, method = 'GET', body?: object) =>
    asked(path, s.operator, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
  const patch = (path: string, type: string, body: string) => ask(path, { method: 'PATCH', type, body });
  const list = (accept: string) => () => ask(maps, { accept });
  const many = (n: number) => `${maps}/many-${n}`;
  const pods = async (n: number) =>
    JSON.parse((await ask(`${core}/pods?labelSelector=app%3Dweb-${n}`, { accept: 'application/json' })).text).items
      .length;
  const until = async (done: () => Promise<boolean>) => {
    for (const end = Date.now() + DONE_MS_MAX; !(await done()); ) {
      if (Date.now() > end) throw new Error('the loops did not get done');
      await new Promise((next) => setTimeout(next, DONE_MS));
    }
  };
  const revision = async () => Number(JSON.parse((await ask(`${maps}?limit=1`)).text).metadata.resourceVersion);
  let before = 0;
  /** A revision with all the ConfigMaps and without the large ones, where those were made. */
  const past = async () => {
    before ||= await revision();
    return before;
  };
  return {
    'create a cluster': (n) => s.create(`step-${n}`),
    'list 5,000 x 10 KB': list('application/json'),
    'list 5,000 x 10 KB, protobuf': list('application/vnd.kubernetes.protobuf'),
    'list 5,000 x 10 KB, Table': list(TABLE),
    'list 5,000 x 10 KB, YAML': list('application/yaml'),
    'list with a label selector that matches nothing': () => ask(`${maps}?labelSelector=a%3Db`),
    'watch that begins with 5,000 x 10 KB': () => ask(`${maps}?${WATCH_ALL}`),
    'create 1 MB in one value': (n) => ask(maps, { method: 'POST', body: bigMap(`one-${n}`, 1) }),
    'create 1 MB in 10,000 values': async (n) => {
      before = await revision();
      await ask(maps, { method: 'POST', body: bigMap(`many-${n}`, VALUES) });
    },
    'get it': (n) => ask(many(n)),
    'get it as YAML': (n) => ask(many(n), { accept: 'application/yaml' }),
    'get it as Table': (n) => ask(many(n), { accept: TABLE }),
    'update of it': (n) => ask(many(n), { method: 'PUT', body: bigMap(`many-${n}`, VALUES) }),
    'merge patch of it': (n) => patch(many(n), PATCH, '{"metadata":{"labels":{"a":"b"}}}'),
    'strategic merge patch of it': (n) =>
      patch(many(n), 'application/strategic-merge-patch+json', '{"metadata":{"labels":{"c":"d"}}}'),
    'JSON patch of it': (n) =>
      patch(many(n), 'application/json-patch+json', '[{"op":"add","path":"/data/more","value":"x"}]'),
    'apply of it': (n) => patch(`${many(n)}?fieldManager=m&force=true`, APPLY, bigMap(`many-${n}`, VALUES)),
    'apply of 1 MB of YAML': (n) => patch(`${maps}/yaml-${n}?fieldManager=m`, APPLY, yamlMap(`yaml-${n}`)),
    'watch from before these': async () => ask(`${maps}?${watchFrom(await past())}`),
    'list 5,000 x 10 KB, as it was before these': async () =>
      ask(`${maps}?resourceVersion=${await past()}&resourceVersionMatch=Exact`),
    'history of it': (n) => ask(`${base}/.coracle/v1/history?kind=configmap&namespace=default&name=many-${n}`),
    'delete it': (n) => ask(many(n), { method: 'DELETE' }),
    'create a pod of 50 containers': (n) => ask(`${core}/pods`, { method: 'POST', body: bigPod(`p${n}`) }),
    'apply of a pod of 50 containers': (n) =>
      patch(`${core}/pods/p${n}?fieldManager=m&force=true`, APPLY, bigPod(`p${n}`)),
    'a Deployment of 300 pods': async (n) => {
      await ask(deployments, { method: 'POST', body: deployment(`web-${n}`) });
      await until(async () => (await pods(n)) === REPLICAS);
    },
    'deletion of a Deployment of 300 pods': async (n) => {
      await ask(`${deployments}/web-${n}`, { method: 'DELETE' });
      await until(async () => (await pods(n)) === 0);
    },
    'a token of a ServiceAccount': () =>
      ask(`${core}/serviceaccounts/default/token`, {
        method: 'POST',
        body: '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}',
      }),
    'aggregated discovery': () => ask(`${base}/apis`, { accept: DISCOVERY }),
    'OpenAPI v2': () => ask(`${base}/openapi/v2`),
    'OpenAPI v3 of the core group': () => ask(`${base}/openapi/v3/api/v1`),
    'fork of the cluster': (n) => operator(`${own}/fork`, 'POST', { metadata: { name: `fork-${n}` } }),
    'backup of the cluster': () => operator(`${own}/backup`),
    'verification of the cluster': async () => {
      for (let next: string | undefined = ''; next !== undefined; ) {
        const spec: { continue?: string } = next === '' ? {} : { continue: next };
        next = JSON.parse((await operator(`${own}/verify`, 'POST', { spec })).text).status.continue;
      }
    },
    'restore of the cluster': async () => {
      await operator(`${own}/restore`, 'POST', { spec: { to: await past() } });
      await until(async () => JSON.parse((await operator(`${own}/restore`)).text).status.phase === 'Completed');
    },
    'delete all ConfigMaps of a namespace': () => ask(maps, { method: 'DELETE' }),
  };
}

const random = (units: number) => randomBytes(units / 2).toString('hex');

function bigMap(name: string, keys: number): string {
  const part = Math.floor((1024 * 1024) / keys);
  const data = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, random(part)]));
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
}

function yamlMap(name: string): string {
  let text = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n`;
  for (let i = 0; i < VALUES; i++) text += `  key-${i}: ${'y'.repeat(100)}\n`;
  return text;
}

const container = (i: number) => ({
  name: `c${i}`,
  image: 'a:1',
  env: Array.from({ length: 20 }, (_, n) => ({ name: `V${n}`, value: 'x'.repeat(50) })),
  resources: { requests: { cpu: '10m' } },
});
const bigPod = (name: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: Array.from({ length: CONTAINERS }, (_, i) => container(i)) },
  });

const deployment = (name: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [container(0)] } },
    },
  });
