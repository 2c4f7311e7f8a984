import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { watchMany } from './followed.ts';
import { connectNodes, liveObjects, pause } from './idle.ts';
import { digestOf } from './lists.ts';
import { CLUSTERS, type Cluster, type Server, startServer } from './server.ts';

/** Enough to see that nothing stays for each of them. */
const MANY = 30;
const NODES = 3;
/** workerd puts an object to sleep after some 10 s without work. */
const SLEEP_MS_MAX = 120_000;
/** ConfigMaps of 200 KB: more than an isolate keeps of a list. */
const LONG = 200;
/** V8 compiles what wakes a watch anew, and differently, after some 30,000 times. */
const WATCHES = 60;
const EVENTS = 1_500;
const EVENTS_MS_MAX = 10_000;
/** The same goes for what gives a request its seat. */
const SEATED = 21_000;
const SEATED_AT_ONCE = 40;
/** Clients that stay, what they ask, and clients that go; a call whose carrier is lost is made anew after 10 s. */
const STAYING = 16;
const STAYED = 2_000;
const LEAVING = 4;
const LEFT_MS_MAX = 5_000;
const MAPS = '/api/v1/namespaces/default/configmaps';

const run = promisify(execFile);
let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const path = (c: Cluster, rest: string) => `/clusters/${c.id}${rest}`;
const configMap = (name: string, text = '') => JSON.stringify({ metadata: { name }, data: { text } });
async function json<T>(c: Cluster, rest: string): Promise<T> {
  const r = await server.ask(path(c, rest), c.token);
  assert.equal(r.code, 200, r.text);
  return JSON.parse(r.text) as T;
}
interface Listed {
  items: { metadata: { name: string; namespace: string; resourceVersion: string } }[];
}
const namesOf = (l: Listed) => l.items.map((i) => `${i.metadata.namespace}/${i.metadata.name}`);

test('quiet clusters sleep: with nodes connected and watches open no store, loop or tunnel of theirs stays awake', async (t) => {
  const clusters: Cluster[] = [];
  for (let i = 0; i < MANY; i++) clusters.push(await server.create(`quiet-${i}`));
  const born = await liveObjects(server);
  assert.equal(born.Loop, 0, 'a new cluster wakes no loop');
  t.after(await connectNodes(server, clusters.slice(0, NODES)));
  // Each object has its moments: a tunnel looks each half minute whether its node is there. None is awake all the time.
  const seen: Record<string, number>[] = [];
  for (const end = Date.now() + SLEEP_MS_MAX; Date.now() < end; await pause(3_000)) {
    const live = await liveObjects(server);
    seen.push(live);
    if (live.TenantStore === 0 && live.Loop === 0 && live.NodeTunnel === 0) break;
  }
  const last = seen.at(-1);
  assert.deepEqual([last?.TenantStore, last?.Loop, last?.NodeTunnel], [0, 0, 0], JSON.stringify(seen.slice(-5)));
  const [first] = clusters;
  assert.ok(first);
  const leases = await json<{ items: { spec: { renewTime: string } }[] }>(
    first,
    '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
  );
  const age = Date.now() - Date.parse(leases.items[0]?.spec.renewTime ?? '');
  assert.ok(age < 40_000, `the Lease of a connected node was renewed ${age} ms ago`);
});

test('a new cluster begins with what its loops would write: when they wake they leave it as it is', async () => {
  const c = await server.create('begins');
  const all = async () => ({
    accounts: await json<Listed>(c, '/api/v1/serviceaccounts'),
    maps: await json<Listed>(c, '/api/v1/configmaps'),
    services: await json<Listed>(c, '/api/v1/services'),
  });
  const born = await all();
  const namespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
  assert.deepEqual(
    namesOf(born.accounts),
    namespaces.map((n) => `${n}/default`),
  );
  assert.deepEqual(
    namesOf(born.maps),
    namespaces.map((n) => `${n}/kube-root-ca.crt`),
  );
  assert.deepEqual(namesOf(born.services), ['default/kubernetes', 'kube-system/kube-dns']);
  const body = JSON.stringify({ metadata: { name: 'woken' } });
  await server.ask(path(c, '/api/v1/namespaces'), c.token, { method: 'POST', body });
  for (;;) {
    const now = await all();
    if (!namesOf(now.accounts).includes('woken/default') || !namesOf(now.maps).includes('woken/kube-root-ca.crt')) {
      await pause(50);
      continue;
    }
    const old = (l: Listed) => l.items.filter((i) => i.metadata.namespace !== 'woken').map((i) => i.metadata);
    assert.deepEqual(old(now.accounts), old(born.accounts));
    assert.deepEqual(old(now.maps), old(born.maps));
    assert.deepEqual(old(now.services), old(born.services));
    return;
  }
});

