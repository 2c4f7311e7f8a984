/** One member of an archive. Directories end in '/'. */
export interface TarEntry {
  path: string;
  mode?: number;
  /** A file's content. */
  data?: Uint8Array;
  /** A symbolic link's target. */
  link?: string;
}

const BLOCK = 512;

function octal(n: number, width: number): string {
  return `${n.toString(8).padStart(width - 1, '0')}\0`;
}

function header(e: TarEntry): Buffer {
  const h = Buffer.alloc(BLOCK);
  const put = (s: string, at: number) => h.write(s, at, 'latin1');
  put(e.path, 0);
  put(octal(e.mode ?? 0o755, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(e.data?.length ?? 0, 12), 124);
  put(octal(0, 12), 136);
  put(' '.repeat(8), 148);
  put(e.link !== undefined ? '2' : e.path.endsWith('/') ? '5' : '0', 156);
  put(e.link ?? '', 157);
  put('ustar\x0000', 257);
  const sum = h.reduce((a, b) => a + b, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return h;
}

/** A ustar archive, owned by root, all times zero: the same members give the same bytes. Paths up to 100 bytes. */
export function tar(entries: TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const e of entries) {
    parts.push(header(e));
    if (!e.data) continue;
    parts.push(Buffer.from(e.data), Buffer.alloc((BLOCK - (e.data.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
