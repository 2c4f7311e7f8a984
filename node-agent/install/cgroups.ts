import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What containers' limits are made of; others (rdma, misc) are left as they are. */
const CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];
/** Processes that fork while they are being moved need another pass. */
const PASSES_MAX = 10;

const words = async (path: string) =>
  (await readFile(path, 'utf8').catch(() => '')).split(/\s+/).filter((w) => w !== '');

/**
 * On cgroup v2, lets child groups of `root` have limits. Where we are in a container ourselves, the root holds processes,
 * and the kernel refuses until they sit in a group of their own (no internal processes: cgroup-v2.rst); then they are
 * moved to `init`. Silent when nothing is to be done; throws what the kernel refuses in the end.
 */
export async function delegateControllers(root = '/sys/fs/cgroup'): Promise<void> {
  const control = join(root, 'cgroup.subtree_control');
  const available = await words(join(root, 'cgroup.controllers'));
  const enabled = await words(control);
  const wanted = CONTROLLERS.filter((c) => available.includes(c) && !enabled.includes(c));
  if (wanted.length === 0) return;
  const enable = () => writeFile(control, wanted.map((c) => `+${c}`).join(' '));
  let refused: unknown = null;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    try {
      await enable();
      return;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EBUSY') throw e;
      refused = e;
    }
    const init = join(root, 'init');
    await mkdir(init, { recursive: true });
    for (const pid of await words(join(root, 'cgroup.procs'))) {
      await writeFile(join(init, 'cgroup.procs'), pid).catch(() => undefined); // it ended, or is the kernel's own
    }
  }
  throw refused;
}
