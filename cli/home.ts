import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where `up` keeps its state unless it is told otherwise. */
export const defaultHome = (): string => join(homedir(), '.coracle');

/** Where this machine's Coracle keeps its state: `--home`, else `$CORACLE_HOME`, else `~/.coracle`. */
export function coracleHome(): string {
  const dir = resolve(process.env.CORACLE_HOME || defaultHome());
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

/** The folder of this checkout or installation. */
export const root = join(import.meta.dirname, '..');

/** Writes a file whole or not at all. */
export function writeAtomic(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, content, { mode });
    renameSync(temporary, path);
  } catch (e) {
    rmSync(temporary, { force: true });
    throw e;
  }
}

/** A secret of this machine, made on first use: 32 random bytes, base64url. */
export function secret(home: string, name: string): string {
  const path = join(home, name);
  if (!existsSync(path)) writeAtomic(path, randomBytes(32).toString('base64url'));
  return readFileSync(path, 'utf8').trim();
}

/** Folder of the home that `coracle explain-text` fills; `kubectl explain` shows what is there. */
export const TEXTS = 'texts';
/** Folder of the home where damaged files lie that stood in the way of a start or a deletion. */
export const DAMAGED = 'damaged';
