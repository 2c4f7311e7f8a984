import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandError } from '../command.ts';
import { call, type Endpoint, localEndpoint } from '../endpoint.ts';
import { defaultHome, root, writeAtomic } from '../home.ts';
import { keep } from '../keeper.ts';
import { checkFree, hostPort, type Listen, listenWords } from '../listen.ts';
import { lastLines } from '../logs.ts';
import type { NodeOptions } from '../node/options.ts';
import { control } from '../server/control.ts';
import { readPid, stop, waitFor, writePid } from '../server/pid.ts';
import { unit } from '../server/unit.ts';
import { hasSystemd, unitName, unitPath } from '../systemd.ts';

/** A cold start on a slow disk compiles the bundle and opens databases. */
const START_MS_MAX = 60_000;
/** What requests in flight have when systemd ends it. */
const GRACE_MS = 8_000;
/** A Unix socket's path. A home so deep has none: its end takes longer. */
const SOCKET_BYTES_MAX = 107;
/** Ending watches and tunnels. */
const DRAIN_MS_MAX = 3_000;
/** Past this a keeper and its workerd hang. */
const STOP_MS_MAX = 10_000;
/** Enough of a log's end to show why it doesn't start. */
const LOG_LINES = 5;

/** How a control plane of `up` runs. */
export interface ControlPlane {
  listen: readonly Listen[];
  names: readonly string[];
  serviceCIDR?: string | undefined;
}

/** What `up` was told; kept in the home, so that it starts the same again. */
export interface Up extends ControlPlane {
  cluster: string;
  /** Of the machine as a node; `state` is set. */
  node?: NodeOptions | undefined;
}

const fileOf = (home: string) => join(home, 'up.json');
const controlOf = (home: string) => join(home, 'server', 'control');
/** workerd's; written at each of its starts. */
const pidFileOf = (home: string) => join(home, 'server.pid');
/** Of what starts workerd again. */
const keeperOf = (home: string) => join(home, 'keeper.pid');
/** With these behind it: becomes the command, once it has said its pid (with its start time, see pid.ts) and taken away the socket that stands in a new one's way. */
const BEGIN = 'rm -f "$1"; echo "$$ $(cut -d" " -f22 /proc/$$/stat)" >"$0"; shift; exec "$@"';

/** What an earlier `up` was told; undefined before the first. */
export function knownUp(home: string): Up | undefined {
  return existsSync(fileOf(home)) ? (JSON.parse(readFileSync(fileOf(home), 'utf8')) as Up) : undefined;
}
export const writeUp = (home: string, up: Up): void => writeAtomic(fileOf(home), JSON.stringify(up, null, 2));

/** True while a control plane runs on that home, whoever started it. */
export const controlPlaneRuns = (home: string): boolean =>
  readPid(keeperOf(home)) !== undefined || readPid(pidFileOf(home)) !== undefined;

/** What machines that join download, as the control plane serves it. */
export function assetsFolder(home: string): string {
  // A home can have been both a service's and not: what was started last has written its script last.
  const written = (dir: string) => statSync(join(dir, 'install.sh'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const [service, alone] = [join(home, 'serve', 'assets'), join(home, 'server', 'assets')];
  return written(service) > written(alone) ? service : alone;
}

/**
 * Starts the control plane unless it runs, and waits until it answers: as a unit of systemd where that runs the machine, else workerd with what starts it again. Throws
 * CommandError where one runs that `known` says is another.
 */
export async function startControlPlane(
  home: string,
  o: ControlPlane,
  known: ControlPlane | undefined,
  say: (line: string) => void,
): Promise<Endpoint> {
  const [systemd, name] = [hasSystemd(), homeUnit(home)];
  const log = systemd ? `journalctl -u ${name}` : join(home, 'server.log');
  const runs = controlPlaneRuns(home);
  if (runs && known && !same(known, o)) {
    const { url } = localEndpoint(home);
    throw new CommandError(`the control plane runs on ${url} already; coracle down ends it`);
  }
  if (!runs) {
    for (const l of o.listen) await checkFree(l);
    say(`starting the control plane on ${o.listen.map(hostPort).join(', ')} (log: ${log})`);
    if (systemd) startUnit(home, o);
    else await startProcess(home, o, log);
  }
  const ready = async () => (await call(localEndpoint(home), 'GET', '/readyz')).code === 200;
  try {
    await waitFor('the control plane', START_MS_MAX, ready, () => systemd || controlPlaneRuns(home));
  } catch (e) {
    throw new CommandError(`${(e as Error).message}; the end of its log (${log}):\n${lastLines(log, LOG_LINES)}`);
  }
  return localEndpoint(home);
}

const same = (a: ControlPlane, b: ControlPlane): boolean =>
  JSON.stringify([a.listen, a.names, a.serviceCIDR]) === JSON.stringify([b.listen, b.names, b.serviceCIDR]);

async function startProcess(home: string, o: ControlPlane, log: string): Promise<void> {
  // It brings the bundler, which a machine whose control plane runs doesn't need.
  const { prepare, workerdCommand } = await import('../server/process.ts');
  const server = await prepare({ home, ...o, control: Buffer.byteLength(controlOf(home)) <= SOCKET_BYTES_MAX });
  writeAtomic(join(home, 'url'), server.url, 0o644);
  const command = ['/bin/sh', '-c', BEGIN, pidFileOf(home), controlOf(home), ...workerdCommand(server.config)];
  writePid(keeperOf(home), await keep({ script: join(home, 'server', 'supervise.sh'), log, command }));
}

/** Ends the control plane; false when none ran. */
export async function stopControlPlane(home: string): Promise<boolean> {
  const name = homeUnit(home);
  if (existsSync(unitPath(name))) execFileSync('systemctl', ['disable', '--now', name], { stdio: 'ignore' });
  // Watches of clients that are gone would hold it up: workerd notices them at the next frame.
  if (controlPlaneRuns(home))
    await control(controlOf(home), 'POST', '/drain?after=0', DRAIN_MS_MAX).catch(() => undefined);
  const kept = await stop(keeperOf(home), STOP_MS_MAX, true);
  return (await stop(pidFileOf(home))) || kept;
}

/** Takes away what startControlPlane() has put outside of the home. */
export function removeUnit(home: string): void {
  const path = unitPath(homeUnit(home));
  if (!existsSync(path)) return;
  rmSync(path);
  execFileSync('systemctl', ['daemon-reload'], { stdio: 'ignore' });
}

/** Name of a home's unit. */
export const homeUnit = (home: string): string => unitName('coracle', resolve(home), defaultHome());

function startUnit(home: string, o: ControlPlane): void {
  const range = o.serviceCIDR === undefined ? [] : ['--service-cidr', o.serviceCIDR];
  const args = [...listenWords(o.listen, o.names), ...range];
  const main = join(root, 'cli', 'main.ts');
  const name = homeUnit(home);
  const text = unit({ node: process.execPath, main, home: resolve(home), args, graceMs: GRACE_MS });
  writeAtomic(unitPath(name), text, 0o644);
  for (const words of [['daemon-reload'], ['enable', '--now', name]]) {
    try {
      execFileSync('systemctl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (e) {
      const said = String((e as { stderr?: Buffer }).stderr ?? e)
        .trim()
        .split('\n')[0];
      throw new CommandError(`systemctl ${words.join(' ')}: ${said}; journalctl -u ${name} tells more`);
    }
  }
}
