import {
  type Amounts,
  type NodeInfo,
  type PodInfo,
  type Reject,
  SCORE_MAX,
  type SchedulerPlugin,
} from '../framework.ts';

/** What every node is asked for, in upstream's order; extended resources follow by name. */
const USUAL = ['cpu', 'memory', 'ephemeral-storage'];
/** What Resource.SetMaxResource takes besides: extended resources, huge pages, attachable volumes. */
const isScalar = (name: string): boolean =>
  name.includes('/') || name.startsWith('hugepages-') || name.startsWith('attachable-volumes-');

interface State {
  request: Amounts;
  names: readonly string[];
}
const namesOf = (request: Amounts): string[] => {
  const own = Object.keys(request);
  const scalars = own.filter((k) => !USUAL.includes(k) && isScalar(k)).sort();
  return [...USUAL, ...scalars].filter((k) => (request[k] ?? 0) > 0);
};

function missing({ request, names }: State, node: NodeInfo): Reject | undefined {
  let reasons: string[] | undefined;
  let final = false;
  if (node.pods.size + 1 > (node.allocatable.pods ?? 0)) reasons = ['Too many pods'];
  for (const name of names) {
    const want = request[name] ?? 0;
    const all = node.allocatable[name] ?? 0;
    if (want <= all - (node.requested[name] ?? 0)) continue;
    reasons = [...(reasons ?? []), `Insufficient ${name}`];
    // More than the whole node: no eviction helps.
    if (want > all) final = true;
  }
  return reasons && { reasons, final };
}

const less = (before: PodInfo, after: PodInfo, names: readonly string[]): boolean =>
  names.some((name) => (after.counted[name] ?? 0) < (before.counted[name] ?? 0));
const stateOf = (pod: PodInfo): State => ({ request: pod.requests, names: namesOf(pod.requests) });

/** Room for the pod's requests and one more pod; prefers the emptier node (LeastAllocated over cpu and memory). */
export const noderesourcesfit: SchedulerPlugin<State, Amounts> = {
  name: 'NodeResourcesFit',
  retryOn: {
    node(pod, before, after) {
      if (after === undefined) return false;
      const state = stateOf(pod);
      if (missing(state, { ...after, requested: {}, pods: new Map() })) return false;
      return (
        before === undefined ||
        ['pods', ...state.names].some((name) => (after.allocatable[name] ?? 0) > (before.allocatable[name] ?? 0))
      );
    },
    pod: (pod, before, after) =>
      before !== undefined && (after === undefined || less(before, after, namesOf(pod.requests))),
    target: (before, after) => less(before, after, Object.keys(before.counted)),
  },
  prepare: stateOf,
  filter: missing,
  weight: 1,
  prepareScore: ({ scored }) => scored,
  score({ cpu, memory }, { allocatable, nonZero }) {
    const a = left(allocatable.cpu, nonZero.cpu, cpu);
    const b = left(allocatable.memory, nonZero.memory, memory);
    if (a === undefined) return b ?? 0;
    return b === undefined ? a : Math.floor((a + b) / 2);
  },
};
/** How much of a whole would be left, of 100; undefined where there is none of it. */
function left(all = 0, used = 0, more = 0): number | undefined {
  if (all === 0) return undefined;
  return used + more > all ? 0 : Math.floor(((all - used - more) * SCORE_MAX) / all);
}

/** How alike cpu and memory are used: 100 where they are, 50 where one is full and the other free. */
function balance(cpu: number, memory: number, all: Amounts): number {
  const { cpu: cpus = 0, memory: bytes = 0 } = all;
  if (cpus === 0 || bytes === 0) return SCORE_MAX;
  return Math.floor((1 - Math.abs((Math.min(1, cpu / cpus) - Math.min(1, memory / bytes)) / 2)) * SCORE_MAX);
}

/** Prefers nodes on which the pod evens out the use of cpu and memory (balanced_allocation.go): about 75 where it changes little. */
export const balancedallocation: SchedulerPlugin<unknown, Amounts> = {
  name: 'NodeResourcesBalancedAllocation',
  retryOn: {},
  weight: 1,
  prepareScore: ({ counted }) => ((counted.cpu ?? 0) === 0 && (counted.memory ?? 0) === 0 ? null : counted),
  score({ cpu = 0, memory = 0 }, { requested, allocatable }) {
    const { cpu: cpus = 0, memory: bytes = 0 } = requested;
    const gain = balance(cpus + cpu, bytes + memory, allocatable) - balance(cpus, bytes, allocatable);
    return SCORE_MAX / 2 + Math.trunc((SCORE_MAX / 2 + gain) / 2);
  },
};
