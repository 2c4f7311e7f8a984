import { milliValue, type Quantity, quantity, wholeValue } from '../../kube/meta/quantity.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Actual } from './actions.ts';
import type { Cgroups } from './cgroups.ts';
import { allContainers, type Container, type Pod } from './pod.ts';
import type { PodResizes } from './resize.ts';
import { containerResources, type MachineFacts, type PodCgroup, podCgroup } from './resources.ts';

export interface Actuating {
  runtime: Runtime;
  cgroups: Cgroups;
  machine: MachineFacts;
  resizes: PodResizes;
  /** The pod's cgroup. */
  path: string;
}

/** A container that runs, and what of a resource it had and is to have. */
interface Update {
  c: Container;
  id: string;
  by: number;
}

/**
 * Brings a pod that runs to what it was granted: memory, then CPU. The pod's own cgroup grows before its containers and shrinks after them, and of
 * the containers those go first that shrink (kubelet's doPodResizeAction). Throws when something can't be had now; what was done stays.
 */
export async function actuate(pod: Pod, actual: Actual, a: Actuating): Promise<void> {
  const wanted = podCgroup(pod);
  const before = a.resizes.cgroup ?? wanted;
  await refuseBelowUsage(pod, actual, a, before, wanted);
  const memory = growth(before.memoryBytes, wanted.memoryBytes);
  const quota = growth(before.cpuQuota || undefined, wanted.cpuQuota || undefined);
  const shares = wanted.cpuShares - before.cpuShares;
  const setMemory = () => set(a, { ...(wanted.memoryBytes === undefined ? {} : { memoryBytes: wanted.memoryBytes }) });
  const setQuota = () =>
    set(a, wanted.cpuQuota === undefined ? {} : { cpuQuota: wanted.cpuQuota, cpuPeriod: wanted.cpuPeriod ?? 0 });
  const setShares = () => set(a, { cpuShares: wanted.cpuShares });

  if (memory > 0) await setMemory();
  await updateContainers(pod, actual, a, 'memory');
  if (memory < 0) await setMemory();
  if (quota > 0) await setQuota();
  if (shares > 0) await setShares();
  await updateContainers(pod, actual, a, 'cpu');
  if (shares < 0) await setShares();
  if (quota < 0) await setQuota();
}

/** Positive when a limit grows; one that is absent has no end. */
function growth(from: number | undefined, to: number | undefined): number {
  if (to === undefined) return 0; // a limit of the pod's group isn't taken back
  return from === undefined ? -1 : to - from;
}

async function set(a: Actuating, limits: Partial<PodCgroup>): Promise<void> {
  if (Object.keys(limits).length === 0) return;
  await a.cgroups.set(a.path, limits);
  await a.resizes.setCgroup({ ...(a.resizes.cgroup ?? { cpuShares: 2 }), ...limits });
}

const amount = (resource: 'cpu' | 'memory', q: Quantity) => (resource === 'cpu' ? milliValue(q) : wholeValue(q));

async function updateContainers(pod: Pod, actual: Actual, a: Actuating, resource: 'cpu' | 'memory'): Promise<void> {
  const updates: Update[] = [];
  for (const c of allContainers(pod)) {
    const run = actual.containers.get(c.name);
    if (run?.state !== 'running' || a.resizes.need(pod, c) !== 'update') continue;
    const had = a.resizes.actuated(c.name);
    const of = (which: 'limits' | 'requests', r: typeof c.resources) =>
      amount(resource, quantity(r?.[which]?.[resource]));
    const limit = of('limits', c.resources) - of('limits', had);
    updates.push({ c, id: run.id, by: limit === 0 ? of('requests', c.resources) - of('requests', had) : limit });
  }
  updates.sort((x, y) => x.by - y.by);
  for (const { c, id } of updates) {
    const all = containerResources(pod, c, a.machine);
    const { cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes, ...rest } = all;
    if (resource === 'memory') {
      if (memoryLimitInBytes) await a.runtime.updateContainerResources(id, { memoryLimitInBytes, ...rest });
      continue;
    }
    await a.runtime.updateContainerResources(id, {
      ...(cpuShares === undefined ? {} : { cpuShares }),
      ...(cpuQuota ? { cpuQuota, ...(cpuPeriod === undefined ? {} : { cpuPeriod }) } : {}),
    });
    await a.resizes.setActuated(pod, c);
  }
}

/** Memory can't be taken from who uses it: the kernel would end a process at once. */
async function refuseBelowUsage(
  pod: Pod,
  actual: Actual,
  a: Actuating,
  before: PodCgroup,
  wanted: PodCgroup,
): Promise<void> {
  const why: string[] = [];
  if (wanted.memoryBytes !== undefined && growth(before.memoryBytes, wanted.memoryBytes) < 0) {
    const used = await a.cgroups.memoryUsage(a.path);
    if (used !== undefined && used >= wanted.memoryBytes)
      why.push(`attempting to set pod memory limit (${wanted.memoryBytes}) below current usage (${used})`);
  }
  for (const c of allContainers(pod)) {
    const run = actual.containers.get(c.name);
    const limit = wholeValue(quantity(c.resources?.limits?.memory));
    const had = wholeValue(quantity(a.resizes.actuated(c.name)?.limits?.memory));
    if (run?.state !== 'running' || limit === 0 || (had !== 0 && limit >= had)) continue;
    if (a.resizes.need(pod, c) !== 'update') continue;
    const stats = await a.runtime.containerStats(run.id).catch(() => null); // nobody can tell: the kernel decides
    const used = stats?.memory?.usageBytes ?? stats?.memory?.workingSetBytes;
    if (used !== undefined && used >= limit)
      why.push(`attempting to set container "${c.name}" memory limit (${limit}) below current usage (${used})`);
  }
  if (why.length === 0) return;
  throw new Error(`cannot decrease memory limits: ${why.length === 1 ? why[0] : `[${why.join(', ')}]`}`);
}
