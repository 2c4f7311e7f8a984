import { chmod, lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  compareQuantities,
  parseQuantity,
  type Quantity,
  quantity,
  quantityOf,
  wholeValue,
} from '../../../kube/meta/quantity.ts';
import { allContainers, type Container, type Pod, type Volume } from '../pod.ts';
import type { Mounted, VolumeContext, VolumeKind } from './kind.ts';
import { giveToGroup } from './ownership.ts';

const OPEN = 0o777;
const MODE_BITS = 0o777;

type Source = NonNullable<Volume['emptyDir']>;

/** A folder of the pod's own: on the disk, in memory or in huge pages. What it holds goes with the pod. */
export const emptyDir: VolumeKind<Source> = {
  plugin: 'empty-dir',
  follows: false,
  async setUp(source, _volume, c): Promise<Mounted> {
    const medium = source.medium ?? '';
    const mounted = (await c.mounter.below(c.dir)).some((m) => m.path === c.dir);
    if (!(await isReady(c, medium !== '', mounted))) {
      await make(source, medium, mounted, c);
      await giveToGroup(c.dir, c.pod.spec.securityContext?.fsGroup, { readonly: false });
      await mkdir(c.notes, { recursive: true });
      await writeFile(join(c.notes, 'ready'), '');
    }
    return { path: c.dir, readonly: false };
  },
};

/** Made before, and still there: its mode is the containers' business from then on. */
async function isReady(c: VolumeContext, needsMount: boolean, mounted: boolean): Promise<boolean> {
  if (!(await exists(join(c.notes, 'ready')))) return false;
  if (needsMount) return mounted;
  if (await exists(c.dir)) return true;
  await rm(c.notes, { recursive: true, force: true });
  return false;
}
const exists = (path: string) =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function make(source: Source, medium: string, mounted: boolean, c: VolumeContext): Promise<void> {
  const [type, from, options] =
    medium === ''
      ? ['', '', []]
      : medium === 'Memory'
        ? ['tmpfs', 'tmpfs', [`size=${memorySize(source, c.pod, c.down.allocatable.memory)}`]]
        : /^HugePages(-|$)/.test(medium)
          ? ['hugetlbfs', 'nodev', [`pagesize=${pageSize(medium, c.pod)}`]]
          : (() => {
              throw new Error(`unknown storage medium ${JSON.stringify(medium)}`);
            })();
  await makeOpenDirectory(c.dir);
  if (type === '' || mounted) return;
  await c.mounter.mount({ type, source: from, target: c.dir, options });
  await chmod(c.dir, OPEN); // tmpfs begins with 1777
}

/** A folder that everybody may write to, whatever the umask is. */
export async function makeOpenDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: OPEN });
  if (((await lstat(dir)).mode & MODE_BITS) !== OPEN) await chmod(dir, OPEN);
}

/** How large a volume in memory may grow: what the node has for pods, what the pod may use, its own limit; the least of them. */
export function memorySize(source: Source, pod: Pod, allocatable: string | undefined): number {
  let size: Quantity = parseQuantity(allocatable ?? '0') ?? quantityOf(0);
  const limits = [podMemoryLimit(pod), source.sizeLimit === undefined ? null : parseQuantity(source.sizeLimit)];
  for (const limit of limits) if (limit && wholeValue(limit) > 0 && compareQuantities(limit, size) < 1) size = limit;
  return wholeValue(size);
}

/** Null where a container has no limit. */
function podMemoryLimit(pod: Pod): Quantity | null {
  const own = pod.spec.resources?.limits?.memory;
  if (own !== undefined) return parseQuantity(own);
  let sum = 0;
  for (const c of pod.spec.containers) {
    const bytes = memoryOf(c);
    if (!bytes) return null;
    sum += bytes;
  }
  const init = (pod.spec.initContainers ?? []).map(memoryOf);
  return quantityOf(Math.max(sum, ...init));
}

const memoryOf = (c: Container): number => wholeValue(quantity(c.resources?.limits?.memory));

const HUGE = 'hugepages-';

/** The page size that a pod asks for, of the medium where that names one. */
function pageSize(medium: string, pod: Pod): string {
  const asked = new Set<string>();
  for (const set of [pod.spec.resources?.requests, ...allContainers(pod).map((c) => c.resources?.requests)])
    for (const name of Object.keys(set ?? {})) if (name.startsWith(HUGE)) asked.add(name.slice(HUGE.length));
  if (medium === 'HugePages' && asked.size > 1)
    throw new Error(`medium: ${medium} can't be used if container requests multiple huge page sizes`);
  const found = medium === 'HugePages' ? [...asked][0] : [...asked].find((s) => medium === `HugePages-${s}`);
  if (found === undefined)
    throw new Error(`medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`);
  return found;
}
