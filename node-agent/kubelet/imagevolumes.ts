import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findProgram } from '../install/machine.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ConfigError } from './env.ts';
import type { ImagePuller, PullFor } from './images.ts';
import type { Container, Pod } from './pod.ts';
import type { Mounted } from './volumes/kind.ts';
import type { Mounter } from './volumes/mounter.ts';

/** Shows the files of an image at a folder, read-only. CRI has that only since containerd 2.1. */
export interface ImageMounts {
  /** `image`: its id. The folder is there and empty. */
  show(image: string, target: string): Promise<void>;
  /** After the folder was unmounted. */
  forget(target: string): Promise<void>;
}

/** What runs `ctr` may take: an image of many layers is mounted in milliseconds. */
const CTR_MS_MAX = 60_000;
/** containerd's namespace of what CRI has. */
const NAMESPACE = 'k8s.io';

/** containerd's own command, which makes a view of the image's snapshot and mounts it; absent where this machine hasn't that command. */
export function ctrImageMounts(socket: string, runtime: Runtime): ImageMounts | undefined {
  const ctr = findProgram('ctr');
  if (ctr === null) return undefined;
  const run = (...args: string[]) =>
    promisify(execFile)(ctr, ['--address', socket, '--namespace', NAMESPACE, ...args], { timeout: CTR_MS_MAX });
  const snapshotter = async () => {
    const { info } = await runtime.status(true);
    return /"snapshotter"\s*:\s*"([^"]+)"/.exec(info?.config ?? '')?.[1] ?? 'overlayfs';
  };
  const forget = async (target: string) => {
    const at = await snapshotter();
    await run('snapshots', '--snapshotter', at, 'rm', target).catch(() => undefined); // it isn't there: nothing to forget
    await run('leases', 'rm', target).catch(() => undefined);
  };
  return {
    async show(image, target) {
      await forget(target); // what an agent that was killed has left
      await run('images', 'mount', '--snapshotter', await snapshotter(), image, target);
    },
    forget,
  };
}

/** Where image volumes are among a pod's volumes. */
const PLACE = '/kubernetes.io~image/';

/** `mounter` that lets go of an image's view when its folder is unmounted. */
export function forgettingImages(mounter: Mounter, images: ImageMounts | undefined): Mounter {
  if (images === undefined) return mounter;
  return {
    below: (dir) => mounter.below(dir),
    mount: (o) => mounter.mount(o),
    bind: (source, target) => mounter.bind(source, target),
    async unmount(target) {
      await mounter.unmount(target);
      if (target.includes(PLACE)) await images.forget(target);
    },
  };
}

/** Pulls the images of a container's image volumes and shows them. Throws ConfigError as a pull of the container's own image does. */
export async function showImages(
  pod: Pod,
  c: Container,
  s: {
    images: ImagePuller;
    imageMounts: ImageMounts | undefined;
    mounter: Mounter;
    volumes: { get(name: string): Mounted | undefined };
    pull: PullFor;
  },
): Promise<void> {
  for (const v of pod.spec.volumes ?? []) {
    const at = s.volumes.get(v.name)?.path;
    if (!v.image || at === undefined || !c.volumeMounts?.some((m) => m.name === v.name)) continue;
    if (!s.imageMounts) {
      const why = 'volumes of type image are not carried out by this node';
      throw new ConfigError(`volume ${JSON.stringify(v.name)}: ${why}`, 'CreateContainerError');
    }
    const policy = v.image.pullPolicy ? { imagePullPolicy: v.image.pullPolicy } : {};
    const image = await s.images.ensure({ image: v.image.reference ?? '', ...policy }, s.pull);
    if ((await s.mounter.below(at)).some((m) => m.path === at)) continue;
    await mkdir(at, { recursive: true });
    await s.imageMounts.show(image.id, at);
  }
}
