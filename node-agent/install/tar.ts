/** One member of an archive: a file with `data`, a symbolic link with `link`, or a directory, whose path ends in '/'. */
export interface TarEntry {
  path: string;
  data?: Uint8Array;
  link?: string;
  /** Default: 0644 for a file, 0755 for a directory. */
  mode?: number;
}

const BLOCK = 512;
/** ustar without its prefix field, which nothing here needs. */
const PATH_BYTES_MAX = 100;
const KIND = { file: '0', link: '2', directory: '5' };

function header(e: TarEntry): Buffer {
  if (Buffer.byteLength(e.path) > PATH_BYTES_MAX) throw new Error(`path too long for ustar: ${e.path}`);
  const directory = e.path.endsWith('/');
  const h = Buffer.alloc(BLOCK);
  const octal = (n: number, at: number, length: number) =>
    h.write(`${n.toString(8).padStart(length - 1, '0')}\0`, at, 'ascii');
  h.write(e.path, 0);
  octal(e.mode ?? (directory ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(e.data?.length ?? 0, 124, 12);
  octal(0, 136, 12);
  h.write(' '.repeat(8), 148); // the checksum counts itself as blanks
  h.write(e.link !== undefined ? KIND.link : directory ? KIND.directory : KIND.file, 156);
  h.write(e.link ?? '', 157);
  h.write('ustar\x0000', 257, 'latin1');
  const sum = h.reduce((a, b) => a + b, 0);
  octal(sum, 148, 7);
  return h;
}

/** A ustar archive (POSIX.1-1988), owned by root and without times, so that equal content gives equal bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const e of entries) {
    parts.push(header(e));
    if (e.data) parts.push(Buffer.from(e.data), Buffer.alloc((BLOCK - (e.data.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
