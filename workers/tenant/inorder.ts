import type { Revision } from '../../kube/store/store.ts';
import type { Follower, SharedFrame, SharedFrames } from './sharedframes.ts';

/**
 * What comes to the socket of a watch, in order: frames, ids that stand for frames which came to others of the isolate, and of those others' frames what follows the last one that was passed on.
 * A frame names the one before it, so none is left out.
 */
export class InOrder implements Follower {
  readonly #shared: SharedFrames | undefined;
  readonly #pass: (frame: SharedFrame) => void;
  /** What came to the socket and waits for what is before it. */
  readonly #held: (SharedFrame | string)[] = [];
  #reached: Revision;
  /** The last frame with an id that was passed on, or that the watch was told it has had. */
  #at: string | undefined;
  #joined: string | undefined;
  #ended = false;

  constructor(shared: SharedFrames | undefined, reached: Revision, pass: (frame: SharedFrame) => void) {
    this.#shared = shared;
    this.#reached = reached;
    this.#pass = pass;
  }

  /** The id of a frame that is waited for, if any. */
  get missing(): string | undefined {
    const first = this.#held[0];
    return typeof first === 'string' ? first : undefined;
  }

  /** Something came to the socket. */
  take(came: SharedFrame | string): void {
    // The answer to who asked for a frame, or what follows.
    if (typeof came !== 'string' && came.batch.id !== undefined && came.batch.id === this.missing) this.#held[0] = came;
    else this.#held.push(came);
    this.follow();
  }

  /** Passes on all that can be. */
  follow(): void {
    while (!this.#ended) {
      const next = this.#at === undefined ? undefined : this.#shared?.after(this.#at);
      if (next) {
        this.#go(next);
        continue;
      }
      const came = this.#held[0];
      if (came === undefined) break;
      const id = typeof came === 'string' ? came : came.batch.id;
      if (id !== undefined && this.#isPassed(id)) {
        this.#held.shift();
        continue;
      }
      const known = typeof came === 'string' ? this.#shared?.get(came) : came;
      if (!known) break;
      const { before, revision } = known.batch;
      if (id !== undefined && this.#at === undefined && revision <= this.#reached) {
        // The history that the watch began with had it.
        this.#held.shift();
        this.#at = id;
      } else if (before !== undefined && this.#at !== undefined && before !== this.#at && !this.#isPassed(before)) {
        this.#held.unshift(before);
      } else {
        this.#held.shift();
        this.#go(known);
      }
    }
    if (this.#at !== this.#joined || this.#ended) this.#move(this.#ended ? undefined : this.#at);
  }

  end(): void {
    this.#ended = true;
    this.#move(undefined);
  }

  #isPassed(id: string): boolean {
    return this.#at !== undefined && isUpTo(id, this.#at);
  }

  #go(frame: SharedFrame): void {
    this.#reached = frame.batch.revision;
    this.#at = frame.batch.id ?? frame.batch.at ?? this.#at;
    this.#pass(frame);
  }

  #move(to: string | undefined): void {
    if (this.#joined !== undefined) this.#shared?.leave(this.#joined, this);
    if (to !== undefined) this.#shared?.join(to, this);
    this.#joined = to;
  }
}

/** Ids are an object's own and a number that grows: `UUID/7`. */
function isUpTo(id: string, last: string): boolean {
  const slash = id.lastIndexOf('/') + 1;
  return id.slice(0, slash) === last.slice(0, slash) && Number(id.slice(slash)) <= Number(last.slice(slash));
}