test('a cluster at its limit of objects is told so and can still delete; its neighbour notices nothing', async () => {
  const c = await server.create('full', { limits: { objects: 18 } });
  const neighbour = await server.create('neighbour');
  const create = (of: Cluster, name: string) =>
    server.ask(path(of, MAPS), of.token, { method: 'POST', body: configMap(name) });
  let refused = await create(c, 'a');
  assert.equal(refused.code, 201);
  for (let i = 0; refused.code === 201; i++) refused = await create(c, `b-${i}`);
  const status = JSON.parse(refused.text) as { reason: string; message: string };
  assert.deepEqual([refused.code, status.reason], [403, 'Forbidden']);
  assert.match(
    status.message,
    /exceeded quota: cluster-limits, requested: objects=1, used: objects=18, limited: objects=18/,
  );
  assert.equal((await create(neighbour, 'a')).code, 201);
  assert.equal((await server.ask(path(c, `${MAPS}/a`), c.token, { method: 'DELETE' })).code, 200);
  assert.equal((await create(c, 'again')).code, 201);
});

test('limits can be changed while the cluster runs, and say what is used', async () => {
  const c = await server.create('changing');
  const limits = async (spec: object) => {
    const r = await server.ask(`${CLUSTERS}/changing/limits`, server.operator, {
      method: 'PUT',
      body: JSON.stringify({ spec }),
    });
    return { code: r.code, body: JSON.parse(r.text) as { spec?: object; status?: { hard: Record<string, number> } } };
  };
  const set = await limits({ bytes: 20_000, watches: 1 });
  assert.deepEqual([set.code, set.body.spec], [200, { bytes: 20_000, watches: 1 }]);
  assert.equal(set.body.status?.hard.objects, 100_000);
  const big = await server.ask(path(c, MAPS), c.token, { method: 'POST', body: configMap('big', 'x'.repeat(20_000)) });
  assert.equal(big.code, 403, big.text);
  assert.match(big.text, /limited: bytes=20000/);
  const watch = () => server.ask(path(c, `${MAPS}?watch=1&resourceVersion=1000&timeoutSeconds=2`), c.token);
  const open = server.ask(path(c, `${MAPS}?watch=1&timeoutSeconds=3`), c.token);
  let second = await watch();
  for (; second.code !== 429; second = await watch()) await pause(20);
  assert.match(second.text, /"reason":"TooManyRequests"/);
  assert.equal(second.headers['retry-after'], '1');
  assert.equal((await open).code, 200);
  assert.equal((await limits({ unknown: 1 })).code, 400);
});

test('coracle cluster limits shows what a cluster may use and uses, sets what is given and names what it does not know', async () => {
  await server.create('cli');
  const coracle = (...args: string[]) =>
    run(process.execPath, ['--disable-warning=ExperimentalWarning', 'cli/main.ts', 'cluster', 'limits', ...args], {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, CORACLE_HOME: server.home },
    });
  writeFileSync(join(server.home, 'url'), server.url);
  assert.match((await coracle('cli')).stdout, /^objects +\d+ of 100000 \(default\)$/m);
  const set = (await coracle('cli', 'objects=500', 'watches=7')).stdout;
  assert.match(set, /^objects +\d+ of 500$/m);
  assert.match((await coracle('cli', 'watches=default')).stdout, /^watches +0 of 2000 \(default\)$/m);
  await assert.rejects(coracle('cli', 'objects=many'), /objects=many is not LIMIT=N or LIMIT=default/);
  await assert.rejects(
    coracle('cli', 'pods=3'),
    /there is no limit pods; there are objects, bytes, watches, requests, crds\n/,
  );
  await assert.rejects(coracle('cli', 'objects=0'), /objects=0 is not LIMIT=N or LIMIT=default/);
});

test('beyond its rate a cluster gets 429 with Retry-After; its neighbour is served', async () => {
  const c = await server.create('fast', { limits: { requests: 2 } });
  const neighbour = await server.create('slow');
  const get = (of: Cluster) => server.ask(path(of, '/api/v1/namespaces/default'), of.token);
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(c)));
  const refused = answers.filter((a) => a.code === 429);
  assert.ok(refused.length > 0 && answers.some((a) => a.code === 200));
  assert.equal(refused[0]?.headers['retry-after'], '1');
  assert.match(refused[0]?.text ?? '', /too many requests, please try again later/);
  assert.equal((await get(neighbour)).code, 200);
});

test('who sends a body that nobody wants hears why, and not that the connection has ended', async () => {
  const c = await server.create('sends');
  /** As Go's client: what it can't write fails the request, before any answer. */
  const post = async (megabytes: number, token = c.token): Promise<string> => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port), ca: server.ca });
    const write = (part: string) =>
      new Promise<void>((resolve, reject) => {
        socket.write(part, (error) => (error ? reject(error) : resolve()));
      });
    const answer = once(socket, 'data').then(([data]) => String(data));
    answer.catch(() => undefined);
    try {
      const length = megabytes * 1_000_000;
      const head = ['host: x', `authorization: Bearer ${token}`, 'content-type: application/json'];
      await write(`POST ${path(c, MAPS)} HTTP/1.1\r\n${head.join('\r\n')}\r\ncontent-length: ${length}\r\n\r\n`);
      for (let i = 0; i < megabytes; i++) await write('x'.repeat(1_000_000));
      return await answer;
    } finally {
      socket.destroy();
    }
  };
  for (let i = 0; i < 3; i++) {
    assert.match(await post(12), /^HTTP\/1.1 413 /);
    assert.match(await post(3, 'nobody'), /^HTTP\/1.1 401 /);
  }
});

