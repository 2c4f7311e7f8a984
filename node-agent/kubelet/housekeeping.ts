import { readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Image } from '../runtime/messages.ts';
import { normalizeReference } from '../runtime/reference.ts';
import type { ImageStore, Runtime } from '../runtime/runtime.ts';
import type { Relist } from './actual.ts';
import { loadPods } from './checkpoint.ts';
import { logDirectory } from './container.ts';
import {
  bytesToFree,
  IMAGE_LOOK_MS,
  type ImageRecord,
  imagesInUse,
  notEnough,
  removableImages,
  seeImages,
} from './imagegc.ts';
import { removeDeadLinks } from './loglinks.ts';
import { LOG_LOOK_MS, rotateLog } from './logrotation.ts';
import { type Pod, uidOf } from './pod.ts';
import type { PulledImages } from './pulledimages.ts';
import type { Mounter } from './volumes/mounter.ts';
import { removePodDirectory } from './volumes/teardown.ts';

/** The kubelet's housekeepingInterval times thirty: what an agent that was killed has left is of no hurry. */
const ORPHAN_LOOK_MS = 60_000;

/** How large the disk is that a path lies on, in bytes. */
export type DiskOf = (path: string) => Promise<{ capacity: number; available: number }>;
export const diskOf: DiskOf = async (path) => {
  const s = await statfs(path);
  return { capacity: s.blocks * s.bsize, available: s.bavail * s.bsize };
};

export interface HousekeepingParts {
  runtime: Runtime;
  images: ImageStore;
  pulled: PulledImages;
  mounter: Mounter;
  root: string;
  logRoot: string;
  /** The runtime as it was seen last; undefined before the first look. */
  seen(): Relist | undefined;
  /** Pods of this node by uid; undefined while the API hasn't told them. */
  pods(): ReadonlyMap<string, { pod: Pod }> | undefined;
  disk?: DiskOf;
  /** An Event of this node. */
  tell(type: 'Normal' | 'Warning', reason: string, message: string): void;
  env: Env;
}

/** What keeps a node's disk in order: logs are rotated, images that nobody uses go when it fills, leftovers of pods that are gone are removed. */
export class Housekeeping {
  readonly #p: HousekeepingParts;
  readonly #records = new Map<string, ImageRecord>();
  /** Names of the images that sandboxes are made of; undefined until the runtime was asked. */
  #sandboxImages: readonly string[] | undefined;

