import type { Env } from '../../kube/meta/env.ts';
import {
  type Assume,
  type Batch,
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
  type WatchOptions,
} from '../../kube/store/store.ts';
import type { Near } from './near.ts';
import { type ClientSocket, RemoteWatch } from './remote-watch.ts';
import type { SharedFrames } from './sharedframes.ts';
import { damage } from './sql.ts';
import { errorOf, unopened } from './watch-wire.ts';

/** A store object as its stub shows it. */
export interface StoreStub {
  read(range: Range, o?: ReadOptions): Promise<Page | Stale>;
  commit(ops: Op[], o?: CommitOptions): Promise<Commit | Stale>;
  confirm(assume: Assume): Promise<Confirmed | Stale>;
  compact(before: Revision): Promise<void>;
  grant(lease: string, holder: string, ttlMs: number): Promise<Grant>;
  release(lease: string, holder: string): Promise<void>;
  related(...a: Parameters<Store['related']>): Promise<Entry[]>;
  versions(key: Key, o?: VersionsOptions): Promise<Versions | Stale>;
  info(): Promise<StoreInfo>;
  fetch(
    url: string,
    init: { headers: Record<string, string> },
  ): Promise<{ status: number; webSocket: ClientSocket | null; text(): Promise<string> }>;
}

/** Calls that failed on the way are repeated this often in all, this far apart: longer than an object takes to start anew. */
const TRIES = 4;
const RETRY_MS = [20, 100, 400];
/**
 * What the platform itself calls retryable never came to an object: its owner has gone. It is repeated until another must have taken the
 * object over: in workerd's cluster mode a dead owner's lease runs out after 20 s.
 */
const TAKEOVER_MS = 25_000;
const TAKEOVER_RETRY_MS = 1_000;

/** What a remote store needs of the world. */
type RemoteEnv = Pick<Env, 'now' | 'uuid' | 'after' | 'random'>;

/**
 * The store over an object's stub. What failed on the way is repeated: reads as they are, commits under a request id by which the
 * object knows its own answer. What an overloaded object refused is never repeated.
 */
export class RemoteStore implements Store {
  readonly #connect: () => StoreStub;
  readonly #env: RemoteEnv;
  readonly #frames: SharedFrames | undefined;
  readonly #near: Near | undefined;

  /**
   * `connect` gives a fresh stub: one that has failed once stays broken. `frames` is what the isolate's watches have in common; `near` answers what it can instead of the
   * object, where that is in the same isolate.
   */
  constructor(connect: () => StoreStub, env: RemoteEnv, frames?: SharedFrames, near?: Near) {
    this.#connect = connect;
    this.#env = env;
    this.#frames = frames;
    this.#near = near;
  }

  async read(range: Range, o?: ReadOptions): Promise<Page | Stale> {
    const here = this.#near?.read(range, o);
    if (!here) return this.#ask((stub) => stub.read(range, o));
    await this.#near?.pause();
    return here;
  }

  async commit(ops: Op[], o: CommitOptions = {}): Promise<Commit | Stale> {
    const options = { ...o, request: o.request ?? this.#env.uuid() };
    // A call that got lost may have taken effect: a refusal of the next says nothing of it.
    let open = false;
    const failed = (e: unknown): never => {
      const known = storeErrorOf(e);
      if (known?.code === 'overloaded' && open) throw new StoreError('unknown-outcome', known.message);
      open ||= !known;
      throw e;
    };
    try {
      return await this.#call((stub, repeat) =>
        stub.commit(ops, repeat ? { ...options, repeat } : options).catch(failed),
      );
    } catch (e) {
      if (e instanceof StoreError) throw e;
      if (isFull(e)) throw new StoreError('full', textOf(e), FULL_SECONDS);
      throw new StoreError('unknown-outcome', `the write was sent, its answer was lost: ${textOf(e)}`);
    }
  }

  async confirm(assume: Assume): Promise<Confirmed | Stale> {
    const here = this.#near?.confirm(assume);
    if (!here) return this.#ask((stub) => stub.confirm(assume));
    await this.#near?.pause();
    return here;
  }
  compact(before: Revision): Promise<void> {
    return this.#call((stub) => stub.compact(before));
  }
  grant(lease: string, holder: string, ttlMs: number): Promise<Grant> {
    return this.#call((stub) => stub.grant(lease, holder, ttlMs));
  }
  release(lease: string, holder: string): Promise<void> {
    return this.#call((stub) => stub.release(lease, holder));
  }
  related(...a: Parameters<Store['related']>): Promise<Entry[]> {
    return this.#ask((stub) => stub.related(...a));
  }
  versions(key: Key, o?: VersionsOptions): Promise<Versions | Stale> {
    return this.#ask((stub) => stub.versions(key, o));
  }
  info(): Promise<StoreInfo> {
    return this.#ask((stub) => stub.info());
  }

  watch(range: Range, after: Revision, o: WatchOptions = {}): AsyncIterable<Batch> {
    return new RemoteWatch(this.#connect, this.#env, range, after, o, this.#frames);
  }

  /** #call() for what changes nothing: where the platform can't open the object's file, that is what the caller hears. */
  #ask<T>(f: (stub: StoreStub) => Promise<T>): Promise<T> {
    return this.#call(f).catch((e: unknown) => {
      if (e instanceof StoreError) throw e;
      throw (
        unopened(textOf(e)) ?? damage(textOf(e)) ?? (isRetryable(e) ? new StoreError('unavailable', textOf(e), 2) : e)
      );
    });
  }

  async #call<T>(f: (stub: StoreStub, repeat: boolean) => Promise<T>): Promise<T> {
    let until = 0;
    for (let tries = 0; ; tries++) {
      try {
        return await f(this.#connect(), tries > 0);
      } catch (e) {
        const known = storeErrorOf(e);
        if (known) throw known;
        let wait = RETRY_MS[tries];
        if (wait === undefined || tries + 1 >= TRIES) {
          if (!isRetryable(e)) throw e;
          // Counted from here: what came before took half a second.
          until ||= this.#env.now() + TAKEOVER_MS;
          if (this.#env.now() > until) throw e;
          wait = TAKEOVER_RETRY_MS;
        }
        await new Promise<void>((next) => this.#env.after(wait * (0.5 + this.#env.random()), next));
      }
    }
  }
}

/** The platform couldn't reach the object; one whose file it can't open stays as it is. */
const isRetryable = (e: unknown): boolean =>
  (e as { retryable?: unknown }).retryable === true && unopened(textOf(e)) === null;

/** A full disk isn't emptied at once. */
const FULL_SECONDS = 5;
/**
 * SQLite's own text of a transaction that found no room. The object is reset then, and all who wait for it hear this, also those whose transaction
 * went through just before: only a repeat tells them.
 */
export const isFull = (e: unknown): boolean => textOf(e).includes('SQLITE_FULL');

/** The object's own answer in an error that crossed RPC; null when the call got lost on the way. */
export function storeErrorOf(e: unknown): StoreError | null {
  if (e instanceof StoreError) return e;
  const { message, overloaded } = e as { message?: unknown; overloaded?: unknown };
  if (overloaded === true) return new StoreError('overloaded', textOf(e));
  return errorOf(String(message));
}

const textOf = (e: unknown): string => (e instanceof Error ? e.message : String(e));
