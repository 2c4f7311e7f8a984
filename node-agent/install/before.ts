import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { setSysctl } from './machine.ts';

const run = promisify(execFile);

/** What a machine was like before its first agent, as far as agents and what they start change it: noted once, put back when the node is taken away. */
export interface Before {
  sysctls: Record<string, string>;
  /** Folders that weren't there; those above others first. */
  missing: string[];
  /** Tables of the packet filter that were there: `ip nat`. */
  tables: string[];
}

/** What the agent and CNI plug-ins set. */
const SYSCTLS = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'];
const CGROUPS = '/sys/fs/cgroup';
const TIERS = ['burstable', 'besteffort'];
/** Where containerd's shims, runc and CNI plug-ins keep things, whatever they are told. */
const FOLDERS = [
  '/run/containerd',
  '/run/containerd/s',
  '/run/containerd/fifo',
  '/run/containerd/runc',
  '/run/containerd/runc/k8s.io',
  '/opt/containerd',
  '/opt/containerd/bin',
  '/opt/containerd/lib',
  '/var/lib/cni',
  '/var/lib/cni/results',
];

/** A path and the folders above it, those first: `/a/b` gives `/a`, `/a/b`. */
export const prefixes = (path: string): string[] =>
  path
    .split('/')
    .filter((p) => p !== '')
    .map((_, i, parts) => `/${parts.slice(0, i + 1).join('/')}`);

/** Folders that a node makes outside of its own; `hierarchies` are those of cgroups ('' where there is one), `pods` the cgroup of all pods. Pure. */
export function foldersOf(o: { pods: string; hierarchies: readonly string[]; logDir: string }): string[] {
  const groups = [...prefixes(o.pods), ...TIERS.map((t) => join(o.pods, t))];
  return [
    ...FOLDERS,
    ...prefixes(o.logDir),
    join(dirname(o.logDir), 'containers'),
    ...o.hierarchies.flatMap((h) => groups.map((g) => join(CGROUPS, h, g))),
  ];
}

/** Notes the machine's state in `file`, unless an earlier agent has. */
export async function noteBefore(file: string, o: { pods: string; logDir: string }): Promise<void> {
  if (existsSync(file)) return;
  const v2 = existsSync(join(CGROUPS, 'cgroup.controllers'));
  const hierarchies = v2 ? [''] : await readdir(CGROUPS).catch(() => []);
  const sysctls: Record<string, string> = {};
  for (const name of SYSCTLS) {
    const text = await readFile(join('/proc/sys', name.replaceAll('.', '/')), 'utf8').catch(() => null);
    if (text !== null) sysctls[name] = text.trim();
  }
  const missing = foldersOf({ ...o, hierarchies }).filter((d) => !existsSync(d));
  const before: Before = { sysctls, missing, tables: await tables() };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(before));
  await rename(`${file}.new`, file);
}

/** Puts back what was noted in `file`, as far as nobody else needs it by now. Silent where nothing was. */
export async function restoreBefore(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return;
  const before = JSON.parse(text) as Before;
  for (const t of await tables()) if (!before.tables.includes(t)) await removeEmptyTable(t);
  // Only what is empty goes: another agent may have its pods there.
  for (const dir of [...before.missing].reverse()) await rmdir(dir).catch(() => undefined);
  if (await othersForward()) return;
  for (const [name, value] of Object.entries(before.sysctls)) await setSysctl(name, value);
}

/** Tables of the packet filter; those that iptables makes are among them. None where there is no nft. */
async function tables(): Promise<string[]> {
  const said = await run('nft', ['list', 'tables']).catch(() => ({ stdout: '' }));
  return said.stdout
    .split('\n')
    .map((l) => l.replace(/^table /, '').trim())
    .filter((l) => l !== '');
}

/** Chains of a CNI plug-in that stay when its last rule has gone. */
const CNI_CHAINS = /^CNI-(HOSTPORT|DN|SN)-[\w-]+$/;

/** Takes away a table of iptables that was made for us and holds nothing of anybody's. */
async function removeEmptyTable(table: string): Promise<void> {
  const [family = '', name = ''] = table.split(' ');
  if (!['ip', 'ip6'].includes(family) || !['nat', 'filter', 'mangle', 'raw', 'security'].includes(name)) return;
  const { stdout } = await run('nft', ['-j', 'list', 'table', family, name]).catch(() => ({ stdout: '{}' }));
  if (isEmptyTable(stdout)) await run('nft', ['delete', 'table', family, name]).catch(() => undefined); // changed meanwhile
}

interface Listed {
  chain?: { name: string; policy?: string };
  rule?: { chain: string; expr?: unknown[] };
}

/** True for a table (`nft -j list table`) in which nothing happens: without rules but those among chains of CNI plug-ins, and with no policy but to accept. */
export function isEmptyTable(json: string): boolean {
  const listed = (JSON.parse(json) as { nftables?: Listed[] }).nftables;
  if (listed === undefined) return false;
  return listed.every(({ chain, rule }) => {
    if (chain) return (chain.policy ?? 'accept') === 'accept';
    if (!rule) return true;
    return CNI_CHAINS.test(rule.chain) || CNI_CHAINS.test(targetOf(rule.expr));
  });
}

function targetOf(expr: unknown[] | undefined): string {
  for (const e of expr ?? []) {
    const { jump, goto: to } = e as { jump?: { target: string }; goto?: { target: string } };
    if (jump ?? to) return (jump ?? to)?.target ?? '';
  }
  return '';
}

/** True where bridges of others (of containers, of virtual machines) may need that packets are forwarded. */
async function othersForward(): Promise<boolean> {
  const said = await run('ip', ['-br', 'link', 'show', 'type', 'bridge']).catch(() => ({ stdout: '' }));
  return said.stdout.trim() !== '';
}
