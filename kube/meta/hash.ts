const SEED = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a of a text's UTF-16 units, 0..2^32-1: for names, ties and tags, never against anybody. Each `seed` gives another; a hash as seed goes on from its text. */
export function fnv1a(text: string, seed = SEED): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), PRIME);
  return h >>> 0;
}

/** The hash of one of several lanes, which together are a longer one. */
export const fnv1aLane = (text: string, lane: number): number => fnv1a(text, SEED ^ lane);
