import { execFile, execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A small file system for the server's home, that can be filled up. */
export interface Disk {
  /** What it is: `ext4 on a loop device`, `tmpfs`, or why there is none. */
  how: string;
  /** Where it is mounted. */
  path: string;
  /** Room and use in MiB. */
  usage(): { size: number; free: number };
  /** Takes all room that is left. Can be called again while the server frees and takes some. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): void;
  /** Unmounts it. */
  close(): Promise<void>;
}

/** One write of ballast; the last ones are single blocks, so that nothing is left. */
const STEPS = [1 << 20, 64 << 10, 4 << 10];
/** Room that is taken by writing: more than reserving it needs for itself. */
const POURED_BYTES = 4 << 20;

/** Makes a file system of some MiB below `dir`: ext4 in a file on a loop device, else tmpfs, else (not root) a plain folder that is never full. */
export async function makeDisk(dir: string, sizeMib: number): Promise<Disk> {
  const path = join(dir, 'disk');
  mkdirSync(path, { recursive: true });
  const mounted = (await mountLoop(dir, path, sizeMib)) ?? (await mountTmpfs(path, sizeMib));
  const ballast = join(path, 'ballast');
  let n = 0;
  let open = mounted !== null;
  // Also when the run is broken off.
  process.once('exit', () => {
    if (open) execFileSync('umount', ['--lazy', path]);
  });
  return {
    how: mounted ?? 'a plain folder (no right to mount): it never gets full',
    path,
    usage() {
      const s = statfsSync(path);
      return { size: toMib(s.blocks * s.bsize), free: toMib(s.bavail * s.bsize) };
    },
    async fill() {
      if (mounted === null) return;
      // Blocks are reserved, not written: at once. What is left after that is poured full.
      const { bavail, bsize } = statfsSync(path);
      const bytes = bavail * bsize;
      if (bytes > POURED_BYTES)
        await run('fallocate', ['-l', String(bytes - POURED_BYTES), `${ballast}-${n++}`]).catch(() => {});
      pour(`${ballast}-${n++}`);
    },
    free() {
      for (; n > 0; n--) rmSync(`${ballast}-${n - 1}`, { force: true });
    },
    async close() {
      if (open) await run('umount', [path]).catch(() => run('umount', ['--lazy', path]));
      open = false;
    },
  };
}

const toMib = (bytes: number) => Math.round(bytes / (1 << 20));

async function mountLoop(dir: string, path: string, sizeMib: number): Promise<string | null> {
  const image = join(dir, 'disk.img');
  try {
    writeFileSync(image, '');
    truncateSync(image, sizeMib << 20);
    // No blocks kept back for root: full is full.
    await run('mkfs.ext4', ['-q', '-m', '0', image]);
    await run('mount', ['-o', 'loop', image, path]);
    return 'ext4 on a loop device';
  } catch {
    rmSync(image, { force: true });
    return null;
  }
}

const mountTmpfs = (path: string, sizeMib: number): Promise<string | null> =>
  run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'torture', path]).then(
    () => 'tmpfs',
    () => null,
  );

function pour(file: string): void {
  const fd = openSync(file, 'a');
  try {
    for (const bytes of STEPS) {
      const block = Buffer.alloc(bytes, 1);
      for (;;) {
        try {
          if (writeSync(fd, block) < bytes) break;
        } catch (e) {
          if ((e as NodeJS.ErrnoException).code !== 'ENOSPC') throw e;
          break;
        }
      }
    }
  } finally {
    closeSync(fd);
  }
}
