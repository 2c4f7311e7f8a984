import { fnv1a } from '../meta/hash.ts';
import { SUFFIX_ALPHABET } from '../meta/names.ts';
import type { Key } from '../store/store.ts';
import type { View } from './controller.ts';
import type { Projection } from './projection.ts';

/** Key of the last refusal among a key's effect results. */
export const FAILURE = '!failure';

/** What a plan for a key may look at. */
export function viewOf(
  projection: Projection,
  memory: Map<string, unknown>,
  controller: string,
  key: Key,
  attempts: number,
  now: number,
): View {
  let calls = 0;
  const results = projection.results(controller, key);
  const last = results.get(FAILURE);
  return {
    revision: projection.cursor(),
    now,
    get: (k) => projection.get(k),
    list: (resource, namespace) => projection.list(resource, namespace),
    owned: (resource, uid) => projection.owned(resource, uid),
    orphans: (resource, namespace) => projection.orphans(resource, namespace),
    moved: (resource) => projection.moved(controller, resource),
    memory,
    results,
    failure: last && !last.ok ? last.error : undefined,
    suffix: (n) => suffix(`${key}/${projection.get(key)?.uid ?? ''}/${projection.cursor()}/${attempts}/${calls++}`, n),
  };
}

/** n characters that depend on the seed alone (FNV-1a, then xorshift): a plan computed twice names the same things. */
export function suffix(seed: string, n: number): string {
  let h = fnv1a(seed);
  let out = '';
  for (let i = 0; i < n; i++) {
    h ^= h << 13;
    h ^= h >>> 17;
    h ^= h << 5;
    out += SUFFIX_ALPHABET[(h >>> 0) % SUFFIX_ALPHABET.length];
  }
  return out;
}
