import { mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DAMAGED } from '../home.ts';

/** Moves files that can't be opened into a folder of their own in the home, named after what they are of; gives that folder. */
export function setAside(home: string, name: string, files: readonly string[]): string {
  mkdirSync(join(home, DAMAGED), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(home, DAMAGED, `${name}-`));
  for (const file of files) renameSync(file, join(folder, basename(file)));
  return folder;
}
