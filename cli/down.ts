import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { coracleHome, DAMAGED, TEXTS } from './home.ts';
import { knownUp, removeUnit, stopControlPlane } from './install/controlplane.ts';
import { removeOurs, removePods, stopNode, uninstallNode } from './node/uninstall.ts';
import { stop } from './server/pid.ts';

/** All that a control plane keeps in its home: what else is there is somebody else's. */
const OURS = [
  ...['data', 'instance', 'server', 'serve', 'tls', 'clusters', 'bin', 'url', 'operator-token', 'kubeconfig'],
  ...['server.log', 'server.log.1', 'server.pid', 'keeper.pid', 'workerd.pid', 'up.json'],
  ...[TEXTS, DAMAGED],
];

export const down: Command = {
  name: 'down',
  summary: "end this machine's cluster; its data stays",
  usage: `  --keep-pods   pods run on, and are found again by the next coracle up
  --purge       ... and delete all that coracle up made: clusters with their data, node, images, settings; kernel switches are put back

Ends the node agent and the control plane that coracle up started, and the pods that run on this machine, with their network.
Packages that were installed for the node (containerd, nftables, ...) stay.`,
  async run(args) {
    const { values } = parseArgs({
      args,
      options: { 'keep-pods': { type: 'boolean', default: false }, purge: { type: 'boolean', default: false } },
    });
    const home = coracleHome();
    const state = knownUp(home)?.node?.state ?? join(home, 'node');
    const joined = existsSync(join(state, 'agent.json'));
    if (joined && process.getuid?.() !== 0) throw new CommandError('there is a node here: run as root');
    const agent = joined && (await stopNode(state));
    if (values.purge) await uninstallNode(state);
    else if (joined && !values['keep-pods']) await removePods(state);
    const server = await stopControlPlane(home);
    if (values.purge) await purge(home);
    const done = agent || server ? 'down' : 'nothing was running';
    console.error(`coracle: ${values.purge ? 'nothing is left' : done}`);
    return 0;
  },
};

/** Deletes what a control plane that has ended leaves. */
async function purge(home: string): Promise<void> {
  await stop(join(home, 'workerd.pid')); // of a supervisor that was killed
  removeUnit(home);
  removeOurs(home, OURS);
}
