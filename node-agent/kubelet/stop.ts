import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ActualContainer } from './actions.ts';
import { runHook } from './hook.ts';
import { allContainers, isInit, isSidecar, type Pod } from './pod.ts';

/** Every container gets at least this between the stop signal and SIGKILL: kuberuntime's minimumGracePeriodInSeconds. */
const MIN_GRACE_SECONDS = 2;

/** Time that containers have left to end. It may get shorter while they do, never longer. */
export class Grace {
  readonly #env: Env;
  readonly #beginMs: number;
  #seconds: number;
  readonly #listeners = new Set<() => void>();

  constructor(env: Env, seconds: number) {
    this.#env = env;
    this.#beginMs = env.now();
    this.#seconds = seconds;
  }

  /** Whole seconds that are left, of those that there were at the beginning. */
  get left(): number {
    return this.#seconds - Math.floor((this.#env.now() - this.#beginMs) / 1000);
  }
  /** There are to be no more than `seconds` from now on. */
  shorten(seconds: number): void {
    if (seconds >= this.left) return;
    this.#seconds -= this.left - seconds;
    for (const tell of [...this.#listeners]) tell();
  }
  /** Calls `f` each time it got shorter; the result ends that. */
  onShorter(f: () => void): () => void {
    this.#listeners.add(f);
    return () => this.#listeners.delete(f);
  }
  /** Resolves when `work` has ended or the time has. */
  async within(work: Promise<unknown>): Promise<void> {
    let over = false;
    const ended = work.then(
      () => (over = true),
      () => (over = true),
    );
    while (!over && this.left > 0) {
      let off: () => void = () => undefined;
      const shorter = new Promise<void>((r) => (off = this.onShorter(r)));
      await Promise.race([ended, sleep(this.#env, this.left * 1000), shorter]);
      off();
    }
  }
}

export interface Stopping {
  runtime: Runtime;
  env: Env;
  podIP: string;
  event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
}

/** Ends one container: preStop hook, then `turn`, then the stop signal; all of it within `grace`, two seconds at least. */
export async function stopContainer(
  pod: Pod,
  a: Pick<ActualContainer, 'id' | 'name'>,
  grace: Grace,
  s: Stopping,
  o: { message: string; turn?: Promise<unknown> },
): Promise<void> {
  const { env, runtime } = s;
  const c = allContainers(pod).find((x) => x.name === a.name);
  s.event('Normal', 'Killing', o.message, a.name);
  const hook = c?.lifecycle?.preStop;
  if (c && hook && grace.left > 0) {
    const ended = runHook(hook, pod, c, a.id, s.podIP, runtime, env).then((why) => {
      if (why !== '') s.event('Warning', 'FailedPreStopHook', 'PreStopHook failed', a.name);
    });
    await grace.within(ended);
  }
  if (o.turn && grace.left > 0) await grace.within(o.turn);
  // The runtime takes another, shorter time while it waits: SIGKILL comes at the first that is over.
  const stop = () => runtime.stopContainer(a.id, Math.max(MIN_GRACE_SECONDS, grace.left));
  const sooner: Promise<void>[] = [];
  const off = grace.onShorter(() => sooner.push(stop().catch(() => undefined)));
  try {
    await stop();
  } finally {
    off();
  }
  await Promise.all(sooner);
}

/** Ends all that runs of a pod: main containers at once, then its sidecars, the last one first. */
export async function stopContainers(
  pod: Pod,
  running: readonly ActualContainer[],
  grace: Grace,
  s: Stopping,
): Promise<void> {
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const isLate = (a: ActualContainer) =>
    sidecars.includes(a.name) && allContainers(pod).some((c) => c.name === a.name && isInit(pod, c));
  const late = running.filter(isLate).sort((a, b) => sidecars.indexOf(b.name) - sidecars.indexOf(a.name));
  const ends: Promise<void>[] = [];
  const stop = (a: ActualContainer) => {
    const before = Promise.allSettled([...ends]);
    return stopContainer(pod, a, grace, s, {
      message: `Stopping container ${a.name}`,
      ...(isLate(a) ? { turn: before } : {}),
    });
  };
  for (const a of running.filter((x) => !isLate(x))) ends.push(stop(a));
  for (const a of late) ends.push(stop(a));
  await Promise.all(ends);
}
