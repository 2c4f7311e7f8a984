import type { Reject } from './framework.ts';

/** Reasons with their counts, sorted as text, as upstream's FitError has them. */
export function histogram(rejects: Iterable<Reject>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejects) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([reason, n]) => `${n} ${reason}`);
  return texts.sort().join(', ');
}
