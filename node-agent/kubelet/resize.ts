import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareQuantities, quantity } from '../../kube/meta/quantity.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Refusal } from './admit.ts';
import { writeWhole } from './checkpoint.ts';
import {
  allContainers,
  type Condition,
  type Container,
  isInit,
  isSidecar,
  type Pod,
  type Resources,
  uidOf,
} from './pod.ts';
import { effectiveLimits, type PodCgroup, podCgroup, podTotal, qosOf } from './resources.ts';

/** What a pod's containers have, or are to have. */
export interface Allotment {
  containers: Record<string, Resources>;
  /** What the pod states as a whole. */
  pod?: Resources;
}
interface Checkpoint {
  /** What the node has granted. */
  allocated: Allotment;
  /** What the runtime was told last: limits of containers with the pod's own where they have none. */
  actuated: Allotment;
  cgroup?: PodCgroup;
}

const RESIZED = ['cpu', 'memory'] as const;
const empty = (): Allotment => ({ containers: {} });

export function allotmentOf(pod: Pod): Allotment {
  return {
    containers: Object.fromEntries(allContainers(pod).map((c) => [c.name, c.resources ?? {}])),
    ...(pod.spec.resources ? { pod: pod.spec.resources } : {}),
  };
}

/** The pod as it was granted. */
export function withAllotment(pod: Pod, a: Allotment): Pod {
  const given = (c: Container): Container => {
    const resources = a.containers[c.name];
    return resources === undefined ? c : { ...c, resources };
  };
  const { resources: _, ...spec } = pod.spec;
  const initContainers = pod.spec.initContainers?.map(given);
  return {
    ...pod,
    spec: {
      ...spec,
      containers: pod.spec.containers.map(given),
      ...(initContainers ? { initContainers } : {}),
      ...(a.pod ? { resources: a.pod } : {}),
    },
  };
}

const sameList = (a: Record<string, string> = {}, b: Record<string, string> = {}) =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (k) => compareQuantities(quantity(a[k]), quantity(b[k])) === 0,
  );
const sameResources = (a: Resources = {}, b: Resources = {}) =>
  sameList(a.requests, b.requests) && sameList(a.limits, b.limits);

/** True when nobody wants anything changed. */
export function sameAllotment(a: Allotment, b: Allotment): boolean {
  const names = new Set([...Object.keys(a.containers), ...Object.keys(b.containers)]);
  return sameResources(a.pod, b.pod) && [...names].every((n) => sameResources(a.containers[n], b.containers[n]));
}

/** CPU and memory of a container as the runtime is told them. */
const actuable = (pod: Pod, c: Container): Resources => ({ ...c.resources, limits: effectiveLimits(pod, c) });

/** What of a container's CPU and memory differs: `requests.cpu`. */
function differences(now: Resources = {}, wanted: Resources): string[] {
  return (['limits', 'requests'] as const).flatMap((which) =>
    RESIZED.filter((r) => compareQuantities(quantity(now[which]?.[r]), quantity(wanted[which]?.[r])) !== 0).map(
      (r) => `${which}.${r}`,
    ),
  );
}

/** Upstream's summary of a resize in its events. */
export function summary(prefix: string, pod: Pod, generation: number, error?: string): string {
  const of = (list: readonly Container[] | undefined) =>
    list?.map((c) => ({
      name: c.name,
      resources: {
        ...(c.resources?.limits ? { limits: sorted(c.resources.limits) } : {}),
        ...(c.resources?.requests ? { requests: sorted(c.resources.requests) } : {}),
      },
    }));
  const told = {
    ...(pod.spec.initContainers?.length ? { initContainers: of(pod.spec.initContainers) } : {}),
    containers: of(pod.spec.containers),
    generation,
    ...(error ? { error } : {}),
  };
  return `${prefix}: ${JSON.stringify(told)}`;
}
const sorted = (list: Record<string, string>) =>
  Object.fromEntries(Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1)));

type Tell = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/**
 * In-place resizes of one pod (KEP-1287): what the node has granted it, what its containers have, and the conditions that tell of it. Kept on
 * disk, so that an agent that begins anew goes on from there.
 */
