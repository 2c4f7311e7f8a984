import { type Container, type ContainerStatus, isSidecar, type Pod, type PodStatus } from './pod.ts';

/** What is said of a container whose end nobody has seen. */
const LOST = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
};

/**
 * The last status of a pod that was ended: kubelet's TerminatePod. Whatever has no end yet has failed, but for what was never to begin, and so has
 * a pod that hasn't come to an end of its own.
 */
export function terminatedStatus(pod: Pod, status: PodStatus): PodStatus {
  const { containerStatuses: main = [], initContainerStatuses: init = [] } = status;
  const begun = begunCount(init);
  const ended = (s: ContainerStatus): ContainerStatus =>
    s.state.terminated ? s : { ...s, state: { terminated: LOST }, ready: false };
  return {
    ...status,
    phase: status.phase === 'Succeeded' ? 'Succeeded' : 'Failed',
    containerStatuses: wasInitialized(pod, init, main) ? main.map(ended) : main,
    ...(init.length > 0 ? { initContainerStatuses: init.map((s, i) => (i < begun ? ended(s) : s)) } : {}),
  };
}

/** Init containers up to the last that has ever been tried; the first one in any case. */
function begunCount(init: readonly ContainerStatus[]): number {
  const last = init.findLastIndex((s) => s.state.waiting === undefined || s.lastState.terminated !== undefined);
  return Math.max(last + 1, Math.min(1, init.length));
}

/** Regular containers may have begun, or at least were to. */
function wasInitialized(pod: Pod, init: readonly ContainerStatus[], main: readonly ContainerStatus[]): boolean {
  const specs: Container[] = pod.spec.initContainers ?? [];
  const [spec, s] = [specs.at(-1), init.at(-1)];
  if (spec === undefined) return true;
  if (main.some((x) => x.lastState.terminated !== undefined || x.state.waiting === undefined)) return true;
  if (s === undefined || s.name !== spec.name) return false;
  if (isSidecar(spec)) return s.state.running !== undefined && s.started === true;
  return s.state.terminated?.exitCode === 0 || s.lastState.terminated?.exitCode === 0;
}
