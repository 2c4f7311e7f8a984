import { timeToMillis } from '../../kube/meta/time.ts';
import type { NodeInfo, Pod, Reject } from './framework.ts';
import { place } from './place.ts';

/** Who must go from which node so that a pod fits there, or what keeps it from preempting, in upstream's words. */
export type Preemption = { node: NodeInfo; victims: Pod[] } | { message: string; keepsNomination: boolean };

/** Reason of the condition DisruptionTarget that a victim gets: core/v1 PodReasonPreemptionByScheduler. */
export const PREEMPTION_REASON = 'PreemptionByScheduler';

interface Status {
  nominatedNodeName?: string;
  startTime?: string;
  conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
}
export const statusOf = (pod: Pod): Status => (pod.status ?? {}) as Status;
export const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0;
const startOf = (pod: Pod) => timeToMillis(statusOf(pod).startTime ?? pod.metadata.creationTimestamp);

/** More important first: the higher priority, then the longer run. */
const byImportance = (a: Pod, b: Pod) => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b);

/**
 * plugins/defaultpreemption: the node where evicting pods of lower priority makes room at the least cost. `rejects` says of every node why it was
 * rejected, `filter` asks again. PodDisruptionBudgets aren't looked at.
 */
export function preempt(
  pod: Pod,
  rejects: ReadonlyMap<NodeInfo, Reject>,
  filter: (node: NodeInfo) => Reject | undefined,
): Preemption {
  if (pod.spec.preemptionPolicy === 'Never')
    return { message: 'not eligible due to preemptionPolicy=Never.', keepsNomination: true };
  const nominated = statusOf(pod).nominatedNodeName;
  for (const [node, reject] of rejects) {
    if (node.name === nominated && !reject.final && node.placed.some((p) => endsFor(pod, p)))
      return { message: 'not eligible due to a terminating pod on the nominated node.', keepsNomination: true };
  }
  const found: { node: NodeInfo; victims: Pod[] }[] = [];
  const why = new Map<string, number>();
  const count = (reason: string) => why.set(reason, (why.get(reason) ?? 0) + 1);
  for (const [node, reject] of rejects) {
    const victims = reject.final
      ? { reasons: ['Preemption is not helpful for scheduling'] }
      : victimsOn(node, pod, filter);
    if (Array.isArray(victims)) found.push({ node, victims });
    else for (const reason of victims.reasons) count(reason);
  }
  const [best] = found.sort((a, b) => cheaper(a.victims, b.victims));
  if (best) return best;
  return { message: `0/${rejects.size} nodes are available: ${histogram(why)}.`, keepsNomination: false };
}

/** Whether a pod has been told that it goes for another. */
export const isPreempted = (p: Pod): boolean =>
  (statusOf(p).conditions ?? []).some(
    (c) => c.type === 'DisruptionTarget' && c.status === 'True' && c.reason === PREEMPTION_REASON,
  );

/** Evicted, and still on its way out, for a pod that waits for its room. */
const endsFor = (waiting: Pod, p: Pod) =>
  priorityOf(p) < priorityOf(waiting) && p.metadata.deletionTimestamp !== undefined && isPreempted(p);

/** The fewest and least important pods of a node without which the pod fits; a Reject where none suffice. */
function victimsOn(node: NodeInfo, pod: Pod, filter: (node: NodeInfo) => Reject | undefined): Pod[] | Reject {
  const lower = node.placed.filter((p) => priorityOf(p) < priorityOf(pod)).sort(byImportance);
  if (lower.length === 0) return { reasons: ['No preemption victims found for incoming pod'] };
  let kept = without(node, new Set(lower));
  const reject = filter(kept);
  if (reject) return reject;
  const victims: Pod[] = [];
  for (const p of lower) {
    const more = without(kept, new Set());
    place(more, p);
    if (filter(more)) victims.push(p);
    else kept = more;
  }
  return victims;
}

/** A node of its own with these pods gone. */
function without(node: NodeInfo, gone: ReadonlySet<Pod>): NodeInfo {
  const copy: NodeInfo = { ...node, requested: {}, nonZero: {}, pods: 0, ports: new Set(), placed: [] };
  for (const p of node.placed) if (!gone.has(p)) place(copy, p);
  return copy;
}

/** pickOneNodeForPreemption: the least important victim at the top, the smallest sum, the fewest, the youngest. */
function cheaper(a: readonly Pod[], b: readonly Pod[]): number {
  const top = (v: readonly Pod[]) => priorityOf(v[0] as Pod);
  // Each priority counts from the lowest there is, so that many of negative priority aren't cheaper than few.
  const sum = (v: readonly Pod[]) => v.reduce((n, p) => n + priorityOf(p) + 2 ** 31, 0);
  const oldest = (v: readonly Pod[]) => Math.min(...v.filter((p) => priorityOf(p) === top(v)).map(startOf));
  return top(a) - top(b) || sum(a) - sum(b) || a.length - b.length || oldest(b) - oldest(a);
}

/** Reasons with their counts, sorted as text, as upstream's FitError has them. */
export const histogram = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .map(([reason, n]) => `${n} ${reason}`)
    .sort()
    .join(', ');
