import { mkdir, rm } from 'node:fs/promises';
import { sleep } from '../../kube/meta/env.ts';
import { type Action, DEADLINE, deadlineOf, graceOf, hasEnded, isDeleted, podActions } from './actions.ts';
import { actualOf, type PodActual } from './actual.ts';
import { rememberedReferences, savePod } from './checkpoint.ts';
import { logDirectory } from './container.ts';
import { ConfigError, type Downward, type References } from './env.ts';
import type { Ending } from './evictor.ts';
import type { WorkerParts } from './parts.ts';
import { allContainers, type Container, type Pod, type PodStatus, podText, uidOf } from './pod.ts';
import { Prober } from './prober.ts';
import { sandboxConfig } from './sandbox.ts';
import { HookError, startContainer } from './start.ts';
import { creatingReason, podStatus, rejectedStatus, sameStatus } from './status.ts';
import { type Stopping, stopContainer, stopContainers } from './stop.ts';
import { terminationMessage } from './terminationmessage.ts';
import { type PodVolumes, volumesOf } from './volumes/podvolumes.ts';
import { removePodDirectory } from './volumes/teardown.ts';

/** After an error that isn't the container's own. */
const RETRY_MS = 2_000;
/** A container that couldn't be started is tried again; half of kubelet's backOffPeriod, as syncs of other causes come between there. */
const START_RETRY_MS = 5_000;
/** An agent that ends doesn't wait longer for what a worker is doing; it is done again by the next one. */
const LEAVE_MS_MAX = 500;
/** The sandbox among the names of containers. */
const SANDBOX = '';

/** One pod on this node: a serial loop of observe, plan, apply. Anything that changed calls `wake`. */
export class PodWorker {
  pod: Pod;
  readonly #parts: WorkerParts;
  readonly #prober: Prober;
  readonly #refs: References;
  #known = new Map();
  #waiting = new Map<string, { reason: string; message?: string }>();
  #messages = new Map<string, string>(); // termination messages by container id
  readonly #volumes: PodVolumes;
  #backedOff = new Set<string>();
  /** By container name: when a start that failed may be tried again. */
  #tryAfter = new Map<string, number>();
  #running: Promise<void> | undefined;
  #again = false;
  #timer: { at: number; cancel: () => void } | undefined;
  #stopped = false;
  #last: PodActual | undefined;
  #observers: (() => void)[] = [];
  #saved = '';
  #admitted = false;
  #ended: Ending | undefined;
  /** Set when the object is gone from the API: nothing is reported any more. */
  gone = false;

  constructor(pod: Pod, parts: WorkerParts) {
    this.pod = pod;
    this.#parts = parts;
    this.#refs = rememberedReferences(parts.refs, parts.root, uidOf(pod));
    this.#volumes = volumesOf(pod, parts, () => this.wake(), this.#event.bind(this));
    const unhealthy = (text: string) => this.#event('Warning', 'Unhealthy', text);
    this.#prober = new Prober(parts.runtime, parts.env, parts.startedMs, () => this.wake(), unhealthy);
  }

  /** True once nothing of the pod is left on this machine. */
  get finished(): boolean {
    return this.#stopped;
  }
  /** True while a round goes on. */
  get busy(): boolean {
    return this.#running !== undefined;
  }
  /** This node has taken the pod: it counts for what is free. */
  get admitted(): boolean {
    return this.#admitted && this.#ended === undefined;
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
  get sandboxId(): string | undefined {
    return this.#last?.sandbox?.ready ? this.#last.sandbox.id : undefined;
  }
  /** Resolves once the runtime has been asked about this pod: before, nobody can tell what runs. */
  observed(): Promise<void> {
    if (this.#last || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => this.#observers.push(resolve));
  }

  /** This node ends the pod. */
  end(why: Ending, type: 'Normal' | 'Warning' = 'Warning'): void {
    if (this.#ended || isDeleted(this.pod) || hasEnded(this.pod)) return;
    this.#ended = why;
    this.#event(type, why.reason, why.message);
    this.wake();
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running = this.#loop().finally(() => {
      this.#running = undefined;
    });
  }

  /** Stops caring, without touching the pod: the agent is ending and its pods go on. */
  async leave(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#prober.stop();
    if (this.#running) await Promise.race([this.#running, sleep(this.#parts.env, LEAVE_MS_MAX)]);
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#parts.event(this.pod, type, reason, message);
  }

  async #loop(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#step();
      } catch (error) {
        const m = this.pod.metadata;
        this.#parts.env.log('error', 'pod.sync.failed', { pod: `${m.namespace}/${m.name}`, error: String(error) });
        this.#later(RETRY_MS);
      }
    } while (this.#again && !this.#stopped);
  }

