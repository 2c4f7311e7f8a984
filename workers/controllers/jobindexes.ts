// Completion indexes in their compressed form (`0,2,4-7`): kubernetes pkg/controller/job/indexed_job_utils.go.

export interface Interval {
  first: number;
  last: number;
}
export type Indexes = readonly Interval[];

/** Reads status.completedIndexes and its like; what isn't a number is passed over, what is beyond `completions` left out. */
export function parseIndexes(text: string | undefined, completions: number): Indexes {
  const found: Interval[] = [];
  if (!text) return found;
  for (const part of text.split(',')) {
    const [from = '', to] = part.split('-');
    const first = integer(from);
    if (first === undefined) continue;
    if (first >= completions) break;
    const end = to === undefined ? first : integer(to);
    if (end === undefined) continue;
    const last = Math.min(end, completions - 1);
    const before = found.at(-1);
    if (before && before.last === first - 1) before.last = last;
    else found.push({ first, last });
  }
  return found;
}
const integer = (text: string): number | undefined => (/^[+-]?\d+$/.test(text) ? Number(text) : undefined);

/** Both together; each in order. */
export function mergeIndexes(a: Indexes, b: Indexes): Indexes {
  const all = [...a, ...b].sort((x, y) => x.first - y.first);
  const merged: Interval[] = [];
  for (const { first, last } of all) {
    const before = merged.at(-1);
    if (before && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}
/** With single indexes, in any order. */
export const withIndexes = (a: Indexes, more: Iterable<number>): Indexes =>
  mergeIndexes(
    a,
    [...more].map((i) => ({ first: i, last: i })),
  );

export const countIndexes = (a: Indexes): number => a.reduce((n, { first, last }) => n + last - first + 1, 0);

export function printIndexes(a: Indexes): string {
  return a
    .map(({ first, last }) =>
      last === first ? String(first) : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
}

export function hasIndex(a: Indexes, index: number): boolean {
  let low = 0;
  let high = a.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((a[middle]?.last ?? 0) >= index) high = middle;
    else low = middle + 1;
  }
  return (a[low]?.first ?? Number.POSITIVE_INFINITY) <= index;
}

/** The first `count` indexes below `completions` that aren't taken. */
export function freeIndexes(taken: Indexes, count: number, completions: number): number[] {
  const found: number[] = [];
  let next = 0;
  for (const { first, last } of [...taken, { first: completions, last: completions }]) {
    for (; next < first && next < completions && found.length < count; next++) found.push(next);
    next = Math.max(next, last + 1);
  }
  return found;
}

/** How many of a's indexes are b's. */
export function sharedIndexes(a: Indexes, b: Indexes): number {
  let shared = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i], b[j]] as [Interval, Interval];
    shared += Math.max(0, Math.min(x.last, y.last) - Math.max(x.first, y.first) + 1);
    if (y.last <= x.last) j++;
    if (x.last <= y.last) i++;
  }
  return shared;
}
