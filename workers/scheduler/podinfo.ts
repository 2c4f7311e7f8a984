import { timeToMillis } from '../../kube/meta/time.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { Labels, Pod, PodInfo } from './framework.ts';
import { podRequests, podUsage } from './resources.ts';
import { termsOf } from './terms.ts';

const ANY_ADDRESS = '0.0.0.0';

/** Host ports of a pod as `TCP/ip/port`: those of containers that run as long as it does. */
function hostPorts(pod: Pod): string[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  const found: string[] = [];
  for (const c of [...sidecars, ...pod.spec.containers])
    for (const p of c.ports ?? [])
      if (p.hostPort) found.push(`${p.protocol ?? 'TCP'}/${p.hostIP || ANY_ADDRESS}/${p.hostPort}`);
  return found;
}

/** A pod as plugins see it. */
export function podInfo(pod: Pod, labels: Labels = pod.metadata.labels ?? {}): PodInfo {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const owner = (pod.metadata.ownerReferences ?? []).find((r) => r.controller === true);
  return {
    pod,
    key: keyOf('', 'pods', namespace, name),
    uid,
    name,
    namespace,
    labels,
    priority: pod.spec.priority ?? 0,
    terminating: pod.metadata.deletionTimestamp !== undefined,
    startMs: timeToMillis(
      (pod.status as { startTime?: string } | undefined)?.startTime ?? pod.metadata.creationTimestamp,
    ),
    requests: podRequests(pod),
    ...podUsage(pod),
    ports: hostPorts(pod),
    terms: termsOf(pod),
    owner: owner ? `${owner.apiVersion}/${owner.kind}/${owner.name}` : '',
  };
}

/** Rows are never changed in place, so what was worked out of one holds as long as it is there. */
const known = new WeakMap<object, PodInfo>();

export function podInfoOf(row: Row): PodInfo {
  const old = known.get(row);
  if (old) return old;
  const made = podInfo(row.data as unknown as Pod, row.labels);
  known.set(row, made);
  return made;
}
