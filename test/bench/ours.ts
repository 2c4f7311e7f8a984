import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from '../../cli/endpoint.ts';
import { waitFor } from '../../cli/server/pid.ts';
import { prepare, start } from '../../cli/server/process.ts';
import { createCluster } from '../../cli/tenancy.ts';
import { freePort } from '../ports.ts';

/** A control plane to be measured. */
export interface Server {
  url: string;
  token: string;
  /** Its processes. */
  pids: number[];
  stop(): Promise<void>;
}

/** Starts workerd with a new cluster in a folder of its own. */
export async function startOurs(): Promise<Server> {
  const home = mkdtempSync(join(tmpdir(), 'coracle-bench-'));
  const prepared = await prepare({ home, listen: [{ host: '127.0.0.1', port: await freePort() }], names: [] });
  const child = start(prepared.config, join(home, 'server.log'));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  const endpoint = { url: prepared.url, caPem: prepared.caPem, token: prepared.operatorToken };
  try {
    const healthy = async () => (await call(endpoint, 'GET', '/healthz')).code === 200;
    await waitFor('the control plane', 20_000, healthy, () => child.exitCode === null);
    const { status } = await createCluster(endpoint, 'bench');
    return { url: status.url, token: status.adminToken ?? '', pids: [child.pid ?? 0], stop };
  } catch (e) {
    await stop();
    throw e;
  }
}
