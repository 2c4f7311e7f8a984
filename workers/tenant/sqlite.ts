import { sleep } from '../../kube/meta/env.ts';
import { Fanout } from '../../kube/store/fanout.ts';
import { type Interest, Interests } from '../../kube/store/interest.ts';
import { checkSize } from '../../kube/store/limits.ts';
import { cutPage } from '../../kube/store/page.ts';
import { selectionTest } from '../../kube/store/select.ts';
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
  StaleError,
  type Store,
  StoreError,
  type StoreInfo,
  type Versions,
  type VersionsOptions,
  type WatchOptions,
} from '../../kube/store/store.ts';
import { type WatchSource, watchOf } from '../../kube/store/stream.ts';
import { PROGRESS_MS, TRAVEL_MS } from '../../kube/store/window.ts';
import { apply } from './apply.ts';
import { forget, replay, resumableAfter, sweep, unchangedSince } from './history.ts';
import { joinedPage, sameJoined } from './joined.ts';
import { grant, release } from './leases.ts';
import { Maintenance } from './maintenance.ts';
import type { NearStore } from './near.ts';
import { type Changes, changesOf, Outbox } from './outbox.ts';
import { checkAssume } from './policy.ts';
import { CommitQueue, type Outcome, type Waiting } from './queue.ts';
import { related } from './related.ts';
import { checkNotRestoring, Restorer } from './restorer.ts';
import { seenAt } from './restores.ts';
import { type Begin, type Begun, endRound, startRound } from './rounds.ts';
import { counter, rowsAt, rowsIn } from './rows.ts';
import { getMeta, setMeta } from './schema.ts';
import { isCorrupt } from './sql.ts';
import type { SqliteOptions } from './sqliteoptions.ts';
import { type Changed, known, load, openState, type State } from './state.ts';
import { selectiveTerm, TermWrites } from './terms.ts';
import type { Timer } from './timers.ts';
import { versionsOf } from './versions.ts';

/** Who writes a new cluster's first objects, as upstream's own hooks do. */
const FIRST_WRITER = 'system:apiserver';
/**
 * The store in a Durable Object's SQLite. Reads answer at once; commits queue, and one transaction takes all that waited while
 * the one before became durable.
 */
export class SqliteStore implements Store, NearStore {
  readonly fanout = new Fanout();
  readonly source: WatchSource;
  readonly state: State;
  readonly restorer: Restorer;
  readonly #o: SqliteOptions;
  readonly #outbox: Outbox;
  readonly #maintenance: Maintenance;
  readonly #queue: CommitQueue;
  #draining = false;
  #progressPending = false;
  #pushed: Revision | null;
  #settled: Revision;
  /** Loops that the running transaction marks anew. */
  #fresh: string[] = [];

  /** Opens the cluster of this object; throws StoreError 'no-cluster'. */
  constructor(o: SqliteOptions) {
    this.#o = o;
    this.#queue = new CommitQueue(o.env, o.turn);
    this.state = openState(o.sql, o.env, (hash) => o.layer?.(hash), 'live', o.limits);
    this.#settled = this.state.revision;
    this.#pushed = o.sibling ? Number(getMeta(o.sql, 'pushed') ?? 0) : null;
    this.#outbox = new Outbox(this.state);
    this.#maintenance = new Maintenance(this.state, o.schedule, o.travelMs ?? TRAVEL_MS);
    this.restorer = new Restorer(o, {
      state: this.state,
      maintenance: this.#maintenance,
      outbox: this.#outbox,
      fanout: this.fanout,
      pushPolicy: () => this.#pushPolicy(),
    });
    this.source = {
      fanout: this.fanout,
      revision: () => this.state.revision,
      replay: (range, after, test, limit) => replay(this.state, range, after, test, limit),
    };
  }

  get pushed(): Revision | null {
    return this.#pushed;
  }
  /** Everything up to here is durable. */
  get settled(): Revision {
    return this.#settled;
  }

  async read(range: Range, o: ReadOptions = {}): Promise<Page | Stale> {
    return this.readNow(range, o);
  }

