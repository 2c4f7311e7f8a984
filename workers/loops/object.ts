import { DurableObject } from 'cloudflare:workers';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import {
  type ChangeSource,
  type Changes,
  type Client,
  createRunner,
  type Runner,
  type WriteResult,
} from '../../kube/reconcile/runner.ts';
import type { Entry, Fence, Grant, Key, Revision } from '../../kube/store/store.ts';
import { SqlProjection } from './projection.ts';

/** One wake-up does at most this much, then gives way to other objects of the process. */
const BUDGET = { writes: 500, ms: 5_000 };
/** A lease outlives the longest budget; a dead holder is replaced after it. */
const LEASE_MS = 15_000;
/** A standby that finds the lease held looks again this long after the holder's time is over; not later than a lease from now, whatever the store's clock says. */
const STANDBY_AFTER_MS = 250;
const STANDBY_MS = LEASE_MS + 1_000;

/** Between rounds of a loop that always finds more to do: a tenth of the time since it began. */
const BUSY_SHARE = 10;
const BUSY_MS_MAX = 50;

/** A loop that fails waits this long, doubling, so that a standby can take its place. */
const FAILED_MS = 1_000;
const FAILED_MS_MAX = 60_000;

/** Something outside of the store concerns a key: its effects are asked anew. */
export interface Poke {
  controller: string;
  key: Key;
}

/** The store of a cluster as its loops use it. */
export interface LoopStore {
  grant(lease: string, holder: string, ttlMs: number): Promise<Grant>;
  release(lease: string, holder: string): Promise<void>;
  register(loop: string, interests: readonly string[]): Promise<void>;
  /** False when more has come for the loop since that revision. */
  cleared(loop: string, revision: Revision): Promise<boolean>;
  changes(
    interests: readonly string[],
    after: Revision,
  ): Promise<{
    revision: Revision;
    whole: boolean;
    more: boolean;
    rows: { key: Key; revision: Revision; entry: Entry | null }[];
  }>;
  /** Everything of a resource as it is now, with the revision of the oldest page. */
  snapshot(interest: string): Promise<{ revision: Revision; entries: Entry[] }>;
}

/** What a loop object is given of the platform. */
export interface LoopPlatform {
  env: Env;
  /** By loop name. */
  loops: Readonly<Record<string, readonly Controller[]>>;
  store(cluster: string): LoopStore;
  /** Writes under this fence; made anew for each grant. */
  client(cluster: string, fence: Fence, holder: string): Promise<Client>;
}

/** Which loop of which cluster an object is; told at each wake-up, remembered for its alarm. */
export interface LoopName {
  cluster: string;
  loop: string;
  replica: number;
}

