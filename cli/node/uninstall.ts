import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandError } from '../command.ts';
import { LOCK_PATH } from '../install/carry.ts';
import { runText } from './child.ts';
import { nodeService } from './install.ts';
import { DEFAULT_STATE } from './settings.ts';

/** All that installation and agent keep in the state folder: what else is there is somebody else's. */
const OURS = [
  ...['coracle-node.js', 'coracle-node.js.new', 'coracle-node.js.new.gz', 'install.sh', 'nodejs'],
  ...['agent.json', 'agent.json.tried', 'node-token', 'ca.crt', 'started', 'supervise.sh', 'agent.log', 'agent.log.1'],
  ...['before.json', 'before.json.new', 'compile-cache', 'containerd', 'cni', 'run', 'logs', 'containers'],
  ...['pods', 'images', 'serving', 'bin'],
];

/** Ends the agent; pods run on. False when it didn't run. */
export async function stopNode(state: string): Promise<boolean> {
  return nodeService(state).service.stop();
}

/** Ends the agent and everything that it has left on this machine: pods, network, files. The cluster still has the Node object. */
export async function uninstallNode(given: string | undefined): Promise<void> {
  const state = resolve(given ?? DEFAULT_STATE);
  const { service, settings } = nodeService(state);
  await service.stop();
  if (existsSync(settings)) await removePods(state);
  await service.remove();
  removeOurs(state, OURS);
  rmSync(LOCK_PATH, { force: true });
}

/** Ends the pods of a stopped agent and takes away what it made. */
export async function removePods(state: string): Promise<void> {
  const { settings } = nodeService(state);
  const { code, stderr } = await runText(process.execPath, [join(state, 'coracle-node.js'), 'remove', settings]);
  if (code !== 0)
    throw new CommandError(
      `what the node left could not be taken away: ${stderr.split('\n').find((l) => l.includes('Error')) ?? stderr}`,
    );
}

/** Deletes these of a folder, and the folder where nothing else is in it. Nothing where something is still mounted there: that is somebody's data. */
export function removeOurs(dir: string, names: readonly string[]): void {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((l) => l.split(' ')[4] ?? '')
    .find((p) => p.startsWith(`${dir}/`));
  if (mounted !== undefined) throw new CommandError(`${mounted} is still mounted: nothing in ${dir} is deleted`);
  for (const name of names) rmSync(join(dir, name), { recursive: true, force: true });
  if (!existsSync(dir)) return;
  const left = readdirSync(dir);
  if (left.length === 0) rmdirSync(dir);
  else console.error(`coracle: left in ${dir}, for it is not ours: ${left.join(', ')}`);
}
