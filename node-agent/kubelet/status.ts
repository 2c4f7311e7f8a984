import { equalJson, type Json } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import {
  type Actual,
  type ActualContainer,
  initialized,
  restartAt,
  restarts,
  terminalPhase,
  type Verdicts,
} from './actions.ts';
import {
  type Condition,
  type Container,
  type ContainerStateStatus,
  type ContainerStatus,
  isSidecar,
  type Pod,
  type PodStatus,
} from './pod.ts';

/** What the worker knows beyond the runtime's lists. */
export interface Known {
  hostIPs: readonly string[];
  podIPs: readonly string[];
  /** By container name: why it isn't there yet (ErrImagePull, CreateContainerConfigError, ...). */
  waiting: ReadonlyMap<string, { reason: string; message?: string }>;
  /** By container name: image as the runtime names it, its id, the termination message of the last run. */
  images: ReadonlyMap<string, { image: string; imageID: string }>;
  messages: ReadonlyMap<string, string>;
  /** By container name: the run before the newest. */
  previous: ReadonlyMap<string, ActualContainer>;
  ready: ReadonlySet<string>;
  /** The pod was refused by this node (reason and message of its failure). */
  rejected?: { reason: string; message: string };
}

/** `containerd://<id>`, as upstream prints container ids. */
export const containerID = (id: string) => `containerd://${id}`;

/**
 * The status of a pod from what the runtime and the probes say: kubelet's generateAPIPodStatus. Pure. Conditions keep their
 * transition time while their status stays.
 */
export function podStatus(pod: Pod, actual: Actual, verdicts: Verdicts, known: Known, now: number): PodStatus {
  const old = pod.status;
  const init = (pod.spec.initContainers ?? []).map((c) => containerStatus(pod, c, actual, verdicts, known, now, true));
  const main = pod.spec.containers.map((c) => containerStatus(pod, c, actual, verdicts, known, now, false));
  const phase = known.rejected ? 'Failed' : phaseOf(pod, actual, verdicts, main);
  const done = phase === 'Succeeded' || phase === 'Failed';
  const isInitialized = initialized(pod, actual, verdicts) || (done && phase === 'Succeeded');
  const unready = pod.spec.containers.filter((c) => !main.find((s) => s.name === c.name)?.ready).map((c) => c.name);
  const uninitialized = (pod.spec.initContainers ?? []).filter((_, i) => !init[i]?.ready).map((c) => c.name);
  const containersReady: Partial<Condition> & { status: Condition['status'] } =
    phase === 'Succeeded'
      ? { status: 'False', reason: 'PodCompleted' }
      : phase === 'Failed'
        ? { status: 'False', reason: 'PodFailed' }
        : unready.length > 0
          ? {
              status: 'False',
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${unready.join(' ')}]`,
            }
          : { status: 'True' };
  const gatesOpen = (pod.spec.readinessGates ?? []).every((g) =>
    old?.conditions?.some((c) => c.type === g.conditionType && c.status === 'True'),
  );
  const ready =
    containersReady.status === 'True' && !gatesOpen
      ? { status: 'False' as const, reason: 'ReadinessGatesNotReady' }
      : containersReady;
  const started = actual.sandbox?.ready === true;
  const own: Condition[] = [
    { type: 'PodReadyToStartContainers', status: started ? 'True' : 'False' },
    {
      type: 'Initialized',
      ...(phase === 'Succeeded' && (pod.spec.initContainers ?? []).length > 0
        ? { status: 'True', reason: 'PodCompleted' }
        : isInitialized
          ? { status: 'True' }
          : {
              status: 'False',
              reason: 'ContainersNotInitialized',
              message: `containers with incomplete status: [${uninitialized.join(' ')}]`,
            }),
    },
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
  ];
  const conditions = mergeConditions(old?.conditions ?? [], own, pod.metadata.generation, now);
  const podIPs = known.podIPs.length > 0 ? known.podIPs : (old?.podIPs ?? []).map((p) => p.ip);
  return {
    phase,
    conditions,
    ...(known.rejected ?? {}),
    ...(known.hostIPs[0] ? { hostIP: known.hostIPs[0], hostIPs: known.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(podIPs[0] ? { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) } : {}),
    startTime: old?.startTime ?? formatTime(now),
    qosClass: old?.qosClass ?? 'BestEffort',
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: main,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
}

function phaseOf(pod: Pod, actual: Actual, verdicts: Verdicts, main: ContainerStatus[]): PodStatus['phase'] {
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return pod.status.phase;
  const end = terminalPhase(pod, actual);
  const alive = [...actual.containers.values()].some((a) => a.state === 'running');
  if (end !== undefined && !alive) return end;
  // Deleted or not: what has ended and won't come back has ended.
  if (
    pod.metadata.deletionTimestamp !== undefined &&
    !alive &&
    actual.containers.size > 0 &&
    main.every((s) => s.state.terminated)
  ) {
    return main.every((s) => s.state.terminated?.exitCode === 0) ? 'Succeeded' : 'Failed';
  }
  if (!initialized(pod, actual, verdicts)) return 'Pending';
  return main.some((s) => s.state.waiting && s.lastState.terminated === undefined) ? 'Pending' : 'Running';
}

function containerStatus(
  pod: Pod,
  c: Container,
  actual: Actual,
  verdicts: Verdicts,
  known: Known,
  now: number,
  init: boolean,
): ContainerStatus {
  const a = actual.containers.get(c.name);
  const image = known.images.get(c.name);
  const message = known.messages.get(c.name);
  const waiting = known.waiting.get(c.name);
  const previous = known.previous.get(c.name);
  let state: ContainerStateStatus = stateOf(a, message);
  let lastState: ContainerStateStatus = previous ? stateOf(previous, undefined) : {};
  if (a === undefined) {
    const reason = waiting ?? {
      reason: (pod.spec.initContainers ?? []).length > 0 && !init ? 'PodInitializing' : 'ContainerCreating',
    };
    state = { waiting: reason };
  } else if (a.state === 'exited' && comesBack(pod, c, a, init)) {
    const wait = restartAt(a) - now;
    if (waiting ?? wait > 0) {
      lastState = state;
      const text = `back-off ${durationText(restartAt(a) - a.finishedMs)} restarting failed container=${c.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
      state = { waiting: waiting ?? { reason: 'CrashLoopBackOff', message: text } };
    }
  }
  const running = a?.state === 'running';
  const started = running && (c.startupProbe === undefined || verdicts.started.has(c.name));
  const ready =
    init && !isSidecar(c)
      ? a?.state === 'exited' && a.exitCode === 0
      : started && (c.readinessProbe === undefined || known.ready.has(c.name));
  return {
    name: c.name,
    state,
    lastState,
    ready,
    restartCount: a?.attempt ?? 0,
    image: image?.image ?? c.image,
    imageID: image?.imageID ?? '',
    ...(a ? { containerID: containerID(a.id) } : {}),
    started,
  };
}

