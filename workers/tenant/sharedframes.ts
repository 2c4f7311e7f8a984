import type { Batch } from '../../kube/store/store.ts';

/** Bytes of frames kept; watches of an isolate hear of one within milliseconds of each other. */
const KEPT_BYTES = 8 * 1024 * 1024;

/** A frame as it was decoded, and its length as it came. */
export interface SharedFrame {
  batch: Batch;
  units: number;
}

/**
 * Frames that came to one watch of this isolate: the object that sent one tells the isolate's other watches of it by id. One that is not here any more is asked for
 * anew, by revision.
 */
export class SharedFrames {
  readonly #uuid: () => string;
  #isolate: string | undefined;
  readonly #frames = new Map<string, SharedFrame>();
  #bytes = 0;

  constructor(uuid: () => string) {
    this.#uuid = uuid;
  }

  /** The name under which objects know this isolate. Made at the first use: an isolate that starts has no random numbers yet. */
  get isolate(): string {
    this.#isolate ??= this.#uuid();
    return this.#isolate;
  }

  get(id: string): SharedFrame | undefined {
    return this.#frames.get(id);
  }

  keep(id: string, frame: SharedFrame): void {
    if (this.#frames.has(id)) return;
    this.#frames.set(id, frame);
    this.#bytes += frame.units;
    for (const [oldest, { units }] of this.#frames) {
      if (this.#bytes <= KEPT_BYTES || oldest === id) break;
      this.#frames.delete(oldest);
      this.#bytes -= units;
    }
  }
}
