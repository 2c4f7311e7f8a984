import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './inside/fault.ts';
import { startControlPlane, type Workerd } from './start.ts';

let workerd: Workerd;

interface State {
  counts: Record<string, number>;
  faults: (Fault & { seen: number; answer?: { ok: boolean; lost?: string } })[];
  wakes: string[];
}
const state = async (w = workerd) => (await (await fetch(`${w.url}/test/state`)).json()) as State;
const tell = async (path: string, body: object, w = workerd) =>
  assert.equal((await fetch(`${w.url}/test/${path}`, { method: 'POST', body: JSON.stringify(body) })).status, 200);

interface Listed {
  metadata: { resourceVersion: string };
  items: { metadata: { name: string }; reason?: string; message?: string }[];
}
/** A cluster through the tenancy API, used as its administrator. */
async function newCluster(name: string, w = workerd) {
  const made = await fetch(`${w.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator', 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name } }),
  });
  const body = (await made.json()) as {
    metadata: { uid?: string };
    status: { url: string; adminToken: string; id?: string };
  };
  assert.equal(made.status, 201, JSON.stringify(body));
  const { url, adminToken } = body.status;
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  const ask = (path: string, init: { method?: string; body?: object } = {}) =>
    fetch(url + path, {
      headers,
      ...(init.method ? { method: init.method } : {}),
      ...(init.body ? { body: JSON.stringify(init.body) } : {}),
    });
  const list = async (path: string) => (await (await ask(path)).json()) as Listed;
  return { id: url.slice(url.lastIndexOf('/') + 1), ask, list };
}
type Cluster = Awaited<ReturnType<typeof newCluster>>;

const PODS = '/api/v1/namespaces/default/pods';
const SETS = '/apis/apps/v1/namespaces/default/replicasets';
const labels = { app: 'web' };
const set = (replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

/** Looks until it is so. */
async function until(what: string, test: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await test().catch(() => false))) {
    if (Date.now() > end) throw new Error(`in ${ms} ms it did not come to be that ${what}`);
    await delay(10);
  }
}
const podsOf = async (c: Cluster) => (await c.list(PODS)).items.length;
/** The default ServiceAccount is there, and whatever the loops do at first is done. */
const ready = (c: Cluster) =>
  until(
    'the namespace has its account',
    async () => (await c.ask('/api/v1/namespaces/default/serviceaccounts/default')).ok,
  );
async function apply(c: Cluster, replicas: number): Promise<string> {
  const { resourceVersion } = (await c.list(PODS)).metadata;
  const made = await c.ask(SETS, { method: 'POST', body: set(replicas) });
  assert.equal(made.status, 201);
  await made.text();
  return resourceVersion;
}
/** What became of pods since a revision: `ADDED` -> how often. */
async function history(c: Cluster, since: string): Promise<Record<string, number>> {
  const text = await (await c.ask(`${PODS}?watch=1&timeoutSeconds=1&resourceVersion=${since}`)).text();
  const found: Record<string, number> = {};
  for (const line of text.split('\n').filter(Boolean)) {
    const { type } = JSON.parse(line) as { type: string };
    if (type !== 'MODIFIED') found[type] = (found[type] ?? 0) + 1;
  }
  return found;
}
const settled = async (c: Cluster, replicas: number) => {
  const s = (await (await c.ask(`${SETS}/web`)).json()) as { status?: { replicas?: number } };
  return s.status?.replicas === replicas && (await podsOf(c)) === replicas;
};

/** The two replicas of a loop take turns; a lease is 15 s. */
const LEASE_MS = 15_000;

/** The platform puts an object to sleep after some 10 s without requests, timers and sockets. */
const QUIET_MS = 15_000;

describe('loops in workerd', { concurrency: true }, () => {
  before(async () => {
    workerd = await startControlPlane();
  });
  after(() => workerd?.stop());

  const failing = [
    { how: 'die', what: 'dies while it makes pods' },
    { how: 'hang', what: 'hangs while it makes pods' },
  ] as const;
  for (const { how, what } of failing) {
    it(`the standby finishes once the lease is over where the active loop ${what}`, async () => {
      const c = await newCluster(`active-${how}`);
      await ready(c);
      const loop = `${c.id}/controllers/0`;
      const store = c.id;
      await tell('fault', { loop, store, nth: 8, how });
      const began = Date.now();
      const since = await apply(c, 20);
      await until('all pods are there', () => settled(c, 20));
      const took = Date.now() - began;
      assert.ok(took > LEASE_MS - 3_000 && took < LEASE_MS + 5_000, `the standby took over after ${took} ms`);
      const fault = async () => (await state()).faults.find((f) => f.store === store && f.loop === loop);
      assert.equal((await fault())?.seen, 8);
      if (how === 'hang') {
        // The commit that hung goes off now, under an epoch that is over.
        await tell('release', { store });
        await until('the late commit has its answer', async () => (await fault())?.answer !== undefined);
        assert.deepEqual((await fault())?.answer, { ok: false, lost: 'fence' });
      }
      assert.deepEqual(await history(c, since), { ADDED: 20 }, 'each pod was made once');
      const { items } = await c.list('/api/v1/namespaces/default/events');
      const created = items.filter((e) => e.reason === 'SuccessfulCreate').map((e) => e.message);
      assert.equal(new Set(created).size, created.length, 'no pod is told of twice');
      assert.ok(created.length >= 19, `${created.length} of 20 pods are told of`);
    });
  }

  it('pods are made while the telling of one hangs', async () => {
    const c = await newCluster('telling');
    await ready(c);
    const fault = { loop: `${c.id}/controllers/0`, store: `${c.id}/events`, nth: 8, how: 'hang' } as const;
    await tell('fault', fault);
    const since = await apply(c, 20);
    await until('all pods are there', () => settled(c, 20), LEASE_MS - 3_000);
    assert.deepEqual(await history(c, since), { ADDED: 20 });
    await tell('release', { store: fault.store });
    await until('each is told of once', async () => {
      const { items } = await c.list('/api/v1/namespaces/default/events');
      const created = items.filter((e) => e.reason === 'SuccessfulCreate').map((e) => e.message);
      assert.equal(new Set(created).size, created.length, 'no pod is told of twice');
      return created.length === 20;
    });
  });

  it('a wake-up that got lost is made good by the alarm of the store, to the next replica', async () => {
    const c = await newCluster('lost');
    await ready(c);
    await until('the loops have told that they are done', async () => {
      const { wakes } = await state();
      await delay(300);
      return (await state()).wakes.length === wakes.length;
    });
    const mine = async () => (await state()).wakes.filter((w) => w.startsWith(`${c.id}/controllers/`));
    const before = await mine();
    await tell('lose', { loop: `${c.id}/controllers`, times: 1 });
    const began = Date.now();
    const since = await apply(c, 5);
    await until('all pods are there', () => settled(c, 5));
    const took = Date.now() - began;
    assert.ok(took > 4_500 && took < 15_000, `the alarm came after ${took} ms`);
    assert.deepEqual((await mine()).slice(before.length, before.length + 2), [
      `${c.id}/controllers/0`,
      `${c.id}/controllers/1`,
    ]);
    assert.deepEqual(await history(c, since), { ADDED: 5 });
  });

  it('a namespace is emptied, tells what holds it, and goes when nothing does', async () => {
    const c = await newCluster('namespace');
    const [held, ns] = ['/api/v1/namespaces/a/configmaps/held', '/api/v1/namespaces/a'];
    const post = async (path: string, body: object) => (await c.ask(path, { method: 'POST', body })).status;
    assert.equal(await post('/api/v1/namespaces', { metadata: { name: 'a' } }), 201);
    await until('it has its account', async () => (await c.ask(`${ns}/serviceaccounts/default`)).ok);
    const maps = `${ns}/configmaps`;
    assert.equal(await post(maps, { metadata: { name: 'held', finalizers: ['example.com/x'] } }), 201);
    assert.equal(await post(maps, { metadata: { name: 'free' } }), 201);
    await (await c.ask(ns, { method: 'DELETE' })).text();
    const remaining = async () => {
      const { status } = (await (await c.ask(ns)).json()) as {
        status: { conditions?: { type: string; message: string }[] };
      };
      return status.conditions?.find((x) => x.type === 'NamespaceContentRemaining')?.message;
    };
    const message = 'Some resources are remaining: configmaps. has 1 resource instances';
    await until('it says what remains', async () => (await remaining()) === message);
    assert.equal((await c.ask(`${ns}/serviceaccounts/default`)).status, 404);
    const body = (await (await c.ask(held)).json()) as { metadata: { finalizers?: string[] } };
    delete body.metadata.finalizers;
    assert.equal((await c.ask(held, { method: 'PUT', body })).status, 200);
    await until('it is gone', async () => (await c.ask(ns)).status === 404);
  });

  it('a pod is bound; one that finds no room is told so; a more important one has room made for it', async () => {
    const c = await newCluster('scheduling');
    await ready(c);
    const post = async (path: string, body: object) => {
      const answer = await c.ask(path, { method: 'POST', body });
      assert.equal(answer.status, 201, await answer.text());
    };
    const now = new Date().toISOString().replace(/\..*/, 'Z');
    const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now }];
    await post('/api/v1/nodes', {
      metadata: { name: 'n' },
      status: { conditions, allocatable: { cpu: '4', memory: '8Gi', pods: '10' } },
    });
    const pod = (name: string, more: object = {}) =>
      post(PODS, {
        metadata: { name },
        spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '3' } } }], ...more },
      });
    interface Shown {
      metadata: { deletionTimestamp?: string };
      spec: { nodeName?: string };
      status: { nominatedNodeName?: string; conditions?: { type: string; status: string; message?: string }[] };
    }
    const get = async (name: string) => (await (await c.ask(`${PODS}/${name}`)).json()) as Shown;
    await pod('first');
    await until('it is bound', async () => (await get('first')).spec.nodeName === 'n');
    await pod('second');
    const message = async () =>
      (await get('second')).status.conditions?.find((x) => x.type === 'PodScheduled')?.message;
    const full =
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
    await until('it is told why', async () => (await message()) === full);
    const events = async () => {
      const { items } = await c.list('/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=second');
      return items.map((e) => `${e.reason} ${e.message}`);
    };
    await until('an event tells of it', async () => (await events()).includes(`FailedScheduling ${full}`));
    await post('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 1000 });
    await pod('third', { priorityClassName: 'high' });
    await until('the first is to go', async () => (await get('first')).metadata.deletionTimestamp !== undefined);
    await until('its room is promised', async () => (await get('third')).status.nominatedNodeName === 'n');
    await (await c.ask(`${PODS}/first`, { method: 'DELETE', body: { gracePeriodSeconds: 0 } })).text();
    await until('the third is bound', async () => (await get('third')).spec.nodeName === 'n');
    assert.equal((await get('second')).spec.nodeName, undefined);
  });

  it("pods that are no one's here wake no loop and cost it no call", async () => {
    const c = await newCluster('nobodys');
    await ready(c);
    const of = async () => {
      const { counts, wakes } = await state();
      const calls = Object.entries(counts).filter(([name]) => name.startsWith(`Loop ${c.id}/`));
      return { calls, wakes: wakes.filter((w) => w.startsWith(`${c.id}/`)).length };
    };
    await until('the loops are done', async () => {
      const now = JSON.stringify(await of());
      await delay(500);
      return now === JSON.stringify(await of());
    });
    const before = await of();
    const spec = { schedulerName: 'none', containers: [{ name: 'c', image: 'i' }] };
    for (let i = 0; i < 10; i++) {
      const made = await c.ask(PODS, { method: 'POST', body: { metadata: { name: `p${i}` }, spec } });
      assert.equal(made.status, 201, await made.text());
      await (await c.ask(`${PODS}/p${i}`, { method: 'DELETE' })).text();
    }
    assert.deepEqual(await of(), before);
    // One without a scheduler's name is ours: one wake-up, however few calls.
    const ours = { metadata: { name: 'ours' }, spec: { ...spec, schedulerName: undefined } };
    await (await c.ask(PODS, { method: 'POST', body: ours })).text();
    await until('it is told that there is no node', async () => {
      const { status } = (await (await c.ask(`${PODS}/ours`)).json()) as {
        status: { conditions?: { message?: string }[] };
      };
      return status.conditions?.some((x) => x.message === 'no nodes available to schedule pods') ?? false;
    });
  });

  it('a workerd that is killed again and again while it makes pods has made exactly as many in the end', async (t) => {
    const w = await startControlPlane();
    t.after(() => w.stop());
    const c = await newCluster('killed', w);
    await ready(c);
    let since = '';
    for (const nth of [20, 15]) {
      const hang = { loop: `${c.id}/controllers/0`, store: c.id, nth, how: 'hang' } as const;
      await tell('fault', hang, w);
      if (since === '') since = await apply(c, 50);
      await until('the loop is in the middle', async () => (await state(w)).faults[0]?.seen === nth);
      await w.restart();
    }
    const made = await podsOf(c);
    assert.ok(made > 20 && made < 50, `${made} pods after two kills`);
    await until('all pods are there', () => settled(c, 50));
    assert.deepEqual(await history(c, since), { ADDED: 50 });
  });

  it("a quiet cluster's objects sleep: nothing runs, and they are made anew for the next request", async (t) => {
    const w = await startControlPlane();
    t.after(() => w.stop());
    const c = await newCluster('quiet', w);
    await ready(c);
    await apply(c, 3);
    await until('all pods are there', () => settled(c, 3));
    // What the last writes woke comes to its end.
    const busy = async () => JSON.stringify((await state(w)).counts);
    await until('the loops are done', async () => {
      const now = await busy();
      await delay(1_000);
      return now === (await busy());
    });
    const before = (await state(w)).counts;
    await delay(QUIET_MS);
    assert.deepEqual((await state(w)).counts, before, 'something ran while nothing was to do');
    await c.list(PODS);
    const after = (await state(w)).counts;
    const made = `TenantStore ${c.id} made`;
    assert.equal(after[made], (before[made] ?? 0) + 1, 'the store had not slept');
    // A write wakes what it concerns, and no more.
    await (await c.ask(`${SETS}/web`, { method: 'DELETE' })).text();
    const loop = `Loop ${c.id}/controllers/0 made`;
    await until('the loop is made anew', async () => ((await state(w)).counts[loop] ?? 0) > (before[loop] ?? 0));
    assert.equal((await state(w)).counts['Directory endpoint made'], before['Directory endpoint made']);
  });
});
