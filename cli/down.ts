import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { coracleHome } from './home.ts';
import { knownUp, stopControlPlane } from './install/controlplane.ts';
import { removePods, stopNode } from './node/uninstall.ts';

export const down: Command = {
  name: 'down',
  summary: "end this machine's cluster; its data stays",
  usage: `  --pods   end the pods that run on this machine too, with their network

Ends the node agent and the control plane that coracle up started. Without --pods, pods run on and are found again by the next coracle up.`,
  async run(args) {
    const { values } = parseArgs({ args, options: { pods: { type: 'boolean', default: false } } });
    const home = coracleHome();
    const state = knownUp(home)?.node?.state;
    const agent = state !== undefined && (await stopNode(state));
    if (values.pods && state !== undefined) await removePods(state);
    const server = await stopControlPlane(home);
    console.error(agent || server ? 'coracle: down' : 'coracle: nothing was running');
    return 0;
  },
};
