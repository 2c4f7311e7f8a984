import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** The kubelet's containerLogMaxSize, containerLogMaxFiles and containerLogMonitorInterval. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;
export const LOG_FILES_MAX = 5;
export const LOG_LOOK_MS = 10_000;

const COMPRESSED = '.gz';
const UNFINISHED = '.tmp';

/** What is to be done with the rotated files of one log; names in order of time. */
export interface RotationPlan {
  remove: string[];
  compress: string[];
}

/**
 * Which rotated files go and which are compressed when a log is rotated again. `names` are those beside the log that begin with its name
 * and a dot. Beside the file that is written and the one that is rotated now, `filesMax` - 2 stay; the newest stays readable until the
 * next rotation, for whoever still reads it.
 */
export function planRotation(names: readonly string[], filesMax: number): RotationPlan {
  const unused = (n: string) =>
    n.endsWith(UNFINISHED) || (!n.endsWith(COMPRESSED) && names.includes(`${n}${COMPRESSED}`));
  const inUse = names.filter((n) => !unused(n)).sort();
  const excess = Math.max(0, inUse.length - Math.max(0, filesMax - 2));
  return {
    remove: [...names.filter(unused), ...inUse.slice(0, excess)],
    compress: inUse.slice(excess).filter((n) => !n.endsWith(COMPRESSED)),
  };
}

/** `20060102-150405` of a time, as the kubelet's rotated files are named; in UTC. */
export const rotationTime = (ms: number) =>
  new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');

/** The sizes that rotation goes by; tests take smaller ones. */
export interface RotationLimits {
  bytesMax: number;
  filesMax: number;
}

/**
 * Rotates the log at `path` if it has grown too large; `reopen` makes the runtime go on in a new file. A log that is gone is made anew.
 * True when it was rotated. If the runtime doesn't reopen it, the file gets its name back.
 */
export async function rotateLog(
  path: string,
  now: number,
  reopen: () => Promise<void>,
  limits: RotationLimits = { bytesMax: LOG_BYTES_MAX, filesMax: LOG_FILES_MAX },
): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    await reopen();
    return false;
  }
  if (found.size < limits.bytesMax) return false;
  const dir = dirname(path);
  const names = (await readdir(dir)).filter((n) => n.startsWith(`${basename(path)}.`));
  const plan = planRotation(names, limits.filesMax);
  for (const name of plan.remove) await rm(join(dir, name), { force: true });
  for (const name of plan.compress) await compress(join(dir, name));
  const rotated = `${path}.${rotationTime(now)}`;
  await rename(path, rotated);
  try {
    await reopen();
  } catch (error) {
    await rename(rotated, path);
    throw error;
  }
  return true;
}

async function compress(path: string): Promise<void> {
  const { mode } = await stat(path);
  const unfinished = `${path}${UNFINISHED}`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(unfinished, { mode }));
    await rename(unfinished, `${path}${COMPRESSED}`);
  } finally {
    await rm(unfinished, { force: true });
  }
  await rm(path);
}
