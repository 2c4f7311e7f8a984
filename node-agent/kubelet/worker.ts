import { rm } from 'node:fs/promises';
import { sleep } from '../../kube/meta/env.ts';
import {
  type Action,
  type ActualContainer,
  DEADLINE,
  deadlineOf,
  graceOf,
  hasEnded,
  isDeleted,
  podActions,
} from './actions.ts';
import { actualOf, type PodActual } from './actual.ts';
import { podCgroupPath } from './cgroups.ts';
import { rememberedReferences, savePod } from './checkpoint.ts';
import { logDirectory } from './container.ts';
import type { References } from './env.ts';
import type { Ending } from './evictor.ts';
import type { WorkerParts } from './parts.ts';
import { type Pod, type PodStatus, podText, uidOf } from './pod.ts';
import { Prober } from './prober.ts';
import { PodResizes } from './resize.ts';
import { PodRunner } from './runner.ts';
import { podStatus, rejectedStatus, sameStatus } from './status.ts';
import { terminatedStatus } from './terminated.ts';
import { terminationMessage } from './terminationmessage.ts';
import { type PodVolumes, volumesOf } from './volumes/podvolumes.ts';
import { removePodDirectory } from './volumes/teardown.ts';

/** After an error that isn't the container's own. */
const RETRY_MS = 2_000;
/** A resize that doesn't fit is tried again at the latest after this: kubelet's retryDelay. */
const RESIZE_MS = 180_000;
/** An agent that ends doesn't wait longer for what a worker is doing; it is done again by the next one. */
const LEAVE_MS_MAX = 500;