export class PodResizes {
  readonly #path: string;
  readonly #tell: Tell;
  #state: Checkpoint | undefined;
  #pending: Condition | undefined;
  #progress: Condition | undefined;
  #memo: { pod: Pod; allocated: Allotment; made: Pod } | undefined;

  constructor(root: string, pod: Pod, tell: Tell) {
    this.#path = join(root, 'pods', uidOf(pod), 'resources.json');
    this.#tell = tell;
    for (const c of pod.status?.conditions ?? []) {
      if (c.type === 'PodResizePending') this.#pending = c;
      if (c.type === 'PodResizeInProgress') this.#progress = c;
    }
  }

  /** Takes up what an earlier agent has left; a pod without that has what it asks for. */
  async load(pod: Pod): Promise<void> {
    if (this.#state) return;
    const text = await readFile(this.#path, 'utf8').catch(() => null);
    try {
      if (text !== null) this.#state = JSON.parse(text) as Checkpoint;
    } catch {
      // Of another release: begun anew, and what runs is resized to what it should be.
    }
    if (!this.#state) await this.grant(pod);
  }

  get granted(): boolean {
    return this.#state !== undefined;
  }

  /** The node gives the pod what it asks for. */
  async grant(pod: Pod): Promise<void> {
    const allocated = allotmentOf(pod);
    const before = this.#state;
    this.#state = {
      allocated,
      actuated: before?.actuated ?? empty(),
      ...(before?.cgroup ? { cgroup: before.cgroup } : {}),
    };
    await this.#save();
  }

  /** The pod with what it was granted. */
  allocated(pod: Pod): Pod {
    const allocated = this.#state?.allocated;
    if (!allocated) return pod;
    if (this.#memo?.pod === pod && this.#memo.allocated === allocated) return this.#memo.made;
    const made = sameAllotment(allocated, allotmentOf(pod)) ? pod : withAllotment(pod, allocated);
    this.#memo = { pod, allocated, made };
    return made;
  }

  /** The pod asks for something else than it was granted. */
  wants(pod: Pod): boolean {
    return this.#state !== undefined && !sameAllotment(this.#state.allocated, allotmentOf(pod));
  }
  /** It asks for more CPU or memory than it was granted. */
  wantsMore(pod: Pod): boolean {
    const [now, wanted] = [podTotal(this.allocated(pod), 'requests'), podTotal(pod, 'requests')];
    return RESIZED.some((r) => compareQuantities(wanted.get(r) ?? quantity(0), now.get(r) ?? quantity(0)) > 0);
  }
  get pendingSince(): string {
    return this.#pending?.lastTransitionTime ?? '';
  }

  /** Decides a resize: `why` is null when it fits. True when it was granted. */
  async decide(pod: Pod, why: Refusal | null, now: number): Promise<boolean> {
    const generation = pod.metadata.generation ?? 0;
    if (why === null) {
      await this.grant(pod);
      this.#pending = undefined;
      this.#progress = this.#condition('PodResizeInProgress', undefined, '', '', generation, now);
      this.#tell('Normal', 'ResizeStarted', summary('Pod resize started', pod, generation));
      return true;
    }
    const reason = why.reason === 'Infeasible' ? 'Infeasible' : 'Deferred';
    const message = why.message.replace(/^Pod was rejected: /, '');
    const before = this.#pending;
    this.#pending = this.#condition('PodResizePending', before, reason, message, generation, now);
    if (before?.reason !== reason || before.observedGeneration !== generation)
      this.#tell('Warning', `Resize${reason}`, summary(`Pod resize ${why.reason}`, pod, generation, message));
    return false;
  }
  /** The pod asks for what it has. */
  reverted(): void {
    this.#pending = undefined;
  }

  /** What a container that runs needs. */
  need(pod: Pod, c: Container): 'nothing' | 'update' | 'restart' {
    const changed = differences(this.#state?.actuated.containers[c.name], actuable(pod, c));
    if (changed.length === 0) return 'nothing';
    const restart = changed.some((what) =>
      c.resizePolicy?.some((p) => what.endsWith(`.${p.resourceName}`) && p.restartPolicy === 'RestartContainer'),
    );
    return restart ? 'restart' : 'update';
  }
  /** What the runtime was told of a container; undefined when it wasn't. */
  actuated(name: string): Resources | undefined {
    return this.#state?.actuated.containers[name];
  }
  /** The settings of the pod's cgroup as they were made; undefined before. */
  get cgroup(): PodCgroup | undefined {
    return this.#state?.cgroup;
  }
  /** True when the pod's cgroup isn't as it is granted. */
  cgroupDiffers(pod: Pod): boolean {
    const now = this.#state?.cgroup;
    return now !== undefined && JSON.stringify({ ...now, ...podCgroup(pod) }) !== JSON.stringify(now);
  }

  async setActuated(pod: Pod, c: Container): Promise<void> {
    if (!this.#state) return;
    this.#state.actuated.containers[c.name] = actuable(pod, c);
    await this.#save();
  }
  async setCgroup(cgroup: PodCgroup): Promise<void> {
    if (!this.#state) return;
    this.#state.cgroup = cgroup;
    await this.#save();
  }

  /** Brings the condition of a resize under way up to date; `running`: names of containers that run. */
  progress(pod: Pod, running: ReadonlySet<string>, now: number): void {
    const generation = pod.metadata.generation ?? 0;
    const busy =
      this.cgroupDiffers(pod) ||
      allContainers(pod).some(
        (c) => running.has(c.name) && (!isInit(pod, c) || isSidecar(c)) && this.need(pod, c) !== 'nothing',
      );
    if (busy) {
      const old = this.#progress;
      const { reason = '', message = '', observedGeneration = generation } = old ?? {};
      this.#progress = old ?? this.#condition('PodResizeInProgress', old, reason, message, observedGeneration, now);
    } else if (this.#progress) {
      const { observedGeneration = generation } = this.#progress;
      this.#progress = undefined;
      this.#tell('Normal', 'ResizeCompleted', summary('Pod resize completed', pod, observedGeneration));
    }
  }
  /** A resize couldn't be carried out, for now. */
  failed(pod: Pod, message: string, now: number): void {
    const old = this.#progress;
    const generation = old?.observedGeneration ?? pod.metadata.generation ?? 0;
    this.#progress = this.#condition('PodResizeInProgress', old, 'Error', message, generation, now);
    if (old?.reason !== 'Error' || old.message !== message)
      this.#tell('Warning', 'ResizeError', summary('Pod resize error', pod, generation, message));
  }
  /** A pod that has ended has nothing to resize. */
  ended(): void {
    this.#pending = undefined;
    this.#progress = undefined;
  }

  conditions(): Condition[] {
    return [this.#pending, this.#progress].filter((c) => c !== undefined);
  }

  #condition(
    type: string,
    old: Condition | undefined,
    reason: string,
    message: string,
    observedGeneration: number,
    now: number,
  ): Condition {
    const same = old?.reason === reason && old.message === message && old.observedGeneration === observedGeneration;
    if (old && same) return old;
    const since = old && (old.reason ?? '') === reason ? old.lastTransitionTime : formatTime(now);
    return {
      type,
      status: 'True',
      ...(reason === '' ? {} : { reason }),
      ...(message === '' ? {} : { message }),
      lastProbeTime: formatTime(now),
      lastTransitionTime: since ?? formatTime(now),
      ...(observedGeneration ? { observedGeneration } : {}),
    };
  }

  #save(): Promise<void> {
    // What is lost with the machine is lost with its containers.
    return writeWhole(this.#path, JSON.stringify(this.#state), false);
  }
}

/** A pod, and its resizes. */
interface Resizing {
  pod: Pod;
  resizes: PodResizes;
}
/** Resizes that ask for no more first, then by priority, class and how long they have waited: upstream's sortPendingResizes. */
export function resizeOrder(a: Resizing, b: Resizing): number {
  const more = Number(a.resizes.wantsMore(a.pod)) - Number(b.resizes.wantsMore(b.pod));
  if (more !== 0) return more;
  const priority = (b.pod.spec.priority ?? 0) - (a.pod.spec.priority ?? 0);
  if (priority !== 0) return priority;
  const guaranteed = Number(qosOf(b.pod) === 'Guaranteed') - Number(qosOf(a.pod) === 'Guaranteed');
  return guaranteed || (a.resizes.pendingSince < b.resizes.pendingSince ? -1 : 1);
}
