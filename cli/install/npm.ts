import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../command.ts';
import { root } from '../home.ts';
import type { NpmPackage } from './plan.ts';
import { findProgram } from './programs.ts';

/** Where systems keep the CAs that they trust: a proxy's own is known there, not to Node.js. */
export const SYSTEM_CAS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** The npm that is here: the system's, else the one that the launcher brought; null without one. */
export function npmCommand(): { program: string; args: string[] } | null {
  const system = findProgram('npm');
  if (system !== null) return { program: system, args: [] };
  const own = join(root, 'node_modules/.npm/bin/npm-cli.js');
  return existsSync(own) ? { program: process.execPath, args: [own] } : null;
}

/** Fetches a package as npm is configured (registry, proxies, credentials) and compares it with its checksum. Gives its .tgz in `dir`. */
export function fetchPackage(p: NpmPackage, dir: string): string {
  const npm = npmCommand();
  if (npm === null) throw new CommandError('there is no npm here');
  const extra = process.env.NODE_EXTRA_CA_CERTS ?? SYSTEM_CAS.find((f) => existsSync(f));
  const args = [...npm.args, 'pack', '--silent', '--pack-destination', dir, `${p.name}@${p.version}`];
  const env = { ...process.env, ...(extra ? { NODE_EXTRA_CA_CERTS: extra } : {}) };
  try {
    execFileSync(npm.program, args, { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (e) {
    const said = String((e as { stderr?: Buffer }).stderr ?? '');
    throw new CommandError(
      `npm can't get ${p.name}@${p.version}: ${said.split('\n').find((l) => l.includes('error')) ?? e}`,
    );
  }
  const file = join(dir, `${p.name.replace(/^@/, '').replace('/', '-')}-${p.version}.tgz`);
  const sum = createHash('sha512').update(readFileSync(file)).digest('base64');
  if (`sha512-${sum}` !== p.integrity)
    throw new CommandError(
      `the registry gave something else for ${p.name}@${p.version} than this release was made with`,
    );
  return file;
}
