import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { prepare, start } from './server/process.ts';

/** Options that `serve` and `up` share. */
export const serverOptions = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '6443' },
  name: { type: 'string', multiple: true, default: [] as string[] },
} as const;

/** A port number or a CommandError. */
export function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new CommandError(`--port ${text}: a number from 1 to 65535 is needed`, 2);
  return port;
}

export const serve: Command = {
  name: 'serve',
  summary: 'run the control plane alone, in the foreground',
  usage: `  --host ADDRESS   where to listen (default 127.0.0.1)
  --port N         (default 6443)
  --name NAME      a further name or address for the certificate; may be repeated

State is kept in $CORACLE_HOME (default /var/lib/coracle for root, else ~/.coracle). Ends on SIGINT or SIGTERM.`,
  async run(args) {
    const { values } = parseArgs({ args, options: serverOptions });
    const home = coracleHome();
    const server = await prepare({ home, host: values.host, port: portOf(values.port), names: values.name });
    writeAtomic(join(home, 'url'), server.url, 0o644);
    const child = start(server.config);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    console.error(`coracle: serving on ${server.url}`);
    const code = await new Promise<number>((resolve) =>
      child.on('exit', (c, signal) => resolve(signal === null ? (c ?? 1) : 0)),
    );
    if (code !== 0) throw new CommandError(`workerd ended with code ${code}`);
    return 0;
  },
};
