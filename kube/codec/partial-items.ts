import { linesOf, PIECE_BYTES } from './json-lines.ts';
import { endOfValue, NEWLINE, OBJECT_END } from './json-scan.ts';
import { BackBuffer } from './proto-buffer.ts';

/** What a line begins with: `{"metadata":`. */
const HEAD = 12;

const utf8 = new TextEncoder();
const text = new BackBuffer();

/**
 * The items of a PartialObjectMetadataList in JSON, without the brackets, cut out of objects that stand on a line each (a page that the store joined;
 * `parts` end to end). In pieces.
 */
export function partialItems(parts: readonly Uint8Array[], version: 'v1' | 'v1beta1'): Uint8Array[] {
  const head = utf8.encode(`,{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${version}","metadata":`);
  const pieces: Uint8Array[] = [];
  for (const piece of linesOf(parts, PIECE_BYTES)) {
    const made = itemsOf(text.hold(piece), head);
    // Nothing stands before the first item.
    pieces.push(pieces.length === 0 ? made.subarray(1) : made);
  }
  return pieces;
}

function itemsOf(length: number, head: Uint8Array): Uint8Array {
  const b = text.bytes;
  const ends: number[] = [];
  const begins: number[] = [];
  let size = 0;
  for (let at = 0; at < length; ) {
    const end = endOfValue(text, at + HEAD, length);
    begins.push(at + HEAD);
    ends.push(end);
    size += head.length + end - at - HEAD + 1;
    const newline = b.indexOf(NEWLINE, end);
    at = newline < 0 || newline >= length ? length : newline + 1;
  }
  const out = new Uint8Array(size);
  let at = 0;
  begins.forEach((from, i) => {
    out.set(head, at);
    at += head.length;
    out.set(b.subarray(from, ends[i]), at);
    at += (ends[i] as number) - from;
    out[at++] = OBJECT_END;
  });
  return out;
}
