import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Cable } from './machine.ts';

const run = promisify(execFile);

/** Folders that are empty on the machine at first, and its own. */
const OWN = ['/run', '/var/lib', '/var/log', '/opt'];
/** Of who is root there. */
export const FRESH_HOME = '/var/lib/root';
/** What is read of the tree beside these: where programs put things. */
const READ = [...OWN, '/etc/systemd', '/etc/cni', '/etc/containerd', '/usr/local/bin'];

/** A machine that was never used: network and mounts of its own, empty folders where programs keep state. */
export interface Fresh {
  address: string;
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }>;
  /** All that may be left behind, a line each. `cgroup`: groups below it count. */
  snapshot(cgroup: string): Promise<string[]>;
  /** Processes that run there. */
  processes(): Promise<{ pid: number; command: string }[]>;
  close(): Promise<void>;
}

/** Machine n of a cable. */
export async function startFresh(cable: Cable, n: number): Promise<Fresh> {
  const script = `mount --make-rprivate / && for d in ${OWN.join(' ')}; do for m in $(findmnt -rno TARGET | grep "^$d/" | sort -r); do umount -l $m; done; mount -t tmpfs -o mode=755 tmpfs $d; done && mkdir ${FRESH_HOME} && mount --make-rshared / && ip link set lo up && echo ready && exec cat`;
  const holder = spawn('unshare', ['--mount', '--net', 'sh', '-ec', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('exit', (code) => reject(new Error(`the machine ended: ${code}`)));
  });
  const pid = holder.pid as number;
  const enter = ['--mount', '--net', '-t', String(pid), '--wd=/'];
  const inside: Fresh['run'] = (command, args, env) =>
    run('nsenter', [...enter, command, ...args], {
      env: { ...process.env, HOME: FRESH_HOME, ...env },
      maxBuffer: 1 << 26,
    });
  const veth = `corf${process.pid % 100_000}-${n}`;
  const close = async () => {
    for (const p of await processesOf(pid)) if (p.pid !== pid) kill(p.pid);
    holder.stdin?.end();
    await ended(holder);
    await run('ip', ['link', 'delete', veth]).catch(() => undefined); // went with the machine
  };
  try {
    await run('ip', ['link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
    await run('ip', ['link', 'set', veth, 'master', cable.bridge, 'up']);
    await inside('ip', ['address', 'add', `${cable.address(n)}/24`, 'dev', 'eth0']);
    await inside('ip', ['link', 'set', 'eth0', 'up']);
    await inside('ip', ['route', 'add', 'default', 'via', cable.host]);
    await inside('sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
  } catch (e) {
    await close();
    throw e;
  }
  return {
    address: cable.address(n),
    run: inside,
    processes: async () => (await processesOf(pid)).filter((p) => p.pid !== pid),
    snapshot: async (cgroup) => {
      const lines = async (what: string, command: string, ...args: string[]) =>
        (await inside(command, args)).stdout
          .split('\n')
          .filter((l) => l !== '')
          .map((l) => `${what}: ${l}`);
      const all = [
        ...(await processesOf(pid)).filter((p) => p.pid !== pid).map((p) => `process: ${p.command}`),
        // Other tests have theirs in the temporary folder, which this machine has none of its own of.
        ...(await lines('mount', 'findmnt', '-rno', 'TARGET,FSTYPE')).filter((l) => !l.includes(` ${tmpdir()}/`)),
        ...(await lines('link', 'ip', '-br', 'link')),
        ...(await lines('address', 'ip', '-4', '-br', 'address')),
        ...(await lines('route', 'ip', '-4', 'route', 'show', 'table', 'all')),
        ...(await lines('rule', 'ip', 'rule')),
        ...(await lines('filter', 'nft', 'list', 'ruleset')),
        ...(await lines(
          'sysctl',
          'sysctl',
          '-a',
          '-r',
          '^net[.](ipv4|ipv6)[.](ip_forward|conf[.](all|default|eth0|lo)[.])',
        )),
        // Not every machine has each of them.
        ...(await lines('file', 'sh', '-c', `for d in ${READ.join(' ')}; do [ ! -e $d ] || find $d -xdev; done`)),
        ...(await groups(cgroup)).map((l) => `cgroup: ${l}`),
      ];
      return all.sort();
    },
    close,
  };
}

/** Processes whose mounts are the machine's, or that were made below one of those (containers). */
async function processesOf(holder: number): Promise<{ pid: number; command: string }[]> {
  const space = await linkOf(holder);
  const out: { pid: number; command: string }[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!pid) continue;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
    if (command !== '' && (await isOf(pid, space))) out.push({ pid, command });
  }
  return out;
}

const linkOf = (pid: number): Promise<string> => readlink(`/proc/${pid}/ns/mnt`).catch(() => ''); // it ended meanwhile

/** A container has mounts of its own; its parent is a shim, which has the machine's. */
async function isOf(pid: number, space: string): Promise<boolean> {
  for (let p = pid; p > 1; ) {
    if ((await linkOf(p)) === space) return true;
    const stat = await readFile(`/proc/${p}/stat`, 'utf8').catch(() => '');
    p = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return false;
}

async function groups(cgroup: string): Promise<string[]> {
  const out: string[] = [];
  for (const h of ['', ...(await readdir('/sys/fs/cgroup'))]) {
    const below = await readdir(join('/sys/fs/cgroup', h, cgroup), { recursive: true, withFileTypes: true }).catch(
      () => null,
    );
    if (below === null) continue;
    out.push(`${h}${cgroup}`, ...below.filter((e) => e.isDirectory()).map((e) => join(e.parentPath, e.name)));
  }
  return out;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((r) => child.once('exit', r));
}
