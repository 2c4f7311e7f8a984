import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Env } from '../../kube/meta/env.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Action, graceOf, podActions, type Verdicts } from './actions.ts';
import { actualOf, type PodActual, type Relist } from './actual.ts';
import { containerConfig, logDirectory, type NodeFacts, sandboxConfig } from './container.ts';
import { ConfigError, type Downward, environment, type References } from './env.ts';
import type { ImagePuller } from './images.ts';
import { lastLines } from './logs.ts';
import { containerMounts, messageFile } from './mounts.ts';
import { allContainers, type Container, type Pod, type PodStatus, uidOf } from './pod.ts';
import { runHandler } from './probe.ts';
import { Prober } from './prober.ts';
import { podStatus, sameStatus } from './status.ts';
import { type TokenSource, tearDownVolumes } from './volumes.ts';

/** What every worker shares. */
export interface WorkerParts {
  runtime: Runtime;
  images: ImagePuller;
  refs: References;
  token: TokenSource;
  node: NodeFacts;
  /** State of pods: volumes, hosts files, termination messages. */
  root: string;
  hostIPs: readonly string[];
  allocatable: Readonly<Record<string, string>>;
  /** Environment of services that a pod's namespace sees. */
  services(namespace: string): readonly { key: string; value: string }[];
  relist(): Promise<Relist>;
  /** Sends a status to the API; resolves when it was taken or has become moot. */
  report(pod: Pod, status: PodStatus): Promise<void>;
  /** Removes the pod's object: everything of it has ended here. */
  removeObject(pod: Pod): Promise<void>;
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void;
  env: Env;
}

/** A termination message is cut to this: kubelet's MaxContainerTerminationMessageLength. */
const MESSAGE_BYTES = 4096;
const MESSAGE_LOG_BYTES = 2048;
const MESSAGE_LOG_LINES = 80;
/** After an error that isn't the container's own, look again after this. */
const RETRY_MS = 2_000;

/** One pod on this node: a serial loop of observe, plan, apply. Anything that changed calls `wake`. */
export class PodWorker {
  pod: Pod;
  readonly #parts: WorkerParts;
  readonly #prober: Prober;
  #known = new Map();
  #waiting = new Map<string, { reason: string; message?: string }>();
  #messages = new Map<string, string>();
  #volumes = new Map<string, string>();
  #running: Promise<void> | undefined;
  #again = false;
  #timer: (() => void) | undefined;
  #stopped = false;
  #last: PodActual | undefined;
  /** Set when the object is gone from the API: nothing is reported any more. */
  gone = false;

