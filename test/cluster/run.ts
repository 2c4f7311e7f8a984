import { atOnce } from '../../kube/meta/atonce.ts';
import { seeded } from '../fuzz/random.ts';
import { ask } from './http.ts';
import { compare, type Record, reused, seqOf, type Target, write } from './load.ts';
import { LOG, startNode, type TestNode } from './nodes.ts';
import type { TestInstance, TestSystem } from './system.ts';
import { startWatcher, type Watcher } from './watcher.ts';

/** Sequential writers of each cluster. */
const WRITERS = 2;
/** Clusters that are made or asked at once. */
const AT_ONCE = 8;
/** The issue's bound on an answer after a killed instance; another is made ready meanwhile. */
export const ANSWER_MS_MAX = 30_000;
/** Loops, tunnels and watches after that: a lease of a loop, a reconnect, an alarm. */
const SETTLE_MS_MAX = 90_000;
const PROBE_MS = 100;

/** Clusters under load. */
export interface Run {
  targets: Target[];
  /** Pods that each cluster's ReplicaSet is to have. */
  replicas: number;
  nodes: TestNode[];
  watchers: Watcher[];
  /** Times of one disturbance. */
  disturb(what: string, act: () => Promise<void>): Promise<Disturbance>;
  /** Raises the ReplicaSets by one and waits until all pods are there and bound, all tunnels are open and a log comes through. */
  settle(): Promise<number>;
  /** Ends the load and compares: everything that was lost, in words. */
  finish(): Promise<Outcome>;
}

export interface Disturbance {
  what: string;
  /** The longest time that each cluster didn't answer a write, in ms, sorted. */
  gaps: number[];
  /** Watch responses that ended meanwhile. */
  clean: number;
  broken: number;
}

export interface Outcome {
  acknowledged: number;
  unknown: number;
  events: number;
  lost: string[];
}

/** Makes `count` clusters with a node, a ReplicaSet, writers and a watcher each. */
export async function startRun(s: TestSystem, count: number, seed: number): Promise<Run> {
  const names = Array.from({ length: count }, (_, i) => `c${i + 1}`);
  const targets = await inTurns(names, (name) => makeCluster(s, name));
  const nodes = await inTurns(targets, (t) => startNode(t, s));
  const watchers = targets.map((t) => startWatcher(t, s.url, s.agent, s.over));
  const stop = new AbortController();
  const live = () => s.instances.filter((x) => x.running && x.ready).map((x) => x.url);
  const writers = targets.flatMap((t, i) =>
    Array.from({ length: WRITERS }, (_, k) => ({
      target: i,
      record: write(
        `w${k}`,
        t,
        s.agent,
        live,
        seeded(seed * 1000 + i * WRITERS + k).next,
        AbortSignal.any([stop.signal, s.over]),
      ),
    })),
  );
  const run: Run = {
    targets,
    replicas: 1,
    nodes,
    watchers,
    disturb: (what, act) => disturb(s, run, what, act),
    settle: () => settle(s, run),
    async finish() {
      stop.abort();
      const records = await Promise.all(writers.map(async (w) => ({ target: w.target, record: await w.record })));
      const out = await verify(s, run, records);
      await Promise.all([...watchers.map((w) => w.end()), ...nodes.map((n) => n.end())]);
      return out;
    },
  };
  return run;
}

