/** What an isolate keeps of encoded rows: ten thousand small ones, two thousand pods. */
const SEGMENTS = 8;
/** Segments are forgotten whole, the oldest first. */
const SEGMENT_BYTES = 1024 * 1024;
/** A row that takes more of a segment is encoded each time. */
const ITEM_BYTES_MAX = SEGMENT_BYTES / 16;
/** Before an item: length of the text that it was made of, its own length. */
const HEAD = 8;

/** Items of one kind, version and store by their revision: a revision has one text for ever. */
export type Shelf = Map<number, number>;

interface Segment {
  bytes: Uint8Array;
  view: DataView;
  used: number;
  /** What it holds, to be forgotten with it. */
  shelves: Shelf[];
  revisions: number[];
}

/** Where an item stands. Good until the next put(). */
export interface Found {
  bytes: Uint8Array;
  from: number;
  to: number;
  /** Length of the text that it was made of. */
  text: number;
}

/** Encoded rows in a ring of bytes: nothing in it is an object of its own, so that it costs the garbage collector nothing. */
export class ItemCache {
  private readonly ring: Segment[] = [];
  private current = 0;
  private readonly shelves = new Map<string, Shelf>();

  /** The shelf of a name that no other store, kind and version has. */
  shelf(name: string): Shelf {
    let shelf = this.shelves.get(name);
    if (shelf === undefined) {
      shelf = new Map();
      this.shelves.set(name, shelf);
    }
    return shelf;
  }

  /** Tells in `found` where a revision's item stands; false when it isn't here. */
  find(shelf: Shelf, revision: number, found: Found): boolean {
    const place = shelf.get(revision);
    if (place === undefined) return false;
    const { bytes, view } = this.ring[Math.floor(place / SEGMENT_BYTES)] as Segment;
    const at = place % SEGMENT_BYTES;
    found.bytes = bytes;
    found.text = view.getUint32(at);
    found.from = at + HEAD;
    found.to = found.from + view.getUint32(at + 4);
    return true;
  }

  /** Keeps a copy of an item. */
  put(shelf: Shelf, revision: number, text: number, item: Uint8Array): void {
    const size = item.length + HEAD;
    if (item.length > ITEM_BYTES_MAX || shelf.has(revision)) return;
    let segment = this.ring[this.current] ?? this.begin();
    if (segment.used + size > SEGMENT_BYTES) {
      this.current = (this.current + 1) % SEGMENTS;
      segment = this.begin();
    }
    const at = segment.used;
    segment.view.setUint32(at, text);
    segment.view.setUint32(at + 4, item.length);
    segment.bytes.set(item, at + HEAD);
    segment.used += size;
    segment.shelves.push(shelf);
    segment.revisions.push(revision);
    shelf.set(revision, this.current * SEGMENT_BYTES + at);
  }

  /** The current segment, emptied. */
  private begin(): Segment {
    const old = this.ring[this.current];
    if (old === undefined) {
      const bytes = new Uint8Array(SEGMENT_BYTES);
      const segment = { bytes, view: new DataView(bytes.buffer), used: 0, shelves: [], revisions: [] };
      this.ring[this.current] = segment;
      return segment;
    }
    for (const [i, shelf] of old.shelves.entries()) shelf.delete(old.revisions[i] as number);
    for (const [name, shelf] of this.shelves) if (shelf.size === 0) this.shelves.delete(name);
    old.shelves = [];
    old.revisions = [];
    old.used = 0;
    return old;
  }
}
