import {
  isReject,
  type NodeInfo,
  type Pod,
  type Reject,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
} from './framework.ts';
import { histogram, type Preemption, preempt } from './preemption.ts';

/** Where a pod goes, or why nowhere, and whose eviction would change that. */
export type Decision = { node: NodeInfo } | { message: string; plugins: string[]; preemption?: Preemption };

/**
 * One pod against one snapshot: filter, score, choose. Pure: the choice among equals falls to `tie` (0 <= tie < 1).
 * The message is upstream's FitError text.
 */
export function schedule(pod: Pod, snapshot: Snapshot, plugins: readonly SchedulerPlugin[], tie: number): Decision {
  const states = new Map<SchedulerPlugin, unknown>();
  const nothing = new Set<string>();
  if (snapshot.nodes.length === 0) return { message: 'no nodes available to schedule pods', plugins: [] };
  for (const p of plugins) {
    const s = p.prepare?.(pod, snapshot) ?? null;
    if (isReject(s)) {
      const all = new Map(snapshot.nodes.map((n) => [n, { ...s, final: true }]));
      return refusal(
        all,
        s.reasons.join(', '),
        [p.name],
        preempt(pod, all, () => s),
      );
    }
    if (s !== null) states.set(p, s);
  }
  const fits: NodeInfo[] = [];
  const rejects = new Map<NodeInfo, Reject>();
  const counts = new Map<string, number>();
  const blamed = new Set<string>();
  for (const node of snapshot.nodes) {
    const r = firstReject(states, node, blamed);
    if (r === undefined) fits.push(node);
    else {
      rejects.set(node, r);
      for (const reason of r.reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  const first = fits[0];
  if (first === undefined) {
    const preemption = preempt(pod, rejects, (node) => firstReject(states, node, nothing));
    return refusal(rejects, histogram(counts), [...blamed], preemption);
  }
  if (fits.length === 1) return { node: first };
  return { node: best(states, fits, tie) };
}

/** pkg/scheduler/framework types.go FitError: why no node takes the pod, then what preemption says. */
function refusal(
  rejects: ReadonlyMap<NodeInfo, Reject>,
  why: string,
  plugins: string[],
  preemption: Preemption,
): Decision {
  const says =
    'message' in preemption
      ? preemption.message
      : `found a potential placement for pod on node ${preemption.node.name}, preempting ${preemption.victims.length} victims`;
  return { message: `0/${rejects.size} nodes are available: ${why}. preemption: ${says}`, plugins, preemption };
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
