import { allContainers, type Container, isSidecar, type Pod, restartPolicyOf } from './pod.ts';

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
}
/** What the runtime has of one pod. */
export interface Actual {
  sandbox: { id: string; attempt: number; ready: boolean } | undefined;
  containers: ReadonlyMap<string, ActualContainer>;
}
/** Verdicts of the probes, by container name; absent = not known yet. */
export interface Verdicts {
  /** Startup probe passed, or there is none. */
  started: ReadonlySet<string>;
  /** Liveness or startup failed: to be killed and, as the policy says, started again. */
  dead: ReadonlyMap<string, string>;
}
export const NO_VERDICTS: Verdicts = { started: new Set(), dead: new Map() };

export type Action =
  | { do: 'sandbox'; attempt: number; stop?: string }
  | { do: 'start'; container: Container; attempt: number; init: boolean }
  | { do: 'kill'; id: string; name: string; why: string }
  /** Everything of the pod: containers with grace, then the sandbox. */
  | { do: 'stop-pod'; graceSeconds: number }
  /** A start that has to wait: `untilMs` of the back-off. */
  | { do: 'wait'; name: string; untilMs: number };

/** Back-off of restarts: kubelet's 10 s doubling up to 5 min, forgotten after 10 min of running. */
export const BACKOFF_MS = 10_000;
export const BACKOFF_MS_MAX = 300_000;
const BACKOFF_RESET_MS = 600_000;

/** When a container that has exited may be started again, in milliseconds since the epoch. The first restart is at once. */
export function restartAt(c: ActualContainer): number {
  if (c.attempt === 0 || c.finishedMs - c.startedMs > BACKOFF_RESET_MS) return c.finishedMs;
  return c.finishedMs + Math.min(BACKOFF_MS * 2 ** (c.attempt - 1), BACKOFF_MS_MAX);
}

/** True when a container that has ended with that code is to be started again. */
export function restarts(pod: Pod, c: Container, exitCode: number): boolean {
  if (isSidecar(c)) return true;
  const policy = restartPolicyOf(pod);
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** An init container never runs again once it has succeeded, whatever the policy. */
function initRestarts(pod: Pod, exitCode: number): boolean {
  return exitCode !== 0 && restartPolicyOf(pod) !== 'Never';
}

/** All init containers are through: plain ones have succeeded, sidecars have started. */
export function initialized(pod: Pod, actual: Actual, verdicts: Verdicts): boolean {
  return (pod.spec.initContainers ?? []).every((c) => initDone(c, actual.containers.get(c.name), verdicts));
}
function initDone(c: Container, a: ActualContainer | undefined, verdicts: Verdicts): boolean {
  if (isSidecar(c)) return a?.state === 'running' && (c.startupProbe === undefined || verdicts.started.has(c.name));
  return a?.state === 'exited' && a.exitCode === 0;
}

/** A pod is over when no container runs or will run again: Succeeded or Failed; undefined while it isn't. */
export function terminalPhase(pod: Pod, actual: Actual): 'Succeeded' | 'Failed' | undefined {
  if (restartPolicyOf(pod) === 'Always') return undefined;
  for (const c of pod.spec.initContainers ?? []) {
    const a = actual.containers.get(c.name);
    if (!isSidecar(c) && a?.state === 'exited' && a.exitCode !== 0 && restartPolicyOf(pod) === 'Never') return 'Failed';
  }
  const ended = pod.spec.containers.map((c) => actual.containers.get(c.name));
  if (!ended.every((a) => a?.state === 'exited')) return undefined;
  if (ended.every((a) => a?.exitCode === 0)) return 'Succeeded';
  return restartPolicyOf(pod) === 'Never' ? 'Failed' : undefined;
}

/**
 * What is to be done for a pod now: kubelet's computePodActions as a table. Pure; called again after each change. Nothing is
 * started while something must be killed first; containers of the main list start together, init containers one by one.
 */
export function podActions(pod: Pod, actual: Actual, verdicts: Verdicts, now: number): Action[] {
  const anyAlive = [...actual.containers.values()].some((a) => a.state === 'running' || a.state === 'created');
  const end = terminalPhase(pod, actual);
  if (
    pod.metadata.deletionTimestamp !== undefined ||
    end !== undefined ||
    pod.status?.phase === 'Failed' ||
    pod.status?.phase === 'Succeeded'
  ) {
    const sandboxUp = actual.sandbox?.ready === true;
    return anyAlive || sandboxUp ? [{ do: 'stop-pod', graceSeconds: graceOf(pod) }] : [];
  }
  if (!actual.sandbox?.ready) {
    // A sandbox that is gone takes its containers with it: the whole pod starts anew, init containers included.
    const attempt = actual.sandbox === undefined ? 0 : actual.sandbox.attempt + 1;
    return [{ do: 'sandbox', attempt, ...(actual.sandbox ? { stop: actual.sandbox.id } : {}) }];
  }
  const kills = allContainers(pod).flatMap((c): Action[] => {
    const a = actual.containers.get(c.name);
    const why = verdicts.dead.get(c.name);
    return a?.state === 'running' && why !== undefined ? [{ do: 'kill', id: a.id, name: c.name, why }] : [];
  });
  if (kills.length > 0) return kills;
  return [
    ...initActions(pod, actual, verdicts, now),
    ...(initialized(pod, actual, verdicts) ? mainActions(pod, actual, now) : []),
  ];
}

function initActions(pod: Pod, actual: Actual, verdicts: Verdicts, now: number): Action[] {
  const actions: Action[] = [];
  let before = true; // everything earlier in the list is through
  for (const c of pod.spec.initContainers ?? []) {
    const a = actual.containers.get(c.name);
    const wanted = isSidecar(c) || !initDone(c, a, verdicts);
    const idle = a === undefined || a.state === 'exited' || a.state === 'unknown';
    // A sidecar that has ended is started again even after its turn; anything else only in its turn.
    if (wanted && idle && (before || (isSidecar(c) && a !== undefined))) {
      if (a === undefined || isSidecar(c) || initRestarts(pod, a.exitCode)) actions.push(startOrWait(c, a, true, now));
    }
    before &&= initDone(c, a, verdicts);
  }
  return actions;
}

function mainActions(pod: Pod, actual: Actual, now: number): Action[] {
  return pod.spec.containers.flatMap((c): Action[] => {
    const a = actual.containers.get(c.name);
    if (a === undefined) return [startOrWait(c, a, false, now)];
    const idle = a.state === 'exited' || a.state === 'unknown';
    return idle && restarts(pod, c, a.exitCode) ? [startOrWait(c, a, false, now)] : [];
  });
}

function startOrWait(container: Container, a: ActualContainer | undefined, init: boolean, now: number): Action {
  const at = a === undefined ? 0 : restartAt(a);
  if (at > now) return { do: 'wait', name: container.name, untilMs: at };
  return { do: 'start', container, attempt: a === undefined ? 0 : a.attempt + 1, init };
}

/** Seconds that containers get between the stop signal and SIGKILL. */
export function graceOf(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}
