/** One regular file of an archive; owned by root, without a time, so that equal content gives equal bytes. */
export interface TarFile {
  path: string;
  data: Buffer;
  mode?: number;
}

const BLOCK = 512;

/** A ustar archive (POSIX.1-1988) of small files with paths up to 100 bytes. */
export function tar(files: readonly TarFile[]): Buffer {
  const parts: Buffer[] = [];
  for (const f of files) {
    if (Buffer.byteLength(f.path) > 100) throw new Error(`path too long for ustar: ${f.path}`);
    const h = Buffer.alloc(BLOCK);
    const octal = (n: number, at: number, length: number) =>
      h.write(`${n.toString(8).padStart(length - 1, '0')}\0`, at, 'ascii');
    h.write(f.path, 0);
    octal(f.mode ?? 0o644, 100, 8);
    octal(0, 108, 8);
    octal(0, 116, 8);
    octal(f.data.length, 124, 12);
    octal(0, 136, 12);
    h.write('        ', 148); // the checksum counts itself as blanks
    h.write('0', 156);
    h.write('ustar\x0000', 257, 'latin1');
    octal(
      h.reduce((sum, b) => sum + b, 0),
      148,
      7,
    );
    parts.push(h, f.data, Buffer.alloc((BLOCK - (f.data.length % BLOCK)) % BLOCK));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}
