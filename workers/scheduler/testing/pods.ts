import type { NodeInfo, Pod, Reject, SchedulerPlugin } from '../framework.ts';
import { isReject } from '../framework.ts';
import { place } from '../place.ts';
import { amounts } from '../resources.ts';

/** A pod with one container; `requests` and `ports` are the container's. */
export function pod(
  name: string,
  o: Partial<Pod['spec']> & {
    requests?: Record<string, string>;
    ports?: number[];
    hostIP?: string;
    protocol?: string;
  } = {},
): Pod {
  const { requests, ports, hostIP, protocol, ...spec } = o;
  const hostPorts = ports?.map((hostPort) => ({
    hostPort,
    ...(hostIP ? { hostIP } : {}),
    ...(protocol ? { protocol } : {}),
  }));
  const container = {
    name: 'c',
    ...(requests ? { resources: { requests } } : {}),
    ...(hostPorts ? { ports: hostPorts } : {}),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [container], ...spec },
  };
}

/** A node with room for 110 pods, 4 cpus and 8 Gi unless told otherwise. */
export function node(
  name: string,
  o: Partial<Omit<NodeInfo, 'allocatable'>> & { allocatable?: Record<string, string>; on?: Pod[] } = {},
): NodeInfo {
  const { allocatable, on, ...rest } = o;
  const info: NodeInfo = {
    name,
    labels: {},
    taints: [],
    unschedulable: false,
    requested: {},
    nonZero: {},
    pods: 0,
    ports: new Set(),
    placed: [],
    ...rest,
    allocatable: amounts({ pods: '110', cpu: '4', memory: '8Gi', ...allocatable }),
  };
  for (const p of on ?? []) place(info, p);
  return info;
}

/** What one plugin says of a pod on a node: undefined where it has nothing against it. */
export function filtered<S>(plugin: SchedulerPlugin<S>, of: Pod, on: NodeInfo): Reject | undefined {
  const s = plugin.prepare?.(of, { nodes: [on] }) ?? null;
  if (s === null) return undefined;
  return isReject(s) ? s : plugin.filter?.(s as S, on);
}
/** Its score before it is scaled; undefined where the plugin is skipped. */
export function scored<S>(plugin: SchedulerPlugin<S>, of: Pod, on: NodeInfo): number | undefined {
  const s = plugin.prepare?.(of, { nodes: [on] }) ?? null;
  return s === null || isReject(s) ? undefined : plugin.score?.(s as S, on);
}
