import { joinBytes } from './framing.ts';
import { NEWLINE } from './json-scan.ts';

/** Lines are taken in pieces of this size, which stay in the processor's cache together with what is made of them. */
export const PIECE_BYTES = 128 * 1024;

/** Lines that come in parts, end to end, as pieces of whole lines: of `size` bytes, or of one longer line. A piece is views of the parts; its last newline may be missing. */
export function* linesOf(parts: readonly Uint8Array[], size: number): Generator<Uint8Array[]> {
  let piece: Uint8Array[] = [];
  let held = 0;
  for (const part of parts) {
    let from = 0;
    while (held + part.length - from > size) {
      const to = lineEnd(part, from, from + size - held);
      if (to === 0) break;
      piece.push(part.subarray(from, to));
      yield piece;
      piece = [];
      held = 0;
      from = to;
    }
    if (from === part.length) continue;
    piece.push(from === 0 ? part : part.subarray(from));
    held += part.length - from;
  }
  if (held > 0) yield piece;
}

/** After the last newline before `to`, or else after the first one behind it; 0 when there is none. */
function lineEnd(b: Uint8Array, from: number, to: number): number {
  const last = to <= from ? -1 : b.subarray(from, to).lastIndexOf(NEWLINE);
  return last >= 0 ? from + last + 1 : b.indexOf(NEWLINE, Math.max(to, from)) + 1;
}

/** Lines as they are but for their first `skip` bytes, each between `head` and `tail`; in pieces. */
export function wrapLines(
  parts: readonly Uint8Array[],
  skip: number,
  head: Uint8Array,
  tail: Uint8Array,
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const piece of linesOf(parts, PIECE_BYTES)) {
    const text = joinBytes(piece);
    const ends: number[] = [];
    for (let i = text.indexOf(NEWLINE); i >= 0; i = text.indexOf(NEWLINE, i + 1)) ends.push(i);
    if (text[text.length - 1] !== NEWLINE) ends.push(text.length);
    // Without the newlines, of which the last may be missing.
    const lines = text[text.length - 1] === NEWLINE ? text.length - ends.length : text.length - ends.length + 1;
    const out = new Uint8Array(lines + ends.length * (head.length + tail.length - skip));
    let at = 0;
    let from = 0;
    for (const end of ends) {
      out.set(head, at);
      at += head.length;
      out.set(text.subarray(from + skip, end), at);
      at += end - from - skip;
      out.set(tail, at);
      at += tail.length;
      from = end + 1;
    }
    pieces.push(out);
  }
  return pieces;
}
