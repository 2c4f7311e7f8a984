import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mounter } from './mounter.ts';

/**
 * Takes a pod's directory away: first everything that is mounted in there, then the files. What is mounted is never looked into: if
 * something can't be unmounted nothing is deleted, and another file system is never crossed into.
 */
export async function removePodDirectory(root: string, uid: string, mounter: Mounter): Promise<void> {
  if (uid === '' || uid.includes('/') || uid === '.' || uid === '..') throw new Error(`no uid: ${JSON.stringify(uid)}`);
  const dir = join(root, 'pods', uid);
  const there = await lstat(dir).catch(() => null);
  if (there === null) return;
  for (const m of (await mounter.below(dir)).reverse()) await mounter.unmount(m.path);
  const left = await mounter.below(dir);
  if (left.length > 0) throw new Error(`${left[0]?.path} is still mounted`);
  await removeTree(dir, there.dev);
}

/** Takes the directories of all pods away, once nothing of them runs. */
export async function removeAllPods(root: string, mounter: Mounter): Promise<void> {
  const uids = await readdir(join(root, 'pods')).catch(() => []);
  for (const uid of uids) await removePodDirectory(root, uid, mounter);
}

async function removeTree(path: string, device: number): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (!entry.isDirectory()) {
      await unlink(child).catch(unlessGone);
      continue;
    }
    // Mounted after we looked: it isn't the pod's.
    if ((await lstat(child)).dev !== device) throw new Error(`${child} is on another file system`);
    await removeTree(child, device);
  }
  await rmdir(path).catch(unlessGone);
}
const unlessGone = (e: NodeJS.ErrnoException) => {
  if (e.code !== 'ENOENT') throw e;
};