async function makeCluster(s: TestSystem, name: string): Promise<Target> {
  const made = await ask(s.agent, 'POST', `${s.url}/apis/tenancy.coracle.dev/v1/clusters`, {
    token: s.token,
    body: { apiVersion: 'tenancy.coracle.dev/v1', kind: 'Cluster', metadata: { name } },
  });
  if (made.code !== 201) throw new Error(`cluster ${name}: ${made.code} ${JSON.stringify(made.body)}`);
  const { id, adminToken } = made.body.status as { id: string; adminToken: string };
  const target = { name, path: `/clusters/${id}`, token: adminToken };
  const labels = { app: 'x' };
  const post = (path: string, body: unknown) =>
    until(`${name}: POST ${path}`, async () =>
      [201, 409].includes((await ask(s.agent, 'POST', s.url + target.path + path, { token: adminToken, body })).code),
    );
  await post('/api/v1/namespaces/default/configmaps', { metadata: { name: 'probe' }, data: { seq: '0' } });
  await post('/apis/apps/v1/namespaces/default/replicasets', {
    metadata: { name: 'rs' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'none' }] } },
    },
  });
  return target;
}

/** Writes to every cluster without a pause while `act` runs and until each has answered after its end. */
async function disturb(s: TestSystem, run: Run, what: string, act: () => Promise<void>): Promise<Disturbance> {
  const count = () =>
    run.watchers.reduce((n, w) => ({ clean: n.clean + w.clean, broken: n.broken + w.broken }), { clean: 0, broken: 0 });
  const before = count();
  let over = false;
  const gaps = run.targets.map(() => 0);
  const probing = Promise.all(
    run.targets.map(async (t, i) => {
      for (let answered = Date.now(); ; ) {
        const last = over;
        const ok = await probe(s, t);
        const now = Date.now();
        if (ok || now - answered > ANSWER_MS_MAX * 3) {
          gaps[i] = Math.max(gaps[i] ?? 0, now - answered);
          if (last) return;
          await pause(PROBE_MS);
          answered = Date.now();
        } else await pause(PROBE_MS);
      }
    }),
  );
  await act();
  over = true;
  await probing;
  const after = count();
  return {
    what,
    gaps: gaps.sort((a, b) => a - b),
    clean: after.clean - before.clean,
    broken: after.broken - before.broken,
  };
}

async function probe(s: TestSystem, t: Target): Promise<boolean> {
  const url = `${s.url}${t.path}/api/v1/namespaces/default/configmaps/probe`;
  const body = { data: { at: String(Date.now()) } };
  const answer = await ask(s.agent, 'PATCH', url, {
    token: t.token,
    body,
    contentType: 'application/merge-patch+json',
  }).catch(() => null);
  return answer?.code === 200;
}

async function settle(s: TestSystem, run: Run): Promise<number> {
  const began = Date.now();
  run.replicas++;
  await inTurns(run.targets, (t) =>
    until(`${t.name}: the ReplicaSet is scaled`, async () => {
      const url = `${s.url}${t.path}/apis/apps/v1/namespaces/default/replicasets/rs`;
      const body = { spec: { replicas: run.replicas } };
      return (
        (await ask(s.agent, 'PATCH', url, { token: t.token, body, contentType: 'application/merge-patch+json' }))
          .code === 200
      );
    }),
  );
  await inTurns(run.targets, async (t, i) => {
    let pod = '';
    let found = '';
    await until(
      () => `${t.name}: ${run.replicas} pods are bound, there are ${found}`,
      async () => {
        const { body } = await ask(s.agent, 'GET', `${s.url}${t.path}/api/v1/namespaces/default/pods`, {
          token: t.token,
        });
        const pods = ((body.items ?? []) as { metadata: { name: string }; spec: { nodeName?: string } }[]).filter(
          (p) => p.spec.nodeName,
        );
        const all = ((body.items ?? []) as unknown[]).length;
        const node = (await ask(s.agent, 'GET', `${s.url}${t.path}/api/v1/nodes/node-${t.name}`, { token: t.token }))
          .body;
        found = `${all}, ${pods.length} of them bound; the node has ${JSON.stringify((node.spec as { taints?: unknown } | undefined)?.taints ?? [])}`;
        pod = pods[0]?.metadata.name ?? '';
        if (pods.length > run.replicas)
          throw new Error(`${t.name} has ${pods.length} pods, ${run.replicas} were asked for`);
        return pods.length === run.replicas;
      },
    );
    const node = run.nodes[i];
    await until(`${t.name}: the tunnel is open`, async () => node?.connected() === true);
    await until(`${t.name}: a log comes through the tunnel`, async () => {
      const answer = await ask(s.agent, 'GET', `${s.url}${t.path}/api/v1/namespaces/default/pods/${pod}/log`, {
        token: t.token,
      });
      return answer.code === 200 && answer.body.message === LOG;
    });
  });
  return Date.now() - began;
}