/** One pod on this node: a serial loop of observe, plan, apply. Anything that changed calls `wake`. */
export class PodWorker {
  pod: Pod;
  readonly #parts: WorkerParts;
  readonly #prober: Prober;
  readonly #refs: References;
  readonly #volumes: PodVolumes;
  readonly resizes: PodResizes;
  readonly #runner: PodRunner;
  #known = new Map();
  #messages = new Map<string, string>(); // termination messages by container id
  #backedOff = new Set<string>();
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
    const event = this.#event.bind(this);
    this.#volumes = volumesOf(pod, parts, () => this.wake(), event);
    this.resizes = new PodResizes(parts.root, pod, event);
    const [refs, volumes, resizes] = [this.#refs, this.#volumes, this.resizes];
    const later = (ms: number) => this.#later(ms);
    this.#runner = new PodRunner({ pod: () => this.allocated, refs, volumes, resizes, event, later }, parts);
    this.#prober = new Prober(
      parts.runtime,
      parts.env,
      parts.startedMs,
      () => this.wake(),
      (...told) => event('Warning', ...told),
    );
  }

  /** The pod with the resources that this node has granted it. */
  get allocated(): Pod {
    return this.resizes.allocated(this.pod);
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
    if (this.gone || this.#ended || isDeleted(this.pod))
      this.#runner.end(this.#ended?.graceSeconds ?? graceOf(this.pod));
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

  #event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    this.#parts.event(this.pod, type, reason, message, container);
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
    await this.#readMessages(this.#last);
    return this.#last;
  }

  /** Messages of runs that have ended, before any status says so. */
  async #readMessages(actual: PodActual): Promise<void> {
    const { root, node } = this.#parts;
    for (const a of shownOf(actual))
      if (a.state === 'exited' && !this.#messages.has(a.id))
        this.#messages.set(a.id, await terminationMessage(root, node.logRoot, this.pod, a));
  }

  async #step(): Promise<void> {
    let actual = await this.#observe();
    if (!(await this.#admit(actual))) return;
    await this.resizes.load(this.pod);
    await this.#resize(actual);
    await this.#save();
    this.#checkDeadline();
    const actions = this.#actions(actual);
    const work = actions.filter((a) => a.do !== 'wait' && !this.#runner.tooSoon(a));
    for (const a of actions) if (a.do === 'wait') this.#backOff(a, actual);
    if (work.length > 0) this.#report(actual);
    const starts = work.some((a) => a.do === 'sandbox' || a.do === 'start');
    const mounted = !starts || (await this.#runner.mount(actual));
    for (const action of work) {
      if (this.#stopped) return;
      if (mounted || (action.do !== 'sandbox' && action.do !== 'start')) await this.#runner.apply(action, actual);
    }
    if (work.length > 0) {
      actual = await this.#observe();
      if (this.#runner.clear && mounted) this.#again = true;
    }
    await this.#collect(actual);
    await this.#refresh(actual);
    this.#report(actual);
    await this.#save();
    await this.#finish(actual);
  }

  #actions(actual: PodActual): Action[] {
    const pod = this.allocated;
    return podActions(pod, actual, this.#prober.verdicts(), {
      now: this.#parts.env.now(),
      waits: this.#runner.backoff,
      ended: this.#ended,
      resized: (c) => this.resizes.need(pod, c),
      podResized: this.resizes.cgroupDiffers(pod),
    });
  }

  /** A resize that is asked for is granted or put off; one under way is followed. */
  async #resize(actual: PodActual): Promise<void> {
    const now = this.#parts.env.now();
    if (this.gone || isDeleted(this.pod) || hasEnded(this.pod) || this.#ended) return this.resizes.ended();
    if (!this.resizes.wants(this.pod)) this.resizes.reverted();
    else if (!(await this.resizes.decide(this.pod, await this.#parts.admitResize(this), now))) this.#later(RESIZE_MS);
    const running = [...actual.containers.values()].filter((a) => a.state === 'running').map((a) => a.name);
    this.resizes.progress(this.allocated, new Set(running), now);
  }

  /** Asks once whether this node takes the pod; what has begun here was taken before. */
  async #admit(actual: PodActual): Promise<boolean> {
    if (this.#admitted) return true;
    const begun = actual.sandbox !== undefined || this.pod.status?.startTime !== undefined;
    const refused = begun || this.gone || isDeleted(this.pod) ? null : await this.#parts.admit(this.pod);
    if (refused === null) {
      this.#admitted = true;
      this.#parts.changed();
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
    this.#runner.waiting.delete(a.name); // its back-off is what it waits for now
    const id = actual.containers.get(a.name)?.id ?? a.name;
    if (this.#backedOff.has(id)) return;
    this.#backedOff.add(id);
    const text = `Back-off restarting failed container ${a.name} in pod ${podText(this.pod)}`;
    this.#event('Warning', 'BackOff', text, a.name);
  }

  /** Old runs are removed, and what was known of them. */
  async #collect(actual: PodActual): Promise<void> {
    const { runtime } = this.#parts;
    for (const id of actual.old) await runtime.removeContainer(id);
    for (const id of actual.oldSandboxes) await runtime.removePodSandbox(id);
    const ids = new Set(shownOf(actual).map((a) => a.id));
    for (const map of [this.#messages, this.#known]) for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    for (const id of this.#backedOff) if (!ids.has(id)) this.#backedOff.delete(id);
  }

  /** Volumes of files follow what they are made of while anything runs. */
  async #refresh(actual: PodActual): Promise<void> {
    if (hasEnded(this.pod)) this.#parts.followed.release(uidOf(this.pod));
    if (isDeleted(this.pod) || ![...actual.containers.values()].some((a) => a.state === 'running')) return;
    const renewMs = await this.#volumes.refresh(this.allocated, this.#runner.downward(actual));
    if (renewMs !== null) this.#later(renewMs - this.#parts.env.now());
  }

  #report(actual: PodActual): void {
    // What has ended and left nothing here has said all: the node refused it, or its containers are collected.
    if (this.gone || (hasEnded(this.pod) && actual.containers.size === 0)) return;
    const { hostIPs, env } = this.#parts;
    const known = {
      hostIPs,
      podIPs: this.pod.spec.hostNetwork && actual.sandbox?.ready ? hostIPs : actual.podIPs,
      waiting: this.#runner.waiting,
      waits: this.#runner.backoff,
      resizes: this.resizes,
      images: actual.images,
      messages: this.#messages,
      ready: this.#prober.ready(),
      ended: this.#ended,
    };
    const status = podStatus(this.allocated, actual, this.#prober.verdicts(), known, env.now());
    const over = (isDeleted(this.pod) || this.#ended !== undefined) && !isUp(actual);
    this.#send(over ? terminatedStatus(this.pod, status) : status);
  }

  #send(status: PodStatus): void {
    if (this.gone || sameStatus(this.pod.status, status)) return;
    if (status.phase !== this.pod.status?.phase) this.#parts.changed();
    const before = this.pod;
    this.pod = { ...before, status };
    this.#parts.report(before, status);
  }

  /** Keeps the pod on disk for an agent that begins without a control plane. A disk without room holds nothing else up: least of all what frees some. */
  async #save(): Promise<void> {
    const text = JSON.stringify(this.pod);
    if (text === this.#saved || this.#stopped) return;
    try {
      await savePod(this.#parts.root, uidOf(this.pod), text);
      this.#saved = text;
    } catch (error) {
      this.#parts.env.log('warn', 'pod.save.failed', { pod: podText(this.pod), error: String(error) });
    }
  }

  /** A deleted pod whose containers have ended loses its sandbox, volumes and object, in this order. */
  async #finish(actual: PodActual): Promise<void> {
    if (!(this.gone || isDeleted(this.pod)) || isUp(actual)) return;
    this.#prober.stop();
    // The object goes first: who waits for it sees it gone only when nothing runs any more, and a crash here is made good by the next relist.
    if (!this.gone) await this.#parts.removeObject(this.pod);
    for (const id of actual.sandboxes) await this.#parts.runtime.removePodSandbox(id);
    await this.#parts.cgroups.remove(podCgroupPath(this.#parts.node.cgroupParent, this.pod));
    this.#parts.followed.release(uidOf(this.pod));
    await removePodDirectory(this.#parts.root, uidOf(this.pod), this.#parts.mounter);
    await rm(logDirectory(this.#parts.node.logRoot, this.pod), { recursive: true, force: true });
    this.#stopped = true;
    this.#parts.changed();
  }
}

/** Something of the pod runs. */
const isUp = (actual: PodActual): boolean =>
  actual.sandbox?.ready === true ||
  [...actual.containers.values()].some((a) => a.state === 'running' || a.state === 'created');

const shownOf = (actual: PodActual): ActualContainer[] => [...actual.containers.values(), ...actual.previous.values()];
