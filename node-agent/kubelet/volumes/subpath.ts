import { chmod, constants, type FileHandle, lstat, mkdir, open, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pod } from '../pod.ts';
import { isWithin, type Mounter } from './mounter.ts';

/** A place in a volume that a container mounts instead of the whole. */
export interface SubPath {
  /** Absolute. */
  volumePath: string;
  /** Relative, without `..`. */
  subPath: string;
  volume: string;
  container: string;
  /** Of the mount in its container. */
  index: number;
  podDir: string;
}

/** open(2): the place itself, never what a link points to; nothing is opened for reading, so that no device wakes. */
const O_PATH = 0o10000000;
const PLACE = O_PATH | constants.O_NOFOLLOW;
const MODE_BITS = 0o7777;

/** The binds of a pod's subPaths are below this. */
export const subPathsDirectory = (podDir: string) => join(podDir, 'volume-subpaths');

/**
 * Makes a subPath's folder where nothing is there yet, and shows the place at a path that no container can change: what a container
 * puts into its volume (a link to the machine's /etc) must not become the next one's mount. Each step goes from the folder before,
 * never by the whole path. The path for the runtime.
 */
export async function bindSubPath(s: SubPath, mounter: Mounter): Promise<string> {
  const base = await realpath(s.volumePath);
  const path = await realpath(join(s.volumePath, s.subPath));
  const place = await openWithin(base, path);
  try {
    const target = join(subPathsDirectory(s.podDir), s.volume, s.container, String(s.index));
    if (await isShown(target, path, mounter)) return target;
    await mkdir(dirname(target), { recursive: true, mode: 0o750 });
    if ((await place.stat()).isDirectory()) await mkdir(target, { mode: 0o750 }).catch(unlessThere);
    else await writeFile(target, '', { mode: 0o640, flag: 'a' });
    await mounter.bind(placeName(place), target);
    return target;
  } finally {
    await place.close();
  }
}

const unlessThere = (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EEXIST') throw e;
};
/** What other programs may call an open place by. */
const placeName = (f: FileHandle) => `/proc/${process.pid}/fd/${f.fd}`;

/** True when the same file or folder is shown there already; another one (the volume has been made anew) is taken away. */
async function isShown(target: string, path: string, mounter: Mounter): Promise<boolean> {
  const there = (await mounter.below(target)).some((m) => m.path === target);
  if (!there) return false;
  const [a, b] = await Promise.all([lstat(path), lstat(target)]);
  if (a.ino === b.ino && a.dev === b.dev) return true;
  await mounter.unmount(target);
  return false;
}

async function openWithin(base: string, path: string): Promise<FileHandle> {
  if (!isWithin(path, base))
    throw new Error(`subpath ${JSON.stringify(path)} not within volume path ${JSON.stringify(base)}`);
  let place = await open(base, PLACE);
  for (const name of path
    .slice(base.length + 1)
    .split('/')
    .filter(Boolean)) {
    const next = await open(`${placeName(place)}/${name}`, PLACE).finally(() => place.close());
    place = next;
    if ((await place.stat()).isSymbolicLink()) {
      await place.close();
      throw new Error(`unexpected symlink found ${path}`);
    }
  }
  return place;
}

/** Makes the folders of a subPath that aren't there, with the volume's own mode: an fsGroup's permissions go down to them. */
export async function makeSubPath(volumePath: string, subPath: string): Promise<void> {
  const base = await realpath(volumePath);
  const mode = (await stat(base)).mode & MODE_BITS;
  let path = base;
  const rest = subPath.split('/').filter((name) => name !== '' && name !== '.');
  while (rest.length > 0 && (await lstat(join(path, rest[0] ?? '')).catch(() => null)))
    path = join(path, rest.shift() ?? '');
  let place = await openWithin(base, await realpath(path));
  try {
    for (const name of rest) {
      const made = `${placeName(place)}/${name}`;
      await mkdir(made);
      const next = await open(made, PLACE | constants.O_DIRECTORY);
      await place.close();
      place = next;
      await chmod(placeName(place), mode);
    }
  } finally {
    await place.close();
  }
}

/** A pod's directory in the agent's state. */
export const podDirectory = (root: string, pod: Pod) => join(root, 'pods', pod.metadata.uid ?? '');
