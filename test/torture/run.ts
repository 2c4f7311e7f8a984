import { type Random, seeded } from '../fuzz/random.ts';
import { checkHistory, type Findings } from './check.ts';
import { type Done, planFaults, runFaults } from './faults.ts';
import { type History, KINDS, type Kind, type Op, type Scope, type WatchLog } from './history.ts';
import { logOf } from './log.ts';
import { loopsGoOn, startLoops } from './loops.ts';
import { collectionPath, listOf } from './shape.ts';
import { type System, startSystem } from './system.ts';
import { startWatcher } from './watcher.ts';
import { pending } from './watches.ts';
import { client, type Scene, type Target } from './workload.ts';

export interface RunOptions {
  seed: number;
  ops: number;
  kills: number;
  /** The run ends then, whatever it has done. */
  minutes: number;
  clients: number;
  clusters: number;
  /** An empty folder for the disk's image and the log. */
  dir: string;
  say(text: string): void;
}

export interface Result {
  history: History;
  findings: Findings;
  /** What is wrong beside the history, and in it. */
  wrong: string[];
  done: Done;
  counts: Scene['counts'];
  drops: number;
  seconds: number;
  /** `restarted 9 s, ...`: how and on what it ran. */
  how: string;
}

/** What the watchers of one kind look at; `streams`: begins from initial events, `lags`: stays away for long. */
const SCOPES: readonly { scope: Scope; streams?: number; lags?: boolean }[] = [
  { scope: { ns: '' } },
  { scope: { ns: '' }, streams: 0.3 },
  { scope: { ns: 't-1' } },
  { scope: { ns: '', colour: 'green' } },
  { scope: { ns: 't-0', name: 'x1' } },
  { scope: { ns: '' }, lags: true },
];
/** A lagging watcher stays away for this part of the run at most: in a long one longer than the replay window. */
const AWAY_SHARE = 0.6;
const SETTLE_MS = 60_000;
const PROGRESS_EVERY_MS = 5_000;

/** One whole run: load and faults, then quiet, a last look, and the checks. */
export async function run(o: RunOptions): Promise<Result> {
  const begun = Date.now();
  const system = await startSystem(o.dir, o.seed, o.clusters);
  try {
    const done: Done = { kills: 0, stops: 0, jumps: 0, spells: 0, felt: 0 };
    const play = new Play(o, system, done);
    const wrong = await play.load();
    wrong.push(...(await play.settle()));
    const seconds = (Date.now() - begun) / 1000;
    o.say(`checking ${play.scene.ops.length} operations`);
    const findings = checkHistory(play.history());
    const crashes = system.server.crashes.map((c) => `workerd ended by itself: ${c}`);
    return {
      history: play.history(),
      findings,
      wrong: [...wrong, ...crashes, ...findings.wrong],
      done,
      counts: play.scene.counts,
      drops: system.proxy.drops,
      seconds,
      how: `disk: ${system.disk.how}; clock: moved ${system.clock.how}`,
    };
  } finally {
    await system.close();
  }
}

class Play {
  readonly scene: Scene;
  readonly #o: RunOptions;
  readonly #system: System;
  readonly #done: Done;
  readonly #random: Random;
  readonly #watches: { log: WatchLog; begun: Promise<void>; done: Promise<void> }[] = [];
  #ticks = 0;
  #over = false;
  #watchesOver = false;

  constructor(o: RunOptions, system: System, done: Done) {
    this.#o = o;
    this.#system = system;
    this.#done = done;
    this.#random = seeded(o.seed);
    this.scene = {
      tick: () => ++this.#ticks,
      ops: [],
      counts: { done: 0, unknown: 0, full: 0, refused: 0, unsent: 0 },
      ready: () => system.ready(),
      over: () => this.#over,
    };
  }

