import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane, type Workerd } from './start.ts';

// Controllers in workerd as their own ServiceAccounts: what upstream's roles allow each is enough for what it does.

let workerd: Workerd;
interface Item {
  metadata: {
    name: string;
    finalizers?: string[];
    deletionTimestamp?: string;
    ownerReferences?: { name: string }[];
  };
  status?: { phase?: string; conditions?: { type: string; status: string }[]; active?: unknown[] };
  endpoints?: { addresses: string[]; conditions: { ready: boolean } }[];
  subsets?: { addresses?: { ip: string }[] }[];
  reason?: string;
  message?: string;
}
async function newCluster(name: string) {
  const made = await fetch(`${workerd.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator', 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name } }),
  });
  const { status } = (await made.json()) as { status: { url: string; adminToken: string } };
  const send = (method: string, path: string, body?: object, type = 'application/json') =>
    fetch(status.url + path, {
      method,
      headers: { authorization: `Bearer ${status.adminToken}`, 'content-type': type },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const ask = async (method: string, path: string, body?: object, type?: string): Promise<Item> => {
    const answer = await send(method, path, body, type);
    const text = await answer.text();
    assert.ok(answer.status < 300, `${method} ${path}: ${text}`);
    return JSON.parse(text) as Item;
  };
  return {
    ask,
    status: async (path: string) => {
      const answer = await send('GET', path);
      await answer.text();
      return answer.status;
    },
    get: (path: string) => ask('GET', path),
    list: async (path: string) => ((await ask('GET', path)) as unknown as { items: Item[] }).items,
    merge: (path: string, body: object) => ask('PATCH', path, body, 'application/merge-patch+json'),
  };
}
type Cluster = Awaited<ReturnType<typeof newCluster>>;

async function until(what: string, test: () => Promise<boolean>, ms = 60_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await test().catch(() => false))) {
    if (Date.now() > end) throw new Error(`in ${ms} ms it did not come to be that ${what}`);
    await delay(20);
  }
}
const CORE = '/api/v1/namespaces/default';
const PODS = `${CORE}/pods`;
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const CRONS = '/apis/batch/v1/namespaces/default/cronjobs';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const ours = async (c: Cluster) => (await c.list(SLICES)).filter((s) => s.metadata.name !== 'kubernetes');
const template = (labels: object, more: object = {}) => ({
  metadata: { labels },
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }], ...more },
});
const pod = (name: string, labels: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { ...template({}).spec, nodeName: 'n', ...more },
});
async function withNode(name: string): Promise<Cluster> {
  const c = await newCluster(name);
  await until('its account is there', async () => (await c.status(`${CORE}/serviceaccounts/default`)) === 200);
  await c.ask('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
  return c;
}
const phase = (c: Cluster, name: string, to: string, ip = '10.0.0.1') =>
  c.merge(`${PODS}/${name}/status`, {
    status: {
      phase: to,
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: to === 'Running' ? 'True' : 'False' }],
    },
  });
const is = (o: Item, type: string) =>
  o.status?.conditions?.some((x) => x.type === type && x.status === 'True') ?? false;

describe('controllers in workerd', { concurrency: true }, () => {
  before(async () => {
    workerd = await startControlPlane();
  });
  after(() => workerd?.stop());

  it("a Service's pods are its endpoints; what is mirrored follows; all go with it", async () => {
    const c = await withNode('slices');
    const ports = [{ port: 80, targetPort: 8080 }];
    await c.ask('POST', PODS, pod('a', { app: 'web' }));
    await phase(c, 'a', 'Running');
    await c.ask('POST', `${CORE}/services`, { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports } });
    await until('the pod is an endpoint', async () => (await ours(c))[0]?.endpoints?.[0]?.conditions.ready === true);
    await until(
      'also of the old kind',
      async () => (await c.get(`${CORE}/endpoints/web`)).subsets?.[0]?.addresses?.[0]?.ip === '10.0.0.1',
    );
    await c.ask('POST', `${CORE}/services`, { metadata: { name: 'bare' }, spec: { ports } });
    await c.ask('POST', `${CORE}/endpoints`, {
      metadata: { name: 'bare' },
      subsets: [{ addresses: [{ ip: '10.9.9.9' }], ports: [{ port: 80 }] }],
    });
    await until('it is mirrored', async () =>
      (await ours(c)).some((s) => s.endpoints?.[0]?.addresses[0] === '10.9.9.9'),
    );
    for (const name of ['web', 'bare']) await c.ask('DELETE', `${CORE}/services/${name}`);
    await until('nothing is left', async () => (await ours(c)).length === 0);
  });

  it('a Job runs to its end and goes; a CronJob makes one in its minute', async () => {
    const c = await withNode('jobs');
    await c.ask('POST', CRONS, {
      metadata: { name: 'c' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template({}) } } },
    });
    await c.ask('POST', JOBS, {
      metadata: { name: 'j' },
      spec: { ttlSecondsAfterFinished: 1, template: template({}, { nodeName: 'n' }) },
    });
    await until('it has a pod', async () => (await c.list(PODS)).length > 0);
    const [first] = await c.list(PODS);
    await phase(c, first?.metadata.name ?? '', 'Succeeded');
    await until(
      'it is complete or gone',
      async () => (await c.status(`${JOBS}/j`)) === 404 || is(await c.get(`${JOBS}/j`), 'Complete'),
    );
    await until(
      'it and its pod have gone',
      async () => (await c.status(`${JOBS}/j`)) === 404 && (await c.status(`${PODS}/${first?.metadata.name}`)) === 404,
    );
    await until(
      'the other was made',
      async () => ((await c.get(`${CRONS}/c`)).status?.active ?? []).length > 0,
      90_000,
    );
  });

  it('dependents go with their owner, before it, or stay without it', async () => {
    const c = await withNode('garbage');
    const map = async (name: string, owner?: Item & { metadata: { uid?: string } }) =>
      (await c.ask('POST', `${CORE}/configmaps`, {
        metadata: {
          name,
          ...(owner
            ? {
                ownerReferences: [
                  {
                    apiVersion: 'v1',
                    kind: 'ConfigMap',
                    name: owner.metadata.name,
                    uid: owner.metadata.uid,
                    blockOwnerDeletion: true,
                  },
                ],
              }
            : {}),
        },
      })) as Item & { metadata: { uid?: string } };
    for (const propagationPolicy of ['Background', 'Foreground', 'Orphan']) {
      const owner = await map(`owner-${propagationPolicy.toLowerCase()}`);
      await map(`child-${propagationPolicy.toLowerCase()}`, owner);
      await c.ask('DELETE', `${CORE}/configmaps/${owner.metadata.name}`, {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy,
      });
    }
    const names = async () =>
      (await c.list(`${CORE}/configmaps`)).map((m) => m.metadata.name).filter((n) => n !== 'kube-root-ca.crt');
    await until('only the orphan is left', async () => JSON.stringify(await names()) === '["child-orphan"]');
    assert.equal((await c.get(`${CORE}/configmaps/child-orphan`)).metadata.ownerReferences, undefined);
  });

  it('a tainted node loses its pods', async () => {
    const c = await withNode('taints');
    await c.ask('POST', PODS, pod('a', {}));
    await c.ask('POST', PODS, pod('b', {}, { tolerations: [{ operator: 'Exists' }] }));
    await c.merge('/api/v1/nodes/n', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } });
    await until('one is evicted', async () => is(await c.get(`${PODS}/a`), 'DisruptionTarget'));
    await until('it is told so', async () =>
      (await c.list(`${CORE}/events`)).some((e) => e.reason === 'TaintManagerEviction'),
    );
    assert.equal((await c.get(`${PODS}/b`)).metadata.deletionTimestamp, undefined);
  });
});