function comesBack(pod: Pod, c: Container, a: ActualContainer, init: boolean): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  if (init && !isSidecar(c)) return a.exitCode !== 0 && pod.spec.restartPolicy !== 'Never';
  return restarts(pod, c, a.exitCode);
}

/** `10s`, `1m20s`: Go's Duration text of whole seconds. */
export function durationText(ms: number): string {
  const s = Math.round(ms / 1000);
  return s < 60 ? `${s}s` : `${Math.floor(s / 60)}m${s % 60}s`;
}

function stateOf(a: ActualContainer | undefined, message: string | undefined): ContainerStateStatus {
  if (a === undefined || a.state === 'created') return { waiting: { reason: 'ContainerCreating' } };
  if (a.state === 'running') return { running: { startedAt: formatTime(a.startedMs) } };
  return {
    terminated: {
      exitCode: a.exitCode,
      reason: a.state === 'unknown' ? 'ContainerStatusUnknown' : a.reason || (a.exitCode === 0 ? 'Completed' : 'Error'),
      ...(message ? { message } : {}),
      startedAt: formatTime(a.startedMs),
      finishedAt: formatTime(a.finishedMs),
      containerID: containerID(a.id),
    },
  };
}

/** Own conditions replace those of their type; others stay (PodScheduled, readiness gates, DisruptionTarget). */
function mergeConditions(
  old: readonly Condition[],
  own: readonly Condition[],
  generation: number | undefined,
  now: number,
): Condition[] {
  const fresh = own.map((c) => {
    const before = old.find((o) => o.type === c.type);
    const same = before?.status === c.status && before.lastTransitionTime !== undefined;
    return {
      ...c,
      lastProbeTime: null,
      lastTransitionTime: same ? before.lastTransitionTime : formatTime(now),
      ...(generation ? { observedGeneration: generation } : {}),
    } as Condition;
  });
  return [...fresh, ...old.filter((o) => !own.some((c) => c.type === o.type))];
}

/** True when two statuses say the same, so that nothing needs to be sent. */
export function sameStatus(a: PodStatus | undefined, b: PodStatus): boolean {
  return a !== undefined && equalJson(a as unknown as Json, b as unknown as Json);
}
