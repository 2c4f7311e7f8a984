import {
  isOnly,
  isReject,
  type NodeInfo,
  type PodInfo,
  type Reject,
  SCORE_MAX,
  type SchedulerPlugin,
  type Snapshot,
} from './framework.ts';
import { type Preemption, preempt, statusOf } from './preemption.ts';
import { histogram } from './reasons.ts';
import { type Cycle, rejectOf } from './whatif.ts';

/** Where a pod goes, or why nowhere, and whose eviction would change that. `looked`: at how many nodes; `dryRuns`: on how many it was seen who would have to go. */
export type Decision = { looked: number } & (
  | { node: NodeInfo; dryRuns?: undefined }
  | { message: string; plugins: string[]; preemption?: Preemption; dryRuns?: number }
);

/** Where the search for nodes begins, and a number in [0, 1) by which ties fall. */
export interface Chance {
  start: number;
  tie: number;
}

/** Upstream's minFeasibleNodesToFind and minFeasibleNodesPercentageToFind. */
const FEASIBLE_MIN = 100;
const FEASIBLE_PERCENT_MIN = 5;

/** How many nodes that suit are enough to choose among. */
export function enough(nodes: number): number {
  if (nodes < FEASIBLE_MIN) return nodes;
  const percent = Math.max(50 - Math.floor(nodes / 125), FEASIBLE_PERCENT_MIN);
  return Math.max(Math.floor((nodes * percent) / 100), FEASIBLE_MIN);
}

/**
 * One pod against one snapshot: filter, score, choose. Pure. The message is upstream's FitError text.
 */
export function schedule(
  pod: PodInfo,
  snapshot: Snapshot,
  plugins: readonly SchedulerPlugin[],
  { start, tie }: Chance,
): Decision {
  const all = snapshot.nodes;
  if (all.length === 0) return { message: 'no nodes available to schedule pods', plugins: [], looked: 0 };
  const begun = begin(pod, snapshot, plugins);
  if ('reject' in begun) {
    const { reject, blamed } = begun;
    const final = new Map(all.map((n) => [n, { ...reject, final: true }]));
    const preemption = preempt({ pod, snapshot, states: [] }, final, tie);
    return { ...refusal(all.length, `${reject.reasons.join(', ')}.`, blamed, preemption), looked: 0 };
  }
  const { cycle, only, limiters } = begun;
  const promised = statusOf(pod.pod).nominatedNodeName;
  const own = promised ? snapshot.node(promised) : undefined;
  const blamed = new Set<string>(limiters);
  // Most likely the only one, for room has been made on it.
  if (own && rejectOf(cycle, own, blamed) === undefined) return { node: own, looked: 1 };
  const nodes = only ? all.filter((n) => only.has(n.name)) : all;
  const { fits, rejects } = search(cycle, nodes, only ? 0 : start, blamed);
  const looked = fits.length + rejects.size;
  const [first] = fits;
  if (first !== undefined) {
    const node = fits.length === 1 ? first : best(pod, snapshot, plugins, fits, tie);
    return { node, looked };
  }
  if (only) {
    const rest: Reject = { reasons: [`node(s) didn't satisfy plugin(s) [${limiters.sort().join(' ')}]`], final: true };
    for (const n of all) if (!rejects.has(n)) rejects.set(n, rest);
  }
  const preemption = preempt(cycle, rejects, tie);
  return { ...refusal(all.length, `${histogram(rejects.values())}.`, [...blamed], preemption), looked };
}

type Begun =
  | { cycle: Cycle; only: ReadonlySet<string> | undefined; limiters: string[] }
  | { reject: Reject; blamed: string[] };

