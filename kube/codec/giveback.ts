/** Smaller buffers aren't worth it. */
const BYTES_MIN = 16 * 1024;

/**
 * Gives the memory of buffers back at once, with all that else is in them: they are empty from then on. V8 frees what lies outside of its heap only after some 64 MiB
 * of it have become garbage.
 */
export function giveBack(parts: readonly Uint8Array[]): void {
  for (const { buffer } of parts)
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= BYTES_MIN) buffer.transfer(0);
}
