import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CommandError } from '../command.ts';
import type { Endpoint } from '../endpoint.ts';
import { makeJoinToken } from '../tenancy.ts';
import type { Assets } from './assets.ts';
import { EXIT_TOKEN_NEEDED } from './install.ts';
import { type NodeOptions, wordsOf } from './options.ts';

/** How this machine becomes a node of a cluster of this endpoint. */
export interface LocalNode {
  endpoint: Endpoint;
  cluster: { name: string; url: string };
  caFile: string;
  assets: Assets;
  /** `state` is needed. */
  options: NodeOptions & { state: string };
}

/** Long enough for a slow package archive. */
const TOKEN_SECONDS = 3_600;

/** Makes this machine a node by the very script that other machines fetch, and waits until it is Ready. Its lines go to stderr as they come. */
export async function joinThisMachine(l: LocalNode): Promise<void> {
  const joined = existsSync(join(l.options.state, 'node-token'));
  let said = await runScript(l, joined ? undefined : await newToken(l));
  // What it had is worth nothing any more: another cluster's, or expired.
  if (said.code === EXIT_TOKEN_NEEDED) said = await runScript(l, await newToken(l));
  if (said.code !== 0) throw new CommandError(said.last.replace(/^coracle: /, '') || `${l.assets.script} failed`);
}

async function newToken(l: LocalNode): Promise<string> {
  return (await makeJoinToken(l.endpoint, l.cluster.name, TOKEN_SECONDS)).token;
}

/** Its last line is kept back: where it fails, that says why. */
function runScript(l: LocalNode, token: string | undefined): Promise<{ code: number; last: string }> {
  const { assets, options } = l;
  const own = ['--server', l.cluster.url, '--ca-file', l.caFile, '--node', process.execPath, '--bundle', assets.bundle];
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [assets.script, ...own, ...wordsOf(options)], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...(token === undefined ? {} : { CORACLE_TOKEN: token }) },
    });
    let last = '';
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (last !== '') console.error(last);
      last = line;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && last !== '') console.error(last);
      resolve({ code: code ?? -1, last });
    });
  });
}
