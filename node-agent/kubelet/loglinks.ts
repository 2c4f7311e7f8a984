import { mkdir, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Pod } from './pod.ts';

/** What a name in a directory may have. */
const NAME_UNITS_MAX = 255;
const SUFFIX = '.log';

/** Beside the logs of pods: /var/log/containers, where log collectors look. */
const linksDirectory = (logRoot: string) => join(dirname(logRoot), 'containers');

/** `pod_namespace_container-id.log`: collectors read from the name whose log it is. */
export function linkName(pod: Pod, container: string, id: string): string {
  const whole = `${pod.metadata.name}_${pod.metadata.namespace}_${container}-${id}`;
  return whole.slice(0, NAME_UNITS_MAX - SUFFIX.length) + SUFFIX;
}

/** Makes a container's log found by its name; a log that isn't there gets no link. */
export async function linkLog(logRoot: string, pod: Pod, container: string, id: string, path: string): Promise<void> {
  if (!(await stat(path).catch(() => null))) return;
  const dir = linksDirectory(logRoot);
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const link = join(dir, linkName(pod, container, id));
  await symlink(path, link).catch((e: NodeJS.ErrnoException) => {
    if (e.code !== 'EEXIST') throw e;
  });
}

/** Removes links to logs below `logRoot` that are gone; others' links are left alone. */
export async function removeDeadLinks(logRoot: string): Promise<void> {
  const dir = linksDirectory(logRoot);
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(dir, entry.name);
    const target = await readlink(path).catch(() => '');
    if (target.startsWith(`${logRoot}/`) && !(await stat(target).catch(() => null))) await rm(path, { force: true });
  }
}
