import { equalJson, type Json } from '../../kube/meta/json.ts';
import { milliValue, quantity } from '../../kube/meta/quantity.ts';
import { formatTime } from '../../kube/meta/time.ts';
import {
  type Actual,
  type ActualContainer,
  initialized,
  isDeleted,
  latest,
  mayRestartAll,
  restarts,
  terminalPhase,
  type Verdicts,
} from './actions.ts';
import type { Waits } from './backoff.ts';
import { PASSING_CONDITIONS, podConditions } from './conditions.ts';
import {
  type Container,
  type ContainerStateStatus,
  type ContainerStatus,
  isInit,
  isSidecar,
  type Pod,
  type PodStatus,
  podText,
  type Resources,
  statusOf,
} from './pod.ts';
import type { PodResizes } from './resize.ts';
import {
  cpuText,
  MIN_MILLI_LIMIT,
  MIN_SHARES,
  memoryText,
  milliOfQuota,
  milliOfShares,
  type PodCgroup,
  podTotal,
  qosOf,
  sharesOf,
  texts,
} from './resources.ts';

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
  waits: Waits;
  resizes: Pick<PodResizes, 'actuated' | 'cgroup' | 'conditions'>;
  /** This node has ended the pod: refused it, or its deadline has passed. */
  ended?: { reason: string; message: string; disrupted?: boolean } | undefined;
}

/** `containerd://<id>`, as upstream prints container ids. */
export const containerID = (id: string) => `containerd://${id}`;

/**
 * The status of a pod, as it was granted, from what the runtime and the probes say: kubelet's generateAPIPodStatus. Pure. Conditions keep their
 * transition time while their status stays; a pod that has ended stays so.
 */