async function verify(s: TestSystem, run: Run, records: { target: number; record: Record }[]): Promise<Outcome> {
  const lost = [...records.flatMap((r) => r.record.violations), ...run.watchers.flatMap((w) => w.violations)];
  for (const [i, t] of run.targets.entries()) {
    const own = records.filter((r) => r.target === i).map((r) => r.record);
    let revision = 0;
    let items: { name: string; seq: number }[] = [];
    await until(`${t.name}: the list`, async () => {
      const url = `${s.url}${t.path}/api/v1/namespaces/default/configmaps`;
      const { code, body } = await ask(s.agent, 'GET', url, { token: t.token });
      revision = Number((body.metadata as { resourceVersion?: string } | undefined)?.resourceVersion);
      items = ((body.items ?? []) as { metadata: { name: string }; data?: unknown }[]).map((o) => ({
        name: o.metadata.name,
        seq: seqOf(o),
      }));
      return code === 200;
    });
    for (const r of own) lost.push(...compare(t, r, items));
    for (const twice of reused(own)) lost.push(`${t.name}: revision ${twice} was given twice`);
    // One more write: once the watch has shown it, it has shown all before.
    await until(`${t.name}: a last write`, () => probe(s, t));
    const w = run.watchers[i];
    await until(`${t.name}: the watch has come to ${revision}`, async () => (w?.revision ?? 0) > revision);
    const seen = new Set([...(w?.events ?? [])].map((e) => Number(e.slice(e.lastIndexOf(' ') + 1))));
    for (const r of own)
      for (const x of r.revisions)
        if (x > (w?.began ?? 0) && !seen.has(x)) lost.push(`${t.name}: the watch didn't show revision ${x}`);
  }
  return {
    acknowledged: records.reduce((n, r) => n + r.record.acknowledged, 0),
    unknown: records.reduce((n, r) => n + r.record.unknown, 0),
    events: run.watchers.reduce((n, w) => n + w.events.size, 0),
    lost,
  };
}

async function until(what: string | (() => string), test: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + SETTLE_MS_MAX;
  let last: unknown;
  for (;;) {
    try {
      if (await test()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > limit)
      throw new Error(
        `${typeof what === 'string' ? what : what()}: not after ${SETTLE_MS_MAX / 1000} s${last ? ` (${last})` : ''}`,
      );
    await pause(PROBE_MS);
  }
}

async function inTurns<A, B>(all: readonly A[], f: (a: A, index: number) => Promise<B>): Promise<B[]> {
  const out: B[] = [];
  await atOnce(AT_ONCE, all.entries(), async ([i, a]) => {
    out[i] = await f(a, i);
  });
  return out;
}

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/** kill -9, an answer from everywhere, then the instance again. */
export async function killOne(s: TestSystem, run: Run, x: TestInstance): Promise<Disturbance> {
  const d = await run.disturb(`kill -9 instance ${x.index}`, () => x.kill());
  await x.start();
  void s;
  return d;
}

/** SIGTERM, to the end of the process; then the other release. */
export async function rollOne(
  run: Run,
  x: TestInstance,
  release: string,
): Promise<{ d: Disturbance; ms: number; code: number | null }> {
  let stopped = { ms: 0, code: null as number | null };
  const d = await run.disturb(`SIGTERM instance ${x.index}`, async () => {
    stopped = await x.stop();
  });
  await x.start(release);
  return { d, ...stopped };
}
