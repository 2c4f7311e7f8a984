import { equalJson, type Json } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import {
  type Actual,
  type ActualContainer,
  initialized,
  isDeleted,
  latest,
  restartAt,
  restarts,
  terminalPhase,
  type Verdicts,
} from './actions.ts';
import { podConditions } from './conditions.ts';
import {
  type Container,
  type ContainerStateStatus,
  type ContainerStatus,
  isInit,
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
  /** By container name: image as the runtime names it and its id. */
  images: ReadonlyMap<string, { image: string; imageID: string }>;
  /** By container id: the termination message. */
  messages: ReadonlyMap<string, string>;
  ready: ReadonlySet<string>;
  /** This node has ended the pod: refused it, or its deadline has passed. */
  ended?: { reason: string; message: string; disrupted?: boolean } | undefined;
}

/** `containerd://<id>`, as upstream prints container ids. */
export const containerID = (id: string) => `containerd://${id}`;

/**
 * The status of a pod from what the runtime and the probes say: kubelet's generateAPIPodStatus. Pure. Conditions keep their
 * transition time while their status stays; a pod that has ended stays so.
 */
export function podStatus(pod: Pod, actual: Actual, verdicts: Verdicts, known: Known, now: number): PodStatus {
  const old = pod.status;
  const of = (c: Container) => containerStatus(pod, c, actual, verdicts, known, now);
  const init = (pod.spec.initContainers ?? []).map(of);
  const main = pod.spec.containers.map(of);
  const phase = phaseOf(pod, actual, verdicts, main, known);
  const podIPs = known.podIPs.length > 0 ? known.podIPs : (old?.podIPs ?? []).map((p) => p.ip);
  const kept = phase === old?.phase ? { reason: old.reason, message: old.message } : undefined;
  const why = phase === 'Failed' && known.ended ? known.ended : kept;
  return {
    phase,
    conditions: podConditions(pod, actual, phase, { init, main }, now, known.ended),
    ...(why?.reason === undefined ? {} : { reason: why.reason }),
    ...(why?.message === undefined ? {} : { message: why.message }),
    ...(known.hostIPs[0] ? { hostIP: known.hostIPs[0], hostIPs: known.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(podIPs[0] ? { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) } : {}),
    startTime: old?.startTime ?? formatTime(now),
    qosClass: old?.qosClass ?? 'BestEffort',
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: main,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
}

/** kubelet's getPhase; a final phase only once nothing runs any more, as its status manager has it. */
function phaseOf(
  pod: Pod,
  actual: Actual,
  verdicts: Verdicts,
  main: readonly ContainerStatus[],
  known: Known,
): PodStatus['phase'] {
  const before = pod.status?.phase;
  if (before === 'Failed' || before === 'Succeeded') return before;
  const alive = [...actual.containers.values()].some((a) => a.state === 'running');
  if (!alive) {
    if (known.ended) return 'Failed';
    const end = terminalPhase(pod, actual) ?? stoppedPhase(pod, main);
    if (end !== undefined) return end;
  } else if (terminalPhase(pod, actual) !== undefined || known.ended) return before ?? 'Pending';
  if (!initialized(pod, actual, verdicts)) return 'Pending';
  return main.some((s) => s.state.waiting && s.lastState.terminated === undefined) ? 'Pending' : 'Running';
}

/** What a deleted pod came to, once all of its containers have ended, whatever the policy would do. */
function stoppedPhase(pod: Pod, main: readonly ContainerStatus[]): 'Succeeded' | 'Failed' | undefined {
  if (!isDeleted(pod)) return undefined;
  const ended = main.map((s) => s.state.terminated ?? s.lastState.terminated);
  if (!ended.every((t) => t !== undefined)) return undefined;
  return ended.every((t) => t.exitCode === 0) ? 'Succeeded' : 'Failed';
}

function containerStatus(
  pod: Pod,
  c: Container,
  actual: Actual,
  verdicts: Verdicts,
  known: Known,
  now: number,
): ContainerStatus {
  const init = isInit(pod, c);
  const a = latest(actual, c.name);
  const before = actual.previous?.get(c.name);
  const earlier = before !== undefined && before.id !== a?.id ? stateOf(before, known.messages.get(before.id)) : {};
  let state = a === undefined ? undefined : stateOf(a, known.messages.get(a.id));
  let lastState = earlier;
  const why = known.waiting.get(c.name) ?? (a === undefined ? undefined : backOff(pod, c, a, now));
  if (state === undefined) {
    state = { waiting: known.waiting.get(c.name) ?? { reason: creatingReason(pod) } };
  } else if (why !== undefined && !state.running && comesBack(pod, c, a)) {
    if (state.terminated) lastState = state;
    state = { waiting: why };
  }
  const running = a?.state === 'running';
  const started = running && (c.startupProbe === undefined || verdicts.started.has(c.name));
  const done = init && !isSidecar(c);
  const image = known.images.get(c.name);
  return {
    name: c.name,
    state,
    lastState,
    ready: done
      ? a?.state === 'exited' && a.exitCode === 0
      : started && (c.readinessProbe === undefined || known.ready.has(c.name)),
    restartCount: a?.attempt ?? 0,
    // A runtime that was given an id knows no name: the pod's own is what a reader looks for.
    image: image && !image.image.startsWith('sha256:') ? image.image : c.image,
    imageID: image?.imageID ?? '',
    ...(a ? { containerID: containerID(a.id) } : {}),
    started,
    ...(a && c.resources?.requests ? { allocatedResources: c.resources.requests } : {}),
    ...(a ? { resources: c.resources ?? {} } : {}),
    ...(c.volumeMounts?.length ? { volumeMounts: c.volumeMounts.map(mountStatus) } : {}),
  };
}

/** What a container waits for that nothing is known to be wrong with. */
export const creatingReason = (pod: Pod) => (pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating');

function mountStatus(m: NonNullable<Container['volumeMounts']>[number]) {
  const readOnly = m.readOnly ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {};
  return { name: m.name, mountPath: m.mountPath, ...readOnly };
}

/** The waiting state of a container whose next start isn't due yet. */
function backOff(
  pod: Pod,
  c: Container,
  a: ActualContainer,
  now: number,
): { reason: string; message: string } | undefined {
  if (a.state !== 'exited' || restartAt(a) <= now) return undefined;
  const whose = `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
  const wait = durationText(restartAt(a) - a.finishedMs);
  return { reason: 'CrashLoopBackOff', message: `back-off ${wait} restarting failed container=${c.name} pod=${whose}` };
}

/** kubelet's ShouldContainerBeRestarted for one that isn't running. */
function comesBack(pod: Pod, c: Container, a: ActualContainer | undefined): boolean {
  if (isDeleted(pod)) return false;
  return a?.state !== 'exited' || restarts(pod, c, a.exitCode);
}

/** `10s`, `1m20s`: Go's Duration text of whole seconds. */
export function durationText(ms: number): string {
  const s = Math.round(ms / 1000);
  return s < 60 ? `${s}s` : `${Math.floor(s / 60)}m${s % 60}s`;
}

function stateOf(a: ActualContainer, message: string | undefined): ContainerStateStatus {
  if (a.state === 'created') return { waiting: { reason: 'ContainerCreating' } };
  if (a.state === 'running') return { running: { startedAt: formatTime(a.startedMs) } };
  const text = message || a.message;
  return {
    terminated: {
      exitCode: a.exitCode,
      reason: a.state === 'unknown' ? 'ContainerStatusUnknown' : a.reason || (a.exitCode === 0 ? 'Completed' : 'Error'),
      ...(text ? { message: text } : {}),
      startedAt: formatTime(a.startedMs),
      finishedAt: formatTime(a.finishedMs),
      containerID: containerID(a.id),
    },
  };
}

/** True when `shown` says all that `own` says, in whatever order conditions are: nothing needs to be sent then. */
export function sameStatus(shown: PodStatus | undefined, own: PodStatus): boolean {
  if (shown === undefined) return false;
  const { conditions = [], ...rest } = own;
  const same = (a: unknown, b: unknown) => equalJson(a as Json | undefined, b as Json | undefined);
  return (
    Object.entries(rest).every(([k, v]) => same(shown[k as keyof PodStatus], v)) &&
    conditions.every((c) =>
      same(
        shown.conditions?.find((o) => o.type === c.type),
        c,
      ),
    )
  );
}

/** The status of a pod that this node refused: kubelet's rejectPod. */
export function rejectedStatus(pod: Pod, why: { reason: string; message: string }, now: number): PodStatus {
  const old = pod.status;
  return {
    ...(old?.conditions ? { conditions: old.conditions } : {}),
    phase: 'Failed',
    reason: why.reason,
    message: why.message,
    startTime: formatTime(now),
    qosClass: old?.qosClass ?? 'BestEffort',
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
}

/** Why a container of a pod hasn't started, as its status says. */
export function waitingReason(pod: Pod, container: string): string {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return all.find((s) => s.name === container)?.state.waiting?.reason ?? 'ContainerCreating';
}
