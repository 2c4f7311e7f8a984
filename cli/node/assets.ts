import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CommandError } from '../command.ts';
import { root, writeAtomic } from '../home.ts';
import { bundleNode } from './bundle.ts';

/** What machines that join download, as the control plane serves it below its root. */
export interface Assets {
  /** The folder whose files are served. */
  dir: string;
  script: string;
  bundle: string;
}

/**
 * Makes the files: `install.sh`, which names the checksums of the others, and in `install/` the node's one file, the CA where it is our own, and this machine's
 * Node.js (by a link; `node: false` leaves it out). Can be called again at any time, also while they are served.
 */
export async function makeAssets(dir: string, o: { caPem?: string; node?: boolean } = {}): Promise<Assets> {
  const files = join(dir, 'install');
  mkdirSync(files, { recursive: true, mode: 0o755 });
  const bytes = await bundleNode();
  const sha = sha256(bytes);
  const name = `coracle-node-${sha.slice(0, 16)}.js.gz`;
  const bundle = join(files, name);
  if (!existsSync(bundle)) writeAtomic(bundle, gzipSync(bytes), 0o644);
  if (o.caPem !== undefined) writeAtomic(join(files, 'ca.crt'), o.caPem, 0o644);
  const node = o.node === false ? {} : linkNode(dir, files);
  const script = join(dir, 'install.sh');
  const values = { BUNDLE: name, BUNDLE_SHA256: sha, ...npmHashes(), ...node };
  writeAtomic(script, filled(readFileSync(join(import.meta.dirname, 'install.sh'), 'utf8'), values), 0o755);
  for (const old of readdirSync(files)) if (BUNDLE.test(old) && old !== name) rmSync(join(files, old));
  return { dir, script, bundle };
}

/** What makeAssets() has made there; throws CommandError where it hasn't. */
export function knownAssets(dir: string): Assets {
  const files = join(dir, 'install');
  const [bundle] = existsSync(files) ? readdirSync(files).filter((n) => BUNDLE.test(n)) : [];
  if (bundle === undefined)
    throw new CommandError('the control plane that runs has nothing for nodes to install: coracle down, then up again');
  return { dir, script: join(dir, 'install.sh'), bundle: join(files, bundle) };
}

const BUNDLE = /^coracle-node-[0-9a-f]+\.js\.gz$/;
const sha256 = (b: Uint8Array) => createHash('sha256').update(b).digest('hex');

/** The script with its variables set: a line `NAME=` each. */
export function filled(script: string, values: Readonly<Record<string, string>>): string {
  let text = script;
  for (const [k, x] of Object.entries(values)) {
    if (!/^[\w.+/=-]*$/.test(x)) throw new Error(`${k}: ${x} is no plain word`);
    const line = new RegExp(`^${k}=$`, 'm');
    if (!line.test(text)) throw new Error(`install.sh has no ${k}`);
    text = text.replace(line, () => `${k}=${x}`);
  }
  return text;
}

/** Serves the Node.js that runs this: machines of the same kind needn't reach anything else. */
function linkNode(dir: string, files: string): Record<string, string> {
  const { platform, arch, execPath } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) return {};
  // Read whole once: it is 120 MB.
  const { size, mtimeMs } = statSync(execPath);
  const about = `${execPath} ${size} ${mtimeMs}`;
  const remembered = join(dir, 'node.sum');
  let [known, sum] = existsSync(remembered) ? readFileSync(remembered, 'utf8').split('\n') : [];
  if (known !== about || sum === undefined) {
    sum = sha256(readFileSync(execPath));
    rmSync(join(files, `node-linux-${arch}`), { force: true });
    symlinkSync(execPath, join(files, `node-linux-${arch}`));
    writeAtomic(remembered, `${about}\n${sum}\n`);
  }
  return { [`NODE_${arch.toUpperCase()}_SHA256`]: sum };
}

/** npm's own checksums of its packages of Node.js, and their version: as the launcher has them. */
function npmHashes(): Record<string, string> {
  const launcher = readFileSync(join(root, 'cli/install/bootstrap.sh'), 'utf8');
  const of = (name: string) => new RegExp(`^${name}='?(?:sha512-)?([^'\\n]+)'?$`, 'm').exec(launcher)?.[1] ?? '';
  return {
    NODE_VERSION: of('NODE_VERSION'),
    NPM_X64_SHA512: of('NODE_INTEGRITY_x64'),
    NPM_ARM64_SHA512: of('NODE_INTEGRITY_arm64'),
  };
}
