import { fnv1a } from '../../kube/meta/hash.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { EVERYTHING } from '../../kube/store/key.ts';
import type { Entry } from '../../kube/store/store.ts';
import { pick, SimClock } from './clock.ts';
import { ADMIN, type Faults, type Isolate, LOST, NO_FAULTS, SimCluster } from './cluster.ts';
import { Informer } from './informer.ts';
import { broken, Memory, type Thing, thingOf } from './invariants.ts';
import { SimNode } from './kubelet.ts';
import { SimLoops } from './loops.ts';
import { NAMESPACES, OPERATIONS } from './operations.ts';
import { unsettled } from './settled.ts';
import { type Seen, Watcher } from './watchers.ts';

/** How long may pass between two operations. */
const PAUSE_MS_MAX = 12_000;
const LONG_PAUSE_MS_MAX = 400_000;
/** Looks at what holds at every moment come so often. */
const LOOK_MS = 1_000;
/** After faults end everything must be as it should be within so many virtual minutes: pods of Jobs wait up to ten after a failure. */
const SETTLE_MINUTES = 40;
const ROUGH: Faults = { unsent: 0.01, lost: 0.01, silent: 0.002, wake: 0.2, killed: 0.004, stalled: 0.002 };
const FLAPS = 0.005;
/** Processors of a node: few at first, so that pods have to wait; in the end enough for all. */
const CPUS = 1;
const ROOM_CPUS = 64;
const sizeOf = (cpus: number) => ({ cpu: String(cpus), memory: '8Gi', pods: '110' });
const HISTORY_LINES = 60;
const JUMP_MS_MAX = 90_000;

export interface Options {
  seed: number;
  steps: number;
  nodes: number;
  /** Nothing goes wrong by itself. */
  calm?: boolean;
  /** How long may pass between two operations. */
  pauseMs?: number;
  /** Tells of each step. */
  say?: (line: string) => void;
}
export interface Result {
  /** Of all that the store's history said. */
  hash: string;
  revisions: number;
  calls: number;
  minutes: number;
  /** Virtual minutes from the end of faults until all was as it should be. */
  settled: number;
  counts: { killed: number; stalled: number; deposed: number; cuts: number; events: number; lists: number };
}

/** What went wrong, with what led to it. */
export class SimFailure extends Error {}

/** One cluster and what happens to it. */
export class Sim {
  readonly o: Options;
  readonly clock: SimClock;
  readonly c: SimCluster;
  readonly loops: SimLoops;
  readonly people: Isolate;
  nodes: SimNode[] = [];
  /** Nodes that were replaced. */
  readonly former: SimNode[] = [];
  step = 0;
  readonly random: () => number;
  readonly #memory = new Memory();
  readonly #log: string[] = [];
  readonly #errors: string[] = [];
  /** By controller and key what its last refused write was told. */
  readonly #refused = new Map<string, string>();
  #watchers: Watcher[] = [];
  #informers: Informer[] = [];
  /** What stood when it was looked last. */
  #looked = { revision: -1, things: new Map<string, Thing>() };
  #begun = 0;
  #count = 0;
  #cuts = 0;
  #hash = 0;

  constructor(o: Options) {
    this.o = o;
    this.clock = new SimClock(o.seed);
    this.random = this.clock.random;
    this.c = new SimCluster(this.clock, (level, event, fields) => {
      if (event === 'reconcile.write.failed') {
        const { controller, key, message } = fields as Record<string, string>;
        this.#refused.set(`${controller} ${key}`, String(message));
      }
      // A loop whose calls fail gives up and begins anew.
      const text = `${event} ${JSON.stringify(fields)}`;
      if (level === 'error' && !(event === 'loop.failed' && text.includes(LOST))) this.#errors.push(text);
    });
    this.loops = new SimLoops(this.c, (name) => {
      const node = this.nodes.find((n) => n.name === name);
      return { connected: node?.reachable === true, heardMs: node?.heardMs ?? 0 };
    });
    this.people = this.c.isolate();
  }