  /** read() in one step: what it answers holds as long as the caller doesn't await. */
  readNow(range: Range, o: ReadOptions = {}): Page | Stale {
    const s = this.state;
    const stale = checkAssume(s, o.assume, this.#pushed);
    if (stale) return stale;
    const at = o.at === undefined ? s.revision : seenAt(s.jumps, o.at);
    if (at > s.revision)
      throw new StoreError('future', `revision ${at} has not been reached: the newest is ${s.revision}`);
    if (at < s.compacted)
      throw new StoreError('compacted', `revision ${at} has been compacted: the oldest is ${s.compacted}`);
    const from = o.after !== undefined && o.after >= range.from ? `${o.after}\0` : range.from;
    const { to } = range;
    const rest = { from, to };
    const test = selectionTest(o.select);
    // While a restore is under way, what stands is in history alone.
    const standing = s.restoring === null && unchangedSince(s, rest, at);
    if (standing && o.join && test === null && !o.factsOnly) {
      const same = o.known && sameJoined(s, rest, at, o.known, o.limit ?? 0);
      if (same) return same;
      const joined = joinedPage(s, rest, at, o.join, o.limit ?? 0);
      if (joined) return joined;
    }
    if (standing && test === null && to === `${from}\0`) {
      const row = known(s, from);
      return cutPage(row === null ? [] : [row], at, null, o);
    }
    const rows = standing ? rowsIn(s, rest, test === null ? null : selectiveTerm(o.select)) : rowsAt(s, rest, at);
    return cutPage(rows, at, test, o, counter(s, rest, standing ? null : at));
  }

  commit(ops: Op[], options: CommitOptions = {}): Promise<Commit | Stale> {
    return new Promise((resolve, reject) => {
      checkSize(ops);
      checkNotRestoring(this.state);
      this.#queue.push({ ops, options, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  async confirm(assume: Assume): Promise<Confirmed | Stale> {
    const s = this.state;
    return checkAssume(s, assume, this.#pushed) ?? { ok: true, revision: s.revision, policy: this.#pushed ?? s.policy };
  }

  watch(range: Range, after: Revision, o: WatchOptions = {}): AsyncIterable<Batch> {
    const stale = checkAssume(this.state, o.assume, this.#pushed);
    if (stale) throw new StaleError(stale);
    return watchOf(this.source, range, after, o.select);
  }

  async compact(before: Revision): Promise<void> {
    checkNotRestoring(this.state);
    forget(this.state, before);
    while (sweep(this.state)) await sleep(this.#o.env, 0);
    await this.#o.sync();
  }

  async grant(lease: string, holder: string, ttlMs: number): Promise<Grant> {
    const answer = grant(this.state, lease, holder, ttlMs);
    await this.#o.sync();
    return answer;
  }

  async release(lease: string, holder: string): Promise<void> {
    release(this.state, lease, holder);
    await this.#o.sync();
  }

  async related(...a: Parameters<Store['related']>): Promise<Entry[]> {
    checkNotRestoring(this.state);
    return related(this.state, ...a);
  }

  async versions(key: Key, o: VersionsOptions = {}): Promise<Versions | Stale> {
    return checkAssume(this.state, o.assume, this.#pushed) ?? versionsOf(this.state, key, o);
  }

  async info(): Promise<StoreInfo> {
    const { revision, compacted, policy, schema } = this.state;
    return {
      revision,
      compacted: resumableAfter(this.state),
      oldest: compacted,
      policy: this.#pushed ?? policy,
      schema,
    };
  }

  /** In a new cluster: its first objects, which no loop needs to be told of, and what loops are woken for from here on. */
  async begin(ops: Op[], loops: Readonly<Record<string, readonly Interest[]>>): Promise<void> {
    checkSize(ops);
    this.state.sql.transaction(() => {
      const done = apply(this.state, ops, { by: FIRST_WRITER }, this.#pushed, { changes: [] });
      if (!done.ok) throw new StoreError('corrupt', 'the first objects of a cluster could not be written');
      this.state.usage.save();
      for (const [loop, interests] of Object.entries(loops)) this.#outbox.register(loop, interests);
    });
    await this.#o.sync();
  }

  /** Sets what a loop is woken for; '*' is everything. */
  async register(loop: string, interests: readonly (Interest | string)[]): Promise<void> {
    this.#outbox.register(loop, interests);
    await this.#o.sync();
  }

  /** A loop has seen everything up to `revision`; false when more came for it meanwhile. */
  cleared(loop: string, revision: Revision): boolean {
    const done = this.#outbox.cleared(loop, revision);
    if (this.#outbox.nextWakeMs() === undefined) this.#maintenance.wakeAgain(undefined);
    return done;
  }

  /** Rows of some interests (none: all) that changed after a cursor, paged. */
  changes(interests: readonly (Interest | string)[], after: Revision): Changes {
    checkNotRestoring(this.state);
    const all = interests.length === 0 ? ['*'] : interests;
    return changesOf(this.state, new Interests(all.map((i) => [i, true])), after);
  }

  /** A loop's lease and what changed for it, in one step without a flush. */
  startRound(o: Begin): Begun {
    checkNotRestoring(this.state);
    return startRound(this.state, this.#outbox, o);
  }
  /** cleared() and the lease's end in one step, without a flush of its own. */
  endRound(loop: string, lease: string, holder: string, revision: Revision): boolean {
    const done = endRound(this.state, this.#outbox, loop, lease, holder, revision);
    if (this.#outbox.nextWakeMs() === undefined) this.#maintenance.wakeAgain(undefined);
    return done;
  }

  /** In a sibling: the main object's policy revision moved. */
  async setPolicy(policy: Revision): Promise<void> {
    if (this.#pushed === null || policy <= this.#pushed) return;
    setMeta(this.#o.sql, 'pushed', policy);
    this.#pushed = policy;
    await this.#o.sync();
  }

  /** To be called when the alarm fires: expiries, compaction, scrubbing, wake-ups that got lost. */
  async alarm(): Promise<void> {
    await this.restorer.run();
    if (this.state.restoring) return this.#maintenance.restoreAgain();
    const changed: Changed = { changes: [] };
    const before = this.state.policy;
    const due = this.#upkeep(changed);
    this.#announce(changed);
    // A push that fails has asked for the next one already.
    if (this.state.policy !== before || due.includes('policy')) await this.#pushPolicy().catch(() => {});
    if (due.includes('outbox')) {
      for (const { loop, revision, attempt } of this.#outbox.overdue(this.state.env.now()))
        this.#o.wake?.(loop, revision, attempt);
      this.#maintenance.wakeAgain(this.#outbox.nextWakeMs());
    }
    this.#maintenance.rearm();
    await this.#flush();
  }

  #upkeep(changed: Changed): readonly Timer[] {
    try {
      return this.#maintenance.run(changed, () => this.#mark(changed));
    } catch (e) {
      changed.changes.length = 0;
      this.#recall(e);
      if (!isCorrupt(e)) throw e;
      // Not thrown: the platform would repeat the alarm, to the same end.
      this.#o.damaged?.(e);
      this.#maintenance.damaged();
      return [];
    }
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const group = await this.#queue.next();
      try {
        const outcomes = this.#run(group);
        const flushMs = this.#o.env.now();
        await this.#flush();
        const moved = outcomes.filter((x) => x.movedPolicy);
        for (const x of outcomes) if (!x.movedPolicy) x.waiting.resolve(x.answer);
        if (moved.length > 0) void this.#settleMoved(moved);
        await this.#queue.company(flushMs, group.length);
      } catch (e) {
        // The transaction or its flush failed as a whole: nobody in it knows of a success.
        this.#recall(e);
        // One damaged row is no one else's business.
        if (group.length > 1 && isCorrupt(e)) this.#queue.again(group);
        else for (const w of group) w.reject(e);
      }
    }
    this.#draining = false;
  }

  async #flush(): Promise<void> {
    const { revision } = this.state;
    await this.#o.sync();
    this.#settled = Math.max(this.#settled, revision);
  }

  /** Memory as the tables are; where they can't be read the store has come to its end. */
  #recall(cause: unknown): void {
    try {
      load(this.state);
      this.#outbox.reload();
    } catch {
      this.#o.failed?.(cause);
      this.#queue.rejectAll(cause);
    }
  }

  #run(group: Waiting[]): Outcome[] {
    checkNotRestoring(this.state);
    const terms = new TermWrites();
    const changed: Changed = { changes: [], terms };
    const outcomes = this.state.sql.transaction(() => {
      const done = group.map((w) => this.#one(w, changed));
      terms.write(this.state.sql);
      this.#mark(changed);
      this.#maintenance.after(changed.changes);
      return done;
    });
    this.#announce(changed);
    return outcomes;
  }

  #one(waiting: Waiting, changed: Changed): Outcome {
    const before = this.state.policy;
    const answer = apply(this.state, waiting.ops, waiting.options, this.#pushed, changed);
    return { waiting, answer, movedPolicy: this.state.policy !== before };
  }

  #mark(changed: Changed): void {
    this.state.usage.save();
    this.#fresh = this.#outbox.mark(changed.changes);
    if (this.#fresh.length > 0) this.#maintenance.wakeAgain(this.#outbox.nextWakeMs());
  }

  /** Tells watchers and loops. In the turn of the transaction: the object's output gate holds it back until it is durable. */
  #announce(changed: Changed): void {
    if (changed.changes.length === 0) return;
    const { revision } = this.state;
    this.fanout.publish(changed.changes, revision);
    // The object of a loop that hasn't run yet takes some milliseconds to come up: one after the other.
    for (const [i, loop] of this.#fresh.splice(0).entries()) {
      const wake = () => this.#o.wake?.(loop, revision, 0);
      if (i === 0 || !this.#o.turn) wake();
      else void this.#o.turn().then(wake);
    }
    if (this.#progressPending || this.fanout.size === 0) return;
    this.#progressPending = true;
    this.#o.env.after(PROGRESS_MS, () => {
      this.#progressPending = false;
      for (const watcher of this.fanout.watchers()) watcher.deliver([], this.state.revision);
    });
  }

  /** Answers those who moved the policy revision, once the siblings know of it; other commits don't wait for that. */
  async #settleMoved(moved: readonly Outcome[]): Promise<void> {
    try {
      await this.#pushPolicy();
      for (const x of moved) x.waiting.resolve(x.answer);
    } catch (e) {
      for (const x of moved) x.waiting.reject(e);
    }
  }

  async #pushPolicy(): Promise<void> {
    if (!this.#o.policyMoved) return;
    try {
      await this.#o.policyMoved(this.state.policy);
    } catch (e) {
      // Written, but not yet known everywhere: the alarm goes on telling, the writer must not hear of success.
      this.#maintenance.pushAgain();
      throw new StoreError('unknown-outcome', `the policy revision did not reach every object: ${e}`);
    }
  }
}
