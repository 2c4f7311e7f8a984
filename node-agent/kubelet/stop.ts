import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ActualContainer } from './actions.ts';
import { allContainers, isInit, isSidecar, type Pod } from './pod.ts';
import { runHandler } from './probe.ts';

/** Every container gets at least this between the stop signal and SIGKILL: kuberuntime's minimumGracePeriodInSeconds. */
const MIN_GRACE_SECONDS = 2;

export interface Stopping {
  runtime: Runtime;
  env: Env;
  podIP: string;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Ends one container: preStop hook, then `turn`, then the stop signal; all of it within `graceSeconds`, two at least. */
export async function stopContainer(
  pod: Pod,
  a: Pick<ActualContainer, 'id' | 'name'>,
  graceSeconds: number,
  s: Stopping,
  o: { message: string; hook?: boolean; turn?: Promise<unknown> },
): Promise<void> {
  const { env, runtime } = s;
  const c = allContainers(pod).find((x) => x.name === a.name);
  const begin = env.now();
  const left = () => graceSeconds - Math.floor((env.now() - begin) / 1000);
  const within = (work: Promise<unknown>) => Promise.race([work, sleep(env, left() * 1000)]);
  s.event('Normal', 'Killing', o.message);
  const hook = o.hook === false ? undefined : c?.lifecycle?.preStop;
  if (c && hook && graceSeconds > 0) {
    const ended = runHandler(hook, c, a.id, s.podIP, 0, runtime, env).then((r) => {
      if (!r.ok) s.event('Warning', 'FailedPreStopHook', 'PreStopHook failed');
    });
    await within(ended);
  }
  if (o.turn && left() > 0) await within(o.turn);
  await runtime.stopContainer(a.id, Math.max(MIN_GRACE_SECONDS, left()));
}

/** Ends all that runs of a pod: main containers at once, then its sidecars, the last one first. */
export async function stopContainers(
  pod: Pod,
  running: readonly ActualContainer[],
  graceSeconds: number,
  s: Stopping,
): Promise<void> {
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const isLate = (a: ActualContainer) =>
    sidecars.includes(a.name) && allContainers(pod).some((c) => c.name === a.name && isInit(pod, c));
  const late = running.filter(isLate).sort((a, b) => sidecars.indexOf(b.name) - sidecars.indexOf(a.name));
  const ends: Promise<void>[] = [];
  const stop = (a: ActualContainer) => {
    const before = Promise.allSettled([...ends]);
    return stopContainer(pod, a, graceSeconds, s, {
      message: `Stopping container ${a.name}`,
      ...(isLate(a) ? { turn: before } : {}),
    });
  };
  for (const a of running.filter((x) => !isLate(x))) ends.push(stop(a));
  for (const a of late) ends.push(stop(a));
  await Promise.all(ends);
}
