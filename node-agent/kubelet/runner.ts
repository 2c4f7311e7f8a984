import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Action, graceOf } from './actions.ts';
import type { PodActual } from './actual.ts';
import { actuate } from './actuate.ts';
import { RestartBackoff } from './backoff.ts';
import { podCgroupPath } from './cgroups.ts';
import { logDirectory } from './container.ts';
import { ConfigError, type Downward, type References } from './env.ts';
import type { WorkerParts } from './parts.ts';
import { allContainers, type Container, namedContainers, type Pod, statusOf } from './pod.ts';
import type { PodResizes } from './resize.ts';
import { podCgroup } from './resources.ts';
import { sandboxConfig } from './sandbox.ts';
import { HookError, Interrupted, startContainer } from './start.ts';
import { creatingReason } from './status.ts';
import { Grace, type Stopping, stopContainer, stopContainers } from './stop.ts';
import type { PodVolumes } from './volumes/podvolumes.ts';

/** A sandbox that couldn't be made is tried again after this. */
const RETRY_MS = 2_000;
/** A container that couldn't be started is tried again; half of kubelet's backOffPeriod, as syncs of other causes come between there. */
const START_RETRY_MS = 5_000;
/** A resize that couldn't be carried out is tried again: kubelet's backOffPeriod. */
const RESIZE_RETRY_MS = 10_000;
/** The sandbox and the resize among the names of containers. */
const SANDBOX = '';
const RESIZE = '/';

/** What a runner knows of the pod that it works for. */
export interface Owner {
  /** As it was granted. */
  pod(): Pod;
  readonly refs: References;
  readonly volumes: PodVolumes;
  readonly resizes: PodResizes;
  event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
  /** The pod is to be looked at again after `ms`. */
  later(ms: number): void;
}

/** Carries out what podActions says, for one pod, one action at a time. */
export class PodRunner {
  readonly #o: Owner;
  readonly #parts: WorkerParts;
  readonly backoff = new RestartBackoff();
  /** By container name: why it isn't there yet. */
  readonly waiting = new Map<string, { reason: string; message?: string }>();
  /** By container name: when what failed may be tried again. */
  readonly #tryAfter = new Map<string, number>();
  #ending = new AbortController();
  #grace: Grace | undefined;

  constructor(o: Owner, parts: WorkerParts) {
    this.#o = o;
    this.#parts = parts;
  }

  /** Nothing has failed that is to be tried again. */
  get clear(): boolean {
    return this.#tryAfter.size === 0;
  }

  /** The pod is to end: what takes long is given up, what ends already has no more than `graceSeconds`. */
  end(graceSeconds: number): void {
    this.#ending.abort();
    this.#grace?.shorten(graceSeconds);
  }

