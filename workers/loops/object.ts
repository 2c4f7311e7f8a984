import { DurableObject } from 'cloudflare:workers';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { ChangeSource, Changes } from '../../kube/reconcile/changes.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import { type Client, createRunner, type Runner, type WriteResult } from '../../kube/reconcile/runner.ts';
import type { Interest } from '../../kube/store/interest.ts';
import type { Entry, Fence, Grant, Key, Revision } from '../../kube/store/store.ts';
import { LEASE_MS } from '../tenant/leases.ts';
import { storeErrorOf } from '../tenant/remote.ts';
import type { Begin, Begun } from '../tenant/rounds.ts';
import { SqlProjection } from './projection.ts';

/** One wake-up does at most this much, then gives way to other objects of the process. */
const BUDGET = { writes: 500, ms: 5_000 };
/** A standby that finds the lease held looks again this long after the holder's time is over; not later than a lease from now, whatever the store's clock says. */
const STANDBY_AFTER_MS = 250;
const STANDBY_MS = LEASE_MS + 1_000;

/** Between rounds of a loop that always finds more to do: a tenth of the time since it began. */
const BUSY_SHARE = 10;
const BUSY_MS_MAX = 50;

/** From here on it isn't over when nothing is left, but looks again: what comes meanwhile needs no wake-up. A quiet loop ends at once. */
const LINGER_MS_MIN = 5;
/** Woken so soon after its end, a loop was busy all the time. */
const BUSY_GAP_MS = 200;