  async run(): Promise<Result> {
    try {
      await this.#begin();
      for (this.step = 1; this.step <= this.o.steps; this.step++) await this.#one();
      const settled = await this.#settle();
      return {
        hash: (this.#hash >>> 0).toString(16),
        revisions: this.c.main.state.revision,
        calls: this.c.calls,
        minutes: Math.round((this.clock.nowMs - this.#begun) / 60_000),
        settled,
        counts: {
          ...this.loops.counts,
          cuts: this.#cuts,
          events: this.#informers.reduce((n, i) => n + i.events, 0),
          lists: this.#informers.reduce((n, i) => n + i.lists, 0),
        },
      };
    } finally {
      for (const n of this.nodes) n.remove();
      this.loops.close();
      this.c.close();
    }
  }

  async #begin(): Promise<void> {
    await this.c.begin();
    this.#begun = this.clock.nowMs;
    const page = await this.c.main.read(EVERYTHING);
    if (!page.ok) throw new Error('a read without assumptions was refused');
    const entries = await this.rows('');
    this.#watchers = [1, 2].map(() => new Watcher(this.c, { revision: page.revision, entries }));
    this.#informers = [
      ['/api/v1/pods'],
      ['/api/v1/pods', 'labelSelector=app%3Ddx'],
      ['/api/v1/pods', 'fieldSelector=spec.nodeName%3Dn1'],
      ['/apis/apps/v1/namespaces/a/replicasets'],
      ['/apis/discovery.k8s.io/v1/endpointslices'],
    ].map(([path = '', query]) => new Informer(this.c, this.people, path, query));
    for (let i = 0; i < this.o.nodes; i++) await this.#addNode();
    for (const name of NAMESPACES) await this.#must('POST', '/api/v1/namespaces', { metadata: { name } });
    await this.clock.run(10_000);
  }
  async #must(method: string, path: string, body?: JsonObject): Promise<void> {
    const asked = this.c.ask(this.people, ADMIN, method, path, body);
    const answer = await this.#until(asked);
    if (answer.code >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  }
  /** Time goes on until it is there. */
  async #until<T>(p: Promise<T>): Promise<T> {
    let over = false;
    const ended = p.finally(() => {
      over = true;
    });
    ended.catch(() => {});
    while (!over) await this.clock.run(10);
    return ended;
  }

  async #one(): Promise<void> {
    this.c.faults = this.o.calm ? NO_FAULTS : ROUGH;
    for (const n of this.nodes) n.flaps = this.o.calm ? 0 : FLAPS;
    const operations = OPERATIONS.filter((op) => !(this.o.calm && op.rough));
    let left = this.random() * operations.reduce((n, op) => n + op.weight, 0);
    const operation = operations.find((op) => {
      left -= op.weight;
      return left < 0;
    });
    const what = operation && (await this.#until(operation.run(this)));
    if (what) this.#say(what);
    if (!this.o.calm) await this.#mishap();
    const long = this.random() < 0.03 ? LONG_PAUSE_MS_MAX : (this.o.pauseMs ?? PAUSE_MS_MAX);
    await this.#pass(this.random() * long);
  }
  /** What comes from outside: a loop ends, a watch is cut, the clock jumps. */
  async #mishap(): Promise<void> {
    const r = this.random();
    if (r < 0.1) {
      const [loop, replica] = [this.random() < 0.7 ? 'controllers' : 'scheduler', this.random() < 0.8 ? 0 : 1];
      this.loops.kill(loop, replica);
      this.#say(`${loop}/${replica} ends`);
    } else if (r < 0.25) {
      this.#cuts++;
      await this.#watchers[0]?.cut();
      await pick(this.random, this.#informers).cut();
    } else if (r < 0.28) {
      const ms = Math.floor(this.random() * JUMP_MS_MAX);
      this.clock.jump(ms);
      this.#say(`the clock jumps by ${ms} ms`);
    }
  }

