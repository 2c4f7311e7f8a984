import type { Json, JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { addQuantities, quantity } from '../meta/quantity.ts';
import { timeToMillis } from '../meta/time.ts';
import { has, obj, objs, str } from './access.ts';
import { podQOS } from './podspec/qos.ts';
import { COMPUTE, isHugePages } from './podspec/resources.ts';
import { podLimits, podRequests, type Resources } from './podspec/totals.ts';
import type { Scope } from './quota.ts';

// Pods and quotas: kubernetes pkg/quota/v1/evaluator/core/pods.go.

const isNative = (name: string) => !name.includes('/') || name.includes('kubernetes.io/');
const DEVICE_CLASS = 'deviceclass.resource.kubernetes.io/';
const isExtended = (name: string) =>
  (!isNative(name) || name.startsWith(DEVICE_CLASS)) && !name.startsWith('requests.');

/** Whether pods count for a quota's name. */
export function overlapsQuota(name: string): boolean {
  if (name === 'pods' || COMPUTE.has(name)) return true;
  if (isHugePages(name) || name.startsWith('requests.hugepages-')) return true;
  return name.startsWith('requests.') && (!isNative(name) || name.startsWith(`requests.${DEVICE_CLASS}`));
}

/** Adds what a pod uses: nothing once it has ended, or should have been gone by now. */
export function podUsage(pod: KubeObject, now: number, used: Resources): void {
  const { deletionTimestamp, deletionGracePeriodSeconds: grace } = pod.metadata;
  const phase = str(obj(pod.status).phase);
  if (phase === 'Failed' || phase === 'Succeeded') return;
  if (deletionTimestamp && grace !== undefined && now > timeToMillis(deletionTimestamp) + grace * 1000) return;
  const spec = obj(pod.spec);
  const [requests, limits] = [podRequests(spec), podLimits(spec)];
  for (const [name, text] of Object.entries(obj(spec.overhead))) {
    const over = quantity(text);
    const [asked, most] = [requests.get(name), limits.get(name)];
    requests.set(name, asked === undefined ? over : addQuantities(asked, over));
    if (most !== undefined) limits.set(name, addQuantities(most, over));
  }
  add(requests, limits, used);
}
/** podComputeUsageHelper. */
function add(requests: Resources, limits: Resources, used: Resources): void {
  used.set('pods', quantity('1'));
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const [asked, most] = [requests.get(name), limits.get(name)];
    if (asked !== undefined) used.set(name, asked).set(`requests.${name}`, asked);
    if (most !== undefined) used.set(`limits.${name}`, most);
  }
  for (const [name, q] of requests) {
    if (isHugePages(name)) used.set(name, q).set(`requests.${name}`, q);
    if (isExtended(name)) used.set(`requests.${name}`, q);
  }
}

/** Of these a quota asks that each container says what it wants: a mistake of old that can't be taken back. */
const REQUIRED: ReadonlySet<string> = new Set(
  ['', 'requests.', 'limits.'].flatMap((prefix) => [`${prefix}cpu`, `${prefix}memory`]),
);
/** `must specify limits.cpu for: a,b; ...`; undefined where all containers say it, or the pod itself. */
export function podConstraint(names: readonly string[], pod: KubeObject): string | undefined {
  const spec = obj(pod.spec);
  const stated = obj(spec.resources);
  if (['requests', 'limits'].some((f) => ['cpu', 'memory'].some((n) => has(obj(stated[f])[n])))) return undefined;
  const required = [...new Set(names)].filter((n) => REQUIRED.has(n)).sort();
  if (required.length === 0) return undefined;
  const missing = new Map<string, Set<string>>();
  for (const c of [...objs(spec.containers), ...objs(spec.initContainers)]) {
    const said: Resources = new Map();
    const read = (v: Json | undefined): Resources =>
      new Map(Object.entries(obj(v)).map(([name, text]) => [name, quantity(text)]));
    add(read(obj(c.resources).requests), read(obj(c.resources).limits), said);
    for (const name of required)
      if (!said.has(name)) missing.set(name, (missing.get(name) ?? new Set()).add(str(c.name)));
  }
  if (missing.size === 0) return undefined;
  const each = [...missing.keys()].sort().map((name) => `${name} for: ${[...(missing.get(name) ?? [])].sort().join()}`);
  return `must specify ${each.join('; ')}`;
}

export const isTerminating = (pod: KubeObject): boolean => Number(obj(pod.spec).activeDeadlineSeconds ?? -1) >= 0;

/** podMatchesScopeFunc. */
export function podInScope(s: Scope, pod: KubeObject): boolean {
  const spec = obj(pod.spec);
  switch (s.name) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return podQOS(spec) === 'BestEffort';
    case 'NotBestEffort':
      return podQOS(spec) !== 'BestEffort';
    case 'PriorityClass': {
      const name = str(spec.priorityClassName);
      return selected(s, name === '' ? [] : [name]);
    }
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(obj(spec.affinity));
    default:
      return false;
  }
}
/** Whether one of these names is what a scope asks for. */
export function selected(s: Scope, names: readonly string[]): boolean {
  switch (s.operator) {
    case 'Exists':
      return names.length > 0;
    case 'DoesNotExist':
      return names.length === 0;
    case 'In':
      return names.some((n) => s.values.includes(n));
    case 'NotIn':
      return names.length === 0 || names.some((n) => !s.values.includes(n));
    default:
      return false;
  }
}
function crossesNamespaces(affinity: JsonObject): boolean {
  return ['podAffinity', 'podAntiAffinity'].some((member) => {
    const of = obj(affinity[member]);
    const terms = [
      ...objs(of.requiredDuringSchedulingIgnoredDuringExecution),
      ...objs(of.preferredDuringSchedulingIgnoredDuringExecution).map((w) => obj(w.podAffinityTerm)),
    ];
    return terms.some((t) => objs(t.namespaces).length > 0 || has(t.namespaceSelector));
  });
}
