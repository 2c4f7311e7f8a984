import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs';
import { CommandError } from '../command.ts';
import { writeAtomic } from '../home.ts';

// Processes of ours that outlive the command that started them.

/** A pid file that tells a live process of ours from a reused pid by its start time. */
export function writePid(path: string, pid: number): void {
  writeAtomic(path, `${pid} ${startTime(pid) ?? ''}\n`);
}

/** Writes a pid file unless a live process has it: false then. Of two at once, one wins. */
export function claimPid(path: string, pid: number): boolean {
  if (readPid(path) !== undefined) return false;
  const own = `${path}.${pid}`;
  writePid(own, pid);
  try {
    linkSync(own, path);
    return true;
  } catch {
    return false; // the other one was quicker
  } finally {
    rmSync(own);
  }
}

/** The pid in the file when that very process still runs; undefined otherwise (a stale file is removed). */
export function readPid(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const [pid, started] = readFileSync(path, 'utf8').trim().split(' ');
  const n = Number(pid);
  if (n > 0 && startTime(n) === started) return n;
  rmSync(path, { force: true });
  return undefined;
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined; // no such process
  }
}

/** Ends the process of a pid file: SIGTERM, after `graceMs` SIGKILL, where it leads a `group` to all of that. False when none ran. */
export async function stop(path: string, graceMs = 10_000, group = false): Promise<boolean> {
  const pid = readPid(path);
  if (pid === undefined) return false;
  process.kill(pid, 'SIGTERM');
  const end = Date.now() + graceMs;
  while (readPid(path) !== undefined) {
    if (Date.now() > end) process.kill(group ? -pid : pid, 'SIGKILL');
    await new Promise((r) => setTimeout(r, 50));
  }
  rmSync(path, { force: true });
  return true;
}

/** Waits until `probe` gives true; fails with `what` after `limitMs` or as soon as `alive` gives false. */
export async function waitFor(
  what: string,
  limitMs: number,
  probe: () => Promise<boolean>,
  alive: () => boolean = () => true,
): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    if (await probe().catch(() => false)) return;
    if (!alive()) throw new CommandError(`${what}: the process ended`);
    if (Date.now() > end) throw new CommandError(`${what}: not after ${limitMs / 1000} s`);
    await new Promise((r) => setTimeout(r, 50));
  }
}
