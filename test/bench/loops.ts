/**
 * What scheduler and controllers cost for each pod: `node test/bench/loops.ts [PODS]` starts a workerd of its own for each kind of pod, makes, patches and deletes
 * PODS pods (default 1,000), and prints what the loops did for them (wake-ups, calls to store objects, SQLite rows), and the process's processor time a pod with loops
 * and without them (each wake-up lost).
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { optionsOf } from '../options.ts';
import { startControlPlane, type Workerd } from '../workerd/start.ts';

const HELP = `npm run bench:loops -- [PODS]

What scheduler and controllers cost for each pod: wake-ups, calls, SQLite rows, processor time with and without them (default 1,000 pods).`;
const { positionals: WORDS } = optionsOf(HELP, {});
const PODS = Number(WORDS[0] ?? 1_000);
const SERIAL = Math.ceil(PODS / 5);
const CLIENTS = 32;
/** Pods before the measured ones, so that whatever has to be compiled is. */
const WARM = 50;
/** Nothing has changed for so long: the loops are done. */
const QUIET_MS = 700;
const TICKS_PER_SECOND = 100;

type Meters = Record<string, { calls: number; read: number; written: number }>;
interface State {
  counts: Record<string, number>;
  wakes: string[];
  meters: Meters;
}
const state = async (w: Workerd) => (await (await fetch(`${w.url}/test/state`)).json()) as State;
const tell = async (w: Workerd, path: string, body: object) =>
  void (await (await fetch(`${w.url}/test/${path}`, { method: 'POST', body: JSON.stringify(body) })).text());

