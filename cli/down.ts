import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { coracleHome } from './home.ts';
import { stop } from './server/process.ts';

/** The agent ends its containerd in order. */
const AGENT_MS_MAX = 20_000;

export const down: Command = {
  name: 'down',
  summary: "end this machine's cluster; its data stays",
  usage:
    '  Ends the node agent and the control plane that coracle up started. Pods that run go on until the machine or `coracle up` ends them.',
  async run(args) {
    parseArgs({ args, options: {} });
    const home = coracleHome();
    const agent = await stop(join(home, 'agent.pid'), AGENT_MS_MAX);
    const server = await stop(join(home, 'server.pid'));
    console.error(agent || server ? 'coracle: down' : 'coracle: nothing was running');
    return 0;
  },
};
