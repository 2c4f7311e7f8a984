import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findCniBinDir, findProgram } from './machine.ts';

/** How long apt waits for another apt to finish: a fresh machine's own updates take minutes. */
const LOCK_WAIT_SECONDS = 300;
/** Where only root can write. */
const LOCK_PATH = '/run/coracle-apt.lock';

interface Need {
  /** Debian's (and Ubuntu's) package. */
  debian: string;
  present(): boolean;
}

/** What a node needs beside Node.js. Presence is judged by the files, so that other distributions' ways count too. */
export const NEEDS: readonly Need[] = [
  { debian: 'containerd', present: () => findProgram('containerd') !== null },
  { debian: 'runc', present: () => findProgram('runc') !== null },
  { debian: 'containernetworking-plugins', present: () => findCniBinDir() !== null },
  { debian: 'iptables', present: () => findProgram('iptables') !== null },
  { debian: 'nftables', present: () => findProgram('nft') !== null },
  // What makes the kernel forget UDP flows to endpoints that are gone.
  { debian: 'conntrack', present: () => findProgram('conntrack') !== null },
  { debian: 'iproute2', present: () => findProgram('ip') !== null },
];

/** The Debian packages whose files are not here. */
export function missingPackages(needs: readonly Need[] = NEEDS): string[] {
  return needs.filter((n) => !n.present()).map((n) => n.debian);
}

export type Progress = (line: string) => void;
export type Installed = { ok: true } | { ok: false; why: string };

function apt(args: string[], progress: Progress): Promise<Installed> {
  return new Promise((resolve) => {
    // One at a time among our own processes: apt waits for dpkg's lock by itself, but not for that of its lists.
    const command = ['apt-get', '-y', '-o', `DPkg::Lock::Timeout=${LOCK_WAIT_SECONDS}`, ...args];
    // --close: a daemon that a package starts would keep the lock.
    const child = spawn('flock', ['--close', LOCK_PATH, ...command], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let last = '';
    createInterface({ input: child.stdout }).on('line', (l) => {
      if (/^(Get|Setting up|Unpacking)/.test(l)) progress(l);
    });
    createInterface({ input: child.stderr }).on('line', (l) => {
      if (l.startsWith('E:')) last = l;
    });
    child.on('error', (e) => resolve({ ok: false, why: e.message }));
    child.on('close', (code) =>
      resolve(code === 0 ? { ok: true } : { ok: false, why: `apt-get ${args[0]} failed: ${last || `exit ${code}`}` }),
    );
  });
}

/** Installs Debian packages, a progress line for each step; why it couldn't, when it couldn't. */
export async function installPackages(packages: string[], progress: Progress): Promise<Installed> {
  if (packages.length === 0) return { ok: true };
  if (process.getuid?.() !== 0) return { ok: false, why: `needs root to install ${packages.join(', ')}` };
  if (findProgram('apt-get') === null) {
    return { ok: false, why: `install these first (no apt-get on this system): ${packages.join(', ')}` };
  }
  const install = ['install', '--no-install-recommends', ...packages];
  progress(`installing ${packages.join(', ')}`);
  const first = await apt(install, progress);
  if (first.ok) return first;
  progress('refreshing the package lists'); // a fresh image has none, or stale ones
  const updated = await apt(['update'], () => undefined);
  return updated.ok ? apt(install, progress) : updated;
}
