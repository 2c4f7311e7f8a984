import type { LinuxContainerResources } from '../runtime/messages.ts';
import type { Waits } from './backoff.ts';
import { containerHash } from './container.ts';
import {
  allContainers,
  type Container,
  type ContainerStatus,
  isInit,
  isSidecar,
  type Pod,
  restartPolicyOf,
} from './pod.ts';

/** What the runtime has of one container name of a pod: its newest instance, and how often it has been started. */
export interface ActualContainer {
  id: string;
  name: string;
  attempt: number;
  state: 'created' | 'running' | 'exited' | 'unknown';
  exitCode: number;
  /** Milliseconds since the epoch. */
  startedMs: number;
  finishedMs: number;
  reason: string;
  /** The runtime's own words, as for a command that couldn't be started. */
  message?: string;
  /** Of what it was made from (containerHash); absent in containers of others. */
  hash?: string | undefined;
  /** Where the runtime tells them. */
  resources?: LinuxContainerResources | undefined;
  user?: ContainerStatus['user'];
}
/** What the runtime has of one pod. */
export interface Actual {
  sandbox: { id: string; attempt: number; ready: boolean } | undefined;
  /** Of the newest sandbox. */
  containers: ReadonlyMap<string, ActualContainer>;
  /** Per name the run before the newest one, in whatever sandbox. */
  previous?: ReadonlyMap<string, ActualContainer>;
}
/** The newest run of that name, be it of a sandbox that is gone. */
export const latest = (actual: Actual, name: string): ActualContainer | undefined =>
  actual.containers.get(name) ?? actual.previous?.get(name);
/** A probe whose failure ends a container. */
export type Failed = 'startup' | 'liveness';

/** Verdicts of the probes, by container name; absent = not known yet. */
export interface Verdicts {
  /** Startup probe passed, or there is none. */
  started: ReadonlySet<string>;
  /** Which probe failed: to be killed and, as the policy says, started again. */
  dead: ReadonlyMap<string, Failed>;
}

export type Action =
  | { do: 'sandbox'; attempt: number; stop?: string }
  | {
      do: 'start';
      container: Container;
      attempt: number;
      init: boolean;
      /** Ended first: it may still run. */
      stop?: string;
      /** The run before, which the back-off counts from. */
      after?: ActualContainer;
    }
  | { do: 'kill'; id: string; name: string; why: Failed | undefined; message: string }
  /** All containers are taken away, those that asked for it last, and the pod begins anew in its sandbox. */
  | { do: 'reset'; order: readonly string[] }
  /** Limits of what runs are brought to what the node has allotted. */
  | { do: 'resize' }
  /** Everything of the pod: containers with grace, then the sandbox. */
  | { do: 'stop-pod'; graceSeconds: number }
  /** A start that has to wait: `untilMs` of the back-off. */
  | { do: 'wait'; name: string; untilMs: number };

/** What the first of a container's rules that matches an exit code says (KEP-5307); undefined when none does. */
function ruled(c: Container, exitCode: number): string | undefined {
  const rule = (c.restartPolicyRules ?? []).find(({ exitCodes: codes }) => {
    const listed = codes?.values?.includes(exitCode) ?? false;
    return codes !== undefined && listed === (codes.operator === 'In');
  });
  return rule?.action;
}
export const RESTART_ALL = 'RestartAllContainers';
/** True when a rule of the pod may have all of its containers started anew (KEP-5532). */
export const mayRestartAll = (pod: Pod): boolean =>
  allContainers(pod).some((c) => c.restartPolicyRules?.some((r) => r.action === RESTART_ALL));
const asksForAll = (c: Container, a: ActualContainer | undefined) =>
  a?.state === 'exited' && ruled(c, a.exitCode) === RESTART_ALL;

/** True while all containers of a pod are to be taken away: one has asked for it, or has before, and not all are gone. */
export function restartsAll(pod: Pod, actual: Actual): boolean {
  if (!mayRestartAll(pod) || isDeleted(pod)) return false;
  const there = allContainers(pod).some((c) => latest(actual, c.name) !== undefined);
  const begun = pod.status?.conditions?.some((c) => c.type === 'AllContainersRestarting' && c.status === 'True');
  return there && (begun || allContainers(pod).some((c) => asksForAll(c, actual.containers.get(c.name))));
}

