import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Commits that the objects of a bucket have uploaded so far: each object numbers its own, and the newest stay. `dir`: the bucket's folder, `prefix` in it. */
export function uploads(dir: string, prefix: string): number {
  const objects = join(dir, prefix, 'v1', 'do');
  let sum = 0;
  for (const space of names(objects))
    for (const id of names(join(objects, space))) {
      const log = join(objects, space, id, 'log');
      sum += Math.max(0, ...names(log).flatMap((epoch) => names(join(log, epoch)).map(numberOf)));
    }
  return sum;
}

/** `b3b`: a letter says how many hexadecimal digits follow, so that names sort as numbers do. */
const numberOf = (name: string): number => Number.parseInt(name.slice(1), 16) || 0;

/** Empty where it is gone: the engine removes what it has folded into a snapshot. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