export function podStatus(pod: Pod, actual: Actual, verdicts: Verdicts, known: Known, now: number): PodStatus {
  const old = pod.status;
  const of = (c: Container) => containerStatus(pod, c, actual, verdicts, known, now);
  const init = (pod.spec.initContainers ?? []).map(of);
  const main = pod.spec.containers.map(of);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map(of);
  const phase = phaseOf(pod, actual, verdicts, main, known);
  const podIPs = known.podIPs.length > 0 ? known.podIPs : (old?.podIPs ?? []).map((p) => p.ip);
  const kept = phase === old?.phase ? { reason: old.reason, message: old.message } : undefined;
  const why = phase === 'Failed' && known.ended ? known.ended : kept;
  return {
    phase,
    conditions: podConditions(
      pod,
      actual,
      phase,
      { init, main, resizes: known.resizes.conditions() },
      now,
      known.ended,
    ),
    ...(why?.reason === undefined ? {} : { reason: why.reason }),
    ...(why?.message === undefined ? {} : { message: why.message }),
    ...(known.hostIPs[0] ? { hostIP: known.hostIPs[0], hostIPs: known.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(podIPs[0] ? { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) } : {}),
    startTime: old?.startTime ?? formatTime(now),
    qosClass: old?.qosClass ?? qosOf(pod),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: main,
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
    allocatedResources: texts(podTotal(pod, 'requests')),
    resources: podResources(pod, phase, known.resizes.cgroup),
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
  if (!initialized(pod, actual, verdicts)) {
    const anew =
      main.length > 0 && main.every((s) => s.state.waiting && s.lastState.terminated) && actual.containers.size === 0;
    return anew && before === 'Running' ? before : 'Pending';
  }
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
  const shown = statusOf(pod, c.name);
  if (a === undefined && shown && mayRestartAll(pod) && !known.waiting.has(c.name)) return takenAway(shown);
  const earlier = before !== undefined && before.id !== a?.id ? stateOf(before, known.messages.get(before.id)) : {};
  let state = a === undefined ? undefined : stateOf(a, known.messages.get(a.id));
  // What the runtime has forgotten stays as it was shown.
  let lastState = earlier.terminated || !a || !shown ? earlier : shownBefore(shown, a);
  const why = known.waiting.get(c.name) ?? (a === undefined ? undefined : backOff(pod, c, a, known.waits, now));
  if (state === undefined) {
    state = { waiting: known.waiting.get(c.name) ?? { reason: creatingReason(pod) } };
  } else if (why !== undefined && !state.running && comesBack(pod, c, a)) {
    if (state.terminated) lastState = state;
    state = { waiting: why };
  }
  const ephemeral = pod.spec.ephemeralContainers?.some((e) => e.name === c.name) ?? false;
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
      : !ephemeral && started && (c.readinessProbe === undefined || known.ready.has(c.name)),
    restartCount: Math.max(a?.attempt ?? 0, shown?.restartCount ?? 0),
    // A runtime that was given an id knows no name: the pod's own is what a reader looks for.
    image: image && !image.image.startsWith('sha256:') ? image.image : c.image,
    imageID: image?.imageID ?? '',
    ...(a ? { containerID: containerID(a.id) } : {}),
    ...(ephemeral ? {} : { started }),
    ...(a && c.resources?.requests ? { allocatedResources: c.resources.requests } : {}),
    ...(a ? { resources: statusResources(c, a, known.resizes.actuated(c.name)) } : {}),
    ...(a?.user ? { user: a.user } : {}),
    ...(c.volumeMounts?.length ? { volumeMounts: c.volumeMounts.map(mountStatus) } : {}),
  };
}

/** The end of the run before this one, of what a status shows. */
function shownBefore(shown: ContainerStatus, a: ActualContainer): ContainerStateStatus {
  const { terminated } = shown.containerID === containerID(a.id) ? shown.lastState : shown.state;
  return terminated ? { terminated } : shown.lastState;
}

/** A container that was taken away to be started anew with all others. */
function takenAway(shown: ContainerStatus): ContainerStatus {
  if (shown.state.waiting) return shown;
  const why = {
    reason: 'RestartingAllContainers',
    message: 'The container is removed because RestartAllContainers in place',
  };
  const { containerID: _, ...rest } = shown;
  const lastState = { terminated: { ...why, exitCode: 137 } };
  const restartCount = shown.restartCount + 1;
  return { ...rest, state: { waiting: why }, lastState, restartCount, ready: false, started: false };
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
  waits: Waits,
  now: number,
): { reason: string; message: string } | undefined {
  if (a.state !== 'exited') return undefined;
  const ms = waits.waitMs(c, a);
  if (a.finishedMs + ms <= now) return undefined;
  const why = `back-off ${durationText(ms)} restarting failed container=${c.name} pod=${podText(pod)}`;
  return { reason: 'CrashLoopBackOff', message: why };
}

type Amounts = { limits: Record<string, string>; requests: Record<string, string> };
/** The lists that there are. */
const given = (r: Resources, now: Amounts): Resources => ({
  ...(r.limits ? { limits: now.limits } : {}),
  ...(r.requests ? { requests: now.requests } : {}),
});

/**
 * The resources that a container has, kubelet's convertContainerStatusResources: of one that runs what the runtime says, else what it was told
 * last. Amounts below what a cgroup can say are shown as they were asked for.
 */
function statusResources(c: Container, a: ActualContainer, told: Resources | undefined): Resources {
  const own = c.resources ?? {};
  if (a.state !== 'running') return own;
  const now: Amounts = { limits: { ...own.limits }, requests: { ...own.requests } };
  const r = a.resources;
  const set = (list: Record<string, string>, name: string, text: string | undefined) => {
    if (text !== undefined) list[name] = text;
  };
  const limit = r ? milliOfQuota(r.cpuQuota ?? 0, r.cpuPeriod ?? 0) : 0;
  const request = r ? milliOfShares(r.cpuShares ?? 0) : 0;
  const asked = (list: Record<string, string> | undefined) => milliValue(quantity(list?.cpu));
  if (limit > MIN_MILLI_LIMIT || (limit > 0 && asked(own.limits) > MIN_MILLI_LIMIT)) now.limits.cpu = cpuText(limit);
  else if (limit === 0) set(now.limits, 'cpu', told?.limits?.cpu);
  if (request > MIN_SHARES || (request > 0 && asked(own.requests) > MIN_SHARES)) now.requests.cpu = cpuText(request);
  else if (request === 0) set(now.requests, 'cpu', told?.requests?.cpu);
  set(now.limits, 'memory', r?.memoryLimitInBytes ? memoryText(r.memoryLimitInBytes) : told?.limits?.memory);
  set(now.requests, 'memory', told?.requests?.memory);
  return given(own, now);
}

/** The resources that a pod has as a whole: those of its cgroup once it runs. */
function podResources(pod: Pod, phase: PodStatus['phase'], cgroup: PodCgroup | undefined): Resources {
  const requests = texts(podTotal(pod, 'requests'));
  if (phase !== 'Running' || cgroup === undefined) {
    const limits = texts(podTotal(pod, 'limits'));
    return {
      ...(Object.keys(limits).length > 0 ? { limits } : {}),
      ...(Object.keys(requests).length > 0 ? { requests } : {}),
    };
  }
  const own = pod.spec.resources;
  const limits = { ...own?.limits };
  const shown: Record<string, string> = { ...own?.requests };
  const milli = milliOfShares(cgroup.cpuShares);
  const asked = milliValue(quantity(own?.requests?.cpu));
  if (milli > MIN_SHARES || asked > MIN_SHARES)
    shown.cpu = sharesOf(asked) === cgroup.cpuShares ? cpuText(asked) : cpuText(milli);
  if (shown.memory === undefined && requests.memory !== undefined) shown.memory = requests.memory;
  const limit = milliOfQuota(cgroup.cpuQuota ?? 0, cgroup.cpuPeriod ?? 0);
  if (limit > MIN_MILLI_LIMIT || (limit > 0 && milliValue(quantity(limits.cpu)) > MIN_MILLI_LIMIT))
    limits.cpu = cpuText(limit);
  if (cgroup.memoryBytes) limits.memory = memoryText(cgroup.memoryBytes);
  return {
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(Object.keys(shown).length > 0 ? { requests: shown } : {}),
  };
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
    ) &&
    // What comes and goes is to go.
    (shown.conditions ?? []).every((o) => !PASSING_CONDITIONS.has(o.type) || conditions.some((c) => c.type === o.type))
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
    qosClass: old?.qosClass ?? qosOf(pod),
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
}

/** What a log that isn't there says of images that can't be had, instead of the reason. */
const LOG_TEXTS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

/** Why a container of a pod hasn't started, as a request for its log is told. */
export function waitingReason(pod: Pod, container: string): string {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const reason = all.find((s) => s.name === container)?.state.waiting?.reason ?? 'ContainerCreating';
  return LOG_TEXTS[reason] ?? reason;
}
