const NEWLINE = 10;

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
