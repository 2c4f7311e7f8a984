/**
 * A day of churn on the real store, over a file: `node test/bench/churn.ts [--hours 24]`. 50 nodes renew their leases each 10 s, 20 Events come
 * each second and live for an hour, 5 objects of 10 KB change each second. Prints what the three databases take and how much processor time the longest steps took.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Facts } from '../../kube/meta/facts.ts';
import type { PutOp } from '../../kube/store/store.ts';
import { REPLAY_MS, TRAVEL_MS } from '../../kube/store/window.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { optionsOf } from '../options.ts';
import { nodeSql } from '../store/node-sqlite.ts';

const NODES = 50;
const LEASE_EVERY_S = 10;
const EVENTS_PER_S = 20;
const EVENT_TTL_MS = 3_600_000;
const UPDATES_PER_S = 5;
const UPDATED_OBJECTS = 200;
const UPDATE_PADDING = 'x'.repeat(10_000);
const EVENT_PADDING = 'e'.repeat(600);

/** The simulated time, moving on while code runs, as a clock does. */
let simulatedMs = Date.UTC(2026, 0, 1);
let beganMs = performance.now();
const now = () => Math.floor(simulatedMs + performance.now() - beganMs);

interface Part {
  name: string;
  store: SqliteStore;
  sql: ReturnType<typeof nodeSql>;
  alarmMs: number;
  commits: number[];
  alarms: number[];
}

function part(dir: string, name: string, travelMs: number): Part {
  const sql = nodeSql(join(dir, name));
  sql.run('PRAGMA journal_mode = WAL');
  sql.run('PRAGMA synchronous = NORMAL');
  createCluster(sql, { base: '', uidPrefix: '', createdMs: now() });
  const p = { name, sql, alarmMs: Number.POSITIVE_INFINITY, commits: [], alarms: [] } as unknown as Part;
  p.store = new SqliteStore({
    sql,
    env: { now, after: () => () => {} } as never,
    sync: async () => {},
    schedule: (at) => {
      p.alarmMs = at;
    },
    travelMs,
    sibling: name !== 'main',
  });
  return p;
}

function put(key: string, body: object, facts: Partial<Facts>, ttlMs?: number): PutOp {
  const name = key.slice(key.lastIndexOf('/') + 1);
  const text = JSON.stringify({ metadata: { name, uid: `uid-${name}` }, ...body });
  const op: PutOp = {
    key,
    expect: undefined,
    value: { text, version: 'v1', schema: 's' },
    facts: { uid: '', ...facts },
  };
  if (ttlMs !== undefined) op.ttlMs = ttlMs;
  return op;
}

/** Steps that took longest by the clock: of what, how long, and how much of it was work. */
let slowest: { what: string; at: number; ms: number; cpuMs: number }[] = [];
const SLOWEST = 5;
const PAUSE_MS = 50;
let pauses = 0;
/** Long collections of this process's own heap, which holds the figures of a day. */
const collections: { at: number; ms: number }[] = [];
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (e.duration > 5) collections.push({ at: e.startTime, ms: e.duration });
}).observe({ entryTypes: ['gc'] });
/** Nothing in it waits for anything: it is one synchronous step, or a few. Its processor time: on a machine that others use too, the clock tells of them. */
async function step(what: string, times: number[], f: () => Promise<unknown>): Promise<void> {
  beganMs = performance.now();
  const before = process.threadCpuUsage();
  await f();
  const { user, system } = process.threadCpuUsage(before);
  const cpuMs = (user + system) / 1_000;
  times.push(cpuMs);
  const ms = performance.now() - beganMs;
  if (ms > PAUSE_MS) pauses++;
  if (ms > (slowest[SLOWEST - 1]?.ms ?? 0))
    slowest = [...slowest, { what, at: beganMs, ms, cpuMs }].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  beganMs = performance.now();
}

const quantile = (times: number[], q: number): string =>
  (times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * q))] ?? 0).toFixed(1);

