import type { Container, PodSandbox } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Actual, ActualContainer } from './actions.ts';
import { ANNOTATION, LABEL } from './container.ts';

/** All that the runtime has, grouped by pod uid, from two list calls. */
export interface Relist {
  sandboxes: Map<string, PodSandbox[]>;
  containers: Map<string, Container[]>;
}

export async function relist(runtime: Runtime): Promise<Relist> {
  const [sandboxes, containers] = await Promise.all([runtime.listPodSandbox(), runtime.listContainers()]);
  return {
    sandboxes: Map.groupBy(
      sandboxes.filter((s) => s.labels[LABEL.uid]),
      (s) => s.labels[LABEL.uid] ?? '',
    ),
    containers: Map.groupBy(
      containers.filter((c) => c.labels[LABEL.uid]),
      (c) => c.labels[LABEL.uid] ?? '',
    ),
  };
}

/** A text that changes when anything of a pod changed: what the relist compares. */
export function fingerprint(list: Relist, uid: string): string {
  const s = (list.sandboxes.get(uid) ?? []).map((x) => `${x.id}:${x.state}`);
  const c = (list.containers.get(uid) ?? []).map((x) => `${x.id}:${x.state}`);
  return [...s.sort(), ...c.sort()].join(' ');
}

export interface PodActual extends Actual {
  /** Per name the run before the newest one. */
  previous: Map<string, ActualContainer>;
  /** Containers of the sandbox that are neither newest nor the one before: to be removed. */
  old: string[];
  podIPs: string[];
  images: Map<string, { image: string; imageID: string }>;
  /** Sandboxes before the newest of which nothing is shown any more: to be removed. */
  oldSandboxes: string[];
  /** All of them, the newest first. */
  sandboxes: string[];
}

const STATES = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
} as const;

/** What the runtime has of one pod, with the times and codes that only the status calls tell. `known` spares calls for what can't change any more. */
export async function actualOf(
  runtime: Runtime,
  list: Relist,
  uid: string,
  known: Map<string, ActualContainer & { imageID: string }>,
): Promise<PodActual> {
  const sandboxes = [...(list.sandboxes.get(uid) ?? [])].sort(
    (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt,
  );
  const newest = sandboxes[0];
  const byName = Map.groupBy(list.containers.get(uid) ?? [], (c) => c.metadata.name);
  const containers = new Map<string, ActualContainer>();
  const previous = new Map<string, ActualContainer>();
  const images = new Map<string, { image: string; imageID: string }>();
  const old: string[] = [];
  const kept = new Set<string>();
  for (const [name, all] of byName) {
    all.sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt);
    // A new sandbox begins with new containers: those of an older one are only history.
    const current = all.filter((c) => c.podSandboxId === newest?.id);
    const [first, second] = current.length > 0 ? [current[0], all[1]] : [undefined, all[0]];
    for (const c of all) if (c !== first && c !== second) old.push(c.id);
    if (first) {
      const s = await detail(runtime, first, known);
      containers.set(name, s);
      images.set(name, { image: first.image?.image ?? '', imageID: s.imageID });
    }
    if (second) {
      kept.add(second.podSandboxId);
      const s = await detail(runtime, second, known);
      previous.set(name, s);
      if (!first) images.set(name, { image: second.image?.image ?? '', imageID: s.imageID });
    }
  }
  const status = newest?.state === 'SANDBOX_READY' ? (await runtime.podSandboxStatus(newest.id)).status : undefined;
  const ips = [status?.network?.ip ?? '', ...(status?.network?.additionalIps ?? []).map((i) => i.ip)].filter(
    (ip) => ip !== '',
  );
  return {
    sandbox: newest
      ? { id: newest.id, attempt: newest.metadata.attempt, ready: newest.state === 'SANDBOX_READY' }
      : undefined,
    containers,
    previous,
    old,
    images,
    podIPs: ips,
    oldSandboxes: sandboxes.slice(1).flatMap((s) => (kept.has(s.id) ? [] : [s.id])),
    sandboxes: sandboxes.map((s) => s.id),
  };
}

async function detail(
  runtime: Runtime,
  c: Container,
  known: Map<string, ActualContainer & { imageID: string }>,
): Promise<ActualContainer & { imageID: string }> {
  const before = known.get(c.id);
  if (before?.state === 'exited') return before;
  const s = await runtime.containerStatus(c.id);
  const ms = (nanoseconds: number) => Math.floor(nanoseconds / 1e6);
  const made = {
    id: c.id,
    name: c.metadata.name,
    attempt: Number(c.annotations[ANNOTATION.restarts] ?? c.metadata.attempt),
    state: STATES[s.state],
    exitCode: s.exitCode,
    startedMs: ms(s.startedAt),
    finishedMs: ms(s.finishedAt),
    reason: s.reason,
    message: s.message,
    imageID: s.imageRef,
    hash: c.annotations[ANNOTATION.hash],
    resources: s.resources?.linux,
    ...(s.user?.linux ? { user: { linux: userOf(s.user.linux) } } : {}),
  };
  known.set(c.id, made);
  return made;
}

function userOf(u: { uid: number; gid: number; supplementalGroups: number[] }) {
  const { uid, gid, supplementalGroups } = u;
  return { uid, gid, ...(supplementalGroups.length > 0 ? { supplementalGroups } : {}) };
}