  /** True for what couldn't be done a moment ago, whatever has woken the worker: our own status comes back as a change too. */
  tooSoon(a: Action): boolean {
    const name =
      a.do === 'start' ? a.container.name : a.do === 'sandbox' ? SANDBOX : a.do === 'resize' ? RESIZE : undefined;
    if (name === undefined) return false;
    const left = (this.#tryAfter.get(name) ?? 0) - this.#parts.env.now();
    if (left <= 0) return false;
    this.#o.later(left);
    return true;
  }

  /** Makes the pod's volumes; false while one isn't there: nothing is started before, and its containers stay in creation. */
  async mount(actual: PodActual): Promise<boolean> {
    const again = await this.#o.volumes.setUp(this.#o.pod(), this.downward(actual));
    if (again === null) return true;
    this.#showCreating((c) => !actual.containers.has(c.name));
    this.#o.later(again - this.#parts.env.now());
    return false;
  }

  async apply(action: Action, actual: PodActual): Promise<void> {
    switch (action.do) {
      case 'wait':
        return;
      case 'sandbox':
        return this.#startSandbox(action.attempt, action.stop);
      case 'start':
        if (this.#ending.signal.aborted) return;
        if (action.stop !== undefined) await this.#parts.runtime.stopContainer(action.stop, 0);
        return this.#start(action, actual);
      case 'kill': {
        const a = actual.containers.get(action.name);
        const c = allContainers(this.#o.pod()).find((x) => x.name === action.name);
        if (a) await this.#stop(a, graceOf(this.#o.pod(), c, action.why), actual, action.message);
        return;
      }
      case 'resize':
        return this.#resize(actual);
      case 'reset':
        return this.#reset(action.order, actual);
      case 'stop-pod':
        return this.#stopPod(actual, action.graceSeconds);
    }
  }

  #stopping(actual: PodActual): Stopping {
    const { runtime, env } = this.#parts;
    const event = this.#o.event.bind(this.#o);
    return { runtime, env, podIP: this.downward(actual).podIPs[0] ?? '', event };
  }

  async #stop(
    a: { id: string; name: string },
    graceSeconds: number,
    actual: PodActual,
    message: string,
  ): Promise<void> {
    this.#grace = new Grace(this.#parts.env, graceSeconds);
    await stopContainer(this.#o.pod(), a, this.#grace, this.#stopping(actual), { message });
    this.#grace = undefined;
  }

  async #stopPod(actual: PodActual, graceSeconds: number): Promise<void> {
    const running = [...actual.containers.values()].filter((a) => a.state === 'running' || a.state === 'created');
    this.#grace = new Grace(this.#parts.env, graceSeconds);
    await stopContainers(this.#o.pod(), running, this.#grace, this.#stopping(actual));
    this.#grace = undefined;
    if (actual.sandbox) await this.#parts.runtime.stopPodSandbox(actual.sandbox.id);
  }

  /** All runs of these containers are taken away; their logs stay. */
  async #reset(order: readonly string[], actual: PodActual): Promise<void> {
    for (const name of order) {
      const a = actual.containers.get(name);
      if (a?.state === 'running' || a?.state === 'created') await this.#stop(a, 0, actual, 'killing');
      for (const run of [a, actual.previous.get(name)]) if (run) await this.#parts.runtime.removeContainer(run.id);
      this.waiting.delete(name);
    }
  }

  /** The pod's cgroup, there and with its limits. */
  async #cgroup(pod: Pod): Promise<void> {
    const { cgroups, node } = this.#parts;
    const limits = podCgroup(pod);
    const made = await cgroups.ensure(podCgroupPath(node.cgroupParent, pod), limits).catch((error: unknown) => {
      this.#o.event('Warning', 'FailedCreatePodContainer', `unable to ensure pod container exists: ${String(error)}`);
      throw error;
    });
    if (made || this.#o.resizes.cgroup === undefined) await this.#o.resizes.setCgroup(limits);
  }

  async #startSandbox(attempt: number, old: string | undefined): Promise<void> {
    const { runtime, node, env, runtimeHandler } = this.#parts;
    const pod = this.#o.pod();
    if (old !== undefined) {
      await runtime.stopPodSandbox(old);
      this.#o.event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
    }
    await mkdir(logDirectory(node.logRoot, pod), { recursive: true, mode: 0o755 });
    await this.#cgroup(pod);
    try {
      const handler = await runtimeHandler(pod.spec.runtimeClassName ?? '');
      const config = sandboxConfig(pod, attempt, node, (reason, text) => this.#o.event('Warning', reason, text));
      await runtime.runPodSandbox(config, handler);
      env.log('debug', 'sandbox.started', { pod: pod.metadata.name });
      this.waiting.clear();
      this.#tryAfter.delete(SANDBOX);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#o.event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
      env.log('warn', 'sandbox.failed', { pod: pod.metadata.name, message });
      this.#showCreating(() => true);
      this.#again(SANDBOX, RETRY_MS);
    }
  }

  async #start(a: Extract<Action, { do: 'start' }>, actual: PodActual): Promise<void> {
    const pod = this.#o.pod();
    const { container: c } = a;
    if (!actual.sandbox) return;
    const { runtime, images, imageMounts, node, root, env, machine, mounter, recursiveReadOnly } = this.#parts;
    const sandbox = { id: actual.sandbox.id, config: sandboxConfig(pod, actual.sandbox.attempt, node) };
    this.backoff.started(c, a.after, env.now());
    try {
      await startContainer(pod, c, Math.max(a.attempt, await this.#runsOf(pod, c, a.attempt)), {
        ...{ runtime, images, imageMounts, node, root, env, machine, mounter, recursiveReadOnly },
        ...{ sandbox, podIPs: actual.podIPs, refs: this.#o.refs },
        services: this.#parts.services,
        down: this.downward(actual),
        volumes: this.#o.volumes,
        target: target(pod, c, actual),
        event: this.#o.event.bind(this.#o),
        made: () => this.#o.resizes.setActuated(pod, c),
        signal: this.#ending.signal,
      });
      this.waiting.delete(c.name);
      this.#tryAfter.delete(c.name);
    } catch (error) {
      if (error instanceof Interrupted) return;
      const reason = error instanceof ConfigError ? error.reason : 'RunContainerError';
      const message = error instanceof Error ? error.message : String(error);
      this.waiting.set(c.name, { reason, message });
      this.#again(c.name, START_RETRY_MS);
      if (error instanceof HookError)
        await this.#stop({ id: error.id, name: c.name }, graceOf(pod), actual, 'FailedPostStartHook');
    }
  }

  /** How often a container has been started that the runtime knows nothing of (any more): its logs tell. */
  async #runsOf(pod: Pod, c: Container, attempt: number): Promise<number> {
    if (attempt > 0) return attempt;
    const files = await readdir(join(logDirectory(this.#parts.node.logRoot, pod), c.name)).catch(() => []);
    const runs = files.flatMap((f) => /^(\d+)\.log(\..*)?$/.exec(f)?.[1] ?? []).map(Number);
    return Math.max(Math.max(-1, ...runs) + 1, statusOf(pod, c.name)?.restartCount ?? 0);
  }

  async #resize(actual: PodActual): Promise<void> {
    const { runtime, cgroups, machine, node, env } = this.#parts;
    const pod = this.#o.pod();
    const { resizes } = this.#o;
    try {
      await actuate(pod, actual, { runtime, cgroups, machine, resizes, path: podCgroupPath(node.cgroupParent, pod) });
      this.#tryAfter.delete(RESIZE);
    } catch (error) {
      resizes.failed(pod, error instanceof Error ? error.message : String(error), env.now());
      this.#again(RESIZE, RESIZE_RETRY_MS);
    }
  }

  #again(name: string, ms: number): void {
    this.#tryAfter.set(name, this.#parts.env.now() + ms);
    this.#o.later(ms);
  }

  /** Shown as any container that isn't there yet. */
  #showCreating(which: (c: Container) => boolean): void {
    const pod = this.#o.pod();
    for (const c of namedContainers(pod).filter(which)) this.waiting.set(c.name, { reason: creatingReason(pod) });
  }

  downward(actual: PodActual): Downward {
    const { hostIPs, allocatable } = this.#parts;
    return { podIPs: this.#o.pod().spec.hostNetwork ? hostIPs : actual.podIPs, hostIPs, allocatable };
  }
}

/** The id of the container that an ephemeral one looks at. */
function target(pod: Pod, c: Container, actual: PodActual): string | undefined {
  const name = pod.spec.ephemeralContainers?.find((e) => e.name === c.name)?.targetContainerName;
  return name ? (actual.containers.get(name)?.id ?? '') : undefined;
}
