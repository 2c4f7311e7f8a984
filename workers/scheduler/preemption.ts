import type { JsonObject } from '../../kube/meta/json.ts';
import { type LabelRequirement, matchesLabels } from '../../kube/meta/selectors.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { NodeInfo, Pod, PodInfo, Reject, Snapshot } from './framework.ts';
import { histogram } from './reasons.ts';
import { requirements } from './terms.ts';
import { add, type Cycle, rejectOf, remove, whatIf } from './whatif.ts';

/** Who must go from which node so that a pod fits there, or what keeps it from preempting, in upstream's words. */
export type Preemption = { dryRuns: number } & (
  | { node: NodeInfo; victims: PodInfo[] }
  | { message: string; keepsNomination: boolean }
);

/** Reason of the condition DisruptionTarget that a victim gets: core/v1 PodReasonPreemptionByScheduler. */
export const PREEMPTION_REASON = 'PreemptionByScheduler';

/** Upstream's defaults of minCandidateNodesPercentage and minCandidateNodesAbsolute: after so many nodes are found the best of them will do. */
const CANDIDATES_PERCENT = 10;
const CANDIDATES_MIN = 100;

interface Status {
  nominatedNodeName?: string;
  startTime?: string;
  conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
}
export const statusOf = (pod: Pod): Status => (pod.status ?? {}) as Status;
/** More important first: the higher priority, then the longer run. */
const byImportance = (a: PodInfo, b: PodInfo) => b.priority - a.priority || a.startMs - b.startMs;

/** Who would have to go from a node, the most important first, and how many budgets that overdraws. */
export interface Candidate {
  node: NodeInfo;
  victims: PodInfo[];
  violations: number;
}

/**
 * plugins/defaultpreemption: the node where evicting pods of lower priority makes room at the least cost. `rejects` says of every node why it was
 * rejected. `tie` (0 <= tie < 1) is where the search begins.
 */
export function preempt(cycle: Cycle, rejects: ReadonlyMap<NodeInfo, Reject>, tie: number): Preemption {
  const refused = ineligible(cycle, rejects);
  if (refused) return { message: refused, keepsNomination: true, dryRuns: 0 };
  const why = new Map<NodeInfo, Reject>();
  const hopeful: NodeInfo[] = [];
  for (const [node, reject] of rejects) {
    if (reject.final) why.set(node, NO_HELP);
    else hopeful.push(node);
  }
  const { found, dryRuns } = candidates(cycle, hopeful, Math.floor(tie * hopeful.length), why);
  const [best] = found.sort(cheaper);
  if (best) return { node: best.node, victims: best.victims, dryRuns };
  return {
    message: `0/${rejects.size} nodes are available: ${histogram(why.values())}.`,
    keepsNomination: false,
    dryRuns,
  };
}
const NO_HELP: Reject = { reasons: ['Preemption is not helpful for scheduling'] };
const NO_VICTIMS: Reject = { reasons: ['No preemption victims found for incoming pod'] };

function ineligible({ pod, snapshot }: Cycle, rejects: ReadonlyMap<NodeInfo, Reject>): string | undefined {
  if (pod.pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const promised = statusOf(pod.pod).nominatedNodeName;
  const node = promised ? snapshot.node(promised) : undefined;
  if (node === undefined || rejects.get(node)?.final) return undefined;
  for (const p of node.pods.values())
    if (p.priority < pod.priority && p.terminating && isPreempted(p.pod))
      return 'not eligible due to a terminating pod on the nominated node.';
  return undefined;
}

/** Whether a pod has been told that it goes for another. */
const isPreempted = (p: Pod): boolean => {
  const told = statusOf(p).conditions?.find((c) => c.type === 'DisruptionTarget');
  return told?.status === 'True' && told.reason === PREEMPTION_REASON;
};

/** Nodes that others could make room on, until there are enough; `why` is told of those where they couldn't. */
export function candidates(cycle: Cycle, nodes: NodeInfo[], offset: number, why: Map<NodeInfo, Reject>) {
  const share = Math.max(Math.floor((nodes.length * CANDIDATES_PERCENT) / 100), CANDIDATES_MIN);
  const wanted = Math.min(share, nodes.length);
  const budgets = budgetsOf(cycle.snapshot);
  const found: Candidate[] = [];
  let dryRuns = 0;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(offset + i) % nodes.length];
    if (node === undefined) break;
    dryRuns++;
    const victims = victimsOn(node, cycle, budgets);
    if ('reasons' in victims) {
      why.set(node, victims);
      continue;
    }
    found.push(victims);
    if (found.length >= wanted && found.some((c) => c.violations === 0)) break;
  }
  return { found, dryRuns };
}