const HELP = `node test/bench/churn.ts [--hours 24]

A day of churn on the real store: what the databases take, and how long the longest steps took.`;
const { hours } = optionsOf(HELP, { hours: { type: 'string', default: '24' } }).values;
const dir = mkdtempSync(join(tmpdir(), 'coracle-churn-'));
const main = part(dir, 'main', TRAVEL_MS);
const events = part(dir, 'events', REPLAY_MS);
const leases = part(dir, 'leases', REPLAY_MS);
const parts = [main, events, leases];
const sizes: Record<string, number[]> = { main: [], events: [], leases: [] };
let n = 0;

async function second(s: number): Promise<void> {
  const updates = Array.from({ length: UPDATES_PER_S }, (_, i) => (s * UPDATES_PER_S + i) % UPDATED_OBJECTS);
  await step('main, commits', main.commits, () =>
    Promise.all(
      updates.map((i) => main.store.commit([put(`apps/default/a${i}`, { status: { n: n++, UPDATE_PADDING } }, {})])),
    ),
  );
  await step('events, commits', events.commits, () =>
    Promise.all(
      Array.from({ length: EVENTS_PER_S }, (_, i) => {
        const fields = { 'involvedObject.uid': `uid-${i}`, 'involvedObject.name': `p${i}` };
        const key = `events/default/e${s}-${i}`;
        return events.store.commit([put(key, { message: EVENT_PADDING }, { fields }, EVENT_TTL_MS)]);
      }),
    ),
  );
  if (s % LEASE_EVERY_S === 0)
    await step('leases, commits', leases.commits, () =>
      Promise.all(
        Array.from({ length: NODES }, (_, i) =>
          leases.store.commit([put(`leases.coordination.k8s.io/kube-node-lease/n${i}`, { spec: { s } }, {})]),
        ),
      ),
    );
  // An alarm comes again as long as it asks to, with everything else between.
  for (const p of parts)
    for (let calls = 0; p.alarmMs <= now() && calls < 20; calls++) {
      p.alarmMs = Number.POSITIVE_INFINITY;
      await step(`${p.name}, alarm`, p.alarms, () => p.store.alarm());
    }
}

function report(s: number): void {
  const line = parts.map((p) => {
    const [pages, free] = ['page_count', 'freelist_count'].map((x) => Number(p.sql.all(`PRAGMA ${x}`)[0]?.[0]));
    const mb = ((pages ?? 0) * 4096) / 1e6;
    sizes[p.name]?.push(mb);
    return `${p.name} ${mb.toFixed(0)} MB, ${(((free ?? 0) * 4096) / 1e6).toFixed(0)} free`;
  });
  console.log(`${String(s / 3600).padStart(4)} h  ${line.join(' | ')}`);
}

const REPORT_EVERY_S = 3_600;
const total = Number(hours) * 3_600;
try {
  for (let s = 0; s < total; s++) {
    await second(s);
    simulatedMs += 1_000;
    if ((s + 1) % REPORT_EVERY_S === 0) report(s + 1);
  }
  for (const p of parts) {
    for (const [what, times] of [
      ['commits of a second', p.commits],
      ['alarms', p.alarms],
    ] as const)
      console.log(
        `${p.name}, ${what}: ${times.length}, p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, p99.9 ${quantile(times, 0.999)} ms, longest ${quantile(times, 1)} ms`,
      );
    const mb = sizes[p.name] ?? [];
    const half = Math.max(...mb.slice(0, Math.ceil(mb.length / 2)));
    const all = Math.max(...mb);
    console.log(
      `${p.name}: ${all.toFixed(0)} MB at most, ${half.toFixed(0)} MB in the first half: ${all <= half * 1.1 ? 'bounded' : 'still growing'}`,
    );
  }
  console.log(`by the clock, ${pauses} steps took over ${PAUSE_MS} ms; the longest:`);
  await new Promise((next) => setTimeout(next, 100));
  for (const { what, at, ms, cpuMs } of slowest) {
    const gc = collections.filter((c) => c.at >= at && c.at < at + ms).reduce((sum, c) => sum + c.ms, 0);
    console.log(
      `  ${what}: ${ms.toFixed(1)} ms, ${cpuMs.toFixed(1)} of them processor time, ${gc.toFixed(1)} garbage collection`,
    );
  }
} finally {
  for (const p of parts) p.sql.close();
  rmSync(dir, { recursive: true });
}