  constructor(pod: Pod, parts: WorkerParts) {
    this.pod = pod;
    this.#parts = parts;
    this.#prober = new Prober(
      parts.runtime,
      parts.env,
      () => this.wake(),
      (c, text) => parts.event(this.pod, 'Warning', 'Unhealthy', `${c}: ${text}`),
    );
  }

  /** True once nothing of the pod is left on this machine. */
  get finished(): boolean {
    return this.#stopped;
  }
  /** The newest container of that name, for logs and exec. */
  containerId(name: string, previous = false): string | undefined {
    return (previous ? this.#last?.previous : this.#last?.containers)?.get(name)?.id;
  }
  attempt(name: string, previous = false): number | undefined {
    return (previous ? this.#last?.previous : this.#last?.containers)?.get(name)?.attempt;
  }
  /** That very run of the container still goes on. */
  isRunning(name: string, attempt: number): boolean {
    const a = this.#last?.containers.get(name);
    return !this.#stopped && a?.attempt === attempt && a.state === 'running';
  }
  /** Why a container hasn't started, as its status says. */
  waitingReason(name: string): string {
    const all = [...(this.pod.status?.initContainerStatuses ?? []), ...(this.pod.status?.containerStatuses ?? [])];
    return all.find((s) => s.name === name)?.state.waiting?.reason ?? 'ContainerCreating';
  }
  get sandboxId(): string | undefined {
    return this.#last?.sandbox?.ready ? this.#last.sandbox.id : undefined;
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#timer?.();
    this.#running = this.#loop().finally(() => {
      this.#running = undefined;
    });
  }

  /** Stops caring, without touching the pod: the agent is ending and its pods go on. */
  async leave(): Promise<void> {
    this.#stopped = true;
    this.#timer?.();
    this.#prober.stop();
    await this.#running;
  }

  async #loop(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#step();
      } catch (error) {
        this.#parts.env.log('error', 'pod.sync.failed', {
          pod: `${this.pod.metadata.namespace}/${this.pod.metadata.name}`,
          error: String(error),
        });
        this.#later(RETRY_MS);
      }
    } while (this.#again && !this.#stopped);
  }

  #later(ms: number): void {
    this.#timer?.();
    this.#timer = this.#parts.env.after(ms, () => this.wake());
  }

  async #observe(): Promise<PodActual> {
    const list = await this.#parts.relist();
    this.#last = await actualOf(this.#parts.runtime, list, uidOf(this.pod), this.#known);
    return this.#last;
  }

  async #step(): Promise<void> {
    const { env } = this.#parts;
    let actual = await this.#observe();
    this.#prober.update(this.pod, actual);
    const actions = podActions(this.pod, actual, this.#prober.verdicts(), env.now());
    const waits = actions.flatMap((a) => (a.do === 'wait' ? [a.untilMs] : []));
    const work = actions.filter((a) => a.do !== 'wait');
    if (work.length > 0) await this.#report(actual);
    for (const action of work) await this.#apply(action, actual);
    if (work.length > 0) {
      actual = await this.#observe();
      this.#prober.update(this.pod, actual);
      if (this.#waiting.size === 0) this.#again = true;
    }
    await this.#collect(actual);
    await this.#report(actual);
    await this.#finish(actual);
    if (waits.length > 0) this.#later(Math.max(10, Math.min(...waits) - env.now()));
    else if (this.#waiting.size > 0) this.#later(RETRY_MS);
  }

  async #apply(action: Action, actual: PodActual): Promise<void> {
    switch (action.do) {
      case 'sandbox':
        return this.#startSandbox(action.attempt, action.stop);
      case 'start':
        return this.#start(action.container, action.attempt, actual);
      case 'kill':
        this.#parts.event(this.pod, 'Normal', 'Killing', `Container ${action.name} ${action.why}, will be restarted`);
        return this.#kill(action.id, action.name, graceOf(this.pod));
      case 'stop-pod':
        return this.#stopPod(actual, action.graceSeconds);
    }
  }

  async #startSandbox(attempt: number, old: string | undefined): Promise<void> {
    const { runtime, node, event, env } = this.#parts;
    if (old !== undefined) await runtime.stopPodSandbox(old);
    await mkdir(logDirectory(node.logRoot, this.pod), { recursive: true, mode: 0o755 });
    try {
      await runtime.runPodSandbox(sandboxConfig(this.pod, attempt, node), '');
      env.log('debug', 'sandbox.started', { pod: this.pod.metadata.name });
      this.#waiting.clear();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      event(this.pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
      env.log('warn', 'sandbox.failed', { pod: this.pod.metadata.name, message });
      this.#later(RETRY_MS);
      for (const c of allContainers(this.pod)) this.#waiting.set(c.name, { reason: 'ContainerCreating' });
    }
  }

  async #start(c: Container, attempt: number, actual: PodActual): Promise<void> {
    const { runtime, event } = this.#parts;
    const sandbox = actual.sandbox;
    if (!sandbox) return;
    try {
      const config = sandboxConfig(this.pod, sandbox.attempt, this.#parts.node);
      const image = await this.#parts.images.ensure(c, config);
      refuseRoot(this.pod, c, image);
      const down = this.#downward(actual);
      const envs = await environment(
        this.pod,
        c,
        this.#parts.refs,
        down,
        this.#parts.services(this.pod.metadata.namespace ?? ''),
      );
      const mounts = await containerMounts(this.pod, c, {
        attempt,
        down,
        envs,
        podIPs: actual.podIPs,
        root: this.#parts.root,
        refs: this.#parts.refs,
        token: this.#parts.token,
        volumes: this.#volumes,
      });
      const imageUser = { name: image.username, ...(image.uid === undefined ? {} : { uid: image.uid }) };
      const id = await runtime.createContainer(
        sandbox.id,
        containerConfig(this.pod, c, attempt, { imageRef: image.id, imageUser, envs, mounts }),
        config,
      );
      event(this.pod, 'Normal', 'Created', `Container created`);
      await runtime.startContainer(id);
      this.#parts.env.log('debug', 'container.started', { pod: this.pod.metadata.name, container: c.name });
      event(this.pod, 'Normal', 'Started', `Container started`);
      this.#waiting.delete(c.name);
      if (c.lifecycle?.postStart) {
        const r = await runHandler(c.lifecycle.postStart, c, id, actual.podIPs[0] ?? '', 0, runtime);
        if (!r.ok) {
          event(this.pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed`);
          await this.#kill(id, c.name, graceOf(this.pod), false);
        }
      }
    } catch (error) {
      const reason = error instanceof ConfigError ? error.reason : 'RunContainerError';
      const message = error instanceof Error ? error.message : String(error);
      // A volume that isn't ready leaves the container in creation, as upstream shows it.
      this.#waiting.set(c.name, reason === 'FailedMount' ? { reason: 'ContainerCreating' } : { reason, message });
      event(
        this.pod,
        'Warning',
        reason === 'FailedMount' ? 'FailedMount' : reason === 'ImagePullBackOff' ? 'BackOff' : 'Failed',
        message,
      );
    }
  }

  #downward(actual: PodActual): Downward {
    const host = this.pod.spec.hostNetwork === true;
    return {
      podIPs: host ? this.#parts.hostIPs : actual.podIPs,
      hostIPs: this.#parts.hostIPs,
      allocatable: this.#parts.allocatable,
    };
  }

  async #kill(id: string, name: string, graceSeconds: number, hook = true): Promise<void> {
    const c = allContainers(this.pod).find((x) => x.name === name);
    const begin = this.#parts.env.now();
    if (hook && c?.lifecycle?.preStop && graceSeconds > 0) {
      const ended = runHandler(
        c.lifecycle.preStop,
        c,
        id,
        this.#last?.podIPs[0] ?? '',
        graceSeconds,
        this.#parts.runtime,
      );
      const late = new Promise<{ ok: boolean }>((r) =>
        this.#parts.env.after(graceSeconds * 1000, () => r({ ok: false })),
      );
      if (!(await Promise.race([ended, late])).ok)
        this.#parts.event(this.pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
    }
    const left =
      graceSeconds === 0 ? 0 : Math.max(2, graceSeconds - Math.floor((this.#parts.env.now() - begin) / 1000));
    await this.#parts.runtime.stopContainer(id, left);
  }

  async #stopPod(actual: PodActual, graceSeconds: number): Promise<void> {
    const running = [...actual.containers.values()].filter((a) => a.state === 'running' || a.state === 'created');
    await Promise.all(
      running.map((a) => {
        this.#parts.event(this.pod, 'Normal', 'Killing', `Stopping container ${a.name}`);
        return this.#kill(a.id, a.name, graceSeconds);
      }),
    );
    if (actual.sandbox) await this.#parts.runtime.stopPodSandbox(actual.sandbox.id);
  }

  /** Old runs are removed, the messages of ended ones read. */
  async #collect(actual: PodActual): Promise<void> {
    for (const id of actual.old) await this.#parts.runtime.removeContainer(id);
    for (const id of actual.oldSandboxes) await this.#parts.runtime.removePodSandbox(id);
    for (const [name, a] of actual.containers) {
      if (a.state !== 'exited') this.#messages.delete(name);
      else if (!this.#messages.has(name)) this.#messages.set(name, await this.#message(name, a.attempt, a.exitCode));
    }
  }

  async #message(name: string, attempt: number, exitCode: number): Promise<string> {
    const c = allContainers(this.pod).find((x) => x.name === name);
    const path = messageFile(this.#parts.root, this.pod, name, attempt);
    const text = (await readFile(path, 'utf8').catch(() => '')).slice(0, MESSAGE_BYTES);
    if (text !== '' || exitCode === 0 || c?.terminationMessagePolicy !== 'FallbackToLogsOnError') return text;
    const log = join(logDirectory(this.#parts.node.logRoot, this.pod), name, `${attempt}.log`);
    return lastLines(log, MESSAGE_LOG_LINES, MESSAGE_LOG_BYTES);
  }

  async #report(actual: PodActual): Promise<void> {
    if (this.gone) return;
    const verdicts: Verdicts = this.#prober.verdicts();
    const known = {
      hostIPs: this.#parts.hostIPs,
      podIPs: this.pod.spec.hostNetwork && actual.sandbox?.ready ? this.#parts.hostIPs : actual.podIPs,
      waiting: this.#waiting,
      images: actual.images,
      messages: this.#messages,
      previous: actual.previous,
      ready: this.#prober.ready(),
    };
    const status = podStatus(this.pod, actual, verdicts, known, this.#parts.env.now());
    if (sameStatus(this.pod.status, status)) return;
    this.pod = { ...this.pod, status };
    await this.#parts.report(this.pod, status);
  }

  /** A deleted pod whose containers have ended loses its sandbox, volumes and object, in this order. */
  async #finish(actual: PodActual): Promise<void> {
    const deleted = this.gone || this.pod.metadata.deletionTimestamp !== undefined;
    const alive = [...actual.containers.values()].some((a) => a.state === 'running' || a.state === 'created');
    if (!deleted || alive || actual.sandbox?.ready) return;
    this.#prober.stop();
    const ids = [...(actual.sandbox ? [actual.sandbox.id] : []), ...actual.oldSandboxes];
    // The object goes first: who waits for it sees it gone only when nothing runs any more, and a crash here is made good by the next relist.
    if (!this.gone) await this.#parts.removeObject(this.pod);
    for (const id of ids) await this.#parts.runtime.removePodSandbox(id);
    await tearDownVolumes(this.#parts.root, uidOf(this.pod));
    await rm(logDirectory(this.#parts.node.logRoot, this.pod), { recursive: true, force: true });
    this.#stopped = true;
  }
}

/** runAsNonRoot: kubelet's verifyRunAsNonRoot with its texts. */
function refuseRoot(pod: Pod, c: Container, image: { uid?: number; username: string }): void {
  const wanted = c.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  if (!wanted) return;
  const user = c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  if (user === 0)
    throw new ConfigError(
      `container's runAsUser breaks non-root policy (pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${c.name})`,
    );
  if (user !== undefined) return;
  if (image.username !== '')
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root (pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${c.name})`,
    );
  if (!image.uid)
    throw new ConfigError(
      `container has runAsNonRoot and image will run as root (pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${c.name})`,
    );
}
