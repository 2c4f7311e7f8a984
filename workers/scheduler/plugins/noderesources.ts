import { type Amounts, SCORE_MAX, type SchedulerPlugin } from '../framework.ts';
import { podRequests } from '../resources.ts';

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
    const parts = ['cpu', 'memory'].map((name) => {
      const all = node.allocatable[name] ?? 0;
      const used = (node.nonZero[name] ?? 0) + (nonZero[name] ?? 0);
      return all === 0 || used > all ? 0 : Math.floor(((all - used) * SCORE_MAX) / all);
    });
    return Math.floor(parts.reduce((a, b) => a + b, 0) / parts.length);
  },
};

/** Prefers nodes on which cpu and memory are used alike: 1.37 scores how much the pod evens them out. */
export const balancedallocation: SchedulerPlugin<State> = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  retryOn: [],
  prepare: (pod) => (Object.keys(podRequests(pod)).length === 0 ? null : prepare(pod)),
  score({ nonZero }, node) {
    const fractions = (extra: Amounts) =>
      ['cpu', 'memory'].flatMap((name) => {
        const all = node.allocatable[name] ?? 0;
        return all === 0 ? [] : [Math.min(1, ((node.nonZero[name] ?? 0) + (extra[name] ?? 0)) / all)];
      });
    const spread = ([a = 0, b = a]: number[]) => Math.abs(a - b) / 2;
    return Math.floor((1 - spread(fractions(nonZero))) * SCORE_MAX);
  },
};