test('long lists whose pages are taken back while they are sent arrive whole, also several at once and to slow readers', async () => {
  const c = await server.create('long');
  const text = (i: number) => String(i).padStart(4, '0').repeat(50_000);
  for (let i = 0; i < LONG; i++) {
    const r = await server.ask(path(c, MAPS), c.token, { method: 'POST', body: configMap(`long-${i}`, text(i)) });
    assert.equal(r.code, 201, r.text);
  }
  const forms = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml'];
  const digests = await Promise.all(
    [0, 0, 5].flatMap((pauseMs) => forms.map((accept) => digestOf(server, c, path(c, MAPS), accept, pauseMs))),
  );
  for (const [i] of forms.entries())
    assert.equal(new Set(digests.filter((_, k) => k % forms.length === i)).size, 1, `${forms[i]}: ${digests}`);
  const listed = await json<{ items: { metadata: { name: string }; data: { text: string } }[] }>(c, MAPS);
  const items = listed.items.filter((o) => o.metadata.name.startsWith('long-'));
  const wrong = items.filter((o) => o.data.text !== text(Number(o.metadata.name.slice(5))));
  assert.deepEqual([items.length, wrong.length], [LONG, 0]);
});

test('each of many watches has each event, however long they and the process have run', async (t) => {
  const c = await server.create('followed');
  const { metadata } = await json<{ metadata: { resourceVersion: string } }>(c, MAPS);
  const watches = await watchMany(server, c, MAPS, metadata.resourceVersion, WATCHES);
  t.after(() => {
    for (const w of watches) w.close();
  });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  for (let i = 0; i < EVENTS; i++) {
    const r = await server.ask(path(c, MAPS), c.token, { method: 'POST', body: configMap(`e-${i}`), agent });
    assert.equal(r.code, 201, r.text);
  }
  for (const end = Date.now() + EVENTS_MS_MAX; watches.some((w) => w.lines < EVENTS) && Date.now() < end; )
    await pause(50);
  assert.deepEqual(
    watches.filter((w) => w.lines !== EVENTS).map((w) => w.lines),
    [],
  );
});

test('requests that wait for a seat beside busy neighbours are served, however often that happens', async (t) => {
  const clusters = await Promise.all(['busy-0', 'busy-1', 'busy-2'].map((name) => server.create(name)));
  const codes = new Map<number, number>();
  let left = SEATED;
  await Promise.all(
    clusters.map(async (c) => {
      const agent = new Agent({ keepAlive: true, maxSockets: SEATED_AT_ONCE });
      t.after(() => agent.destroy());
      const client = async () => {
        while (left-- > 0) {
          const { code } = await server.ask(path(c, '/api/v1/namespaces/default'), c.token, { agent });
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: SEATED_AT_ONCE }, client));
    }),
  );
  assert.deepEqual([...codes], [[200, SEATED]]);
});

test('clients that go in the midst of their requests leave nobody else waiting, and what others wrote is there', async (t) => {
  // A process of its own: where other clusters are busy a cluster has few seats, and who goes without a reset is worked for like any other.
  const server = await startServer();
  t.after(() => server.stop());
  const c = await server.create('leaving');
  const agent = new Agent({ keepAlive: true, maxSockets: STAYING });
  t.after(() => agent.destroy());
  let left = STAYED;
  let gone = 0;
  let longest = 0;
  // Each one goes up to 3 ms after it has asked: before, while and after its call is under way.
  const leaver = async () => {
    while (left > 0) {
      const name = `leaver-${gone++}`;
      const r = request({
        host: '127.0.0.1',
        port: server.port,
        ca: server.ca,
        path: path(c, MAPS),
        method: 'POST',
        agent: false,
      });
      r.setHeader('authorization', `Bearer ${c.token}`).setHeader('content-type', 'application/json');
      r.on('error', () => undefined);
      r.end(configMap(name));
      await once(r, 'finish');
      await pause(Math.random() * 3);
      r.destroy();
    }
  };
  const client = async (n: number) => {
    for (let i = 0; left-- > 0; i++) {
      const name = `stays-${n}-${i}`;
      const made = await server.ask(path(c, MAPS), c.token, { method: 'POST', body: configMap(name), agent });
      const got = await server.ask(path(c, `${MAPS}/${name}`), c.token, { agent });
      assert.deepEqual([made.code, got.code], [201, 200], made.text + got.text);
      longest = Math.max(longest, made.ms, got.ms);
    }
  };
  await Promise.all([
    ...Array.from({ length: LEAVING }, leaver),
    ...Array.from({ length: STAYING }, (_, n) => client(n)),
  ]);
  t.diagnostic(`${gone} went; the longest of ${2 * STAYED} requests took ${Math.round(longest)} ms`);
  assert.ok(gone > LEAVING, 'nobody went');
  assert.ok(longest < LEFT_MS_MAX, `a request took ${Math.round(longest)} ms`);
});
