import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** statfs(2) magic of a cgroup v2 mount: linux/magic.h CGROUP2_SUPER_MAGIC. */
const CGROUP2_MAGIC = 0x63677270;
/** Where distributions and upstream's own archives put CNI plugins. */
const CNI_BIN_DIRS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];
/** Plugins that the pod network needs (containerd itself calls loopback). */
const CNI_PLUGINS = ['host-local', 'loopback', 'portmap', 'ptp'];
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export type CgroupMode = 'v1' | 'v2' | 'hybrid';

/** Where a program is; null when it's on neither PATH nor the sbin directories (which a user's PATH may lack). */
export function findProgram(name: string): string | null {
  for (const dir of [...(process.env.PATH ?? '').split(delimiter), ...SBIN]) {
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here: the next directory
    }
  }
  return null;
}

/** The directory that holds every CNI plugin we use; null when none does. */
export function findCniBinDir(): string | null {
  return CNI_BIN_DIRS.find((d) => CNI_PLUGINS.every((p) => existsSync(join(d, p)))) ?? null;
}

/** `hybrid`: v1 controllers with a v2 tree for processes at /sys/fs/cgroup/unified; limits then go through v1. */
export async function cgroupMode(root = '/sys/fs/cgroup'): Promise<CgroupMode> {
  const type = async (path: string) => (await statfs(path).catch(() => null))?.type;
  if ((await type(root)) === CGROUP2_MAGIC) return 'v2';
  return (await type(join(root, 'unified'))) === CGROUP2_MAGIC ? 'hybrid' : 'v1';
}

/** True when the kernel refuses to lower oom_score_adj here (no CAP_SYS_RESOURCE: nested containers, some VMs). */
export async function oomScoreRestricted(): Promise<boolean> {
  const path = '/proc/self/oom_score_adj';
  const before = (await readFile(path, 'utf8')).trim();
  try {
    await writeFile(path, String(Math.max(Number(before) - 1, -1000)));
    await writeFile(path, before);
    return false;
  } catch {
    return true;
  }
}

/** `overlayfs` when such a mount works under `dir` (it doesn't on an overlay or some network disks), else `native`. */
export async function snapshotterFor(dir: string): Promise<'overlayfs' | 'native'> {
  await mkdir(dir, { recursive: true });
  const base = await mkdtemp(join(dir, 'try-'));
  const [lower, upper, work, at] = ['l', 'u', 'w', 'm'].map((n) => join(base, n));
  try {
    for (const d of [lower, upper, work, at]) await mkdir(d as string);
    await run('mount', [
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
      `${at}`,
    ]);
    await run('umount', [`${at}`]);
    return 'overlayfs';
  } catch {
    return 'native';
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Sets a kernel switch under /proc/sys; false when this kernel doesn't have it or refuses. */
export async function setSysctl(name: string, value: string): Promise<boolean> {
  const path = join('/proc/sys', name.replaceAll('.', '/'));
  try {
    if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value);
    return true;
  } catch {
    return false;
  }
}
