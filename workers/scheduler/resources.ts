import { milliValue, parseQuantity, wholeValue } from '../../kube/meta/quantity.ts';
import type { Amounts, Pod, PodContainer, Resources } from './framework.ts';

// What a pod asks for: component-helpers resource/helpers.go.

/** Upstream's assumption for containers that request nothing, in scores only: pkg/scheduler/util/pod_resources.go. */
const DEFAULTS: Amounts = { cpu: 100, memory: 200 * 1024 * 1024 };

/** Numbers of quantities by their text: clusters use few texts. Forgotten all at once when there are more. */
const TEXTS_MAX = 10_000;
const [MILLI, WHOLE] = [new Map<string, number>(), new Map<string, number>()];

function amount(name: string, text: string): number {
  const known = name === 'cpu' ? MILLI : WHOLE;
  const old = known.get(text);
  if (old !== undefined) return old;
  const q = parseQuantity(text);
  const n = q === null ? 0 : name === 'cpu' ? milliValue(q) : wholeValue(q);
  if (known.size >= TEXTS_MAX) known.clear();
  known.set(text, n);
  return n;
}

/** Quantities as numbers: cpu in milli, the rest whole. Unreadable ones count as zero. */
export function amounts(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  const out: Amounts = {};
  for (const name in quantities) out[name] = amount(name, String(quantities[name]));
  return out;
}

/** Adds to the first. */
function addTo(to: Amounts, more: Amounts): Amounts {
  for (const k in more) to[k] = (to[k] ?? 0) + (more[k] ?? 0);
  return to;
}
function raise(to: Amounts, other: Amounts): Amounts {
  for (const k in other) to[k] = Math.max(to[k] ?? 0, other[k] ?? 0);
  return to;
}

interface ContainerStatus {
  name: string;
  allocatedResources?: Record<string, string>;
  resources?: Resources;
}
interface Status {
  conditions?: { type: string; reason?: string }[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  resources?: Resources;
  allocatedResources?: Record<string, string>;
}
const statusOf = (pod: Pod): Status => (pod.status ?? {}) as Status;
type Requested = Readonly<Record<string, string>> | undefined;

/** Containers together, init containers at their peak with the sidecars before them. */
function ofContainers(pod: Pod, of: (c: PodContainer) => Requested, missing: Amounts | undefined): Amounts {
  const requests = (c: PodContainer): Amounts => (missing ? { ...missing, ...amounts(of(c)) } : amounts(of(c)));
  const main: Amounts = {};
  for (const c of pod.spec.containers) addTo(main, requests(c));
  if (pod.spec.initContainers === undefined) return main;
  const sidecars: Amounts = {};
  const peak: Amounts = {};
  for (const c of pod.spec.initContainers) {
    const own = requests(c);
    if (c.restartPolicy === 'Always') {
      addTo(main, own);
      raise(peak, addTo(sidecars, own));
    } else raise(peak, addTo(own, sidecars));
  }
  return raise(main, peak);
}

const infeasible = (pod: Pod): boolean =>
  statusOf(pod).conditions?.find((c) => c.type === 'PodResizePending')?.reason === 'Infeasible';

/** While a pod is resized it takes what it asks for, was promised, or still has, whichever is most. */
function inUse(pod: Pod, missing: Amounts | undefined): Amounts {
  const s = statusOf(pod);
  const spec = (c: PodContainer): Requested => c.resources?.requests;
  const statuses = [...(s.containerStatuses ?? []), ...(s.initContainerStatuses ?? [])];
  const refused = infeasible(pod);
  if (statuses.every((c) => c.resources === undefined && c.allocatedResources === undefined) && !refused)
    return ofContainers(pod, spec, missing);
  const byName = new Map(statuses.map((c) => [c.name, c]));
  const asked = (c: PodContainer): Requested => (refused ? undefined : spec(c));
  let allocated: Amounts;
  let actual: Amounts;
  if (s.allocatedResources && s.resources?.requests) {
    allocated = amounts(s.allocatedResources);
    actual = amounts(s.resources.requests);
  } else {
    allocated = ofContainers(pod, (c) => byName.get(c.name)?.allocatedResources ?? asked(c), missing);
    actual = ofContainers(
      pod,
      (c) => {
        const status = byName.get(c.name);
        return status?.resources?.requests ?? status?.allocatedResources ?? asked(c);
      },
      missing,
    );
  }
  return raise(raise(refused ? {} : ofContainers(pod, spec, missing), actual), allocated);
}

const forPods = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
/** Whether spec.resources has requests that count for the pod as a whole. */
const podLevel = (pod: Pod): boolean => Object.keys(pod.spec.resources?.requests ?? {}).some(forPods);

function finished(pod: Pod, sum: Amounts, status: boolean): Amounts {
  if (podLevel(pod)) {
    const s = statusOf(pod);
    let own = amounts(pod.spec.resources?.requests);
    if (status && s.resources)
      own = raise(raise(infeasible(pod) ? {} : own, amounts(s.resources.requests)), amounts(s.allocatedResources));
    for (const name in own) if (forPods(name)) sum[name] = own[name] ?? 0;
  }
  return pod.spec.overhead ? addTo(sum, amounts(pod.spec.overhead)) : sum;
}

/** What a pod that wants a node asks for. */
export const podRequests = (pod: Pod): Amounts =>
  finished(
    pod,
    ofContainers(pod, (c) => c.resources?.requests, undefined),
    false,
  );

/**
 * What a pod takes from its node; what it counts for in the scores of others, where each container counts for something; and in its own score by room,
 * where upstream's scorer doesn't know of requests that a pod states as a whole.
 */
export function podUsage(pod: Pod): { counted: Amounts; nonZero: Amounts; scored: Amounts } {
  const counted = finished(pod, inUse(pod, undefined), true);
  const missing: Amounts = {};
  const whole = podLevel(pod);
  for (const name in DEFAULTS) if (!whole || counted[name] === undefined) missing[name] = DEFAULTS[name] ?? 0;
  const scored = addTo(
    ofContainers(pod, (c) => c.resources?.requests, DEFAULTS),
    amounts(pod.spec.overhead),
  );
  return { counted, nonZero: finished(pod, inUse(pod, missing), true), scored };
}
