import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { connectCri } from '../runtime/cri.ts';
import { type ContainerdDirs, configPathOf, logPathOf, pidPathOf, socketOf } from './config.ts';

/** A cold start opens its database and loads plugins: seconds on a slow disk. */
const START_MS_MAX = 60_000;
/** containerd closes its database on SIGTERM; past this it hangs. */
const STOP_MS_MAX = 10_000;
const POLL_MS = 50;
/** Enough of the log's end to show why it didn't start. */
const LOG_TAIL_BYTES = 2_000;

export interface Containerd {
  pid: number;
  socket: string;
  /** Ends the daemon; pods go on under their shims and are found again by the next one on the same directories. */
  stop(): Promise<void>;
}

/** True while a process with that id runs (a zombie doesn't). */
export async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Ends a process: SIGTERM, SIGKILL after `graceMs`; resolves once it's gone. Silent when it was gone before. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  const send = (signal: 'SIGTERM' | 'SIGKILL') => {
    try {
      process.kill(pid, signal);
    } catch {
      // gone between the look and the signal
    }
  };
  if (!(await alive(pid))) return;
  send('SIGTERM');
  for (let waited = 0; await alive(pid); waited += POLL_MS) {
    if (waited === Math.ceil(graceMs / POLL_MS) * POLL_MS) send('SIGKILL');
    await delay(POLL_MS);
  }
}

/** The containerd that an earlier agent left running on these directories; null when there is none. */
async function findRunning(d: ContainerdDirs): Promise<number | null> {
  const pid = Number((await readFile(pidPathOf(d), 'utf8').catch(() => '')).trim());
  if (!pid || !(await alive(pid))) return null;
  const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return cmdline.includes(configPathOf(d)) ? pid : null; // else the id was reused
}

async function answers(socket: string): Promise<boolean> {
  const { runtime } = connectCri(socket);
  try {
    await runtime.version();
    return true;
  } catch {
    return false; // not yet: the socket or the CRI plugin isn't there
  } finally {
    runtime.close();
  }
}

/**
 * Starts containerd, or takes over the one that already runs on these directories; resolves when CRI answers. `toml`
 * becomes its configuration (absent: the one that was written before); a change restarts it, pods go on meanwhile.
 */
export async function startContainerd(program: string, d: ContainerdDirs, toml?: string): Promise<Containerd> {
  let pid = await findRunning(d);
  if (toml !== undefined && toml !== (await readFile(configPathOf(d), 'utf8').catch(() => ''))) {
    if (pid !== null) await endProcess(pid, STOP_MS_MAX);
    pid = null;
    // There may be credentials in it; an older agent's may be open.
    await writeFile(configPathOf(d), toml, { mode: 0o600 });
    await chmod(configPathOf(d), 0o600);
  }
  if (pid === null) {
    const log = openSync(logPathOf(d), 'a');
    // Its own process group: a terminal's Ctrl-C reaches the agent, which then ends it in order.
    const child = spawn(program, ['--config', configPathOf(d)], { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    pid = child.pid as number;
    await writeFile(pidPathOf(d), String(pid));
  }
  const started: Containerd = {
    pid,
    socket: socketOf(d),
    async stop() {
      await endProcess(started.pid, STOP_MS_MAX);
      await rm(pidPathOf(d), { force: true });
    },
  };
  for (let waited = 0; !(await answers(started.socket)); waited += POLL_MS) {
    if (!(await alive(pid)) || waited > START_MS_MAX) {
      await started.stop();
      const tail = (await readFile(logPathOf(d), 'utf8').catch(() => '')).slice(-LOG_TAIL_BYTES);
      throw new Error(`containerd did not start on ${configPathOf(d)}:\n${tail}`);
    }
    await delay(POLL_MS);
  }
  return started;
}