  history(): History {
    return { seed: this.#o.seed, ops: this.scene.ops, watches: this.#watches.map((w) => w.log) };
  }

  /** Clients, watchers and faults until enough has been done. */
  async load(): Promise<string[]> {
    const { ops, kills, minutes, clients, seed } = this.#o;
    for (const c of this.#system.clusters) await startLoops(c.direct);
    this.#watch();
    await Promise.all(this.#watches.map((w) => w.begun));
    const targets = this.#system.clusters.map(
      (c, index): Target => ({ index, call: c.call, known: new Map(), revisions: { configmaps: [], leases: [] } }),
    );
    const faults = planFaults(this.#random, ops, kills);
    const progress = setInterval(() => this.#progress(), PROGRESS_EVERY_MS);
    const limit = setTimeout(() => {
      this.#over = true;
    }, minutes * 60_000);
    this.#system.proxy.losing(true);
    const running = Array.from({ length: clients }, (_, i) =>
      client(this.scene, targets, seeded(seed + 7919 * (i + 1)), `c${i}`),
    );
    const wrong = await runFaults(this.#system, this.scene, faults, this.#random, this.#done);
    while (!this.#over && this.scene.counts.done < ops) await sleep(20);
    this.#over = true;
    clearInterval(progress);
    clearTimeout(limit);
    await Promise.all(running);
    return wrong;
  }

  /** Everything is restarted; then a last write and list of each kind, watchers that catch up, loops that go on. */
  async settle(): Promise<string[]> {
    this.#o.say('quiet: restarted, a last look');
    this.#system.proxy.losing(false);
    this.#system.disk.free();
    await this.#system.restart('SIGKILL');
    this.#done.kills++;
    const wrong: string[] = [];
    for (const [index, c] of this.#system.clusters.entries()) {
      for (const kind of KINDS) wrong.push(...(await this.#lastLook(index, kind)));
      wrong.push(...(await loopsGoOn(c.direct, 4)));
    }
    const limit = Date.now() + SETTLE_MS;
    while (Date.now() < limit && this.#pending() > 0) await sleep(500);
    this.#watchesOver = true;
    await Promise.all(this.#watches.map((w) => w.done));
    return wrong;
  }

  #watch(): void {
    for (const [index, c] of this.#system.clusters.entries()) {
      const endpoint = { agent: this.#system.agent, port: this.#system.proxy.port, ...c };
      for (const kind of KINDS) {
        for (const [i, { scope, streams, lags }] of SCOPES.entries()) {
          const id = `${kind}-${index}-${i}`;
          const random = seeded(this.#o.seed ^ (0x5757 + i + 16 * index));
          this.#watches.push(
            startWatcher(endpoint, {
              id,
              cluster: index,
              kind,
              scope,
              random,
              ...(streams === undefined ? {} : { streams }),
              ...(lags ? { awayMs: () => this.#away(AWAY_SHARE * this.#o.ops * random.next()) } : {}),
              tick: this.scene.tick,
              ready: this.scene.ready,
              over: () => this.#watchesOver,
            }),
          );
        }
      }
    }
  }

  async #away(ops: number): Promise<void> {
    const until = this.scene.ops.length + ops;
    while (!this.#over && this.scene.ops.length < until) await sleep(50);
  }

  #pending(): number {
    const h = this.history();
    let n = 0;
    for (const w of h.watches) n += pending(w, logOf(h, w.cluster, w.kind));
    return n;
  }

  /** A list and a write that every watcher of the whole kind has to see. */
  async #lastLook(index: number, kind: Kind): Promise<string[]> {
    const c = this.#system.clusters[index];
    if (!c) return [];
    const ask: Op['ask'] = { do: 'list', ns: '' };
    const start = this.scene.tick();
    const reply = await c.direct({ method: 'GET', path: collectionPath(kind, '') });
    if ('lost' in reply || reply.status !== 200)
      return [`the last list failed: ${JSON.stringify(reply).slice(0, 300)}`];
    const list = listOf(kind, reply.body);
    if (typeof list === 'string') return [`the last list: ${list}`];
    const told: Op['told'] = { is: 'list', rev: list.rev, items: list.items };
    this.scene.ops.push({
      id: `last-${index}-${kind}`,
      cluster: index,
      kind,
      start,
      end: this.scene.tick(),
      ask,
      told,
    });
    return [];
  }

  #progress(): void {
    const { done, unknown, refused } = this.scene.counts;
    const { kills, jumps, spells } = this.#done;
    const { free } = this.#system.disk.usage();
    this.#o.say(
      `${done} operations, ${unknown} unknown, ${refused} refused; ${kills} kills, ${this.#system.proxy.drops} drops, ${jumps} jumps, ${spells} full disks; ${free} MiB free`,
    );
  }
}

const sleep = (ms: number) => new Promise((next) => setTimeout(next, ms));
