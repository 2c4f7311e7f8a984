import type { View } from '../../kube/reconcile/controller.ts';
import type { DaemonSet } from './daemonnodes.ts';

/** Upstream's back-off of failed daemon pods: 1 s doubling up to 15 min, for each set, generation and node. */
const FIRST_MS = 1_000;
const LAST_MS = 15 * 60_000;
/** Nobody counts on from a failure this long ago (client-go flowcontrol.Backoff). */
const FORGET_MS = 2 * LAST_MS;

const MEMORY = 'failed';
interface Failure {
  delayMs: number;
  sinceMs: number;
  /** The pod that was deleted for it: asked again about the same, the answer is the same. */
  uid: string;
}

/**
 * Milliseconds that a failed pod is still to be left alone; 0: it may go now. Kept in memory alone, as upstream does: a new process
 * begins with the first delay.
 */
export function failedPodDelay(view: View, ds: DaemonSet, node: string, uid: string): number {
  const all = (view.memory.get(MEMORY) ?? new Map<string, Failure>()) as Map<string, Failure>;
  view.memory.set(MEMORY, all);
  const key = `${ds.metadata.uid}/${ds.status?.observedGeneration ?? 0}/${node}`;
  const known = all.get(key);
  const fresh = known !== undefined && view.now - known.sinceMs <= FORGET_MS;
  if (fresh && known.uid === uid) return 0;
  if (fresh && view.now - known.sinceMs < known.delayMs) return known.delayMs;
  for (const [k, f] of all) if (view.now - f.sinceMs > FORGET_MS) all.delete(k);
  const delayMs = fresh ? Math.min(known.delayMs * 2, LAST_MS) : FIRST_MS;
  all.set(key, { delayMs, sinceMs: view.now, uid });
  return 0;
}
