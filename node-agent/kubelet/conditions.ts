import { formatTime } from '../../kube/meta/time.ts';
import { type Actual, mayRestartAll, restartsAll } from './actions.ts';
import { type Condition, type ContainerStatus, isSidecar, type Pod, type PodStatus } from './pod.ts';

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

/** Condition types that the kubelet writes; all others are of others. */
export const OWN_CONDITIONS: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
]);
/** Those of them that are there only while they are true. */
export const PASSING_CONDITIONS: ReadonlySet<string> = new Set(['PodResizePending', 'PodResizeInProgress']);

/** Also by its reason: controllers write DisruptionTarget as well. */
export const isOwn = (c: Condition) => OWN_CONDITIONS.has(c.type) || c.reason === 'TerminationByKubelet';

const YES: Verdict = { status: 'True' };
const list = (names: readonly string[]) => `[${names.join(' ')}]`;

/** kubelet's conditions of a pod, in upstream's order and words: pkg/kubelet/status/generate.go. */
export function podConditions(
  pod: Pod,
  actual: Actual,
  phase: PodStatus['phase'],
  statuses: {
    init: readonly ContainerStatus[];
    main: readonly ContainerStatus[];
    resizes?: readonly Condition[];
  },
  now: number,
  ended?: { message: string; disrupted?: boolean },
): Condition[] {
  const old = pod.status?.conditions ?? [];
  const containers = containersReady(pod, phase, statuses);
  const own: (Verdict & { type: string })[] = [
    { type: 'PodReadyToStartContainers', ...sandboxReady(actual) },
    { type: 'Initialized', ...initialized(pod, phase, statuses, old) },
    { type: 'Ready', ...(containers.status === 'True' ? gates(pod, old) : containers) },
    { type: 'ContainersReady', ...containers },
    { type: 'PodScheduled', ...YES },
    ...(mayRestartAll(pod) ? [{ type: 'AllContainersRestarting', ...restartingAll(pod, actual, phase) }] : []),
  ];
  if (ended?.disrupted)
    own.push({ type: 'DisruptionTarget', ...YES, reason: 'TerminationByKubelet', message: ended.message });
  const fresh = own.map((c): Condition => {
    const before = old.find((o) => o.type === c.type);
    const since = before?.status === c.status ? before.lastTransitionTime : undefined;
    const observed = pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {};
    return { ...c, lastProbeTime: null, lastTransitionTime: since ?? formatTime(now), ...observed };
  });
  const kept = old.filter((o) => !PASSING_CONDITIONS.has(o.type) && !own.some((c) => c.type === o.type));
  return [...kept, ...(statuses.resizes ?? []), ...fresh];
}

function restartingAll(pod: Pod, actual: Actual, phase: PodStatus['phase']): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  if (!restartsAll(pod, actual)) return { status: 'False' };
  const message = 'container exited with restart policy rule';
  return { status: 'True', reason: 'RestartAllContainersStarted', message };
}

function sandboxReady(actual: Actual): Verdict {
  if (actual.sandbox?.ready) return YES;
  const message = actual.sandbox ? 'pod sandbox is not ready' : 'no pod sandbox exists';
  return { status: 'False', reason: 'PodSandboxNotReady', message };
}

function initialized(
  pod: Pod,
  phase: PodStatus['phase'],
  statuses: { init: readonly ContainerStatus[]; main: readonly ContainerStatus[] },
  old: readonly Condition[],
): Verdict {
  if (phase === 'Succeeded') return { ...YES, reason: 'PodCompleted' };
  const begun = statuses.main.some((s) => s.state.running || s.state.terminated || s.lastState.terminated);
  // A pod that was initialized once stays so, whatever its sidecars do.
  if (begun || old.some((c) => c.type === 'Initialized' && c.status === 'True')) return YES;
  const incomplete = (pod.spec.initContainers ?? []).filter((c) => {
    const s = statuses.init.find((x) => x.name === c.name);
    return !(isSidecar(c) ? s?.started : s?.ready);
  });
  if (incomplete.length === 0) return YES;
  const message = `containers with incomplete status: ${list(incomplete.map((c) => c.name))}`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function containersReady(
  pod: Pod,
  phase: PodStatus['phase'],
  statuses: { init: readonly ContainerStatus[]; main: readonly ContainerStatus[] },
): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const counted = [...statuses.init.filter((s) => sidecars.includes(s.name)), ...statuses.main];
  const unready = counted.filter((s) => !s.ready).map((s) => s.name);
  if (unready.length === 0) return YES;
  const message = `containers with unready status: ${list(unready)}`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

function gates(pod: Pod, old: readonly Condition[]): Verdict {
  const closed = (pod.spec.readinessGates ?? []).flatMap(({ conditionType: type }) => {
    const c = old.find((x) => x.type === type);
    if (c === undefined) return [`corresponding condition of pod readiness gate "${type}" does not exist.`];
    return c.status === 'True' ? [] : [`the status of pod readiness gate "${type}" is not "True", but ${c.status}`];
  });
  return closed.length === 0 ? YES : { status: 'False', reason: 'ReadinessGatesNotReady', message: closed.join(', ') };
}

/** Our status, with conditions that others own as the API has them. */
export function merged(own: PodStatus, api: PodStatus | undefined): PodStatus {
  return {
    ...own,
    conditions: [
      ...(own.conditions ?? []).filter((c) => OWN_CONDITIONS.has(c.type)),
      ...(api?.conditions ?? []).filter((c) => !OWN_CONDITIONS.has(c.type)),
    ],
  };
}
