import type { Pod, SchedulerPlugin } from '../framework.ts';

const ANY = '0.0.0.0';

/** Host ports of a pod as `TCP/ip/port`. */
export function hostPorts(pod: Pod): string[] {
  return pod.spec.containers.flatMap((c) =>
    (c.ports ?? []).flatMap((p) => (p.hostPort ? [`${p.protocol ?? 'TCP'}/${p.hostIP || ANY}/${p.hostPort}`] : [])),
  );
}

/** A port on one address conflicts with the same port on all addresses, and the other way round. */
function conflicts(wanted: string, used: ReadonlySet<string>): boolean {
  const [protocol, ip, port] = wanted.split('/');
  if (used.has(wanted) || used.has(`${protocol}/${ANY}/${port}`)) return true;
  if (ip !== ANY) return false;
  for (const u of used) {
    const [p, , n] = u.split('/');
    if (p === protocol && n === port) return true;
  }
  return false;
}

export const nodeports: SchedulerPlugin<string[]> = {
  name: 'NodePorts',
  retryOn: ['node', 'pod-deleted'],
  prepare(pod) {
    const ports = hostPorts(pod);
    return ports.length === 0 ? null : ports;
  },
  filter: (ports, node) =>
    ports.some((p) => conflicts(p, node.ports))
      ? { reasons: ["node(s) didn't have free ports for the requested pod ports"] }
      : undefined,
};
