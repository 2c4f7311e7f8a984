import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandError } from '../command.ts';
import { runText } from './child.ts';
import { nodeService } from './install.ts';
import { DEFAULT_STATE } from './settings.ts';

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
  rmSync(state, { recursive: true, force: true });
  console.error(`coracle: nothing of the node in ${state} is left`);
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
