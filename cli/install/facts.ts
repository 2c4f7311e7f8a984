import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { npmCommand, SYSTEM_CAS } from './npm.ts';
import { type Facts, type Found, KUBECTL_MIN, type Manager, NEEDS, newEnough, PACKAGES } from './plan.ts';
import { findProgram, isProgram } from './programs.ts';

const run = promisify(execFile);

/** Where distributions and upstream's archives put CNI plug-ins, and those that a pod network needs: as node-agent/install/machine.ts has it. */
const CNI_DIRS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];
const CNI_PLUGINS = ['host-local', 'loopback', 'portmap', 'ptp'];
const MANAGERS: Record<Manager, string> = {
  apt: 'apt-get',
  dnf: 'dnf',
  zypper: 'zypper',
  apk: 'apk',
  pacman: 'pacman',
};
/** How a program is asked for its version, where it matters. */
const VERSIONS: Record<string, string[]> = {
  containerd: ['--version'],
  kubectl: ['version', '--client', '--output=json'],
};

/** Looks at this machine. `refreshed`: apt's lists were fetched just now; `kubectl`: where an earlier run put one. */
export async function machineFacts(o: { refreshed: boolean; kubectl: string }): Promise<Facts> {
  const names = [...NEEDS.map((n) => n.what).filter((n) => n !== 'cni' && n !== 'cas'), 'dockerd', 'kubectl'];
  const found = await Promise.all(
    names.map(async (n) => [n, await look(n, n === 'kubectl' ? o.kubectl : undefined)] as const),
  );
  const programs = Object.fromEntries(found);
  const manager = (Object.keys(MANAGERS) as Manager[]).find((m) => findProgram(MANAGERS[m]) !== null) ?? null;
  const cni = CNI_DIRS.some((d) => CNI_PLUGINS.every((p) => existsSync(join(d, p))));
  // Asking apt takes a third of a second: only where something is missing.
  const cas = SYSTEM_CAS.some((f) => existsSync(f));
  const complete = cni && cas && names.every((n) => programs[n] !== undefined || n === 'dockerd');
  return {
    system: systemName(existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''),
    arch: process.arch,
    uid: process.getuid?.() ?? -1,
    manager,
    programs,
    cni,
    cas,
    candidates: manager === 'apt' && !complete ? await aptCandidates() : {},
    refreshed: o.refreshed,
    npm: npmCommand() !== null,
  };
}

/** PRETTY_NAME of an os-release file; `this system` without one. */
export function systemName(osRelease: string): string {
  const line = /^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1] ?? '';
  return line.replace(/^(["'])(.*)\1$/, '$2') || 'this system';
}

/** The one on the PATH, unless it is a kubectl too old beside a newer of our own. */
async function look(name: string, own: string | undefined): Promise<Found | undefined> {
  const path = findProgram(name);
  const there = path === null ? undefined : { path, version: await versionOf(name, path) };
  if (own === undefined || !isProgram(own)) return there;
  const ownVersion = await versionOf(name, own);
  return there && newEnough(there.version, KUBECTL_MIN) ? there : { path: own, version: ownVersion };
}

async function versionOf(name: string, path: string): Promise<string> {
  const args = VERSIONS[name];
  if (!args) return '';
  // A program that can't say its version is found out when it is used.
  const { stdout } = await run(path, args, { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  return versionIn(stdout);
}

/** The first `N.N` or `N.N.N` of a program's answer. */
export const versionIn = (text: string): string => /\bv?(\d+\.\d+(\.\d+)?)/.exec(text)?.[1] ?? '';

async function aptCandidates(): Promise<Record<string, string>> {
  const { stdout } = await run('apt-cache', ['policy', ...PACKAGES], {
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 1 << 24,
  }).catch(() => ({ stdout: '' }));
  return candidatesIn(stdout);
}

/** `apt-cache policy`'s answer: package to candidate, without those that have none. */
export function candidatesIn(policy: string): Record<string, string> {
  const out: Record<string, string> = {};
  let name = '';
  for (const line of policy.split('\n')) {
    if (/^\S.*:$/.test(line)) name = line.slice(0, -1);
    const candidate = /^ +Candidate: (.*)$/.exec(line)?.[1];
    if (candidate && candidate !== '(none)') out[name] = candidate;
  }
  return out;
}