  /** Time passes, and what must hold at every moment is looked at. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      await this.clock.run(Math.min(left, LOOK_MS));
      await this.#look();
    }
  }
  async #look(): Promise<Thing[]> {
    if (this.#looked.revision !== this.c.main.state.revision) {
      const known = this.#looked.things;
      const things = new Map<string, Thing>();
      for (const e of await this.rows('')) {
        const before = known.get(e.key);
        things.set(e.key, before?.revision === e.revision ? before : thingOf(e));
      }
      this.#looked = { revision: this.c.main.state.revision, things };
    }
    const things = [...this.#looked.things.values()];
    this.#check(broken(things, this, this.#memory));
    this.#check([...this.#watchers, ...this.#informers].flatMap((w) => w.wrong));
    this.#check(this.#errors);
    return things;
  }

  /** Nothing goes wrong any more: all becomes as it should be. Virtual minutes that took. */
  async #settle(): Promise<number> {
    this.c.faults = NO_FAULTS;
    this.#say('faults end');
    for (const n of this.nodes) {
      n.flaps = 0;
      if (!n.reachable) await this.comeBack(n);
    }
    for (const n of this.nodes) {
      await this.#until(this.#patch(`/api/v1/nodes/${n.name}`, { spec: { unschedulable: false } }));
      const size = sizeOf(ROOM_CPUS);
      await this.#until(
        this.#patch(`/api/v1/nodes/${n.name}/status`, { status: { capacity: size, allocatable: size } }),
      );
    }
    // Nothing would ever end that makes Jobs.
    for (const { key } of await this.rows('cronjobs.batch/')) {
      const [, namespace, name] = key.split('/');
      await this.#until(
        this.#patch(`/apis/batch/v1/namespaces/${namespace}/cronjobs/${name}`, { spec: { suspend: true } }),
      );
    }
    for (const { key } of await this.rows('jobs.batch/')) {
      const [, namespace, name] = key.split('/');
      await this.#until(
        this.#patch(`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, { spec: { suspend: false } }),
      );
    }
    // A quota keeps workloads from what they want.
    for (const { key } of await this.rows('resourcequotas/')) {
      const [, namespace = '', name = ''] = key.split('/');
      const hard = { pods: '100' };
      await this.#until(this.#patch(`/api/v1/namespaces/${namespace}/resourcequotas/${name}`, { spec: { hard } }));
    }
    let wrong: string[] = [];
    for (let minute = 1; minute <= SETTLE_MINUTES; minute++) {
      await this.#pass(60_000);
      const things = await this.#look();
      wrong = unsettled(things, this);
      if (wrong.length > 0) continue;
      await this.#seenAll();
      return minute;
    }
    this.#check(wrong.map((w) => `after ${SETTLE_MINUTES} minutes: ${w}`));
    return SETTLE_MINUTES;
  }
  /** Every revision came once to each watcher. */
  async #seenAll(): Promise<void> {
    const { revision } = this.c.main.state;
    for (const [i, w] of this.#watchers.entries()) {
      const all = revision - this.c.main.state.base.size;
      if (w.seen !== all) this.#check([`watcher ${i} saw ${w.seen} changes of ${all}`]);
    }
    for (const i of this.#informers) {
      const now = await this.#until(i.listed());
      for (const [key, version] of now ?? [])
        if (i.items.get(key)?.metadata.resourceVersion !== version)
          this.#check([`${i.path}: ${key} isn't known at ${version}`]);
      for (const key of i.items.keys()) if (!now?.has(key)) this.#check([`${i.path}: ${key} is known and isn't there`]);
    }
    for (const e of this.#watchers[1]?.kept ?? [])
      this.#hash = fnv1a(`${this.#hash} ${e.revision} ${e.key} ${e.value}`);
  }

  async rows(prefix: string): Promise<Entry[]> {
    const found: Entry[] = [];
    for (let after: string | undefined; ; ) {
      const page = await this.c.main.read(EVERYTHING, after === undefined ? {} : { after });
      if (!page.ok) throw new Error('a read without assumptions was refused');
      for (const e of page.entries) if (e.key.startsWith(prefix)) found.push(e);
      if (page.next === undefined) return found;
      after = page.next;
    }
  }
  #patch(path: string, body: JsonObject) {
    return this.c.ask(this.people, ADMIN, 'PATCH', path, body, 'application/merge-patch+json');
  }

  async #addNode(): Promise<SimNode> {
    const node = new SimNode(this.c, this.#count++, this.people);
    const size = sizeOf(CPUS);
    const taints = [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }];
    const labels = { 'kubernetes.io/hostname': node.name };
    await this.#must('POST', '/api/v1/nodes', {
      metadata: { name: node.name, labels },
      spec: { taints },
      status: { capacity: size, allocatable: size },
    });
    this.nodes.push(node);
    await this.#report(node);
    return node;
  }
  async #report(node: SimNode): Promise<void> {
    for (let tries = 0; tries < 50; tries++) if (await this.#until(node.report())) break;
    this.linkMoved(node);
  }
  /** The tunnel tells the loop that a node's link went or came. */
  linkMoved(node: SimNode): void {
    this.loops.wake('controllers', 0, { controller: 'node-controller', key: `nodes/${node.name}` });
  }
  async comeBack(node: SimNode): Promise<void> {
    if (node.on) node.linked = true;
    else node.up();
    await this.#report(node);
  }
  /** A machine goes for good, with its Node; another comes. */
  async replace(node: SimNode): Promise<string> {
    node.remove();
    this.nodes = this.nodes.filter((n) => n !== node);
    this.former.push(node);
    const faults = this.c.faults;
    this.c.faults = NO_FAULTS;
    await this.#must('DELETE', `/api/v1/nodes/${node.name}`);
    const made = await this.#addNode();
    this.c.faults = faults;
    return made.name;
  }

  #say(what: string): void {
    const line = `${this.step} ${formatTime(this.clock.nowMs).slice(11, 19)} ${what}`;
    this.#log.push(line);
    this.o.say?.(line);
  }

  #check(wrong: readonly string[]): void {
    if (wrong.length === 0) return;
    const words = new Set(wrong.flatMap((w) => w.match(/[a-z.]+\/[a-z0-9-]+\/[a-z0-9-]+/g) ?? []));
    const events = (this.#watchers[1]?.kept ?? []).filter((e) => concerns(e, words)).slice(-HISTORY_LINES);
    const { seed, steps, nodes, calm } = this.o;
    throw new SimFailure(
      [
        `seed ${seed}, step ${this.step}: node test/sim/run.ts --seed ${seed} --steps ${steps} --nodes ${nodes}${calm ? ' --calm' : ''}`,
        ...wrong,
        'Steps before:',
        ...this.#log.slice(-HISTORY_LINES / 2),
        'Last refused:',
        ...[...this.#refused].filter(([k]) => [...words].some((w) => k.endsWith(w))).map((r) => r.join(': ')),
        'What was written:',
        ...events.map((e) => `${formatTime(e.atMs).slice(11, 19)} ${e.revision} ${e.type} ${e.key} ${short(e)}`),
      ].join('\n'),
    );
  }
}

const concerns = (e: Seen, words: ReadonlySet<string>): boolean =>
  [...words].some(
    (w) => e.key === w || e.key.startsWith(`${w}-`) || e.key.replace(/^[^/]*/, '').startsWith(w.replace(/^[^/]*/, '')),
  );
/** The deciding members of a version. */
function short(e: Seen): string {
  const o = JSON.parse(e.value) as JsonObject & { metadata: JsonObject; spec?: JsonObject; status?: JsonObject };
  const { uid, generation, deletionTimestamp, finalizers } = o.metadata;
  const { replicas, nodeName } = o.spec ?? {};
  const { conditions: _, containerStatuses: __, ...status } = o.status ?? {};
  return JSON.stringify({ uid, generation, deletionTimestamp, finalizers, replicas, nodeName, status }).slice(0, 400);
}
