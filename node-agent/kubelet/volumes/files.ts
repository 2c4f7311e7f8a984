import { mkdir } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { allContainers, type Pod, type Volume } from '../pod.ts';
import { type Payload, writeAtomically } from './atomicwriter.ts';
import { makeOpenDirectory } from './emptydir.ts';
import type { Mounted, VolumeContext } from './kind.ts';
import { giveToGroup } from './ownership.ts';

/** A volume of files: writes them where they differ, and gives them to the pod's group before they are seen. */
export async function filesVolume(payload: Payload, volume: Volume, c: VolumeContext): Promise<Mounted> {
  await makeOpenDirectory(c.dir);
  for (const path of nestedMountPoints(volume.name, c.pod)) await mkdir(join(c.dir, path), { recursive: true });
  const group = c.pod.spec.securityContext?.fsGroup;
  // All of it, not only the new folder: names may be there for the first time.
  const publish = () => giveToGroup(c.dir, group, { readonly: true });
  await writeAtomically(c.dir, payload, new Date(c.now()), publish);
  return { path: c.dir, readonly: true };
}

/**
 * Folders that must be in a volume because other volumes are mounted below it: a runtime can't make them in what is read-only.
 * Those that lie in another such folder are left out.
 */
export function nestedMountPoints(name: string, pod: Pod): string[] {
  const out = new Set<string>();
  for (const c of allContainers(pod)) {
    const paths = (c.volumeMounts ?? []).map((m) => ({
      name: m.name,
      path: normalize(m.mountPath).replace(/\/$/, ''),
    }));
    for (const own of paths.filter((p) => p.name === name)) {
      const below = paths.map((p) => p.path).filter((p) => p.startsWith(`${own.path}/`));
      for (const p of below) {
        if (!below.some((other) => p.startsWith(`${other}/`))) out.add(p.slice(own.path.length + 1));
      }
    }
  }
  return [...out];
}
