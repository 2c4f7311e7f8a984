import type { Env } from '../meta/env.ts';
import { type Change, eventFor, Fanout } from './fanout.ts';
import { lowerBound } from './key.ts';
import { checkSize, fillTokens, isPut } from './limits.ts';
import { MemoryPolicy } from './memory-policy.ts';
import { MemoryReservations } from './memory-reservations.ts';
import { cutPage, cutVersions } from './page.ts';
import { isRelated, selectionTest, type Test } from './select.ts';
import {
  type Assume,
  type Batch,
  type Commit,
  type CommitOptions,
  type Condition,
  type Confirmed,
  type Entry,
  type Grant,
  type Key,
  type Op,
  type Page,
  type PutOp,
  type Range,
  REQUEST_MEMORY_MS,
  type ReadOptions,
  type Revision,
  type Stale,
  StaleError,
  type Store,
  StoreError,
  type StoreInfo,
  type Version,
  type Versions,
  type VersionsOptions,
  type WatchEvent,
  type WatchOptions,
} from './store.ts';
import { watchOf } from './stream.ts';
import { PROGRESS_MS, REPLAY_MS, REPLAY_REVISIONS } from './window.ts';

/** What MemoryStore takes of the world. */
export type MemoryEnv = Pick<Env, 'now' | 'after'>;

/** When and by whom. */
interface Written {
  atMs: number;
  by: string | undefined;
}
interface Past extends Change, Written {}

/** The model: the whole contract in plain data, one process, nothing durable. Also the store of unit tests and test/sim. */
export class MemoryStore implements Store {
  readonly fanout = new Fanout();
  readonly #env: MemoryEnv;
  readonly #rows = new Map<Key, Entry>();
  /** Keys of #rows in order. */
  readonly #keys: Key[] = [];
  /** Oldest first; every change after #compacted. */
  #history: Past[] = [];
  #revision: Revision = 0;
  #compacted: Revision = 0;
  readonly #policy = new MemoryPolicy();
  readonly #reservations = new MemoryReservations();
  readonly #leases = new Map<string, { holder: string; epoch: number; expiresMs: number }>();
  readonly #requests = new Map<string, { commit: Commit & { ok: true }; atMs: number }>();
  readonly #expiries = new Map<Key, number>();
  readonly #written = new WeakMap<Entry, Written>();
  #expiryTimer: { atMs: number; cancel: () => void } | null = null;
  #progressPending = false;

  constructor(env: MemoryEnv) {
    this.#env = env;
  }

