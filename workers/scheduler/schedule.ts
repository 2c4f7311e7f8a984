import {
  isReject,
  type NodeInfo,
  type Pod,
  type Reject,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
} from './framework.ts';
import { hostPorts } from './plugins/nodeports.ts';
import { add, podRequests } from './resources.ts';

/** Where a pod goes, or why nowhere. */
export type Decision = { node: NodeInfo } | { message: string; plugins: string[] };

/**
 * One pod against one snapshot: filter, score, choose. Pure: the choice among equals falls to `tie` (0 <= tie < 1).
 * The message is upstream's FitError text.
 */
export function schedule(pod: Pod, snapshot: Snapshot, plugins: readonly SchedulerPlugin[], tie: number): Decision {
  const states = new Map<SchedulerPlugin, unknown>();
  for (const p of plugins) {
    const s = p.prepare?.(pod, snapshot) ?? null;
    if (isReject(s)) return { message: rejected(pod, snapshot.nodes.length, s), plugins: [p.name] };
    if (s !== null) states.set(p, s);
  }
  const fits: NodeInfo[] = [];
  const counts = new Map<string, number>();
  const blamed = new Set<string>();
  let helpless = 0;
  for (const node of snapshot.nodes) {
    const r = firstReject(states, node, blamed);
    if (r === undefined) fits.push(node);
    else {
      for (const reason of r.reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
      if (r.final) helpless++;
    }
  }
  const first = fits[0];
  if (first === undefined)
    return { message: fitError(pod, snapshot.nodes.length, counts, helpless), plugins: [...blamed] };
  if (fits.length === 1) return { node: first };
  return { node: best(states, fits, tie) };
}

function firstReject(
  states: ReadonlyMap<SchedulerPlugin, unknown>,
  node: NodeInfo,
  blamed: Set<string>,
): Reject | undefined {
  for (const [p, s] of states) {
    const r = p.filter?.(s, node);
    if (r === undefined) continue;
    blamed.add(p.name);
    return r;
  }
  return undefined;
}

/** pkg/scheduler/framework types.go FitError: reasons sorted as texts with their counts, then what preemption would say. */
function fitError(pod: Pod, nodes: number, counts: ReadonlyMap<string, number>, helpless: number): string {
  if (nodes === 0) return 'no nodes available to schedule pods';
  const tried = new Map([
    ['Preemption is not helpful for scheduling', helpless],
    ['No preemption victims found for incoming pod', nodes - helpless],
  ]);
  return `${unavailable(nodes, histogram(counts))} ${preemption(pod, nodes, tried)}`;
}
/** The same where a plugin rejects the pod before any node is looked at. */
function rejected(pod: Pod, nodes: number, { reasons }: Reject): string {
  if (nodes === 0) return 'no nodes available to schedule pods';
  const tried = new Map([['Preemption is not helpful for scheduling', nodes]]);
  return `${unavailable(nodes, reasons.join(', '))} ${preemption(pod, nodes, tried)}`;
}

const unavailable = (nodes: number, why: string) => `0/${nodes} nodes are available: ${why}.`;
const histogram = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .filter(([, n]) => n > 0)
    .map(([reason, n]) => `${n} ${reason}`)
    .sort()
    .join(', ');
const preemption = (pod: Pod, nodes: number, tried: ReadonlyMap<string, number>) =>
  pod.spec.preemptionPolicy === 'Never'
    ? 'preemption: not eligible due to preemptionPolicy=Never.'
    : `preemption: ${unavailable(nodes, histogram(tried))}`;

function best(states: ReadonlyMap<SchedulerPlugin, unknown>, nodes: readonly NodeInfo[], tie: number): NodeInfo {
  const totals = new Map<NodeInfo, number>(nodes.map((n) => [n, 0]));
  for (const [p, s] of states) {
    if (!p.score) continue;
    const raw = nodes.map((n) => p.score?.(s, n) ?? 0);
    const top = Math.max(...raw);
    nodes.forEach((n, i) => {
      const score = normalized(raw[i] ?? 0, top, p.normalize);
      totals.set(n, (totals.get(n) ?? 0) + score * (p.weight ?? 1));
    });
  }
  const top = Math.max(...totals.values());
  const winners = nodes.filter((n) => totals.get(n) === top);
  return winners[Math.floor(tie * winners.length)] ?? (nodes[0] as NodeInfo);
}
function normalized(score: number, top: number, how: SchedulerPlugin['normalize']): number {
  if (how === undefined) return score;
  if (top === 0) return how === 'reverse' ? SCORE_MAX : 0;
  const scaled = Math.floor((score * SCORE_MAX) / top);
  return how === 'reverse' ? SCORE_MAX - scaled : scaled;
}

/** Counts a pod in on a node: what is there already, or what this round has just placed. */
export function place(node: NodeInfo, pod: Pod): void {
  node.requested = add(node.requested, podRequests(pod));
  node.nonZero = add(node.nonZero, podRequests(pod, true));
  node.pods++;
  for (const port of hostPorts(pod)) node.ports.add(port);
}