/** What plugins say of the pod before any node is looked at. */
function begin(pod: PodInfo, snapshot: Snapshot, plugins: readonly SchedulerPlugin[]): Begun {
  const states: { plugin: SchedulerPlugin; state: unknown }[] = [];
  const limiters: string[] = [];
  let only: ReadonlySet<string> | undefined;
  for (const p of plugins) {
    const s = p.prepare?.(pod, snapshot) ?? null;
    if (s === null) continue;
    if (isReject(s)) return { reject: s, blamed: [p.name] };
    if (p.filter) states.push({ plugin: p, state: s });
    if (!isOnly(s)) continue;
    limiters.push(p.name);
    only = only ? only.intersection(s.only) : s.only;
    if (only.size > 0) continue;
    const names = limiters.toSorted();
    const what = names.length === 1 ? `plugin ${names[0]}` : `plugin(s) [${names.join(' ')}] simultaneously`;
    return { reject: { reasons: [`node(s) didn't satisfy ${what}`], final: true }, blamed: names };
  }
  return { cycle: { pod, snapshot, states }, only, limiters };
}

/** Nodes that suit, until there are enough, and why others don't. */
function search(cycle: Cycle, nodes: readonly NodeInfo[], start: number, blamed: Set<string>) {
  const fits: NodeInfo[] = [];
  const rejects = new Map<NodeInfo, Reject>();
  const wanted = enough(nodes.length);
  for (let i = 0; i < nodes.length && fits.length < wanted; i++) {
    const node = nodes[(start + i) % nodes.length];
    if (node === undefined) break;
    const r = rejectOf(cycle, node, blamed);
    if (r === undefined) fits.push(node);
    else rejects.set(node, r);
  }
  return { fits, rejects };
}

/** pkg/scheduler/framework types.go FitError: why no node takes the pod, then what preemption says. */
function refusal(nodes: number, why: string, plugins: string[], preemption: Preemption) {
  const says =
    'message' in preemption
      ? preemption.message
      : `found a potential placement for pod on node ${preemption.node.name}, preempting ${preemption.victims.length} victims`;
  return {
    message: `0/${nodes} nodes are available: ${why} preemption: ${says}`,
    plugins,
    preemption,
    dryRuns: preemption.dryRuns,
  };
}

function best(
  pod: PodInfo,
  snapshot: Snapshot,
  plugins: readonly SchedulerPlugin[],
  nodes: readonly NodeInfo[],
  tie: number,
): NodeInfo {
  const totals = scoresOf(pod, snapshot, plugins, nodes);
  const top = Math.max(...totals);
  const winners = nodes.filter((_, i) => totals[i] === top);
  return winners[Math.floor(tie * winners.length)] ?? (nodes[0] as NodeInfo);
}

/** Weighted sums of all scores, node by node. */
export function scoresOf(
  pod: PodInfo,
  snapshot: Snapshot,
  plugins: readonly SchedulerPlugin[],
  nodes: readonly NodeInfo[],
): number[] {
  const totals: number[] = new Array(nodes.length).fill(0);
  for (const p of plugins)
    scoresBy(p, pod, snapshot, nodes)?.forEach((s, i) => {
      totals[i] = (totals[i] ?? 0) + s * (p.weight ?? 1);
    });
  return totals;
}
/** A plug-in's scores of nodes, 0 to 100, without its weight; undefined where it has none. */
export function scoresBy(
  p: SchedulerPlugin,
  pod: PodInfo,
  snapshot: Snapshot,
  nodes: readonly NodeInfo[],
): readonly number[] | undefined {
  const state = p.score && p.prepareScore ? p.prepareScore(pod, nodes, snapshot) : null;
  if (state === null) return undefined;
  const raw = nodes.map((n) => p.score?.(state, n) ?? 0);
  return p.normalized?.(state, raw, nodes) ?? scaled(raw, p.normalize);
}
/** plugins/helper/normalize_score.go. */
function scaled(scores: readonly number[], how: 'scale' | 'reverse' | undefined): readonly number[] {
  if (how === undefined) return scores;
  const top = Math.max(...scores);
  if (top === 0) return how === 'reverse' ? scores.map(() => SCORE_MAX) : scores;
  return scores.map((s) => {
    const part = Math.floor((s * SCORE_MAX) / top);
    return how === 'reverse' ? SCORE_MAX - part : part;
  });
}
