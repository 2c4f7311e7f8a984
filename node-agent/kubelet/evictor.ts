import { type Env, sleep } from '../../kube/meta/env.ts';
import type { ImageStore, Runtime } from '../runtime/runtime.ts';
import { hasEnded } from './actions.ts';
import {
  crossed,
  evictionMessage,
  hasDiskLimit,
  isCritical,
  type Observations,
  overLimit,
  type PodUsage,
  type Pressure,
  pressures,
  rank,
  refusedUnder,
  resourceOf,
  THRESHOLDS,
  type Threshold,
} from './eviction.ts';
import type { MachineReader } from './machinereader.ts';
import { type Pod, uidOf } from './pod.ts';
import { podUsage } from './podusage.ts';

/** The kubelet's monitoring interval of evictions. */
const LOOK_MS = 10_000;
/** Pods with limits of disk usage are measured this often: their files are walked through. */
const MEASURE_MS = 30_000;
/** A hard threshold leaves no time, but for what the kubelet gives every container. */
const GRACE_SECONDS = 1;

/** Why and how this node ends a pod. */
export interface Ending {
  reason: string;
  message: string;
  /** Absent: the pod's own. */
  graceSeconds?: number;
  /** The pod is ended for the node's sake: condition DisruptionTarget. */
  disrupted?: boolean;
}

export interface EvictorParts {
  runtime: Runtime;
  images: ImageStore;
  machine: MachineReader;
  root: string;
  logRoot: string;
  /** Pods that this node has taken. */
  pods(): Pod[];
  end(pod: Pod, why: Ending): void;
  /** Frees disk space before a pod has to go: unused images. */
  reclaim(): Promise<unknown>;
  tell(type: 'Normal' | 'Warning', reason: string, message: string): void;
  thresholds?: readonly Threshold[];
  /** How long a pressure stays after it was seen last; the kubelet's default otherwise. */
  transitionMs?: number;
  env: Env;
}

/** Watches what this node has left, and ends pods before it has nothing. */
export class Evictor {
  readonly #p: EvictorParts;
  readonly #lastMs = new Map<Pressure, number>();
  #pressures: ReadonlySet<Pressure> = new Set();
  #measuredMs = Number.NEGATIVE_INFINITY;
  #imageDisk: string | undefined;

  constructor(p: EvictorParts) {
    this.#p = p;
  }

  /** Under which this node is, or was a moment ago (transitionMs). */
  get pressures(): ReadonlySet<Pressure> {
    return this.#pressures;
  }
  /** Why this node doesn't take a pod now; null when it does. */
  refusal(pod: Pod): string | null {
    return refusedUnder(this.#pressures, pod);
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#p.env, LOOK_MS);
      if (signal.aborted) return;
      await this.look().catch((e: unknown) => this.#p.env.log('warn', 'eviction.failed', { error: String(e) }));
    }
  }

  /** One look: brings the pressures up to date and ends what must end, at most one pod for the node's sake. */
  async look(): Promise<void> {
    const { env, tell } = this.#p;
    const thresholds = this.#p.thresholds ?? THRESHOLDS;
    const seen = await this.#observe();
    const met = crossed(thresholds, seen);
    this.#pressures = pressures(env.now(), met, this.#lastMs, this.#p.transitionMs);
    const active = this.#p.pods().filter((pod) => !hasEnded(pod));
    if (await this.#endOverLimits(active)) return;
    const first = met[0];
    if (first === undefined) return;
    const resource = resourceOf(first.signal);
    tell('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    if (resource === 'ephemeral-storage' || resource === 'inodes') {
      await this.#p.reclaim();
      if (crossed(thresholds, await this.#observe()).length === 0) return;
    }
    const usage = await this.#measure(active);
    const of = (pod: Pod) => usage.get(uidOf(pod));
    const pod = rank(first.signal, active, of).find((p) => !isCritical(p));
    if (pod === undefined) return env.log('warn', 'eviction.nobody', { resource });
    const message = evictionMessage(first.signal, met, seen, pod, of);
    this.#p.end(pod, { reason: 'Evicted', message, graceSeconds: GRACE_SECONDS, disrupted: true });
  }

  async #observe(): Promise<Observations> {
    const { machine, root } = this.#p;
    const memory = machine.memory();
    const processes = machine.processes();
    const node = machine.disk(root);
    this.#imageDisk ??= (await this.#p.images.imageFsInfo()).imageFilesystems[0]?.fsId?.mountpoint;
    const image = this.#imageDisk === undefined ? node : machine.disk(this.#imageDisk);
    return {
      'memory.available': { available: memory.totalBytes - memory.workingSetBytes, capacity: memory.totalBytes },
      'nodefs.available': { available: node.availableBytes, capacity: node.capacityBytes },
      'imagefs.available': { available: image.availableBytes, capacity: image.capacityBytes },
      // Some file systems (btrfs) don't count inodes.
      ...(node.inodes > 0 ? { 'nodefs.inodesFree': { available: node.inodesFree, capacity: node.inodes } } : {}),
      ...(image.inodes > 0 ? { 'imagefs.inodesFree': { available: image.inodesFree, capacity: image.inodes } } : {}),
      'pid.available': { available: processes.most - processes.running, capacity: processes.most },
    };
  }

  async #measure(pods: readonly Pod[]): Promise<Map<string, PodUsage>> {
    const { runtime, root, logRoot } = this.#p;
    const stats = await runtime.listContainerStats();
    const out = new Map<string, PodUsage>();
    for (const pod of pods) out.set(uidOf(pod), await podUsage(pod, stats, { root, logRoot }));
    return out;
  }

  async #endOverLimits(active: readonly Pod[]): Promise<boolean> {
    const { env } = this.#p;
    if (env.now() - this.#measuredMs < MEASURE_MS) return false;
    const limited = active.filter(hasDiskLimit);
    if (limited.length === 0) return false;
    this.#measuredMs = env.now();
    const usage = await this.#measure(limited);
    let ended = false;
    for (const pod of limited) {
      const used = usage.get(uidOf(pod));
      const message = used && !isCritical(pod) ? overLimit(pod, used) : null;
      if (message === null || message === undefined) continue;
      this.#p.end(pod, { reason: 'Evicted', message, graceSeconds: GRACE_SECONDS });
      ended = true;
    }
    return ended;
  }
}
