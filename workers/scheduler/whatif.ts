import type { NodeInfo, PodInfo, Reject, SchedulerPlugin, Snapshot } from './framework.ts';
import { copyOf, displace, place } from './nodeinfo.ts';

/** One pod's turn: what plugins worked out for it. */
export interface Cycle {
  pod: PodInfo;
  snapshot: Snapshot;
  /** By plugin, in their order. */
  states: readonly { plugin: SchedulerPlugin; state: unknown }[];
}

/** The same turn with other pods on a node. The node is its own. */
export interface WhatIf extends Cycle {
  node: NodeInfo;
}
export function whatIf(cycle: Cycle, node: NodeInfo): WhatIf {
  const states = cycle.states.map(({ plugin, state }) => ({ plugin, state: plugin.copy ? plugin.copy(state) : state }));
  return { ...cycle, states, node: copyOf(node) };
}
export function add(w: WhatIf, pod: PodInfo): void {
  place(w.node, pod);
  for (const { plugin, state } of w.states) plugin.changed?.(state, pod, w.node, 1);
}
export function remove(w: WhatIf, pod: PodInfo): void {
  displace(w.node, pod);
  for (const { plugin, state } of w.states) plugin.changed?.(state, pod, w.node, -1);
}

/**
 * Why a node doesn't suit the pod. Where room is kept on it for pods that are as important, it must suit with them there, and without them too,
 * for they may end up elsewhere.
 */
export function rejectOf(cycle: Cycle, node: NodeInfo, blamed?: Set<string>): Reject | undefined {
  const { pod, snapshot } = cycle;
  if (snapshot.keepsRoom) {
    const kept = snapshot.nominated(node.name);
    const others = kept.filter((p) => p.priority >= pod.priority && p.uid !== pod.uid && !node.pods.has(p.key));
    if (others.length > 0) {
      const w = whatIf(cycle, node);
      for (const p of others) add(w, p);
      const r = filtered(w, w.node, blamed);
      if (r) return r;
    }
  }
  return filtered(cycle, node, blamed);
}

function filtered({ states, pod }: Cycle, node: NodeInfo, blamed: Set<string> | undefined): Reject | undefined {
  for (const { plugin, state } of states) {
    const r = plugin.filter?.(state, node, pod);
    if (r === undefined) continue;
    blamed?.add(plugin.name);
    return r;
  }
  return undefined;
}