/** A class of loop objects: woken by a commit or by their alarm, they take the lease, work through what changed, and sleep. */
export function makeLoop<B>(platform: (bindings: B) => LoopPlatform) {
  return class Loop extends DurableObject<B> {
    readonly #platform = platform(this.env);
    readonly #projection = new SqlProjection({
      exec: (query, ...bindings) => this.ctx.storage.sql.exec(query, ...bindings) as Iterable<Record<string, unknown>>,
      transaction: (f) => this.ctx.storage.transactionSync(f),
    });
    #holder = '';
    #running: Promise<void> | undefined;
    #again = false;
    #failures = 0;

    /** There is work. Returns at once (with a poke: once it is kept); that the work gets done is the store's mark's business. */
    async wake(name: LoopName, poke?: Poke): Promise<void> {
      this.#projection.setMeta('name', JSON.stringify(name));
      if (poke) {
        // The round under way settles what it took; a poke in its middle would be settled with it.
        while (this.#running) await this.#running;
        await this.#alarmIn(0);
        this.#projection.transaction(() => {
          this.#projection.setResults(poke.controller, poke.key, new Map());
          this.#projection.enqueue({ ...poke, due: this.#platform.env.now() });
        });
      }
      this.#start(name);
    }

    override async alarm(): Promise<void> {
      const name = this.#projection.meta('name');
      if (name === undefined) return;
      this.#start(JSON.parse(name) as LoopName);
      await this.#running;
    }

    #start(name: LoopName): void {
      this.#again = true;
      this.#running ??= this.#run(name).finally(() => {
        this.#running = undefined;
      });
      this.ctx.waitUntil(this.#running);
    }

    async #run(name: LoopName): Promise<void> {
      const { env } = this.#platform;
      const began = env.now();
      while (this.#again) {
        this.#again = false;
        try {
          await this.#work(name);
          this.#failures = 0;
          // At once at first; the longer it goes on, the more changes a round takes together.
          if (this.#again) await sleep(env, Math.min((env.now() - began) / BUSY_SHARE, BUSY_MS_MAX));
        } catch (error) {
          env.log('error', 'loop.failed', {
            ...name,
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          });
          await this.#alarmIn(Math.min(FAILED_MS * 2 ** this.#failures++, FAILED_MS_MAX));
          // Whoever can't do the work must not keep another from doing it.
          await this.#platform.store(name.cluster).release(leaseOf(name), this.#holder).catch(ignore);
        }
      }
    }

    async #work(name: LoopName): Promise<void> {
      const { env, loops } = this.#platform;
      const controllers = loops[name.loop];
      if (!controllers) return;
      const store = this.#platform.store(name.cluster);
      const lease = leaseOf(name);
      await this.#begin(name, store);
      const grant = await store.grant(lease, this.#holder, LEASE_MS);
      if (!grant.held) return this.#standBy(name, store, grant.expiresMs);
      const client = await this.#platform.client(name.cluster, { lease, epoch: grant.epoch }, this.#holder);
      const runner = createRunner(
        controllers,
        this.#projection,
        sourceOf(store),
        leased(client, grant, env, () => store.grant(lease, this.#holder, LEASE_MS)),
        env,
      );
      await this.#register(name.loop, runner, store);
      const outcome = await runner.round(BUDGET);
      if (outcome.deposed) return this.#standBy(name, store, env.now() + LEASE_MS);
      if (outcome.again === 0) {
        this.#again = true;
        return;
      }
      // The alarm first: with the mark gone, it alone remembers what waits in the queue.
      if (outcome.again !== undefined) await this.#alarmIn(outcome.again);
      if (!(await store.cleared(name.loop, outcome.revision))) this.#again = true;
      if (!this.#again) await store.release(lease, this.#holder);
    }

    /** Once in a life: whatever an earlier life of this replica holds is given back. Should some write of it be under way, its epoch is over. */
    async #begin(name: LoopName, store: LoopStore): Promise<void> {
      if (this.#holder !== '') return;
      const before = this.#projection.meta('holder');
      if (before !== undefined) await store.release(leaseOf(name), before);
      this.#holder = `${name.loop}-${name.replica}-${this.#platform.env.uuid()}`;
      this.#projection.setMeta('holder', this.#holder);
    }

    /** Another replica is at work: looks again when its lease must be over, unless nothing is left to do. */
    async #standBy(name: LoopName, store: LoopStore, expiresMs: number): Promise<void> {
      const own = this.#projection.nextDue() !== undefined;
      // A revision that no mark can be at: asks without clearing.
      if (!own && (await store.cleared(name.loop, 0))) return;
      const left = expiresMs - this.#platform.env.now() + STANDBY_AFTER_MS;
      await this.#alarmIn(Math.min(Math.max(left, STANDBY_AFTER_MS), STANDBY_MS));
    }

    /** A release whose controllers look at other resources tells the store, and reads everything anew. */
    async #register(loop: string, runner: Runner, store: LoopStore): Promise<void> {
      const interests = JSON.stringify(runner.interests);
      if (this.#projection.meta('resources') === interests) return;
      await store.register(loop, runner.interests);
      this.#projection.reset();
      this.#projection.setMeta('resources', interests);
    }

    async #alarmIn(ms: number): Promise<void> {
      const at = this.#platform.env.now() + ms;
      const set = await this.ctx.storage.getAlarm();
      if (set === null || set > at) await this.ctx.storage.setAlarm(at);
    }
  };
}

const leaseOf = (name: LoopName) => `loop/${name.loop}`;
const ignore = () => undefined;

/** What a loop is told whose lease has gone while it worked. */
const DEPOSED: WriteResult = {
  ok: false,
  deposed: true,
  status: { status: 'Failure', message: 'the lease of this loop has gone to another', code: 409 } as never,
};

/** Renews the lease in time while a long piece of work runs; without it nothing more is written. */
function leased(client: Client, first: Grant, env: Env, renew: () => Promise<Grant>): Client {
  let until = first.expiresMs;
  const held = async () => {
    if (env.now() < until - LEASE_MS / 2) return true;
    const next = await renew();
    until = next.expiresMs;
    return next.held && next.epoch === first.epoch;
  };
  return {
    write: async (controller, write) => ((await held()) ? client.write(controller, write) : DEPOSED),
    note: (...a) => client.note(...a),
    effect: async (...a) =>
      (await held()) ? client.effect(...a) : { ok: false, error: 'the lease of this loop has gone to another' },
  };
}

/** Changes of a store; a cursor that is too old is answered with a snapshot. */
export function sourceOf(store: LoopStore): ChangeSource {
  return {
    async changes(after, interests): Promise<Changes> {
      if (after > 0) {
        const c = await store.changes(interests, after);
        if (!c.whole) return { revision: c.revision, rows: c.rows, more: c.more };
      }
      const rows: Changes['rows'] = [];
      let revision = Number.POSITIVE_INFINITY;
      for (const interest of interests) {
        const page = await store.snapshot(interest);
        revision = Math.min(revision, page.revision);
        for (const entry of page.entries) rows.push({ key: entry.key, revision: entry.revision, entry });
      }
      // What changed while the pages were read comes again: rows are states, so that does no harm.
      return { revision, rows, more: false, restart: true };
    },
  };
}
