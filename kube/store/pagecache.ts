import type { Page, Revision } from './store.ts';

/** A page as it was read, in the form in which it goes out. */
export interface KnownPage {
  /** The store's revision at which it was last known to be so. */
  revision: Revision;
  page: Page;
}

/**
 * Pages of lists as they were last read, the least recently used leaving first. What a page says is only served after the store has confirmed that
 * nothing of it has changed (ReadOptions.known), which costs a call without a body: kube-apiserver's watch cache in one direction.
 */
export class PageCache {
  readonly #pages = new Map<string, KnownPage & { bytes: number }>();
  #bytes = 0;
  /** Bytes of items that it holds at most. */
  bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** A list may take half of it, so that one long list doesn't push out all others. */
  get listBytesMax(): number {
    return this.bytesMax / 2;
  }

  get(name: string): KnownPage | undefined {
    const known = this.#pages.get(name);
    if (known === undefined) return undefined;
    this.#pages.delete(name);
    this.#pages.set(name, known);
    return known;
  }

  put(name: string, page: Page): void {
    this.drop(name);
    const bytes = PAGE_BYTES_BESIDE + name.length + (page.items ?? []).reduce((n, i) => n + i.length, 0);
    this.#pages.set(name, { revision: page.revision, page, bytes });
    this.#bytes += bytes;
    for (const [oldest] of this.#pages) {
      if (this.#bytes <= this.bytesMax) return;
      this.drop(oldest);
    }
  }

  drop(name: string): void {
    const known = this.#pages.get(name);
    if (known === undefined) return;
    this.#pages.delete(name);
    this.#bytes -= known.bytes;
  }
}

/** What an entry takes beside its items. */
const PAGE_BYTES_BESIDE = 512;
