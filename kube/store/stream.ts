import type { Fanout, Watcher } from './fanout.ts';
import { selectionTest, type Test } from './select.ts';
import { type Batch, type Range, type Revision, type Selection, StoreError, type WatchEvent } from './store.ts';

/** What a watch is made of: history to catch up from, and the fan-out of what comes. */
export interface WatchSource {
  revision(): Revision;
  /**
   * Events of the range after `after`, oldest first, of at most about `limit` changes; the batch's revision says how far it got.
   * Throws StoreError 'compacted'.
   */
  replay(range: Range, after: Revision, test: Test | null, limit: number): Batch;
  readonly fanout: Fanout;
}

/** Changes that one step of catching up looks at: a few milliseconds. */
export const REPLAY_STEP = 200;
/** Events kept for a reader that is behind; past it they are dropped and read from history again. */
const PENDING_MAX = 1_000;

/** A watch inside the store's own process: replays, then follows; a slow reader falls back to replaying, so nothing is lost or piled up. */
export function watchOf(
  source: WatchSource,
  range: Range,
  after: Revision,
  select?: Selection,
): AsyncIterableIterator<Batch> {
  return new Watch(source, range, after, select);
}

class Watch implements AsyncIterableIterator<Batch>, Watcher {
  readonly range: Range;
  readonly select: Selection | undefined;
  readonly #source: WatchSource;
  readonly #test: Test | null;
  #sent: Revision;
  #following = false;
  #ended = false;
  #pending: WatchEvent[] = [];
  #reached: Revision = 0;
  #wake: (() => void) | null = null;

  constructor(source: WatchSource, range: Range, after: Revision, select: Selection | undefined) {
    this.#source = source;
    this.range = range;
    this.select = select;
    this.#test = selectionTest(select);
    this.#sent = after;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  deliver(events: WatchEvent[], revision: Revision): void {
    this.#reached = revision;
    if (this.#pending.length + events.length > PENDING_MAX) {
      this.#source.fanout.remove(this);
      this.#following = false;
      this.#pending = [];
    } else for (const e of events) this.#pending.push(e);
    this.#wake?.();
  }

  restart(): void {
    this.#source.fanout.remove(this);
    this.#following = false;
    this.#pending = [];
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Batch>> {
    while (!this.#ended) {
      if (!this.#following) return { done: false, value: this.#catchUp() };
      if (this.#reached > this.#sent) {
        const events = this.#pending;
        this.#pending = [];
        this.#sent = this.#reached;
        return { done: false, value: { revision: this.#sent, events } };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Batch>> {
    this.#ended = true;
    this.#source.fanout.remove(this);
    this.#pending = [];
    this.#wake?.();
    return { done: true, value: undefined };
  }

  #catchUp(): Batch {
    const now = this.#source.revision();
    if (this.#sent > now) {
      this.#ended = true;
      throw new StoreError('future', `revision ${this.#sent} has not been reached: the newest is ${now}`);
    }
    try {
      const batch = this.#source.replay(this.range, this.#sent, this.#test, REPLAY_STEP);
      this.#sent = batch.revision;
      if (batch.revision >= now) {
        this.#following = true;
        this.#reached = batch.revision;
        this.#source.fanout.add(this);
      }
      return batch;
    } catch (e) {
      this.#ended = true;
      throw e;
    }
  }
}
