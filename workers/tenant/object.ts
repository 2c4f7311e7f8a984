import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Interest } from '../../kube/store/interest.ts';
import { type Placement, parseStoreName, storeName } from '../../kube/store/placement.ts';
import {
  type Assume,
  type Commit,
  type CommitOptions,
  type Confirmed,
  type Entry,
  type Grant,
  type Key,
  type Op,
  type Page,
  type Range,
  type ReadOptions,
  type Revision,
  type Stale,
  type Store,
  StoreError,
  type StoreInfo,
  type Versions,
  type VersionsOptions,
} from '../../kube/store/store.ts';
import { REPLAY_MS, TRAVEL_MS } from '../../kube/store/window.ts';
import { afterUnlessStopping } from '../drain.ts';
import { turn, world } from '../env.ts';
import type { BaseLayer } from './base.ts';
import { COPYING, CopiedObject, type Copying, FORGET_IMPORT } from './copied.ts';
import { resumableAfter } from './history.ts';
import { BEGAN_AFTER } from './importing.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { comeNear, leave } from './near.ts';
import type { Changes } from './outbox.ts';
import type { Restore } from './restores.ts';
import type { Begin, Begun } from './rounds.ts';
import { getMeta, hasMeta, setMeta } from './schema.ts';
import { Sending } from './sending.ts';
import { answersTo, type SharedAnswer, type SharedCall } from './sharedcalls.ts';
import { type Adopted, noCluster, partsLeft, partsOf, type SiblingStub } from './siblings.ts';
import { Sockets } from './sockets.ts';
import { type Sql, sqlOf } from './sql.ts';
import { SqliteStore } from './sqlite.ts';
import { type ClusterSpec, createCluster } from './state.ts';
import { buryOrClear } from './tombstone.ts';
import type { RestoreRules, RestoreTarget } from './travel.ts';
import type { Used } from './usage.ts';
import { type Verified, verifyOpened } from './verify.ts';
import { LARGE_UNITS } from './waiting.ts';
import { ACK, AGAIN, PING, PONG, PROGRESS, parseWatch, refusal } from './watch-wire.ts';

/** What the composition root gives the class; `E` is its bindings. */
export interface TenantOptions<E> {
  /** Objects of this class, for siblings to find each other. */
  objects(env: E): { getByName(name: string): SiblingStub };
  /** The base layers of this release, by hash. */
  layer?(hash: string): BaseLayer | undefined;
  /** What a cluster may use, where it has no limits of its own. */
  limits?(env: E): Limits;
  /** Wakes a loop of a cluster. A failure is made up for by an alarm; `attempt` counts its repetitions, for the next replica to take over. */
  wake?(env: E, cluster: string, loop: string, revision: Revision, attempt: number): Promise<void>;
  /** What a restore has to know of rows. */
  restoring?: RestoreRules;
  /** The world; tests bring a clock that can be moved. */
  env?: Env;
}

/** What a cluster begins with. */
export interface FirstObjects {
  ops: Op[];
  /** What each loop is woken for. */
  loops: Record<string, Interest[]>;
}

/** Pushing a policy revision to a sibling is tried this often before the writer is told that the outcome is open. */
const PUSH_TRIES = 3;
/** A watch's range and selection must fit the platform's limit of a socket's attachment. */
const ATTACHMENT_BYTES = 16_000;