/** The fewest and least important pods of a node without which the pod fits; a Reject where none suffice. */
function victimsOn(node: NodeInfo, cycle: Cycle, budgets: readonly Budget[]): Candidate | Reject {
  const lower = [...node.pods.values()].filter((p) => p.priority < cycle.pod.priority);
  if (lower.length === 0) return NO_VICTIMS;
  const w = whatIf(cycle, node);
  for (const p of lower) remove(w, p);
  const reject = rejectOf(w, w.node);
  if (reject) return reject;
  const victims: PodInfo[] = [];
  // Who may stay stays: first those whose budgets would be overdrawn, then the rest, the most important first.
  const { violating, others } = byBudget(lower.sort(byImportance), budgets);
  let violations = 0;
  for (const p of [...violating, ...others]) {
    add(w, p);
    if (rejectOf(w, w.node) === undefined) continue;
    remove(w, p);
    victims.push(p);
    if (violating.has(p)) violations++;
  }
  if (victims.length === 0) return NO_VICTIMS;
  return { node, victims: victims.sort(byImportance), violations };
}

/** A PodDisruptionBudget as far as it decides. */
interface Budget {
  namespace: string;
  selector: readonly LabelRequirement[];
  allowed: number;
  disrupted: JsonObject;
}
function budgetsOf(snapshot: Snapshot): Budget[] {
  const found: Budget[] = [];
  for (const row of snapshot.storage.list('poddisruptionbudgets.policy')) {
    const { spec, status } = row.data as {
      spec?: { selector?: JsonObject };
      status?: { disruptionsAllowed?: number; disruptedPods?: JsonObject };
    };
    const selector = requirements(spec?.selector);
    // No selector and an empty one alike mean nobody here.
    if (selector === null || selector.length === 0) continue;
    found.push({
      namespace: parseKey(row.key).namespace,
      selector,
      allowed: status?.disruptionsAllowed ?? 0,
      disrupted: status?.disruptedPods ?? {},
    });
  }
  return found;
}
/** Whose eviction would overdraw a budget, if all of them went in this order. */
function byBudget(pods: readonly PodInfo[], budgets: readonly Budget[]) {
  const left = budgets.map((b) => b.allowed);
  const violating = new Set<PodInfo>();
  const overdraws = (pod: PodInfo): boolean => {
    if (Object.keys(pod.labels).length === 0) return false;
    for (const [i, b] of budgets.entries()) {
      if (b.namespace !== pod.namespace || !matchesLabels(b.selector, pod.labels)) continue;
      if (b.disrupted[pod.name] !== undefined) continue;
      const rest = (left[i] ?? 0) - 1;
      left[i] = rest;
      if (rest < 0) return true;
    }
    return false;
  };
  for (const p of pods) if (overdraws(p)) violating.add(p);
  return { violating, others: pods.filter((p) => !violating.has(p)) };
}

/**
 * pickOneNodeForPreemption: the fewest budgets overdrawn, the least important victim at the top, the smallest sum, the fewest, the youngest.
 */
export function cheaper(a: Candidate, b: Candidate): number {
  const top = ({ victims }: Candidate) => victims[0]?.priority ?? 0;
  // Each priority counts from the lowest there is, so that many of negative priority aren't cheaper than few.
  const sum = ({ victims }: Candidate) => victims.reduce((n, p) => n + p.priority + 2 ** 31, 0);
  const oldest = (c: Candidate) => Math.min(...c.victims.filter((p) => p.priority === top(c)).map((p) => p.startMs));
  return (
    a.violations - b.violations ||
    top(a) - top(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    oldest(b) - oldest(a)
  );
}