  constructor(p: HousekeepingParts) {
    this.#p = p;
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const loop = async (ms: number, what: string, f: () => Promise<unknown>) => {
      while (!signal.aborted) {
        await sleep(this.#p.env, ms);
        if (signal.aborted) return;
        await f().catch((e: unknown) => this.#p.env.log('warn', `${what}.failed`, { error: String(e) }));
      }
    };
    await Promise.all([
      loop(LOG_LOOK_MS, 'logs.rotation', () => this.rotateLogs()),
      loop(IMAGE_LOOK_MS, 'images.collection', () => this.collectImages()),
      loop(ORPHAN_LOOK_MS, 'orphans', () => this.removeOrphans()),
    ]);
  }

  /** Rotates the logs of containers that run; others write nothing any more. */
  async rotateLogs(): Promise<void> {
    const { seen, pods, logRoot, runtime, env } = this.#p;
    const list = seen();
    for (const [uid, { pod }] of pods() ?? []) {
      for (const c of list?.containers.get(uid) ?? []) {
        if (c.state !== 'CONTAINER_RUNNING') continue;
        const path = join(logDirectory(logRoot, pod), c.metadata.name, `${c.metadata.attempt}.log`);
        const reopen = () => runtime.reopenContainerLog(c.id);
        await rotateLog(path, env.now(), reopen).catch((e: unknown) =>
          env.log('info', 'log.rotation.failed', { pod: pod.metadata.name, error: String(e) }),
        );
      }
    }
  }

  /** Removes images that nobody uses once their disk is too full, until it isn't. `wanted`: so many bytes, however full it is. */
  async collectImages(wanted?: number): Promise<number> {
    const { images, runtime, env, tell, pulled } = this.#p;
    const now = env.now();
    const [all, containers] = await Promise.all([images.listImages(), runtime.listContainers()]);
    const used = imagesInUse(all, containers);
    for (const i of all) if (await this.#isSandboxImage(i.repoTags)) used.add(i.id);
    for (const id of this.#shownImages(all)) used.add(id);
    seeImages(this.#records, all, used, now);
    await pulled.keep(new Set(all.map((i) => i.id)));
    const disk = await this.#imageDisk();
    if (disk === null) return 0;
    if (disk.capacity === 0) {
      tell('Warning', 'InvalidDiskCapacity', 'invalid capacity 0 on image filesystem');
      return 0;
    }
    const { percent, bytes } = bytesToFree(disk.capacity, disk.available);
    const goal = wanted ?? bytes;
    let freed = 0;
    for (const i of goal > 0 ? removableImages(this.#records, all, used, now) : []) {
      if (freed >= goal) break;
      await images.removeImage({ image: i.id });
      this.#records.delete(i.id);
      pulled.changes++;
      freed += i.size;
      env.log('info', 'image.removed', { image: i.repoTags[0] ?? i.id, bytes: i.size });
    }
    if (wanted === undefined && freed < goal)
      tell('Warning', 'FreeDiskSpaceFailed', notEnough(percent, disk.capacity, freed));
    return freed;
  }

  /** Images that volumes are made of. */
  #shownImages(all: readonly Image[]): string[] {
    const volumes = [...(this.#p.pods()?.values() ?? [])].flatMap(({ pod }) => pod.spec.volumes ?? []);
    const names = new Set(volumes.flatMap((v) => (v.image?.reference ? [normalizeReference(v.image.reference)] : [])));
    return all.filter((i) => [...i.repoTags, ...i.repoDigests].some((name) => names.has(name))).map((i) => i.id);
  }

  async #imageDisk(): Promise<{ capacity: number; available: number } | null> {
    const info = await this.#p.images.imageFsInfo();
    const mountpoint = info.imageFilesystems[0]?.fsId?.mountpoint;
    return mountpoint === undefined ? null : (this.#p.disk ?? diskOf)(mountpoint);
  }

  /** CRI doesn't tell what sandboxes are made of; containerd names it among its settings. */
  async #isSandboxImage(tags: readonly string[]): Promise<boolean> {
    const names = this.#sandboxImages ?? (await this.#askSandboxImages());
    this.#sandboxImages = names;
    return names.some((name) => tags.includes(name));
  }
  async #askSandboxImages(): Promise<string[]> {
    const { info } = await this.#p.runtime.status(true);
    const name = /"sandboxImage"\s*:\s*"([^"]+)"/.exec(info.config ?? '')?.[1];
    return name === undefined ? [] : [name];
  }

  /** Directories and logs of pods that neither the API nor the runtime knows any more: an agent was killed before it could remove them. */
  async removeOrphans(): Promise<void> {
    const { root, logRoot, mounter, seen, pods, env } = this.#p;
    const [known, list] = [pods(), seen()];
    if (known === undefined || list === undefined) return;
    await removeDeadLinks(logRoot);
    const gone = (uid: string) => !known.has(uid) && !list.sandboxes.has(uid) && !list.containers.has(uid);
    const saved = new Map((await loadPods(root)).map((pod) => [uidOf(pod), pod]));
    for (const uid of (await readdir(join(root, 'pods')).catch(() => [])).filter(gone)) {
      const pod = saved.get(uid);
      if (pod) await rm(logDirectory(logRoot, pod), { recursive: true, force: true });
      await removePodDirectory(root, uid, mounter);
      env.log('info', 'pod.leftovers.removed', { uid });
    }
  }
}