/** The class of a cluster's store objects: the TenantStore itself, named by the cluster's id, and its siblings for hot resources. */
export function makeTenantStore<E>(options: TenantOptions<E>) {
  return class TenantStore extends CopiedObject<E> {
    readonly #sql: Sql;
    readonly #world: Env;
    #opened: { store: SqliteStore; sockets: Sockets } | null = null;
    #opening: Promise<void> | null = null;
    readonly #sending: Sending;

    constructor(ctx: DurableObjectState, env: E) {
      super(ctx, env);
      if (ctx.id.name) leave(ctx.id.name);
      this.#sql = sqlOf(ctx.storage as unknown as Parameters<typeof sqlOf>[0]);
      this.#world = options.env ?? objectWorld;
      this.#sending = new Sending(this.#world);
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
      // Sockets that outlived a sleep must be known before anything is written.
      if (ctx.getWebSockets().length > 0 && isLive(this.#sql)) this.#open();
    }

    /** Gives this object a cluster, with its first objects if there are any. Throws StoreError 'no-cluster' if it has or had one. */
    async create(spec: ClusterSpec, first?: FirstObjects): Promise<void> {
      createCluster(this.#sql, spec);
      setMeta(this.#sql, 'name', this.#name());
      if (first) await this.#open().store.begin(first.ops, first.loops);
      else await this.ctx.storage.sync();
    }

    /** Deletes everything but a tombstone, here and in the siblings that there are; the names of the nodes that there were. */
    async destroy(): Promise<string[]> {
      leave(this.#name());
      if (this.#part() === 'main')
        await Promise.all(this.#siblings(partsLeft(this.#sql)).map((s) => s.destroy().catch(noCluster)));
      this.#opened?.sockets.closeAll('the cluster has been deleted');
      this.#opened = null;
      this[FORGET_IMPORT]();
      const nodes = await buryOrClear(this.#sql, this.ctx.storage, this.#world);
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.sync();
      return nodes;
    }

    [COPYING](): Copying {
      return {
        sql: this.#sql,
        world: this.#world,
        name: this.#name(),
        layer: (hash) => options.layer?.(hash),
        state: async () => (await this.#store()).state,
        sibling: (name) => options.objects(this.env).getByName(name),
      };
    }

    async read(range: Range, o?: ReadOptions): Promise<Page | Stale> {
      this.#sending.end();
      if (o?.assume?.watch) await this.#roomForWatch();
      const page = (await this.#store()).readNow(range, o);
      // To read rows of a megabyte and to send them are two steps.
      if (page.ok && page.entries.some((row) => row.value.length > LARGE_UNITS)) await sleep(this.#world, 0);
      return this.#sending.of(page);
    }
    async commit(ops: Op[], o?: CommitOptions): Promise<Commit | Stale> {
      return (await this.#store()).commit(ops, o);
    }
    async confirm(assume: Assume): Promise<Confirmed | Stale> {
      if (assume.watch) await this.#roomForWatch();
      return (await this.#store()).confirm(assume);
    }
    /** Calls of several requests, as if each had come by itself. */
    async calls(calls: SharedCall[]): Promise<SharedAnswer[]> {
      return answersTo(await this.#store(), calls, () => sleep(this.#world, 0));
    }
    async compact(before: Revision): Promise<void> {
      return (await this.#store()).compact(before);
    }
    async grant(lease: string, holder: string, ttlMs: number): Promise<Grant> {
      return (await this.#store()).grant(lease, holder, ttlMs);
    }
    async release(lease: string, holder: string): Promise<void> {
      return (await this.#store()).release(lease, holder);
    }
    async related(...a: Parameters<Store['related']>): Promise<Entry[]> {
      return (await this.#store()).related(...a);
    }
    async versions(key: Key, o?: VersionsOptions): Promise<Versions | Stale> {
      return (await this.#store()).versions(key, o);
    }
    async info(): Promise<StoreInfo> {
      return (await this.#store()).info();
    }
    /** Looks at one slice of the tables: from the beginning, or where the last slice's `next` says. */
    async verify(next?: string): Promise<Verified> {
      return verifyOpened(async () => (await this.#store()).state, this.#sql, next);
    }
    /** The siblings that the cluster has. */
    async parts(): Promise<Placement[]> {
      try {
        return partsOf(this.#sql);
      } catch {
        // Where that can't be read any more, verify() says so.
        return [];
      }
    }

    /** Sets what a loop is woken for; '*' is everything. */
    async register(loop: string, interests: (Interest | string)[]): Promise<void> {
      return (await this.#store()).register(loop, interests);
    }
    /** A loop's lease, and what changed for it. */
    async startRound(o: Begin): Promise<Begun> {
      return (await this.#store()).startRound(o);
    }
    /** A loop has seen everything up to `revision` and gives its lease back; false when more came: it keeps both mark and lease. */
    async endRound(loop: string, lease: string, holder: string, revision: Revision): Promise<boolean> {
      return (await this.#store()).endRound(loop, lease, holder, revision);
    }
    /** A loop has seen everything up to `revision`; false when more came for it meanwhile: it stays marked. */
    async cleared(loop: string, revision: Revision): Promise<boolean> {
      return (await this.#store()).cleared(loop, revision);
    }
    /** Rows of some resources (none named: all) that changed after a cursor, paged, deletions included. */
    async changes(interests: (Interest | string)[], after: Revision): Promise<Changes> {
      return (await this.#store()).changes(interests, after);
    }

    /** Begins to bring the cluster back as it was; null when that is under way already. Restorer.restore(). */
    async restore(target: RestoreTarget, by: string): Promise<Restore | null> {
      return (await this.#store()).restorer.restore(target, by);
    }
    /** The last restore, done or under way; null: there was none. */
    async restored(): Promise<Restore | null> {
      const { restorer } = await this.#store();
      // Nobody hears of the end before every store decides by what is restored.
      await restorer.told;
      return restorer.last();
    }

    /** What the cluster uses of its limits, in this object. */
    async usage(): Promise<Used> {
      return { ...(await this.#store()).state.usage.show(), watches: this.#open().sockets.size };
    }

    /** In a sibling: the main object's policy revision moved. */
    async setPolicy(policy: Revision): Promise<void> {
      return (await this.#store()).setPolicy(policy);
    }
    /** In the main object: a sibling begins; from here on it is told of policy revisions before writers are. */
    async adopt(part: Placement): Promise<Adopted> {
      const { policy } = await (await this.#store()).info();
      const parts = new Set([...partsOf(this.#sql), part]);
      setMeta(this.#sql, 'siblings', [...parts].join(' '));
      await this.ctx.storage.sync();
      // At least 1: to clients 0 is no revision but 'any', so an empty list must not carry it.
      const after = Math.max(1, Number(getMeta(this.#sql, BEGAN_AFTER) ?? 0));
      return { createdMs: this.#world.now(), policy, after };
    }

    /** A watch: an upgrade of `/watch?...` (watch-wire.ts). */
    override async fetch(request: Request): Promise<Response> {
      try {
        const { assume, ...attachment } = parseWatch(request.url);
        if (JSON.stringify(attachment).length > ATTACHMENT_BYTES)
          throw new StoreError('too-large', 'the selector is too long');
        await this.#roomForWatch();
        const store = await this.#store();
        const confirmed = assume ? await store.confirm(assume) : null;
        if (confirmed && !confirmed.ok) return Response.json(confirmed, { status: 409 });
        const { revision } = store.state;
        const compacted = resumableAfter(store.state);
        const after = attachment.after ?? 0;
        if (after > revision)
          throw new StoreError('future', `revision ${after} has not been reached: the newest is ${revision}`);
        if (after < compacted) throw new StoreError('compacted', `revision ${after} has been compacted`);
        const { 0: client, 1: server } = new WebSocketPair();
        this.ctx.acceptWebSocket(server);
        this.ctx.waitUntil(this.#open().sockets.open(server, attachment));
        return new Response(null, { status: 101, webSocket: client });
      } catch (e) {
        if (e instanceof StoreError) return refusal(e);
        throw e;
      }
    }

    override webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): void {
      if (message === ACK) this.#opened?.sockets.acknowledge(ws);
      else if (message === PROGRESS) this.#opened?.sockets.progress(ws);
      else if (typeof message === 'string' && message.startsWith(AGAIN))
        this.#open().sockets.again(ws, message.slice(AGAIN.length));
    }
    override webSocketClose(ws: WebSocket, code: number): void {
      this.#opened?.sockets.leave(ws);
      // 1005 and 1006 say that there was no code; they can't be sent.
      ws.close(code === 1005 || code === 1006 ? 1000 : code);
    }
    override webSocketError(ws: WebSocket): void {
      this.#opened?.sockets.leave(ws);
    }

    override async alarm(): Promise<void> {
      // A late alarm of a deleted cluster finds nothing to do.
      if (!isLive(this.#sql)) return;
      await (await this.#store()).alarm();
    }

    async #store(): Promise<SqliteStore> {
      if (this.#opened) return this.#opened.store;
      if (this.#part() !== 'main' && !hasMeta(this.#sql)) await this.#adopted();
      return this.#open().store;
    }

    async #roomForWatch(): Promise<void> {
      const { limits } = (await this.#store()).state.usage;
      if (this.#open().sockets.size >= limits.watches)
        throw new StoreError('overloaded', `the cluster has ${limits.watches} watches, as many as it may have`);
    }

    #open(): { store: SqliteStore; sockets: Sockets } {
      if (this.#opened) return this.#opened;
      const part = this.#part();
      const store = new SqliteStore({
        sql: this.#sql,
        env: this.#world,
        sync: () => this.ctx.storage.sync(),
        turn,
        // The platform refuses the time 0, which is due at once.
        schedule: (at) => this.ctx.waitUntil(this.ctx.storage.setAlarm(Math.max(at, 1))),
        layer: (hash) => options.layer?.(hash),
        limits: options.limits?.(this.env) ?? DEFAULT_LIMITS,
        sibling: part !== 'main',
        travelMs: part === 'main' ? TRAVEL_MS : REPLAY_MS,
        ...(options.restoring ? { restoring: options.restoring } : {}),
        restoreFailed: (cause) => this.#world.log('error', 'store.restore', { error: String(cause) }),
        jumped: () => this.#opened?.sockets.closeAll('the cluster has been restored'),
        policyMoved: (policy) => this.#push(policy),
        wake: (loop, revision, attempt) => this.#wake(loop, revision, attempt),
        failed: (cause) => this.#failed(cause),
        damaged: (cause) => this.#damaged(cause),
      });
      const sockets = new Sockets(store.source, this.#world);
      sockets.restore(this.ctx.getWebSockets());
      this.#opened = { store, sockets };
      comeNear(this.#name(), store);
      return this.#opened;
    }

    #damaged(cause: unknown): void {
      this.#world.log('error', 'store.corrupt', { object: this.ctx.id.name, error: String(cause) });
    }

    /** The next call opens the tables anew, or is told why they can't be opened. */
    #failed(cause: unknown): void {
      this.#damaged(cause);
      leave(this.#name());
      this.#opened?.sockets.closeAll('the store cannot be read');
      this.#opened = null;
    }

    /** A sibling's first call: the main object says whether the cluster exists, and from then on pushes policy revisions. */
    #adopted(): Promise<void> {
      this.#opening ??= (async () => {
        const { cluster, part } = parseStoreName(this.#name());
        const { createdMs, policy, after } = await options.objects(this.env).getByName(cluster).adopt(part);
        createCluster(this.#sql, { base: '', uidPrefix: '', createdMs });
        setMeta(this.#sql, 'name', storeName(cluster, part));
        setMeta(this.#sql, 'pushed', policy);
        for (const name of ['revision', 'compacted', 'swept']) setMeta(this.#sql, name, after);
      })().finally(() => {
        this.#opening = null;
      });
      return this.#opening;
    }

    /** The platform doesn't always tell an object its name (when an alarm wakes it); the tables keep it. */
    #name(): string {
      return this.ctx.id.name ?? (hasMeta(this.#sql) ? String(getMeta(this.#sql, 'name') ?? '') : '');
    }
    #part(): Placement {
      return parseStoreName(this.#name()).part;
    }
    #siblings(parts: readonly Placement[]): SiblingStub[] {
      return parts.map((part) => options.objects(this.env).getByName(storeName(this.#name(), part)));
    }

    async #push(policy: Revision): Promise<void> {
      for (let tries = 1; ; tries++) {
        try {
          await Promise.all(this.#siblings(partsOf(this.#sql)).map((s) => s.setPolicy(policy)));
          return;
        } catch (e) {
          if (tries === PUSH_TRIES) throw e;
        }
      }
    }

    #wake(loop: string, revision: Revision, attempt: number): void {
      const woken = options.wake?.(this.env, this.#name(), loop, revision, attempt);
      // A wake-up that fails is repeated by the alarm until the loop has cleared its mark.
      if (woken)
        this.ctx.waitUntil(woken.catch((e) => this.#world.log('warn', 'store.wake', { loop, error: String(e) })));
    }
  };
}

/** An object of the class. */
export type TenantStore = InstanceType<ReturnType<typeof makeTenantStore<unknown>>>;

/** Timers shorter than this run out before anybody minds. */
const HELD_MS = 1_000;
/** The world of an object that may be handed over: its longer timers don't hold it back. */
const objectWorld: Env = {
  ...world,
  after: (ms, f) => (ms < HELD_MS ? world.after(ms, f) : afterUnlessStopping(ms, f)),
};

/** False where no cluster was created, or a tombstone stands. */
const isLive = (sql: Sql): boolean => {
  const row = hasMeta(sql) ? getMeta(sql, 'cluster') : null;
  return typeof row === 'string' && (JSON.parse(row) as { state?: string }).state === 'live';
};