/** A busy loop writes its projection this often: what a process that ends has to do again. */
const PERSIST_MS = 1_000;

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
  /** The lease, and what changed since the cursor. */
  startRound(o: Begin): Promise<Begun>;
  /** Nothing is left to do up to that revision: mark and lease go. False when more has come for the loop: it keeps both. */
  endRound(loop: string, lease: string, holder: string, revision: Revision): Promise<boolean>;
  grant(lease: string, holder: string, ttlMs: number): Promise<Grant>;
  release(lease: string, holder: string): Promise<void>;
  register(loop: string, interests: readonly Interest[]): Promise<void>;
  changes(interests: readonly Interest[], after: Revision): Promise<Begun['changes'] & {}>;
  /** Everything of an interest as it is now, with the revision of the oldest page. */
  snapshot(interest: Interest): Promise<{ revision: Revision; entries: Entry[] }>;
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
    #projection = this.#newProjection();
    #life: Life | undefined;
    #running: Promise<void> | undefined;
    #again = false;
    #failures = 0;
    /** Since when it is busy, and when it ended last. */
    #beganMs = 0;
    #endedMs = 0;

    /** There is work. Returns at once (with a poke: once it is kept); that the work gets done is the store's mark's business. */
    async wake(name: LoopName, poke?: Poke): Promise<void> {
      this.#projection.setMeta('name', JSON.stringify(name));
      if (this.#running === undefined) this.#projection.persist();
      if (poke) {
        // The round under way settles what it took; a poke in its middle would be settled with it.
        while (this.#running) await this.#running;
        await this.#alarmIn(0);
        this.#projection.transaction(() => {
          this.#projection.setResults(poke.controller, poke.key, new Map());
          this.#projection.enqueue({ ...poke, due: this.#platform.env.now() });
        });
        this.#projection.persist();
      }
      this.#start(name);
    }

    /** The cluster is gone, and with it all that this loop remembers. The tables are there for a cluster that comes back from its backup. */
    async destroy(): Promise<void> {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      this.#life = undefined;
      this.#projection = this.#newProjection();
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
        this.#endedMs = this.#platform.env.now();
      });
      this.ctx.waitUntil(this.#running);
    }

    async #run(name: LoopName): Promise<void> {
      const { env } = this.#platform;
      if (env.now() - this.#endedMs > BUSY_GAP_MS) this.#beganMs = env.now();
      while (this.#again) {
        this.#again = false;
        // Its waking is a part of the commit's step, and the first one of making this object too.
        await sleep(env, 0);
        try {
          await this.#work(name);
          this.#failures = 0;
          // At once at first; the longer it goes on, the more changes a round takes together.
          if (this.#again) await sleep(env, this.#pauseMs());
        } catch (error) {
          if (storeErrorOf(error)?.code === 'no-cluster') return this.destroy();
          env.log('error', 'loop.failed', {
            ...name,
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          });
          await this.#alarmIn(Math.min(FAILED_MS * 2 ** this.#failures++, FAILED_MS_MAX));
          // Whoever can't do the work must not keep another from doing it; it comes back as another.
          const { holder } = this.#life ?? { holder: '' };
          this.#life = undefined;
          await this.#platform.store(name.cluster).release(leaseOf(name), holder).catch(ignore);
        }
      }
    }

    #pauseMs(): number {
      return Math.min((this.#platform.env.now() - this.#beganMs) / BUSY_SHARE, BUSY_MS_MAX);
    }

    async #work(name: LoopName): Promise<void> {
      const { env } = this.#platform;
      const turn = turnOf(env);
      if (this.#life === undefined) {
        this.#life = this.#begin(name);
        await turn();
      }
      const life = this.#life;
      if (life === undefined) return;
      const { store, runner, holder } = life;
      const lease = leaseOf(name);
      await this.#projection.load(turn);
      const begun = await this.#startRound(name, life);
      const { grant } = begun;
      if (!grant.held) return this.#standBy(begun);
      if (life.lease?.epoch !== grant.epoch)
        life.client = await this.#platform.client(name.cluster, { lease, epoch: grant.epoch, holder }, holder);
      life.lease = grant;
      const outcome = await runner.round(BUDGET);
      if (outcome.deposed) {
        // Taken by another, who is asked next; or the store started anew and forgot it.
        life.lease = undefined;
        this.#again = true;
        return;
      }
      const lingers = outcome.rows + outcome.writes > 0 && this.#pauseMs() >= LINGER_MS_MIN;
      if (outcome.again === 0 || lingers) this.#again = true;
      // Woken meanwhile: the mark would only be set again. What is in memory alone is done again if this process ends.
      if (this.#again && env.now() - life.persistedMs < PERSIST_MS) return;
      // The alarm first: with the mark gone, it alone remembers what waits in the queue.
      if (outcome.again !== undefined) await this.#alarmIn(outcome.again);
      await this.#projection.persistInSteps(turn);
      life.persistedMs = env.now();
      if (this.#again) return;
      if (!(await store.endRound(name.loop, lease, holder, outcome.revision))) this.#again = true;
    }

    /** Once in a life. A release whose controllers look at other resources reads everything anew. */
    #begin(name: LoopName): Life | undefined {
      const { env, loops, store } = this.#platform;
      const controllers = loops[name.loop];
      if (!controllers) return undefined;
      const looksAt = JSON.stringify(interestsOf(controllers));
      if (this.#projection.meta('resources') !== looksAt)
        this.#projection.transaction(() => {
          this.#projection.reset();
          this.#projection.setMeta('resources', looksAt);
        });
      const holder = `${name.loop}-${name.replica}-${env.uuid()}`;
      const former = this.#projection.meta('holder');
      // Before it holds anything: the next life must know what to give back.
      this.#projection.setMeta('holder', holder);
      this.#projection.persist();
      return newLife(name.loop, leaseOf(name), holder, former, controllers, this.#projection, store(name.cluster), env);
    }

    /** Whatever an earlier life of this replica holds is given back with it. Should some write of it be under way, its fence is over. */
    async #startRound(name: LoopName, life: Life): Promise<Begun> {
      for (;;) {
        const after = this.#projection.cursor();
        const begun = await life.store.startRound({
          loop: name.loop,
          lease: leaseOf(name),
          holder: life.holder,
          ttlMs: LEASE_MS,
          interests: JSON.stringify(life.runner.interests()),
          after,
          ...(life.former === undefined ? {} : { former: life.former }),
        });
        life.former = undefined;
        if (!begun.grant.held) return begun;
        if (begun.registered) {
          if (begun.changes) life.first = { after, changes: begun.changes };
          return begun;
        }
        await life.store.register(name.loop, life.runner.interests());
      }
    }

    /** Another replica is at work: looks again when its lease must be over, unless nothing is left to do. */
    async #standBy({ grant, marked }: Begun): Promise<void> {
      if (!marked && this.#projection.nextDue() === undefined) return;
      const left = grant.expiresMs - this.#platform.env.now() + STANDBY_AFTER_MS;
      await this.#alarmIn(Math.min(Math.max(left, STANDBY_AFTER_MS), STANDBY_MS));
    }

    #newProjection(): SqlProjection {
      return new SqlProjection({
        exec: (query, ...bindings) =>
          this.ctx.storage.sql.exec(query, ...bindings) as Iterable<Record<string, unknown>>,
        transaction: (f) => this.ctx.storage.transactionSync(f),
      });
    }

    async #alarmIn(ms: number): Promise<void> {
      const at = this.#platform.env.now() + ms;
      const set = await this.ctx.storage.getAlarm();
      if (set === null || set > at) await this.ctx.storage.setAlarm(at);
    }
  };
}