/** True when a container that has ended with that code is to be started again: podutil.ContainerShouldRestart. */
export function restarts(pod: Pod, c: Container, exitCode: number): boolean {
  if (ruled(c, exitCode)?.startsWith('Restart')) return true;
  const policy = c.restartPolicy ?? restartPolicyOf(pod);
  // A plain init container never runs again once it has succeeded, whatever the policy.
  if (exitCode === 0 && isInit(pod, c) && !isSidecar(c)) return false;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** A container of the main list has been made in the newest sandbox: all init containers were through then. */
const mainStarted = (pod: Pod, actual: Actual) => pod.spec.containers.some((c) => actual.containers.has(c.name));

/** All init containers are through: plain ones have succeeded, sidecars have started. True for ever once main containers run. */
export function initialized(pod: Pod, actual: Actual, verdicts: Verdicts): boolean {
  return (
    mainStarted(pod, actual) ||
    (pod.spec.initContainers ?? []).every((c) => initDone(c, actual.containers.get(c.name), verdicts))
  );
}
function initDone(c: Container, a: ActualContainer | undefined, verdicts: Verdicts): boolean {
  if (isSidecar(c)) return a?.state === 'running' && (c.startupProbe === undefined || verdicts.started.has(c.name));
  return a?.state === 'exited' && a.exitCode === 0;
}

/** A pod is over when no container of it will run again, sidecars aside: Succeeded or Failed; undefined while it isn't. */
export function terminalPhase(pod: Pod, actual: Actual): 'Succeeded' | 'Failed' | undefined {
  for (const c of pod.spec.initContainers ?? []) {
    const a = actual.containers.get(c.name);
    if (isSidecar(c) || a?.state !== 'exited' || a.exitCode === 0) continue;
    if (!restarts(pod, c, a.exitCode)) return 'Failed';
  }
  let failed = false;
  for (const c of pod.spec.containers) {
    const a = latest(actual, c.name);
    if (a?.state !== 'exited' || restarts(pod, c, a.exitCode)) return undefined;
    failed ||= a.exitCode !== 0;
  }
  return failed ? 'Failed' : 'Succeeded';
}

/** What podActions knows beyond the pod, the runtime and its probes. */
export interface Circumstances {
  now: number;
  waits: Waits;
  /** The node has ended the pod (its deadline, a refusal, an eviction), within that time or the pod's own. */
  ended?: { graceSeconds?: number } | undefined;
  /** What a container that runs needs to get the resources that it is allotted. */
  resized?(c: Container): 'nothing' | 'update' | 'restart';
  /** The pod's own cgroup isn't as it is allotted. */
  podResized?: boolean;
}

/**
 * What is to be done for a pod now: kubelet's computePodActions as a table. Pure; called again after each change. Nothing is
 * started while something must be killed first, but what is killed; containers of the main list start together, init
 * containers one by one, ephemeral ones at any time.
 */
export function podActions(pod: Pod, actual: Actual, verdicts: Verdicts, o: Circumstances): Action[] {
  const anyAlive = [...actual.containers.values()].some((a) => a.state === 'running' || a.state === 'created');
  const over = isDeleted(pod) || o.ended || hasEnded(pod) || terminalPhase(pod, actual) !== undefined;
  // A pod that never restarts isn't begun anew when its sandbox is lost: what ran in it has failed.
  const lost =
    !actual.sandbox?.ready &&
    actual.sandbox !== undefined &&
    restartPolicyOf(pod) === 'Never' &&
    actual.containers.size + (actual.previous?.size ?? 0) > 0;
  if (over || lost) {
    const sandboxUp = actual.sandbox?.ready === true;
    return anyAlive || sandboxUp ? [{ do: 'stop-pod', graceSeconds: o.ended?.graceSeconds ?? graceOf(pod) }] : [];
  }
  if (!actual.sandbox?.ready) {
    // A sandbox that is gone takes its containers with it: the whole pod starts anew, init containers included.
    const attempt = actual.sandbox === undefined ? 0 : actual.sandbox.attempt + 1;
    return [{ do: 'sandbox', attempt, ...(actual.sandbox ? { stop: actual.sandbox.id } : {}) }];
  }
  if (restartsAll(pod, actual)) return [{ do: 'reset', order: resetOrder(pod, actual) }];
  const kills = allContainers(pod).flatMap((c) => kill(pod, c, actual, verdicts, o));
  if (kills.length > 0) return kills;
  const resized = o.podResized || allContainers(pod).some((c) => isRunning(actual, c) && o.resized?.(c) === 'update');
  return [
    ...(resized ? [{ do: 'resize' } as const] : []),
    ...ephemeralActions(pod, actual),
    ...initActions(pod, actual, verdicts, o),
    ...(initialized(pod, actual, verdicts) ? mainActions(pod, actual, o) : []),
  ];
}

function resetOrder(pod: Pod, actual: Actual): string[] {
  const both = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const asks = (c: Container) => asksForAll(c, actual.containers.get(c.name));
  return [...both.filter((c) => !asks(c)), ...both.filter(asks)].map((c) => c.name);
}

const isRunning = (actual: Actual, c: Container) => actual.containers.get(c.name)?.state === 'running';

export const isDeleted = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
export const hasEnded = (pod: Pod) => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';

/** The end of a container that runs and mustn't, and its next start where it comes back at once. */
function kill(pod: Pod, c: Container, actual: Actual, verdicts: Verdicts, o: Circumstances): Action[] {
  const a = actual.containers.get(c.name);
  if (a?.state !== 'running') return [];
  const init = isInit(pod, c);
  const what = init ? 'Init container' : 'Container';
  const why = verdicts.dead.get(c.name);
  const changed = a.hash !== undefined && a.hash !== containerHash(c) && (!init || isSidecar(c));
  const comesBack = changed || (c.restartPolicy ?? restartPolicyOf(pod)) !== 'Never';
  const end = (message: string): Action => ({ do: 'kill', id: a.id, name: c.name, why, message });
  const start: Action = { do: 'start', container: c, attempt: a.attempt + 1, init };
  if (!changed && why === undefined) {
    if (o.resized?.(c) !== 'restart') return [];
    return [end(`Container ${c.name} resize requires restart`), { do: 'resize' }, start];
  }
  const cause = changed ? 'definition changed' : `failed ${why} probe`;
  const kills = [end(`${what} ${c.name} ${cause}${comesBack && !init ? ', will be restarted' : ''}`)];
  // What it waits for is the run before; the one that ends now is for the next time.
  const before = actual.previous?.get(c.name);
  const waits = before?.state === 'exited' && before.finishedMs + o.waits.waitMs(c, before) > o.now;
  return comesBack && !waits ? [...kills, before?.state === 'exited' ? { ...start, after: before } : start] : kills;
}

/** Ephemeral containers are started once, whatever becomes of them. */
function ephemeralActions(pod: Pod, actual: Actual): Action[] {
  return (pod.spec.ephemeralContainers ?? []).flatMap((c): Action[] => {
    const a = latest(actual, c.name);
    return a === undefined ? [{ do: 'start', container: c, attempt: 0, init: false }] : [];
  });
}

function initActions(pod: Pod, actual: Actual, verdicts: Verdicts, o: Circumstances): Action[] {
  const actions: Action[] = [];
  const begun = mainStarted(pod, actual);
  let before = true; // everything earlier in the list is through
  for (const c of pod.spec.initContainers ?? []) {
    const a = actual.containers.get(c.name);
    const wanted = isSidecar(c) || (!begun && !initDone(c, a, verdicts));
    // A sidecar that has ended is started again even after its turn; anything else only in its turn.
    if (wanted && a?.state !== 'running' && (before || begun || (isSidecar(c) && a !== undefined))) {
      const again = a === undefined || a.state !== 'exited' || restarts(pod, c, a.exitCode);
      if (again) actions.push(startOrWait(c, a, actual, true, o));
    }
    before &&= initDone(c, a, verdicts);
  }
  return actions;
}

function mainActions(pod: Pod, actual: Actual, o: Circumstances): Action[] {
  return pod.spec.containers.flatMap((c): Action[] => {
    const a = latest(actual, c.name);
    // A run of a lost sandbox counts as ended, however it looked last.
    const here = actual.containers.has(c.name);
    if (a === undefined || (here && (a.state === 'created' || a.state === 'unknown')))
      return [startOrWait(c, a, actual, false, o)];
    if (here && a.state === 'running') return [];
    return a.state !== 'exited' || restarts(pod, c, a.exitCode) ? [startOrWait(c, a, actual, false, o)] : [];
  });
}

function startOrWait(
  container: Container,
  a: ActualContainer | undefined,
  actual: Actual,
  init: boolean,
  o: Circumstances,
): Action {
  // Only what has run and ended waits; what was made and never started (the agent ended between the two) doesn't.
  const untilMs = a?.state === 'exited' ? a.finishedMs + o.waits.waitMs(container, a) : 0;
  if (untilMs > o.now) return { do: 'wait', name: container.name, untilMs };
  const before = latest(actual, container.name);
  const attempt = before === undefined ? 0 : before.attempt + 1;
  const stop = a?.state === 'unknown' || a?.state === 'created' ? { stop: a.id } : {};
  return { do: 'start', container, attempt, init, ...stop, ...(a?.state === 'exited' ? { after: a } : {}) };
}

/** Seconds that containers get between the stop signal and SIGKILL: setTerminationGracePeriod. */
export function graceOf(pod: Pod, c?: Container, why?: Failed): number {
  const probe = why === 'startup' ? c?.startupProbe : why === 'liveness' ? c?.livenessProbe : undefined;
  return (
    pod.metadata.deletionGracePeriodSeconds ??
    probe?.terminationGracePeriodSeconds ??
    pod.spec.terminationGracePeriodSeconds ??
    30
  );
}

/** How a pod ends that was active for longer than it may be. */
export const DEADLINE = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
} as const;

/** When the pod's activeDeadlineSeconds are over, in milliseconds since the epoch; undefined when there is none or it hasn't started. */
export function deadlineOf(pod: Pod): number | undefined {
  if (pod.spec.activeDeadlineSeconds === undefined || pod.status?.startTime === undefined) return undefined;
  return Date.parse(pod.status.startTime) + pod.spec.activeDeadlineSeconds * 1000;
}
