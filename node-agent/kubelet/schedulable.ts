import type { Feed } from '../feed/feed.ts';
import type { NodeRow } from '../feed/rows.ts';

/** Tells an Event each time that this node is cordoned or opened again, as the kubelet does; what it begins with is told only if that is closed. */
export function tellSchedulable(
  nodes: Feed<NodeRow>,
  name: string,
  tell: (type: 'Normal', reason: string, message: string) => void,
): () => void {
  let closed = false;
  const look = (): void => {
    const row = nodes.items.get(name);
    const now = row?.unschedulable ?? false;
    if (row === undefined || now === closed) return;
    closed = now;
    const reason = closed ? 'NodeNotSchedulable' : 'NodeSchedulable';
    tell('Normal', reason, `Node ${name} status is now: ${reason}`);
  };
  look();
  return nodes.listen((changed) => {
    if (changed.has(name)) look();
  });
}
