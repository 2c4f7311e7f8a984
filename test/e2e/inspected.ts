import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readPid, writePid } from '../../cli/server/pid.ts';
import { start } from '../../cli/server/process.ts';
import { Inspector } from '../density/inspector.ts';
import { freePort } from '../ports.ts';
import type { System } from './system.ts';

const START_MS_MAX = 60_000;

/** Where `up` wrote the control plane's process. */
const pidFile = (s: System) => join(s.home, 'state/server.pid');
/** The control plane's process. */
export const serverPid = (s: System): number => readPid(pidFile(s)) ?? 0;

/** Kills the control plane, and first of all what would start it again. */
export function killControlPlane(s: System): void {
  const keeper = readPid(join(s.home, 'state/keeper.pid'));
  if (keeper !== undefined) process.kill(keeper, 'SIGKILL');
  const pid = serverPid(s);
  if (pid > 0) process.kill(pid, 'SIGKILL');
}

/** Kills the control plane and starts it again with an inspector; gives the inspector's port. `down` ends it. */
export async function restartInspected(s: System): Promise<number> {
  killControlPlane(s);
  // The dead process's socket stands in the way.
  rmSync(join(s.home, 'state/server/control'), { force: true });
  const port = await freePort();
  const [config, log] = [join(s.home, 'state/server/workerd.capnp'), join(s.home, 'state/server.log')];
  const child = start(config, log, [`--inspector-addr=127.0.0.1:${port}`]);
  child.unref();
  writePid(pidFile(s), child.pid ?? 0);
  for (const end = Date.now() + START_MS_MAX; ; await new Promise((r) => setTimeout(r, 50))) {
    if ((await s.kubectlWith('', 'get', '--raw', '/readyz')).code === 0) return port;
    if (Date.now() > end) throw new Error('the control plane does not answer');
  }
}

/** Live objects of the control plane by class, after a garbage collection. */
export async function liveObjects(port: number, classes: readonly string[]): Promise<Record<string, number>> {
  const inspector = await Inspector.connect(port);
  try {
    return await inspector.live(classes);
  } finally {
    inspector.close();
  }
}

/** What a process holds of the kernel: open files by kind, and directories that it watches. */
export function heldBy(pid: number): { files: number; sockets: number; watches: number } {
  const held = { files: 0, sockets: 0, watches: 0 };
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const to = readlinkSync(`/proc/${pid}/fd/${fd}`);
      if (to.startsWith('socket:')) held.sockets++;
      else held.files++;
      if (to.includes('inotify'))
        held.watches += readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').split('inotify wd:').length - 1;
    } catch {
      // closed between the look and the reading
    }
  }
  return held;
}
