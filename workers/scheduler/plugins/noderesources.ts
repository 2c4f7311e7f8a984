import { type Amounts, SCORE_MAX, type SchedulerPlugin } from '../framework.ts';
import { add, podRequests } from '../resources.ts';

interface State {
  request: Amounts;
  nonZero: Amounts;
}
const prepare = (pod: Parameters<NonNullable<SchedulerPlugin<State>['prepare']>>[0]): State => ({
  request: podRequests(pod),
  nonZero: podRequests(pod, true),
});

/** Room for the pod's requests and one more pod; prefers the emptier node (LeastAllocated over cpu and memory). */
export const noderesourcesfit: SchedulerPlugin<State> = {
  name: 'NodeResourcesFit',
  weight: 1,
  retryOn: ['node', 'pod-deleted', 'pod-updated'],
  prepare,
  filter({ request }, node) {
    const reasons: string[] = [];
    let final = false;
    if (node.pods + 1 > (node.allocatable.pods ?? 0)) reasons.push('Too many pods');
    for (const name of [
      'cpu',
      'memory',
      'ephemeral-storage',
      ...Object.keys(request)
        .filter((k) => !['cpu', 'memory', 'ephemeral-storage'].includes(k))
        .sort(),
    ]) {
      const want = request[name] ?? 0;
      const all = node.allocatable[name] ?? 0;
      if (want === 0 || want <= all - (node.requested[name] ?? 0)) continue;
      reasons.push(`Insufficient ${name}`);
      // More than the whole node: no eviction helps.
      if (want > all) final = true;
    }
    return reasons.length === 0 ? undefined : { reasons, final };
  },
  score({ nonZero }, node) {
    const parts = ['cpu', 'memory'].flatMap((name) => {
      const all = node.allocatable[name] ?? 0;
      const used = (node.nonZero[name] ?? 0) + (nonZero[name] ?? 0);
      if (all === 0) return [];
      return used > all ? [0] : [Math.floor(((all - used) * SCORE_MAX) / all)];
    });
    return parts.length === 0 ? 0 : Math.floor(parts.reduce((a, b) => a + b, 0) / parts.length);
  },
};

/** How alike cpu and memory are used: 100 where they are, 50 where one is full and the other free. */
function balance(used: Amounts, allocatable: Amounts): number {
  const [a = 0, b = a] = ['cpu', 'memory'].flatMap((name) => {
    const all = allocatable[name] ?? 0;
    return all === 0 ? [] : [Math.min(1, (used[name] ?? 0) / all)];
  });
  return Math.floor((1 - Math.abs(a - b) / 2) * SCORE_MAX);
}

/** Prefers nodes on which the pod evens out the use of cpu and memory (balanced_allocation.go): about 75 where it changes little. */
export const balancedallocation: SchedulerPlugin<Amounts> = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  retryOn: [],
  prepare(pod) {
    const request = podRequests(pod);
    return (request.cpu ?? 0) === 0 && (request.memory ?? 0) === 0 ? null : request;
  },
  score(request, node) {
    const gain = balance(add(node.requested, request), node.allocatable) - balance(node.requested, node.allocatable);
    return SCORE_MAX / 2 + Math.trunc((SCORE_MAX / 2 + gain) / 2);
  },
};
