import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { allContainers, type Pod } from '../pod.ts';

const READ_WRITE = 0o660;
const READ_ONLY = 0o440;
const SEARCH = 0o110;
const SET_GID = 0o2000;
const MODE_BITS = 0o7777;

/**
 * Gives a volume to a pod's fsGroup: everything in it gets the group and the group's permissions, folders hand the group on. With
 * `onMismatch` it is left alone when its root is as it should be. Files that can't be changed are left: a volume may be read-only.
 */
export async function giveToGroup(
  dir: string,
  group: number | undefined,
  o: { readonly: boolean; onMismatch?: boolean },
): Promise<void> {
  if (group === undefined) return;
  if (o.onMismatch && !(await mismatches(dir, group, o.readonly))) return;
  await walk(dir, group, o.readonly ? READ_ONLY : READ_WRITE);
}

async function mismatches(dir: string, group: number, readonly: boolean): Promise<boolean> {
  const s = await lstat(dir).catch(() => null);
  const wanted = (readonly ? READ_ONLY : READ_WRITE) | SEARCH | SET_GID;
  return s === null || s.gid !== group || !s.isDirectory() || (s.mode & wanted) !== wanted;
}

/** Folders after what is in them: who sees the root changed knows that all is. */
async function walk(path: string, group: number, mask: number): Promise<void> {
  const s = await lstat(path);
  if (s.isDirectory()) for await (const entry of await opendir(path)) await walk(join(path, entry.name), group, mask);
  await lchown(path, -1, group).catch(() => undefined);
  // A link's mode means nothing, and chmod would change what it points to.
  if (s.isSymbolicLink()) return;
  const bits = s.isDirectory() ? mask | SEARCH | SET_GID : mask;
  await chmod(path, (s.mode & MODE_BITS) | bits).catch(() => undefined);
}

/** The one user that all containers of a pod run as, undefined when they don't say the same: pkg/volume/util FsUserFrom. */
export function userOf(pod: Pod): number | undefined {
  const users = new Set(
    allContainers(pod).map((c) => c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser),
  );
  return users.size === 1 ? [...users][0] : undefined;
}
