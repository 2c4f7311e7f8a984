import type { Env } from '../../kube/meta/env.ts';
import type { Batch } from '../../kube/store/store.ts';

/** Bytes of frames kept; watches of an isolate hear of one within milliseconds of each other. */
const KEPT_BYTES = 8 * 1024 * 1024;
/**
 * Watches that are told in one step. What each does with a frame (copied, encrypted, sent) comes in a turn of its own after that: by so few at a time the bytes are still in the
 * processor's cache, and the first clients read while the last ones are served.
 */
const TOLD_AT_ONCE = 16;

/** A frame as it was decoded, and its length as it came. */
export interface SharedFrame {
  batch: Batch;
  units: number;
}

/** A watch that has had a frame and hears of the one that follows it. */
export interface Follower {
  follow(): void;
}

/**
 * Frames that came to one watch of this isolate, for its other watches of the same: those that had the frame before it get it at once, others are told of it by id. One that
 * is not here any more is asked for anew, by revision.
 */
export class SharedFrames {
  readonly #env: Pick<Env, 'uuid' | 'after'>;
  readonly #keptBytes: number;
  #isolate: string | undefined;
  readonly #frames = new Map<string, SharedFrame>();
  /** The frame after each, by their ids. */
  readonly #after = new Map<string, SharedFrame>();
  readonly #followers = new Map<string, Set<Follower>>();
  #bytes = 0;

  constructor(env: Pick<Env, 'uuid' | 'after'>, keptBytes = KEPT_BYTES) {
    this.#env = env;
    this.#keptBytes = keptBytes;
  }

  /** The name under which objects know this isolate. Made at the first use: an isolate that starts has no random numbers yet. */
  get isolate(): string {
    this.#isolate ??= this.#env.uuid();
    return this.#isolate;
  }

  get(id: string): SharedFrame | undefined {
    return this.#frames.get(id);
  }

  after(id: string): SharedFrame | undefined {
    return this.#after.get(id);
  }

  /** Keeps a frame, and tells those who have had the one before it. They run in the request that this one came to, so they may wake others but do no I/O. */
  keep(id: string, frame: SharedFrame): void {
    if (this.#frames.has(id)) return;
    this.#frames.set(id, frame);
    this.#bytes += frame.units;
    const { before } = frame.batch;
    if (before !== undefined) this.#after.set(before, frame);
    this.#forget(id);
    if (before !== undefined) this.#tell(before, TOLD_AT_ONCE);
  }

  /** Those who wait behind a frame: some of them now. Should the request end that this runs in, its socket does too, and the object tells the others. */
  #tell(before: string, atOnce: number): void {
    const followers = this.#followers.get(before);
    if (!followers) return;
    let told = 0;
    for (const follower of followers) {
      if (told++ === atOnce) {
        this.#env.after(0, () => this.#tell(before, atOnce));
        return;
      }
      followers.delete(follower);
      follower.follow();
    }
    this.#followers.delete(before);
  }

  #forget(newest: string): void {
    for (const [oldest, { batch, units }] of this.#frames) {
      if (this.#bytes <= this.#keptBytes || oldest === newest) break;
      // Who has not been told of it yet must be now.
      if (batch.before !== undefined) this.#tell(batch.before, Number.POSITIVE_INFINITY);
      this.#frames.delete(oldest);
      if (batch.before !== undefined) this.#after.delete(batch.before);
      this.#bytes -= units;
    }
  }

  join(id: string, follower: Follower): void {
    const followers = this.#followers.get(id);
    if (followers) followers.add(follower);
    else this.#followers.set(id, new Set([follower]));
  }

  leave(id: string, follower: Follower): void {
    const followers = this.#followers.get(id);
    if (followers?.delete(follower) && followers.size === 0) this.#followers.delete(id);
  }
}