/** Seconds of processor time that a process has used. */
function cpu(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

type Get = (path: string) => Promise<unknown>;
type Ask = (method: string, path: string, body?: object) => Promise<void>;
/** About 6 KB, as those of the peer's bench. */
function pod(name: string, spec: object, metadata: object = {}): object {
  const env = Array.from({ length: 24 }, (_, i) => ({ name: `SETTING_${i}`, value: 'v'.repeat(40) }));
  const mounts = Array.from({ length: 8 }, (_, i) => ({ name: `config-${i}`, mountPath: `/etc/config-${i}` }));
  const volumes = mounts.map((m) => ({ name: m.name, configMap: { name: m.name } }));
  const resources = { requests: { cpu: '1m', memory: '1Mi' } };
  const containers = [{ name: 'main', image: 'example/web:1', env, volumeMounts: mounts, resources }];
  return {
    metadata: { name, labels: { app: 'bench' }, annotations: { note: 'a'.repeat(2048) }, ...metadata },
    spec: { automountServiceAccountToken: false, volumes, containers, ...spec },
  };
}
const PATH = '/api/v1/namespaces/default/pods';
const SETS = '/apis/apps/v1/namespaces/default/replicasets';

interface Case {
  what: string;
  nodes?: number;
  spec: object;
  /** An owner that no controller knows. */
  owned?: boolean;
  /** A ReplicaSet makes them, and deletes them again. */
  set?: boolean;
}
const cases: Case[] = [
  { what: "nobody's: another scheduler's, no owner", spec: { schedulerName: 'none' } },
  { what: 'waiting for a node: none there', spec: {} },
  { what: 'waiting for a node: 10 there', spec: {}, nodes: 10 },
  { what: 'with an owner that is no one here', spec: { schedulerName: 'none' }, owned: true },
  { what: 'of a ReplicaSet, made and deleted by it', spec: { schedulerName: 'none' }, set: true },
];

async function cluster(w: Workerd): Promise<{ id: string; ask: Ask; get: Get }> {
  const made = await fetch(`${w.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator', 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name: 'bench' } }),
  });
  const { status } = (await made.json()) as { status: { url: string; adminToken: string } };
  const headers = { authorization: `Bearer ${status.adminToken}` };
  const ask: Ask = async (method, path, body) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await fetch(status.url + path, {
      method,
      headers: { ...headers, 'content-type': type },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  };
  const get = async (path: string) => (await fetch(status.url + path, { headers })).json();
  return { id: status.url.slice(status.url.lastIndexOf('/') + 1), ask, get };
}

/** Runs f for 0..n-1 by so many clients; milliseconds. */
async function run(n: number, clients: number, f: (i: number) => Promise<void>): Promise<number> {
  let next = 0;
  const began = performance.now();
  const client = async () => {
    for (let i = next++; i < n; i = next++) await f(i);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return performance.now() - began;
}
async function quiet(w: Workerd): Promise<void> {
  for (let last = ''; ; await delay(QUIET_MS)) {
    const { counts } = await state(w);
    const now = JSON.stringify(counts);
    if (now === last) return;
    last = now;
  }
}

interface Times {
  writes: number;
  rates: string;
}
interface Result {
  cpuMs: number;
  rates: string;
  did: Record<string, number>;
}
const rate = (n: number, ms: number) => `${Math.round((n / ms) * 1000)}/s`;

/** Looks until a list has so many items. */
async function until(get: Get, path: string, items: number): Promise<void> {
  for (;;) {
    const list = (await get(path)) as { metadata: { remainingItemCount?: number }; items: object[] };
    if (list.items.length + (list.metadata.remainingItemCount ?? 0) === items) return;
    await delay(20);
  }
}

async function byClients(c: Case, loops: boolean, owner: object, ask: Ask, get: Get): Promise<Times> {
  const serial = await run(SERIAL, 1, (i) => ask('POST', PATH, pod(`s${i}`, c.spec, owner)));
  const create = await run(PODS, CLIENTS, (i) => ask('POST', PATH, pod(`p${i}`, c.spec, owner)));
  // Until each has its node, since the first of them was made.
  const bound = await run(1, 1, async () => {
    if (c.nodes && loops) await until(get, `${PATH}?limit=1&fieldSelector=spec.nodeName%3D`, 0);
  });
  const patch = await run(PODS, CLIENTS, (i) =>
    ask('PATCH', `${PATH}/p${i}`, { metadata: { annotations: { k: `${i}` } } }),
  );
  const remove = await run(PODS, CLIENTS, (i) => ask('DELETE', `${PATH}/p${i}`, { gracePeriodSeconds: 0 }));
  const rates = `serial create ${rate(SERIAL, serial)}, create ${rate(PODS, create)}, ${c.nodes && loops ? `bound ${rate(PODS, create + bound)}, ` : ''}patch ${rate(PODS, patch)}, delete ${rate(PODS, remove)}`;
  return { writes: 3 * PODS + SERIAL, rates };
}

async function bySet(c: Case, ask: Ask, get: Get): Promise<Times> {
  const labels = { app: 'web' };
  const { spec } = pod('', c.spec) as { spec: object };
  const template = { metadata: { labels }, spec };
  const set = { replicas: PODS, selector: { matchLabels: labels }, template };
  const create = await run(1, 1, async () => {
    await ask('POST', SETS, { metadata: { name: 'web' }, spec: set });
    await until(get, `${PATH}?limit=1`, PODS + WARM);
  });
  const remove = await run(1, 1, async () => {
    await ask('PATCH', `${SETS}/web`, { spec: { replicas: 0 } });
    await until(get, `${PATH}?limit=1`, WARM);
  });
  return { writes: 2 * PODS, rates: `create ${rate(PODS, create)}, delete ${rate(PODS, remove)}` };
}

async function measure(c: Case, loops: boolean, metering: boolean): Promise<Result> {
  const w = await startControlPlane();
  try {
    const { id, ask, get } = await cluster(w);
    while (((await get('/api/v1/namespaces/default/serviceaccounts/default')) as { kind: string }).kind === 'Status')
      await delay(50);
    const late = new Date(Date.now() + 3_600_000).toISOString().replace(/\..*/, 'Z');
    const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: late, lastTransitionTime: late }];
    for (let i = 0; i < (c.nodes ?? 0); i++)
      await ask('POST', '/api/v1/nodes', {
        metadata: { name: `n${i}` },
        status: { conditions, allocatable: { cpu: '64', memory: '64Gi', pods: '1000' } },
      });
    const owner = c.owned
      ? { ownerReferences: [{ apiVersion: 'x/v1', kind: 'X', name: 'x', uid: 'x', controller: true }] }
      : {};
    await quiet(w);
    if (!loops)
      for (const loop of ['controllers', 'scheduler']) await tell(w, 'lose', { loop: `${id}/${loop}`, times: 1e9 });
    await tell(w, 'meter', { on: metering });
    await run(WARM, 8, (i) => ask('POST', PATH, pod(`warm-${i}`, c.spec)));
    await quiet(w);
    await tell(w, 'meter', { on: metering });
    const before = await state(w);
    const cpu0 = cpu(w.pid());
    const times = c.set ? await bySet(c, ask, get) : await byClients(c, loops, owner, ask, get);
    await quiet(w);
    const used = cpu(w.pid()) - cpu0;
    const after = await state(w);
    const did: Record<string, number> = { wakes: after.wakes.length - before.wakes.length };
    for (const [name, n] of Object.entries(after.counts)) {
      const [, method] = /^Loop .* asks \S+ (\S+)$/.exec(name) ?? [];
      const more = n - (before.counts[name] ?? 0);
      if (method !== undefined && more > 0) did[method] = (did[method] ?? 0) + more;
    }
    if (metering)
      for (const [name, m] of Object.entries(after.meters)) {
        if (!name.startsWith('Loop')) continue;
        did.sqlCalls = (did.sqlCalls ?? 0) + m.calls;
        did.sqlRead = (did.sqlRead ?? 0) + m.read;
        did.sqlWritten = (did.sqlWritten ?? 0) + m.written;
      }
    return { cpuMs: (used * 1000) / times.writes, rates: times.rates, did };
  } finally {
    await w.stop();
  }
}

const only = process.argv[3];
for (const c of cases.filter((x) => only === undefined || x.what.includes(only))) {
  console.log(`\n${PODS} pods ${c.what}`);
  const { did } = await measure(c, true, true);
  console.log(
    `  the loops: ${Object.entries(did)
      .map(([k, n]) => `${k} ${n}`)
      .join(', ')}`,
  );
  for (const loops of c.set ? [true] : [true, false]) {
    const r = await measure(c, loops, false);
    console.log(
      `  ${loops ? 'with   ' : 'without'} loops: ${r.cpuMs.toFixed(2)} ms of processor time a write; ${r.rates}`,
    );
  }
}
