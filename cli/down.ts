import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { coracleHome, root } from './home.ts';
import { stop } from './server/pid.ts';

/** The agent ends its containerd in order. */
const AGENT_MS_MAX = 20_000;

export const down: Command = {
  name: 'down',
  summary: "end this machine's cluster; its data stays",
  usage: `  --pods   end the pods that run on this machine too, with their network

Ends the node agent and the control plane that coracle up started. Without --pods, pods run on and are found again by the next coracle up.`,
  async run(args) {
    const { values } = parseArgs({ args, options: { pods: { type: 'boolean', default: false } } });
    const home = coracleHome();
    const agent = await stop(join(home, 'agent.pid'), AGENT_MS_MAX);
    const settings = join(home, 'agent.json');
    if (values.pods && existsSync(settings)) {
      await promisify(execFile)(process.execPath, [join(root, 'node-agent', 'remove.ts'), settings]).catch(
        (e: Error & { stderr?: string }) => {
          throw new CommandError(
            `the pods could not be ended: ${(e.stderr ?? e.message).split('\n').find((l) => l.includes('Error')) ?? e.message}`,
          );
        },
      );
    }
    const server = await stop(join(home, 'server.pid'));
    console.error(agent || server ? 'coracle: down' : 'coracle: nothing was running');
    return 0;
  },
};
