import type { Struct } from '../schema/schema.ts';
import type { Found, ItemCache, Shelf } from './item-cache.ts';
import { linesOf, PIECE_BYTES } from './json-lines.ts';
import { NEWLINE, QUOTE } from './json-scan.ts';
import { BackBuffer } from './proto-buffer.ts';
import { type Plan, planOf } from './proto-plan.ts';
import { beginLines, endOfLine, readLine, writeLine } from './proto-transcode.ts';

/** Tag of field 2 of every list: its items. */
export const ITEMS = 18;
/** Ints of a line: its record (0: its item is kept), where it begins and ends, how much is written behind its item. */
const LINE = 4;
/** What a line begins with that the store joined: `{"metadata":{"resourceVersion":"`; the revision follows. */
const HEAD = 32;

const out = new BackBuffer();
let lines = new Int32Array(LINE << 10);
const found: Found = { bytes: new Uint8Array(0), from: 0, to: 0, text: 0 };

/** Where items are kept for the next list, and under what: the shelf is of one store, kind and version. */
export interface Kept {
  cache: ItemCache;
  shelf: Shelf;
}

/**
 * The `items` of a list, from JSON texts in UTF-8 on a line each (a page that the store joined; `parts` end to end). The result comes in pieces
 * and has to stand between the two of listEnvelope(). With `kept`, rows that came before at the same revision are copied.
 */
export function transcodeItems(struct: Struct, parts: readonly Uint8Array[], kept?: Kept): Uint8Array[] {
  const plan = planOf(struct);
  const pieces: Uint8Array[] = [];
  for (const piece of linesOf(parts, PIECE_BYTES)) {
    const length = out.hold(piece);
    writeItems(plan, readItems(plan, length, kept), kept);
    pieces.push(out.take());
  }
  return pieces;
}

/** Notes each line of the held text; how many. */
function readItems(plan: Plan, length: number, kept: Kept | undefined): number {
  beginLines();
  let count = 0;
  for (let at = 0; at < length; count++) {
    if ((count + 1) * LINE > lines.length) {
      const more = new Int32Array(lines.length * 2);
      more.set(lines);
      lines = more;
    }
    const end = kept ? endOfKept(kept, at, length) : 0;
    const line = count * LINE;
    lines[line] = end > 0 ? 0 : readLine(out, plan, at, length);
    lines[line + 1] = at;
    lines[line + 2] = end > 0 ? end : endOfLine();
    at = (lines[line + 2] as number) + 1;
  }
  return count;
}

/** Where the line at `at` ends when its item is kept, else 0. */
function endOfKept({ cache, shelf }: Kept, at: number, length: number): number {
  const revision = revisionAt(out.bytes, at);
  if (revision === 0 || !cache.find(shelf, revision, found)) return 0;
  const end = at + found.text;
  return end === length || (end < length && out.bytes[end] === NEWLINE) ? end : 0;
}

function revisionAt(b: Uint8Array, at: number): number {
  if (b[at + HEAD - 1] !== QUOTE) return 0;
  let revision = 0;
  for (let i = at + HEAD; b[i] !== QUOTE; i++) {
    const digit = (b[i] as number) - 48;
    if (digit < 0 || digit > 9) return 0;
    revision = revision * 10 + digit;
  }
  return revision;
}

function writeItems(plan: Plan, count: number, kept: Kept | undefined): void {
  for (let line = (count - 1) * LINE; line >= 0; line -= LINE) {
    const end = out.written;
    lines[line + 3] = end;
    const record = lines[line] as number;
    if (record > 0) {
      writeLine(out, plan, record);
      out.varint(out.written - end);
      out.varint(ITEMS);
    } else if (kept?.cache.find(kept.shelf, revisionAt(out.bytes, lines[line + 1] as number), found)) {
      out.copyFrom(found.bytes, found.from, found.to);
    } else throw new Error('an item went while its piece was written');
  }
  if (kept) keep(kept, count);
}

/** Keeps what was made anew: only now, because what is put may push out what the lines of this piece found. */
function keep({ cache, shelf }: Kept, count: number): void {
  let begin = out.at;
  for (let line = 0; line < count * LINE; line += LINE) {
    const end = out.bytes.length - (lines[line + 3] as number);
    const from = lines[line + 1] as number;
    const revision = lines[line] === 0 ? 0 : revisionAt(out.bytes, from);
    if (revision > 0) cache.put(shelf, revision, (lines[line + 2] as number) - from, out.bytes.subarray(begin, end));
    begin = end;
  }
}
