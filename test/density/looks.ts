import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** As looks.c has them: a count, then a ring of rows of six 64-bit numbers. */
const ROWS = 65_536;
const ROW_BYTES = 48;
const HEAD_BYTES = 8;
type Row = [beginUs: number, wallUs: number, cpuUs: number, diskUs: number, saidFrom: number, saidTo: number];

/** A stretch in which the server's thread didn't look at the network; those under a millisecond aren't noted. */
export interface Stretch {
  /** On the machine's monotonic clock. */
  beginUs: number;
  wallMs: number;
  /** Processor time of the thread. */
  cpuMs: number;
  /** Processor time of it that the kernel took for writing to files: SQLite writes its log back within a commit. */
  diskMs: number;
  /** What the server wrote to its standard output meanwhile: from, to, in bytes. With `v8Flags`, collections are told there. */
  said: readonly [number, number];
}

/** What a server's thread does between two looks at the network, told by a preloaded library (looks.c); a C compiler is needed. */
export interface Looks {
  /** What the server is to be started with: the library, and V8's word of collections. */
  server: { env: Record<string, string>; v8Flags: string[] };
  /** The stretches since the last call. */
  taken(): Stretch[];
  remove(): void;
}

export async function makeLooks(): Promise<Looks> {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-looks-'));
  const library = join(dir, 'looks.so');
  await run('cc', ['-O2', '-shared', '-fPIC', '-o', library, join(import.meta.dirname, 'looks.c'), '-ldl']);
  const file = join(dir, 'looks');
  writeFileSync(file, '');
  truncateSync(file, HEAD_BYTES + ROWS * ROW_BYTES);
  const fd = openSync(file, 'r');
  let seen = 0;
  const numberAt = (at: number): number => {
    const b = Buffer.alloc(8);
    readSync(fd, b, 0, 8, at);
    return Number(b.readBigInt64LE());
  };
  return {
    server: { env: { LD_PRELOAD: library, LOOKS_FILE: file }, v8Flags: ['--trace-gc'] },
    taken() {
      const count = numberAt(0);
      const found: Stretch[] = [];
      for (let i = Math.max(seen, count - ROWS); i < count; i++) {
        const at = HEAD_BYTES + (i % ROWS) * ROW_BYTES;
        const [beginUs, wallUs, cpuUs, diskUs, from, to] = [0, 8, 16, 24, 32, 40].map((o) => numberAt(at + o)) as Row;
        found.push({ beginUs, wallMs: wallUs / 1000, cpuMs: cpuUs / 1000, diskMs: diskUs / 1000, said: [from, to] });
      }
      seen = count;
      return found;
    },
    remove() {
      closeSync(fd);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
