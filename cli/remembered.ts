import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from './home.ts';

/** What this machine keeps of a cluster that it has made: the administrator's token is shown once. */
export interface Remembered {
  name: string;
  url: string;
  adminToken: string;
}

const fileOf = (home: string, name: string) => join(home, 'clusters', `${encodeURIComponent(name)}.json`);

/** Keeps it, for its owner's eyes alone. */
export function remember(home: string, cluster: Remembered): void {
  mkdirSync(join(home, 'clusters'), { recursive: true, mode: 0o700 });
  writeAtomic(fileOf(home, cluster.name), JSON.stringify(cluster));
}

/** What is kept of the cluster of this name; undefined where nothing is. */
export function remembered(home: string, name: string): Remembered | undefined {
  const path = fileOf(home, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Remembered) : undefined;
}

/** Its token is worth nothing any more. */
export function forget(home: string, name: string): void {
  rmSync(fileOf(home, name), { force: true });
}

/** The id at the end of a cluster's URL. */
export const idOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
