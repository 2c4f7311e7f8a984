import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PodNetwork, removePodNetwork } from '../network/cni/podnetwork.ts';
import { connectCri } from '../runtime/cri.ts';
import { type ContainerdDirs, socketOf } from './config.ts';
import { type Containerd, endProcess } from './containerd.ts';

const run = promisify(execFile);

/** A shim ends within milliseconds once its container is dead; past this it hangs. */
const SHIM_MS_MAX = 5_000;

/** Ends pods of a runtime and takes them away: all, or those whose uids `ours` says. */
export async function removePods(socket: string, ours: (uid: string) => boolean = () => true): Promise<void> {
  const { runtime } = connectCri(socket);
  try {
    for (const { id, metadata } of await runtime.listPodSandbox()) {
      if (!ours(metadata?.uid ?? '')) continue;
      await runtime.stopPodSandbox(id);
      await runtime.removePodSandbox(id);
    }
  } finally {
    runtime.close();
  }
}

/** Processes (shims) that were started for the containerd at `socket`. */
async function shimsOf(socket: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const args = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[0]?.includes('containerd-shim') && args[args.indexOf('-address') + 1] === socket) pids.push(Number(name));
  }
  return pids;
}

/** Mount points under any of `dirs`, deepest first, from the text of /proc/self/mountinfo. */
export function mountsUnder(mountinfo: string, dirs: string[]): string[] {
  const points = mountinfo
    .split('\n')
    .map((l) => (l.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, o) => String.fromCharCode(Number.parseInt(o, 8))))
    .filter((p) => dirs.some((d) => p.startsWith(`${d}/`)));
  return points.reverse();
}

/** Takes mounts away, whoever still uses them. */
export async function unmountAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) await run('umount', ['-l', path]);
}

/** Where libcni keeps what plug-ins answered, for every network of the machine. */
const RESULTS = '/var/lib/cni/results';

/** Takes away the answers for pods of a network that were never torn down, and those of the loopback device in the same pods. */
async function removeResults(network: string, dir = RESULTS): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  const ids = names
    .filter((n) => n.startsWith(`${network}-`))
    .map((n) => n.slice(network.length + 1).replace(/-[^-]+$/, ''));
  for (const n of names)
    if (n.startsWith(`${network}-`) || ids.includes(n.replace(/^cni-loopback-/, '').replace(/-lo$/, '')))
      await rm(join(dir, n), { force: true });
}

/**
 * Takes a containerd of ours away with all its pods, shims, mounts, namespaces, rules and files. Each step is tried even
 * when one before it failed; the first failure is thrown at the end.
 */
export async function removeContainerd(c: Containerd, d: ContainerdDirs, network: PodNetwork): Promise<void> {
  const failures: unknown[] = [];
  const step = (f: () => Promise<unknown>) => f().catch((e) => failures.push(e));
  await step(() => removePods(socketOf(d)));
  await step(() => c.stop());
  await step(async () => {
    for (const pid of await shimsOf(socketOf(d))) await endProcess(pid, SHIM_MS_MAX);
  });
  await step(async () => {
    const mounts = mountsUnder(await readFile('/proc/self/mountinfo', 'utf8'), [d.rootDir, d.stateDir]);
    await unmountAll(mounts);
  });
  await step(() => removePodNetwork(network));
  await step(() => removeResults(network.name));
  await step(() => rm(d.stateDir, { recursive: true, force: true }));
  await step(() => rm(d.rootDir, { recursive: true, force: true }));
  if (failures.length > 0) throw failures[0];
}
