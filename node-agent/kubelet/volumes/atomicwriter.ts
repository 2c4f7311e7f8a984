import {
  chmod,
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';

/** One file of a volume, by its path in there. */
export interface File {
  data: Uint8Array;
  mode: number;
  /** The user it belongs to, where that isn't root. */
  user?: number;
}
export type Payload = Map<string, File>;

/** Kubernetes' limits of a path in a volume, in characters. */
const PATH_MAX = 4096;
const NAME_MAX = 255;
const DATA = '..data';
const NEW_DATA = '..data_tmp';

/**
 * Lays files out so that a reader sees all of an update or nothing of it: `..data` points to a folder named by time that has the
 * files, and every name in `dir` points into `..data`. Swapping that one link is the update. Nothing is written where the files
 * are there already with the same content. `publish` runs on the new files before they are seen. True when something was written.
 */
export async function writeAtomically(
  dir: string,
  wanted: Payload,
  now: Date,
  publish: () => Promise<void>,
): Promise<boolean> {
  const payload = checked(wanted);
  const old = await unless('ENOENT', readlink(join(dir, DATA)));
  const stale = old === undefined ? [] : await staleEntries(join(dir, old), payload);
  const write = old === undefined || stale.length > 0 || (await differs(join(dir, old), payload));
  if (write) await swap(dir, payload, now, publish);
  await linkNames(dir, payload);
  await unlinkNames(dir, stale);
  if (write && old !== undefined) await rm(join(dir, old), { recursive: true, force: true });
  return write;
}

/** undefined when it fails with that code. */
async function unless<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined;
    throw error;
  }
}

function checked(payload: Payload): Payload {
  const out: Payload = new Map();
  for (const [path, file] of payload) {
    const problem = pathProblem(path);
    if (problem !== null) throw new Error(problem);
    out.set(normalize(path).replace(/\/+$/, ''), file);
  }
  return out;
}

/** Why a path can't be one of a volume's file; null when it can. */
export function pathProblem(path: string): string | null {
  if (path === '') return 'invalid path: must not be empty: ""';
  if (path.startsWith('/')) return `invalid path: must be relative path: ${path}`;
  if (path.length > PATH_MAX) return `invalid path: must be less than or equal to ${PATH_MAX} characters`;
  const items = path.split('/');
  for (const item of items) {
    if (item === '..') return `invalid path: must not contain '..': ${path}`;
    if (item.length > NAME_MAX) return `invalid path: filenames must be less than or equal to ${NAME_MAX} characters`;
  }
  return items[0]?.startsWith('..') ? `invalid path: must not start with '..': ${path}` : null;
}

/** Paths that are there, and that no path of the payload is or goes through. */
async function staleEntries(folder: string, payload: Payload): Promise<string[]> {
  const wanted = new Set<string>();
  for (const path of payload.keys()) for (let p = path; p !== '.'; p = dirname(p)) wanted.add(p);
  const there = (await unless('ENOENT', readdir(folder, { recursive: true }))) ?? [];
  return there.filter((path) => !wanted.has(path));
}

async function differs(folder: string, payload: Payload): Promise<boolean> {
  for (const [path, file] of payload) {
    // A folder where a file is wanted, or the other way round, is a difference too.
    const bytes = await readFile(join(folder, path)).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT' || e.code === 'ENOTDIR' || e.code === 'EISDIR') return null;
      throw e;
    });
    if (!bytes?.equals(file.data)) return true;
  }
  return false;
}

async function swap(dir: string, payload: Payload, now: Date, publish: () => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(dir, `..${now.toISOString().slice(0, 19).replace(/[-:T]/g, '_')}.`));
  try {
    // The group and others walk through it, whatever the umask is.
    await chmod(folder, 0o755);
    for (const [path, file] of payload) await writeOne(join(folder, path), file);
    await publish();
    // What an agent that was killed has left.
    await rm(join(dir, NEW_DATA), { force: true });
    await symlink(folder.slice(dir.length + 1), join(dir, NEW_DATA));
    await rename(join(dir, NEW_DATA), join(dir, DATA));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function writeOne(path: string, file: File): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, file.data, { mode: file.mode });
  await chmod(path, file.mode); // not cut by the umask
  if (file.user !== undefined) await lchown(path, file.user, -1);
}

async function linkNames(dir: string, payload: Payload): Promise<void> {
  const names = new Set([...payload.keys()].map((path) => path.split('/', 1)[0] ?? ''));
  for (const name of names) {
    const there = await unless('ENOENT', lstat(join(dir, name)));
    if (there === undefined) await symlink(join(DATA, name), join(dir, name));
  }
}

/** Only names of the volume itself: what lies deeper went with its folder. */
async function unlinkNames(dir: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) if (!path.includes('/')) await rm(join(dir, path), { force: true });
}