  async read(range: Range, o: ReadOptions = {}): Promise<Page | Stale> {
    const stale = this.#check(o.assume);
    if (stale) return stale;
    const at = o.at ?? this.#revision;
    this.#checkPast(at);
    const from = o.after !== undefined && o.after >= range.from ? `${o.after}\0` : range.from;
    const rest = { from, to: range.to };
    const test = selectionTest(o.select);
    if (o.known && o.join && test === null && !o.factsOnly && this.#isSame(rest, at, o.known)) {
      const page: Page = { ok: true, revision: at, entries: [], count: 0, same: true };
      const { next } = o.known;
      if (!o.limit && !this.#hasChanged(rest, o.known.revision)) page.rest = true;
      if (next === undefined || !o.limit) return page;
      return { ...page, remaining: [...this.#rowsAt({ from: `${next}\0`, to: range.to }, at)].length };
    }
    return cutPage(this.#rowsAt(rest, at), at, test, o);
  }

  /** Nothing of the page that the caller knows has changed, and rows follow it if any did. */
  #isSame(range: Range, at: Revision, { revision, next }: NonNullable<ReadOptions['known']>): boolean {
    if (revision > at || revision < this.#compacted) return false;
    const to = next === undefined ? range.to : `${next}\0`;
    const changed = this.#hasChanged({ from: range.from, to }, revision);
    if (changed || next === undefined) return !changed;
    return !this.#rowsAt({ from: to, to: range.to }, at)[Symbol.iterator]().next().done;
  }

  #hasChanged({ from, to }: Range, since: Revision): boolean {
    return this.#history.some((h) => h.revision > since && h.key >= from && h.key < to);
  }

  async commit(ops: Op[], o: CommitOptions = {}): Promise<Commit | Stale> {
    checkSize(ops);
    const now = this.#env.now();
    const repeated = o.request === undefined ? undefined : this.#requests.get(o.request);
    if (repeated && repeated.atMs + REQUEST_MEMORY_MS > now) return { ...repeated.commit, repeated: true };
    const stale = this.#check(o.assume);
    if (stale) return stale;
    const lease = o.fence && this.#leases.get(o.fence.lease);
    const held = lease?.epoch === o.fence?.epoch && (o.fence?.holder ?? lease?.holder) === lease?.holder;
    if (o.fence && (!lease || !held || lease.expiresMs <= now)) {
      return { ok: false, lost: 'fence' };
    }
    if (
      ops.some((op) => isPut(op) && op.expect !== undefined && op.expect !== (this.#rows.get(op.key)?.revision ?? 0))
    ) {
      return {
        ok: false,
        lost: 'race',
        found: ops.map((op) => (isPut(op) ? (this.#rows.get(op.key) ?? null) : undefined)),
      };
    }
    const reserved = this.#reservations.plan(ops);
    if (!reserved.ok) return reserved;
    const changes: Change[] = [];
    const revisions = ops.map((op) =>
      isPut(op) && this.#holds(op.when) ? this.#put(fillTokens(op, reserved.tokens), now, changes, o.by) : 0,
    );
    for (const c of changes) if (c.next === null) this.#reservations.releaseOf(c.key);
    const commit: Commit & { ok: true } = { ok: true, revision: this.#revision, revisions };
    if (reserved.claimed.length > 0) commit.claimed = ops.map((_, i) => reserved.claimed[i]);
    if (o.request !== undefined) this.#remember(o.request, commit, now);
    this.#announce(changes);
    return commit;
  }

  async confirm(assume: Assume): Promise<Confirmed | Stale> {
    return this.#check(assume) ?? { ok: true, revision: this.#revision, policy: this.#policy.revision };
  }

  watch(range: Range, after: Revision, o: WatchOptions = {}): AsyncIterable<Batch> {
    const stale = this.#check(o.assume);
    if (stale) throw new StaleError(stale);
    const source = {
      revision: () => this.#revision,
      replay: (r: Range, a: Revision, test: Test | null, limit: number) => this.#replay(r, a, test, limit),
      fanout: this.fanout,
    };
    return watchOf(source, range, after, o.select);
  }

  async compact(before: Revision): Promise<void> {
    const to = Math.min(before, this.#revision);
    if (to <= this.#compacted) return;
    this.#compacted = to;
    this.#history = this.#history.filter((h) => h.revision > to);
    this.#policy.forget(to);
  }

  async grant(lease: string, holder: string, ttlMs: number): Promise<Grant> {
    const now = this.#env.now();
    const held = this.#leases.get(lease);
    if (held && held.holder !== holder && held.expiresMs > now) return { held: false, ...held };
    const epoch = !held ? 1 : held.holder === holder ? held.epoch : held.epoch + 1;
    const next = { holder, epoch, expiresMs: now + ttlMs };
    this.#leases.set(lease, next);
    return { held: true, ...next };
  }

  async release(lease: string, holder: string): Promise<void> {
    const held = this.#leases.get(lease);
    // The epoch stays, so that the next holder's is higher.
    if (held?.holder === holder) this.#leases.set(lease, { ...held, holder: '', expiresMs: 0 });
  }

  async related(
    by: 'owner' | 'node' | 'ref',
    value: string,
    o: { resource?: string; limit?: number; after?: Key; factsOnly?: boolean } = {},
  ): Promise<Entry[]> {
    const found: Entry[] = [];
    for (const key of this.#keys) {
      if (o.after !== undefined && key <= o.after) continue;
      if (o.resource !== undefined && !key.startsWith(`${o.resource}/`)) continue;
      const entry = this.#rows.get(key);
      if (!entry || !isRelated(entry, by, value)) continue;
      found.push(o.factsOnly ? { ...entry, value: '' } : entry);
      if (o.limit && found.length >= o.limit) break;
    }
    return found;
  }

  async versions(key: Key, o: VersionsOptions = {}): Promise<Versions | Stale> {
    const stale = this.#check(o.assume);
    if (stale) return stale;
    const changes = this.#history.filter((h) => h.key === key);
    const oldest = changes.length > 0 ? (changes[0]?.prev ?? null) : (this.#rows.get(key) ?? null);
    const versions = changes.reverse().map((h) => versionOf(h.revision, h.next, h));
    if (oldest) versions.push(versionOf(oldest.revision, oldest, this.#written.get(oldest)));
    return cutVersions(
      versions.filter((x) => x.revision < (o.before ?? Infinity)),
      this.#revision,
      o.limit,
    );
  }

  async info(): Promise<StoreInfo> {
    return {
      revision: this.#revision,
      compacted: this.#compacted,
      oldest: this.#compacted,
      policy: this.#policy.revision,
      schema: 0,
    };
  }

  #check(assume: Assume | undefined): Stale | null {
    return assume ? this.#policy.check(assume, (key) => this.#rows.get(key)?.facts.uid) : null;
  }

  #checkPast(at: Revision): void {
    if (at > this.#revision)
      throw new StoreError('future', `revision ${at} has not been reached: the newest is ${this.#revision}`);
    if (at < this.#compacted)
      throw new StoreError('compacted', `revision ${at} has been compacted: the oldest is ${this.#compacted}`);
  }

  *#rowsAt(range: Range, at: Revision): Iterable<Entry> {
    if (at === this.#revision) {
      for (let i = lowerBound(this.#keys, range.from); i < this.#keys.length; i++) {
        const entry = this.#rows.get(this.#keys[i] ?? '');
        if (!entry || entry.key >= range.to) return;
        yield entry;
      }
      return;
    }
    const undone = new Map<Key, Entry | null>();
    for (let i = this.#history.length - 1; i >= 0; i--) {
      const h = this.#history[i];
      if (!h || h.revision <= at) break;
      if (h.key >= range.from && h.key < range.to) undone.set(h.key, h.prev);
    }
    const past = new Map<Key, Entry | null>();
    for (const entry of this.#rowsAt(range, this.#revision)) past.set(entry.key, entry);
    for (const [key, prev] of undone) past.set(key, prev);
    for (const key of [...past.keys()].sort(order)) {
      const entry = past.get(key);
      if (entry) yield entry;
    }
  }

  #holds(when: Condition | undefined): boolean {
    if (when === undefined) return true;
    if ('absent' in when) return when.absent.some(({ key, uid }) => this.#rows.get(key)?.facts.uid !== uid);
    return [...this.#rows.values()].some((e) => e.facts.owners?.includes(when.owned));
  }

  #put(op: PutOp, now: number, changes: Change[], by?: string): Revision {
    const prev = this.#rows.get(op.key) ?? null;
    if (op.value === null && prev === null) return 0;
    const revision = ++this.#revision;
    let next: Entry | null = null;
    if (op.value !== null) {
      const { text, version, schema, enc } = op.value;
      const facts = op.facts ?? { uid: '' };
      next = { key: op.key, revision, created: prev?.created ?? revision, value: text, version, schema, facts };
      if (enc !== undefined) next.enc = enc;
    }
    this.#setRow(op.key, next);
    if (next && op.ttlMs !== undefined) this.#expiries.set(op.key, now + op.ttlMs);
    else this.#expiries.delete(op.key);
    this.#policy.changed(op.key, revision, prev?.facts, next?.facts);
    const change = { revision, key: op.key, prev, next };
    this.#history.push({ ...change, atMs: now, by });
    if (next) this.#written.set(next, { atMs: now, by });
    changes.push(change);
    return revision;
  }

  #setRow(key: Key, next: Entry | null): void {
    const existed = this.#rows.has(key);
    if (next) this.#rows.set(key, next);
    else this.#rows.delete(key);
    if (existed === (next !== null)) return;
    if (next) this.#keys.splice(lowerBound(this.#keys, key), 0, key);
    else this.#keys.splice(lowerBound(this.#keys, key), 1);
  }

  #remember(request: string, commit: Commit & { ok: true }, now: number): void {
    for (const [id, r] of this.#requests) {
      if (r.atMs + REQUEST_MEMORY_MS > now) break;
      this.#requests.delete(id);
    }
    this.#requests.set(request, { commit, atMs: now });
  }

  #announce(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#trim();
    this.#armExpiry();
    this.fanout.publish(changes, this.#revision);
    if (this.#progressPending || this.fanout.size === 0) return;
    this.#progressPending = true;
    this.#env.after(PROGRESS_MS, () => {
      this.#progressPending = false;
      for (const watcher of this.fanout.watchers()) watcher.deliver([], this.#revision);
    });
  }

  /** Keeps the replay window; in slices, since dropping from the front of an array is linear. */
  #trim(): void {
    if (this.#history.length < 2 * REPLAY_REVISIONS) return;
    const oldest = this.#env.now() - REPLAY_MS;
    const h = this.#history[REPLAY_REVISIONS];
    if (h && h.atMs < oldest) {
      this.#compacted = h.revision;
      this.#history = this.#history.slice(REPLAY_REVISIONS + 1);
      this.#policy.forget(h.revision);
    }
  }

  #replay(range: Range, after: Revision, test: Test | null, limit: number): Batch {
    if (after < this.#compacted) {
      throw new StoreError(
        'compacted',
        `revision ${after} has been compacted: watches resume after ${this.#compacted}`,
      );
    }
    const events: WatchEvent[] = [];
    let first = this.#history.findIndex((h) => h.revision > after);
    if (first < 0) first = this.#history.length;
    const slice = this.#history.slice(first, first + limit);
    for (const h of slice) {
      const event = h.key >= range.from && h.key < range.to ? eventFor(h, test) : null;
      if (event) events.push(event);
    }
    const last = slice[slice.length - 1];
    return { revision: slice.length < limit || !last ? this.#revision : last.revision, events };
  }

  /** One timer, for the row that expires first. */
  #armExpiry(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const at of this.#expiries.values()) first = Math.min(first, at);
    if (this.#expiryTimer && this.#expiryTimer.atMs <= first) return;
    this.#expiryTimer?.cancel();
    this.#expiryTimer = null;
    if (first === Number.POSITIVE_INFINITY) return;
    const cancel = this.#env.after(Math.max(0, first - this.#env.now()), () => {
      this.#expiryTimer = null;
      this.#expire();
    });
    this.#expiryTimer = { atMs: first, cancel };
  }

  #expire(): void {
    const now = this.#env.now();
    const changes: Change[] = [];
    for (const [key, at] of [...this.#expiries]) {
      if (at <= now) this.#put({ key, expect: undefined, value: null }, now, changes);
    }
    for (const c of changes) this.#reservations.releaseOf(c.key);
    this.#announce(changes);
    this.#armExpiry();
  }
}

function versionOf(revision: Revision, entry: Entry | null, written: Written | undefined): Version {
  const version: Version = { revision, atMs: written?.atMs ?? 0, entry };
  if (written?.by !== undefined) version.by = written.by;
  return version;
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
