import { join } from 'node:path';
import { rememberedReferences, rememberedTokens, rememberedTrustBundles } from '../checkpoint.ts';
import type { Downward } from '../env.ts';
import type { WorkerParts } from '../parts.ts';
import { allContainers, namedContainers, type Pod, uidOf, type Volume } from '../pod.ts';
import { type Mounted, MountFailure, Unprocessed, type VolumeParts } from './kind.ts';
import { kindOf } from './kinds.ts';
import { PodCertificates } from './podcertificate.ts';
import { podDirectory } from './subpath.ts';

/** A volume that couldn't be made is tried again after this, doubling up to the most: pkg/util/goroutinemap/exponentialbackoff. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 122_000;

export type TellVolume = (type: 'Warning', reason: string, message: string) => void;

interface State {
  mounted?: Mounted;
  failures: number;
  /** Not tried again before. */
  afterMs: number;
  renewMs: number;
}

/** The volumes of one pod: made before its first container, brought up to date while it runs. Calls don't overlap. */
export class PodVolumes {
  readonly #parts: VolumeParts;
  readonly #tell: TellVolume;
  readonly #states = new Map<string, State>();
  /** What they are made of may be another than when they were made; so it is for an agent that has just begun. */
  #stale = true;
  #described = '';

  constructor(parts: VolumeParts, tell: TellVolume) {
    this.#parts = parts;
    this.#tell = tell;
  }

  /** Says that something they are made of has changed. */
  changed(): void {
    this.#stale = true;
    for (const s of this.#states.values()) s.afterMs = 0;
  }

  get(name: string): Mounted | undefined {
    return this.#states.get(name)?.mounted;
  }

  /** When a file of them is to be replaced next, in milliseconds since the epoch. */
  get renewMs(): number {
    return Math.min(...[...this.#states.values()].map((s) => s.renewMs), Number.POSITIVE_INFINITY);
  }

  /** Makes what isn't made yet. Null when all is there, else when to try again; what is missing has been told. */
  async setUp(pod: Pod, down: Downward): Promise<number | null> {
    const now = this.#parts.now();
    const missing = usedVolumes(pod).filter((v) => !this.get(v.name));
    if (missing.length === 0) return null;
    const due = missing.filter((v) => (this.#states.get(v.name)?.afterMs ?? 0) <= now);
    const errors = await Promise.all(due.map((v) => this.#make(v, pod, down)));
    const left = missing.filter((v) => !this.get(v.name));
    this.#report(due, errors, left);
    if (left.length === 0) return null;
    return Math.min(...left.map((v) => this.#states.get(v.name)?.afterMs ?? now));
  }

  /** Brings those that are made of something up to date, if that may have changed. When to call it again; null: at a change. */
  async refresh(pod: Pod, down: Downward): Promise<number | null> {
    const described = JSON.stringify([
      pod.metadata.labels,
      pod.metadata.annotations,
      allContainers(pod).map((c) => c.resources),
    ]);
    const due = this.renewMs <= this.#parts.now();
    if (!this.#stale && !due && described === this.#described) return this.#next();
    this.#stale = false;
    this.#described = described;
    const following = usedVolumes(pod).filter((v) => kindFollows(v));
    const errors = await Promise.all(following.map((v) => this.#make(v, pod, down)));
    this.#report(following, errors, []);
    return this.#next();
  }
  #next(): number | null {
    return this.renewMs === Number.POSITIVE_INFINITY ? null : this.renewMs;
  }

  /** Why it couldn't be made, or null. */
  async #make(v: Volume, pod: Pod, down: Downward): Promise<Error | null> {
    const before = this.#states.get(v.name);
    const state: State = { failures: 0, afterMs: 0, renewMs: Number.POSITIVE_INFINITY };
    if (before?.mounted) state.mounted = before.mounted;
    this.#states.set(v.name, state);
    try {
      const { kind, source } = kindOf(v);
      const podDir = podDirectory(this.#parts.root, pod);
      const plugin = `kubernetes.io~${kind.plugin}`;
      const renew = (ms: number) => {
        state.renewMs = Math.min(state.renewMs, ms);
      };
      state.mounted = await kind.setUp(source, v, {
        ...this.#parts,
        ...{ pod, down, renew },
        dir: join(podDir, 'volumes', plugin, v.name),
        notes: join(podDir, 'plugins', plugin, v.name),
      });
      return null;
    } catch (error) {
      state.failures = (before?.failures ?? 0) + 1;
      const wait = Math.min(RETRY_MS * 2 ** (state.failures - 1), RETRY_MS_MAX);
      state.afterMs = this.#parts.now() + wait;
      // One that is there stays usable; it is tried again as if its time had come.
      if (state.mounted && state.renewMs === Number.POSITIVE_INFINITY) state.renewMs = state.afterMs;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** An event for each volume that failed; those that couldn't even be tried share one, as upstream's populator tells them. */
  #report(tried: readonly Volume[], errors: readonly (Error | null)[], left: readonly Volume[]): void {
    const untried: { name: string; why: string }[] = [];
    for (const [i, v] of tried.entries()) {
      const error = errors[i];
      if (!error) continue;
      if (error instanceof Unprocessed) untried.push({ name: v.name, why: error.message });
      else {
        const named = error instanceof MountFailure;
        const failure = named ? error : new MountFailure('MountVolume.SetUp failed', v.name, error.message);
        this.#tell('Warning', 'FailedMount', failure.message);
      }
    }
    if (untried.length === 0) return;
    const names = (list: readonly { name: string }[]) =>
      `[${list
        .map((l) => l.name)
        .sort()
        .join(' ')}]`;
    const lists = `unmounted volumes=${names(left)}, unattached volumes=[], failed to process volumes=${names(untried)}`;
    const text = `${lists}: ${untried.map((u) => u.why).join('; ')}`;
    this.#tell('Warning', 'FailedMount', `Unable to attach or mount volumes: ${text}`);
  }
}

/** A pod's volumes on this node; `changed` is called when something they are made of is another. */
export function volumesOf(pod: Pod, p: WorkerParts, changed: () => void, tell: TellVolume): PodVolumes {
  const { root, mounter, claims, labels, env } = p;
  const now = () => env.now();
  const followed = p.followed.of(uidOf(pod), () => {
    volumes.changed();
    changed();
  });
  const refs = {
    ...rememberedReferences(followed, root, uidOf(pod)),
    ...rememberedTrustBundles(followed, root, uidOf(pod)),
  };
  const token = rememberedTokens(p.token, root, now);
  const certificates = new PodCertificates({
    ...{ api: p.api, requests: followed, node: p.nodeName, now, tell },
    nodeUid: () => p.nodeUid(),
    random: () => env.random(),
  });
  const volumes = new PodVolumes({ root, refs, token, mounter, claims, labels, now, certificates }, tell);
  return volumes;
}

function kindFollows(v: Volume): boolean {
  try {
    return kindOf(v).kind.follows;
  } catch {
    return false; // it was never made
  }
}

/** The volumes that a container mounts or reads variables from; others aren't made. */
export function usedVolumes(pod: Pod): Volume[] {
  const used = new Set(
    namedContainers(pod).flatMap((c) => [
      ...[...(c.volumeMounts ?? []), ...(c.volumeDevices ?? [])].map((m) => m.name),
      ...(c.env ?? []).flatMap((e) => e.valueFrom?.fileKeyRef?.volumeName ?? []),
    ]),
  );
  return (pod.spec.volumes ?? []).filter((v) => used.has(v.name));
}