  /** Wakes after `ms`, or sooner when that was asked before. */
  #later(ms: number): void {
    const at = this.#parts.env.now() + Math.max(10, ms);
    if (this.#stopped || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const fire = () => {
      this.#timer = undefined;
      this.wake();
    };
    this.#timer = { at, cancel: this.#parts.env.after(at - this.#parts.env.now(), fire) };
  }

  async #observe(): Promise<PodActual> {
    const list = await this.#parts.relist();
    this.#last = await actualOf(this.#parts.runtime, list, uidOf(this.pod), this.#known);
    for (const tell of this.#observers.splice(0)) tell();
    this.#prober.update(this.pod, this.#last);
    return this.#last;
  }

  async #step(): Promise<void> {
    const { env } = this.#parts;
    let actual = await this.#observe();
    if (!(await this.#admit(actual))) return;
    await this.#save();
    this.#checkDeadline();
    const actions = podActions(this.pod, actual, this.#prober.verdicts(), env.now(), this.#ended !== undefined);
    const work = actions.filter((a) => a.do !== 'wait' && !this.#tooSoon(a));
    for (const a of actions) if (a.do === 'wait') this.#backOff(a, actual);
    if (work.length > 0) this.#report(actual);
    const starts = work.some((a) => a.do === 'sandbox' || a.do === 'start');
    const mounted = !starts || (await this.#mount(actual));
    for (const action of work) {
      if (this.#stopped) return;
      if (mounted || (action.do !== 'sandbox' && action.do !== 'start')) await this.#apply(action, actual);
    }
    if (work.length > 0) {
      actual = await this.#observe();
      if (this.#tryAfter.size === 0 && mounted) this.#again = true;
    }
    await this.#collect(actual);
    await this.#refresh(actual);
    this.#report(actual);
    await this.#save();
    await this.#finish(actual);
  }

  /** True for what couldn't be started a moment ago, whatever has woken the worker: our own status comes back as a change too. */
  #tooSoon(a: Action): boolean {
    const name = a.do === 'start' ? a.container.name : a.do === 'sandbox' ? SANDBOX : undefined;
    if (name === undefined) return false;
    const left = (this.#tryAfter.get(name) ?? 0) - this.#parts.env.now();
    if (left <= 0) return false;
    this.#later(left);
    return true;
  }

  /** Asks once whether this node takes the pod; what has begun here was taken before. */
  async #admit(actual: PodActual): Promise<boolean> {
    if (this.#admitted) return true;
    const begun = actual.sandbox !== undefined || this.pod.status?.startTime !== undefined;
    const refused = begun || this.gone || isDeleted(this.pod) ? null : await this.#parts.admit(this.pod);
    if (refused === null) {
      this.#admitted = true;
      return true;
    }
    this.#ended = refused;
    this.#event('Warning', refused.reason, refused.message.replace(/^Pod was rejected: /, ''));
    this.#send(rejectedStatus(this.pod, refused, this.#parts.env.now()));
    this.#admitted = true; // once is enough: from now on it is a pod that has ended
    return false;
  }

  #checkDeadline(): void {
    const at = deadlineOf(this.pod);
    if (at === undefined || this.#ended || isDeleted(this.pod) || hasEnded(this.pod)) return;
    const left = at - this.#parts.env.now();
    if (left <= 0) this.end(DEADLINE, 'Normal');
    else this.#later(left);
  }

  #backOff(a: Extract<Action, { do: 'wait' }>, actual: PodActual): void {
    this.#later(a.untilMs - this.#parts.env.now());
    this.#waiting.delete(a.name); // its back-off is what it waits for now
    const id = actual.containers.get(a.name)?.id ?? a.name;
    if (this.#backedOff.has(id)) return;
    this.#backedOff.add(id);
    this.#event('Warning', 'BackOff', `Back-off restarting failed container ${a.name} in pod ${podText(this.pod)}`);
  }

  async #apply(action: Action, actual: PodActual): Promise<void> {
    switch (action.do) {
      case 'wait':
        return;
      case 'sandbox':
        return this.#startSandbox(action.attempt, action.stop);
      case 'start':
        if (action.stop !== undefined) await this.#parts.runtime.stopContainer(action.stop, 0);
        return this.#start(action.container, action.attempt, actual);
      case 'kill': {
        const a = actual.containers.get(action.name);
        const c = allContainers(this.pod).find((x) => x.name === action.name);
        const grace = graceOf(this.pod, c, action.why);
        if (a) await stopContainer(this.pod, a, grace, this.#stopping(), { message: action.message });
        return;
      }
      case 'stop-pod':
        return this.#stopPod(actual, this.#ended?.graceSeconds ?? action.graceSeconds);
    }
  }

  #stopping(): Stopping {
    const { runtime, env } = this.#parts;
    const event = this.#event.bind(this);
    return { runtime, env, podIP: this.#last?.podIPs[0] ?? '', event };
  }

  async #startSandbox(attempt: number, old: string | undefined): Promise<void> {
    const { runtime, node, env, runtimeHandler } = this.#parts;
    if (old !== undefined) {
      await runtime.stopPodSandbox(old);
      this.#event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
    }
    await mkdir(logDirectory(node.logRoot, this.pod), { recursive: true, mode: 0o755 });
    try {
      const handler = await runtimeHandler(this.pod.spec.runtimeClassName ?? '');
      const config = sandboxConfig(this.pod, attempt, node, (reason, text) => this.#event('Warning', reason, text));
      await runtime.runPodSandbox(config, handler);
      env.log('debug', 'sandbox.started', { pod: this.pod.metadata.name });
      this.#waiting.clear();
      this.#tryAfter.delete(SANDBOX);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
      env.log('warn', 'sandbox.failed', { pod: this.pod.metadata.name, message });
      this.#showCreating(() => true);
      this.#tryAfter.set(SANDBOX, env.now() + RETRY_MS);
      this.#later(RETRY_MS);
    }
  }

  async #start(c: Container, attempt: number, actual: PodActual): Promise<void> {
    if (!actual.sandbox) return;
    const { runtime, images, node, root, env, machine, mounter, recursiveReadOnly } = this.#parts;
    const sandbox = { id: actual.sandbox.id, config: sandboxConfig(this.pod, actual.sandbox.attempt, node) };
    try {
      await startContainer(this.pod, c, attempt, {
        ...{ runtime, images, node, root, env, machine, mounter, recursiveReadOnly },
        ...{ sandbox, podIPs: actual.podIPs, refs: this.#refs },
        services: this.#parts.services(),
        down: this.#downward(actual),
        volumes: this.#volumes,
        event: this.#event.bind(this),
      });
      this.#waiting.delete(c.name);
      this.#tryAfter.delete(c.name);
    } catch (error) {
      const reason = error instanceof ConfigError ? error.reason : 'RunContainerError';
      const message = error instanceof Error ? error.message : String(error);
      this.#waiting.set(c.name, { reason, message });
      this.#tryAfter.set(c.name, env.now() + START_RETRY_MS);
      this.#later(START_RETRY_MS);
      if (error instanceof HookError) {
        const a = { id: error.id, name: c.name };
        await stopContainer(this.pod, a, graceOf(this.pod), this.#stopping(), { message: 'FailedPostStartHook' });
      }
    }
  }

  #downward(actual: PodActual): Downward {
    const { hostIPs, allocatable } = this.#parts;
    return { podIPs: this.pod.spec.hostNetwork ? hostIPs : actual.podIPs, hostIPs, allocatable };
  }

  async #stopPod(actual: PodActual, graceSeconds: number): Promise<void> {
    const running = [...actual.containers.values()].filter((a) => a.state === 'running' || a.state === 'created');
    await stopContainers(this.pod, running, graceSeconds, this.#stopping());
    if (actual.sandbox) await this.#parts.runtime.stopPodSandbox(actual.sandbox.id);
  }

  /** Old runs are removed, the messages of ended ones read. */
  async #collect(actual: PodActual): Promise<void> {
    const { root, node, runtime } = this.#parts;
    for (const id of actual.old) await runtime.removeContainer(id);
    for (const id of actual.oldSandboxes) await runtime.removePodSandbox(id);
    const shown = [...actual.containers.values(), ...actual.previous.values()];
    for (const a of shown.filter((x) => x.state === 'exited' && !this.#messages.has(x.id)))
      this.#messages.set(a.id, await terminationMessage(root, node.logRoot, this.pod, a));
    const ids = new Set(shown.map((a) => a.id));
    for (const map of [this.#messages, this.#known]) for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    for (const id of this.#backedOff) if (!ids.has(id)) this.#backedOff.delete(id);
  }

  /** Shown as any container that isn't there yet. */
  #showCreating(which: (c: Container) => boolean): void {
    const reason = creatingReason(this.pod);
    for (const c of allContainers(this.pod).filter(which)) this.#waiting.set(c.name, { reason });
  }

  /** Makes the pod's volumes; false while one isn't there: nothing is started before, and its containers stay in creation. */
  async #mount(actual: PodActual): Promise<boolean> {
    const again = await this.#volumes.setUp(this.pod, this.#downward(actual));
    if (again === null) return true;
    this.#showCreating((c) => !actual.containers.has(c.name));
    this.#later(again - this.#parts.env.now());
    return false;
  }

  /** Volumes of files follow what they are made of while anything runs. */
  async #refresh(actual: PodActual): Promise<void> {
    if (isDeleted(this.pod) || ![...actual.containers.values()].some((a) => a.state === 'running')) return;
    const renewMs = await this.#volumes.refresh(this.pod, this.#downward(actual));
    if (renewMs !== null) this.#later(renewMs - this.#parts.env.now());
  }

  #report(actual: PodActual): void {
    // What has ended and left nothing here has said all: the node refused it, or its containers are collected.
    if (this.gone || (hasEnded(this.pod) && actual.containers.size === 0)) return;
    const { hostIPs, env } = this.#parts;
    const known = {
      hostIPs,
      podIPs: this.pod.spec.hostNetwork && actual.sandbox?.ready ? hostIPs : actual.podIPs,
      waiting: this.#waiting,
      images: actual.images,
      messages: this.#messages,
      ready: this.#prober.ready(),
      ended: this.#ended,
    };
    this.#send(podStatus(this.pod, actual, this.#prober.verdicts(), known, env.now()));
  }

  #send(status: PodStatus): void {
    if (this.gone || sameStatus(this.pod.status, status)) return;
    this.pod = { ...this.pod, status };
    this.#parts.report(this.pod, status);
  }

  /** Keeps the pod on disk for an agent that begins without a control plane. */
  async #save(): Promise<void> {
    const text = JSON.stringify(this.pod);
    if (text === this.#saved || this.#stopped) return;
    await savePod(this.#parts.root, uidOf(this.pod), text);
    this.#saved = text;
  }

  /** A deleted pod whose containers have ended loses its sandbox, volumes and object, in this order. */
  async #finish(actual: PodActual): Promise<void> {
    const alive = [...actual.containers.values()].some((a) => a.state === 'running' || a.state === 'created');
    if (!(this.gone || isDeleted(this.pod)) || alive || actual.sandbox?.ready) return;
    this.#prober.stop();
    // The object goes first: who waits for it sees it gone only when nothing runs any more, and a crash here is made good by the next relist.
    if (!this.gone) await this.#parts.removeObject(this.pod);
    for (const id of actual.sandboxes) await this.#parts.runtime.removePodSandbox(id);
    this.#parts.followed.release(uidOf(this.pod));
    await removePodDirectory(this.#parts.root, uidOf(this.pod), this.#parts.mounter);
    await rm(logDirectory(this.#parts.node.logRoot, this.pod), { recursive: true, force: true });
    this.#stopped = true;
  }
}