/** Lets everybody else have their turn. */
const turnOf = (env: Env) => () => sleep(env, 0);
const leaseOf = (name: LoopName) => `loop/${name.loop}`;
const ignore = () => undefined;

/** What a loop is told whose lease has gone while it worked. */
const DEPOSED: WriteResult = {
  ok: false,
  deposed: true,
  status: { status: 'Failure', message: 'the lease of this loop has gone to another', code: 409 } as never,
};

/** What a replica keeps in memory while it lives: rounds of one epoch share a client, and with it its leases of other stores. */
interface Life {
  holder: string;
  /** Who it was in its former life, until that one's lease is given back. */
  former: string | undefined;
  store: LoopStore;
  runner: Runner;
  lease: Grant | undefined;
  /** Writes under the lease. */
  client: Client | undefined;
  /** When the projection was last written. */
  persistedMs: number;
  /** What came with the lease. */
  first: { after: Revision; changes: Begun['changes'] & {} } | undefined;
}

function newLife(
  loop: string,
  lease: string,
  holder: string,
  former: string | undefined,
  controllers: readonly Controller[],
  projection: SqlProjection,
  store: LoopStore,
  env: Env,
): Life {
  const life: Omit<Life, 'runner'> = {
    holder,
    former,
    store,
    lease: undefined,
    client: undefined,
    persistedMs: env.now(),
    first: undefined,
  };
  const source = sourceOf(loop, store, (after) => {
    const { first } = life;
    life.first = undefined;
    return first?.after === after ? first.changes : undefined;
  });
  const renew = () => store.grant(lease, holder, LEASE_MS);
  const runner = createRunner(controllers, projection, source, leased(life, env, renew), env, turnOf(env));
  return Object.assign(life, { runner });
}

/** The round's client. Renews the lease in time while a long piece of work runs; without it nothing more is written. */
function leased(life: Pick<Life, 'lease' | 'client'>, env: Env, renew: () => Promise<Grant>): Client {
  const held = async (): Promise<Client | undefined> => {
    const { lease, client } = life;
    if (lease === undefined || env.now() < lease.expiresMs - LEASE_MS / 2) return lease && client;
    const next = await renew();
    if (!next.held || next.epoch !== lease.epoch) return undefined;
    life.lease = next;
    return client;
  };
  return {
    write: async (controller, write) => (await held())?.write(controller, write) ?? DEPOSED,
    note: async (...a) => life.client?.note(...a),
    effect: async (...a) =>
      (await held())?.effect(...a) ?? { ok: false, error: 'the lease of this loop has gone to another' },
  };
}

/** Changes of a store; a cursor that is too old is answered with a snapshot. `first`: what is known already of what changed after a cursor. */
export function sourceOf(
  loop: string,
  store: LoopStore,
  first: (after: Revision) => (Begun['changes'] & {}) | undefined = () => undefined,
): ChangeSource {
  return {
    async changes(after, interests): Promise<Changes> {
      if (after > 0) {
        const c = first(after) ?? (await store.changes(interests, after));
        if (!c.whole) return { revision: c.revision, rows: c.rows, more: c.more };
      }
      const rows: Changes['rows'] = [];
      let revision = Number.POSITIVE_INFINITY;
      const read = new Set<string>();
      for (const interest of interests) {
        // What is told of the same rows in different ways is read once.
        const { of: _, wakes: __, ...which } = interest;
        const text = JSON.stringify(which);
        if (read.has(text)) continue;
        read.add(text);
        const page = await store.snapshot(interest);
        revision = Math.min(revision, page.revision);
        for (const entry of page.entries) rows.push({ key: entry.key, revision: entry.revision, entry });
      }
      // What changed while the pages were read comes again: rows are states, so that does no harm.
      return { revision, rows, more: false, restart: true };
    },
    register: (interests) => store.register(loop, interests),
    snapshot: (interest) => store.snapshot(interest),
  };
}
